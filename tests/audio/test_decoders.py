"""The decoders: formats that are theirs alone, agreement with each other, and those that are not here."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import write_tone
from helpers.av_files import encode
from helpers.soak import Tally, amount

import mcc_zoo
from mcc_zoo.audio import decoders, reading
from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.decoders import DECODERS
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder
from mcc_zoo.features import cache
from mcc_zoo.features.front_end import FRONT_ENDS

RATE = 44_100
OWN = {"a.m4a": "M4A", "a.aac": "AAC", "a.wma": "WMA"}  # formats that av alone reads


def tfio_is_here() -> bool:
    try:
        decoders.find_decoder("tfio")
    except ValueError:
        return False
    return True


OTHERS = ["av", *(["tfio"] if tfio_is_here() else [])]
ALL = ["auto", "soundfile", *OTHERS]


def low_noise(samples: int, channels: int = 1) -> np.ndarray:
    """Noise below a few kHz, which any codec keeps, with a place in time that a tone has not."""
    white = np.random.default_rng(5).uniform(-1, 1, (samples, channels))
    smooth = np.apply_along_axis(np.convolve, 0, white, np.hanning(41) / 20.5, "same")
    return 0.9 * smooth


def delay(found: np.ndarray, expected: np.ndarray) -> int:
    """Samples by which `found` is late."""
    size = len(found) + len(expected)
    product = np.fft.irfft(np.fft.rfft(found, size) * np.conj(np.fft.rfft(expected, size)), size)
    place = int(np.argmax(product))
    return place if place < len(found) else place - size


@pytest.fixture(scope="module")
def isolated() -> Iterator[dict[str, IsolatedDecoder]]:
    """A process for each decoder, in which any of them may decode anything."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(IsolatedDecoder(decoder=name)) for name in ALL}


def refusal(path: Path, decoder: decoders.DecoderName, **options: float) -> str:
    with pytest.raises(AudioError) as caught, IsolatedDecoder(decoder=decoder) as isolated:
        if decoder == "tfio":
            list(isolated.read_blocks(path, RATE, RATE, **options))
        reading.read(path, RATE, decoder=decoder, **options)
    assert str(caught.value).startswith(f"{str(path)!r}: ")
    return str(caught.value)


def flac_of_unknown_length(path: Path, samples: np.ndarray) -> Path:
    soundfile.write(path, samples, RATE)
    content = bytearray(path.read_bytes())
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", OWN)
def test_formats_of_av_alone(tmp_path: Path, name: str, channels: int) -> None:
    expected = low_noise(100_000, channels)
    path = encode(tmp_path / name, expected, RATE)
    info = reading.probe(path, "av")
    assert (info.sample_rate, info.channels, info.format) == (RATE, channels, OWN[name])
    found = reading.read(path, RATE, decoder="av")
    # Where a file states no delay, AAC's first block stays; FFmpeg leaves out WMA's first one, and does not flush.
    late = {"a.m4a": 1_024, "a.aac": 1_024, "a.wma": -2_048}[name]
    assert delay(found, expected.mean(1)) == late
    assert abs(len(found) - len(expected)) <= 2_048
    part = slice(5_000, 90_000)
    difference = found[5_000 + late : 90_000 + late] - expected.mean(1)[part]
    assert np.sqrt(np.mean(difference**2)) < 0.1 * np.sqrt(np.mean(expected.mean(1)[part] ** 2))
    assert info.seconds is None if name == "a.aac" else info.seconds == pytest.approx(len(expected) / RATE, abs=0.05)
    assert len(reading.read(path, RATE // 2, decoder="av")) == pytest.approx(len(found) / 2, abs=1)
    with IsolatedDecoder(decoder="av") as isolated:
        blocks = list(isolated.read_blocks(path, RATE, 7_000))
    np.testing.assert_array_equal(np.concatenate(blocks), found)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("decoder", ["soundfile", *OTHERS[1:]])
def test_others_name_the_flag(tmp_path: Path, name: str, decoder: decoders.DecoderName) -> None:
    message = refusal(encode(tmp_path / name, low_noise(20_000), RATE), decoder)
    kind = name[2:].upper()
    assert f"is {kind}, which {decoder} does not read; read it with decoder=auto" in message


def test_cut_files_of_av_alone(tmp_path: Path) -> None:
    expected = {
        "a.m4a": "cannot be decoded (Invalid data found",  # its table of contents was at the end
        "fast.m4a": "damaged or cut off, 1.00 s decoded of the 2.02 s",
        "a.wma": "cut off, its header declares",
    }
    for name, words in expected.items():
        options = {"movflags": "faststart"} if name == "fast.m4a" else {}
        path = encode(tmp_path / name, low_noise(88_200), RATE, **options)
        assert len(reading.read(path, RATE, decoder="av")) > 80_000
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert words in refusal(path, "av")


def test_aac_states_no_length_so_a_cut_is_a_shorter_file(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.aac", low_noise(88_200), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 30_000 < len(reading.read(path, RATE, decoder="av")) < 60_000


def test_aac_behind_an_id3_tag(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.aac", low_noise(20_000), RATE)
    bare = reading.read(path, RATE, decoder="av")
    tag = b"ID3\4\0\0" + bytes([0, 0, 2, 5]) + bytes(261)
    path.write_bytes(tag + path.read_bytes())
    np.testing.assert_array_equal(reading.read(path, RATE, decoder="av"), bare)


@pytest.mark.parametrize("name", OWN)
def test_damage_up_to_a_tenth_is_left_out(tmp_path: Path, name: str) -> None:
    """Noise over a part of the packets."""
    options = {"movflags": "faststart"} if name == "a.m4a" else {}
    path = encode(tmp_path / name, low_noise(441_000), RATE, **options)
    content, random = path.read_bytes(), np.random.default_rng(1)
    half = len(content) // 2

    def damaged(share: float) -> Path:
        size = int(share * len(content))
        path.write_bytes(content[:half] + random.bytes(size) + content[half + size :])
        return path

    assert len(reading.read(damaged(0.03), RATE, decoder="av")) == pytest.approx(441_000, rel=0.1)
    if name == "a.aac":  # it finds its way back, and no length says what is gone
        assert 0.5 * 441_000 < len(reading.read(damaged(0.4), RATE, decoder="av")) < 0.9 * 441_000
    else:
        assert "damaged" in refusal(damaged(0.4), "av")


@pytest.mark.parametrize("decoder", ["auto", "av"])
def test_flac_of_unknown_length_is_read_by_ffmpeg_alone(tmp_path: Path, decoder: decoders.DecoderName) -> None:
    samples = low_noise(100_000, 2)
    path = flac_of_unknown_length(tmp_path / "a.flac", samples)
    np.testing.assert_allclose(reading.read(path, RATE, decoder=decoder), samples.mean(1), atol=1e-4)
    assert reading.probe(path, decoder).seconds is None
    assert "write the whole FLAC file again, or read it with decoder=auto" in refusal(path, "soundfile")
    assert len(reading.read(path, RATE, decoder=decoder, max_seconds=100_000 / RATE)) == 100_000
    assert "its header states no length, and it is longer than the 2 s that are allowed" in refusal(
        path, decoder, max_seconds=2
    )


@pytest.mark.parametrize("other", ["auto", *OTHERS])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {}),
        ("24.wav", {"subtype": "PCM_24"}),
        ("8.wav", {"subtype": "PCM_U8"}),
        ("float.wav", {"subtype": "FLOAT"}),
        ("wavex.wav", {"subtype": "PCM_24", "format": "WAVEX"}),
        ("a.flac", {}),
        ("24.flac", {"subtype": "PCM_24"}),
        ("8.flac", {"subtype": "PCM_S8"}),
        ("a.ogg", {}),
        ("constant.mp3", {"bitrate_mode": "CONSTANT"}),
        ("variable.mp3", {"bitrate_mode": "VARIABLE"}),
    ],
)
def test_decoders_agree(
    tmp_path: Path, isolated: dict[str, IsolatedDecoder], name: str, options: dict[str, str], channels: int, other: str
) -> None:
    """In MP3 too, sample for sample: all three take the encoder's delay and padding away."""
    path = tmp_path / name
    soundfile.write(path, low_noise(50_002, channels), RATE, **options)
    expected = reading.read(path, RATE, decoder="soundfile")
    assert len(expected) == 50_002
    found = np.concatenate(list(isolated[other].read_blocks(path, RATE, 20_000)))
    missing = len(expected) - len(found)
    assert 0 <= missing <= (256 if name == "a.ogg" and other == "av" else 0)
    np.testing.assert_allclose(found, expected[: len(found)], rtol=0, atol=0 if other == "auto" else 1e-4)


@pytest.mark.parametrize("content", [b"#EXTM3U\n#EXTINF:1,\n{}\n", b"ffconcat version 1.0\nfile '{}'\n"])
def test_lists_of_other_files_are_not_followed(tmp_path: Path, content: bytes) -> None:
    """FFmpeg by itself would open what they name."""
    sound = write_tone(tmp_path / "a.wav", 440, 1.0)
    path = tmp_path / "list.m4a"
    path.write_bytes(content.replace(b"{}", str(sound).encode()))
    assert "cannot be decoded (" in refusal(path, "av")


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_mutated_files_end_in_an_array_or_a_refusal(tmp_path: Path, name: str, tally: Tally) -> None:
    whole = encode(tmp_path / name, low_noise(20_000), RATE).read_bytes()
    outcomes = {"array": 0, "refusal": 0}
    path = tmp_path / f"damaged {name}"
    with IsolatedDecoder(timeout=20, decoder="av") as isolated:
        for seed in range(amount(60, 240)):
            random, damaged = np.random.default_rng(seed), bytearray(whole)
            for place in random.integers(0, random.choice([64, 512, len(whole)]), random.integers(1, 9)):
                damaged[place] = random.choice([0, 0x7F, 0x80, 0xFF, int(random.integers(256))])
            path.write_bytes(damaged[: len(whole) if seed % 4 else int(random.integers(len(whole)))])
            try:
                blocks = list(isolated.read_blocks(path, 22_050, 10_000))
            except AudioError as error:
                assert "the decoder" not in str(error), (seed, error)  # neither a crash nor a hang
                outcomes["refusal"] += 1
            else:
                assert all(np.isfinite(block).all() for block in blocks)
                outcomes["array"] += 1
    assert min(outcomes.values()) >= 5
    tally.add("damaged sound files", read=outcomes["array"], refused=outcomes["refusal"])


def test_tfio_is_here_where_it_has_to_be() -> None:
    """In its own environment, `make test-tfio`, nothing of it may be passed over."""
    assert tfio_is_here() or not os.environ.get("MCC_ZOO_REQUIRE_TFIO")


@pytest.mark.skipif(not tfio_is_here(), reason="tensorflow-io is not installed here: make test-tfio")
class TestTfio:
    """What is told of tensorflow-io alone."""

    @pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_32"), ("a.wav", "DOUBLE"), ("a.wav", "ULAW")])
    def test_codings_that_it_takes_for_others_are_refused(self, tmp_path: Path, name: str, subtype: str) -> None:
        soundfile.write(tmp_path / name, low_noise(1_000), RATE, subtype=subtype)
        assert f"cannot be decoded (its format is WAV, {subtype}); WAV (8, 16 or 24 bits" in refusal(
            tmp_path / name, "tfio"
        )

    def test_opus_is_refused(self, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.opus", low_noise(48_000), 48_000, format="OGG", subtype="OPUS")
        assert "cannot be decoded (its format is OGG, OPUS)" in refusal(tmp_path / "a.opus", "tfio")

    def test_wav_that_states_no_length(self, tmp_path: Path) -> None:
        """tensorflow-io would end the process on it; the others read it."""
        soundfile.write(tmp_path / "a.wav", low_noise(1_000), RATE)
        content = bytearray((tmp_path / "a.wav").read_bytes())
        content[40:44] = b"\xff" * 4
        (tmp_path / "a.wav").write_bytes(content)
        assert "its header states no length; write the whole WAV file again" in refusal(tmp_path / "a.wav", "tfio")

    def test_wav_of_an_odd_number_of_bytes(self, tmp_path: Path) -> None:
        """Sound, but tensorflow-io reads past its end."""
        soundfile.write(tmp_path / "a.wav", low_noise(1_001), RATE, subtype="PCM_24")
        expected = "cannot be decoded (tensorflow-io: Read less bytes than requested); WAV (8, 16 or 24 bits"
        assert expected in refusal(tmp_path / "a.wav", "tfio")

    def test_not_in_the_users_own_process(self) -> None:
        for read in (reading.read, lambda *args, **more: reading.read_blocks(*args, 1, **more)):
            with pytest.raises(ValueError, match=r"ends the process .*\.IsolatedDecoder\(decoder='tfio'\)"):
                read("a.wav", RATE, decoder="tfio")

    def test_in_a_process_of_its_own(self, tmp_path: Path) -> None:
        path = write_tone(tmp_path / "a.mp3", 440, 3.0, RATE)
        with IsolatedDecoder(decoder="tfio") as isolated:
            found = np.concatenate(list(isolated.read_blocks(path, 22_050, 10_000)))
            (tmp_path / "b.wav").write_bytes(b"RIFF")
            with pytest.raises(AudioError, match=r"b\.wav'?: cannot be decoded"):
                list(isolated.read_blocks(tmp_path / "b.wav", 22_050, 10_000))
        np.testing.assert_allclose(found, reading.read(path, 22_050), atol=1e-4)


class TestNotInstalled:
    """A sentence says what to install, before anything is done."""

    @pytest.fixture(params=["av", "tfio"])
    def missing(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> decoders.DecoderName:
        needed, find = DECODERS[request.param].required_module, importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: find(name, *rest) if name != needed else None
        )
        name: decoders.DecoderName = request.param
        return name

    def test_every_door(self, missing: decoders.DecoderName, tmp_path: Path) -> None:
        command = {"av": "av", "tfio": r"\.\[tfio\]"}[missing]
        expected = rf"decoder='{missing}' needs the module \w+, which is not installed: pip install {command}"
        for door in (
            lambda: reading.read("a.wav", RATE, decoder=missing),
            lambda: reading.read_blocks("a.wav", RATE, 1, decoder=missing),
            lambda: reading.probe("a.wav", missing),
            lambda: IsolatedDecoder(decoder=missing),
            lambda: cache.FeatureCache(tmp_path / "cache", FRONT_ENDS["44k"], missing),
            lambda: mcc_zoo.load(tmp_path, missing),
        ):
            with pytest.raises(ValueError, match=expected):
                door()
        assert not (tmp_path / "cache").exists()

    def test_tfio_beside_another_tensorflow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It would be imported, and then every operation raises."""
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
        monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.21.0")
        with pytest.raises(
            ValueError, match=r"decoder='tfio' needs TensorFlow 2\.17\.1 and 2\.21\.0 is installed: pip"
        ):
            decoders.find_decoder("tfio")
        monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.17.1")
        decoders.find_decoder("tfio")

    def test_unknown(self) -> None:
        with pytest.raises(ValueError, match="decoder='ffmpeg' is not known: choose one of auto, soundfile, av, tfio"):
            reading.read("a.wav", RATE, decoder="ffmpeg")  # type: ignore[arg-type]


def test_cached_features_tell_decoders_apart(tmp_path: Path) -> None:
    """And those of soundfile keep the names that they have always had."""
    front_end = FRONT_ENDS["paper"]
    path = write_tone(tmp_path / "a.mp3", 440, 4.0)
    named = hashlib.sha256(path.read_bytes())
    parameters = dataclasses.asdict(front_end)
    del parameters["level"]  # which is younger, and on which the cached values do not depend
    named.update(json.dumps([cache.CACHE_FORMAT, parameters]).encode())
    of_soundfile = cache.FeatureCache(tmp_path / "cache", front_end, "soundfile").features(path)
    assert of_soundfile.path.name == f"{named.hexdigest()[:40]}.npy"
    of_av = cache.FeatureCache(tmp_path / "cache", front_end, "av").features(path)
    assert of_av.path != of_soundfile.path
    assert of_av.total == pytest.approx(of_soundfile.total, rel=1e-3)


def test_features_of_a_file_that_av_alone_reads(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", low_noise(200_000), RATE)
    with pytest.raises(AudioError, match="decoder=auto"):
        cache.FeatureCache(tmp_path, FRONT_ENDS["44k"], "soundfile").features(path)
    for decoder in ("auto", "av"):
        assert cache.FeatureCache(tmp_path, FRONT_ENDS["44k"], decoder).features(path).chunks == 2
