"""Audio files in, waveforms or one-sentence refusals out."""

from __future__ import annotations

import functools
import os
import re
import struct
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
from helpers.soak import Tally, amount

from mcc_zoo.audio import checks, decoders, folders, reading
from mcc_zoo.audio.decoders import DECODERS
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder

# name: soundfile's format and subtype, the largest error that its coding of a sine of amplitude 0.4 may make
FORMATS = {
    "wav": ("WAV", "PCM_16", 1e-4),
    "float.wav": ("WAV", "FLOAT", 1e-6),
    "wavex.wav": ("WAVEX", "PCM_24", 1e-6),
    "rf64": ("RF64", "PCM_16", 1e-4),
    "w64": ("W64", "PCM_16", 1e-4),
    "flac": ("FLAC", "PCM_16", 1e-4),
    "ogg": ("OGG", "VORBIS", 0.06),
    "mp3": ("MP3", "MPEG_LAYER_III", 0.06),
    "au": ("AU", "PCM_16", 1e-4),
    "aiff": ("AIFF", "PCM_16", 1e-4),
    "caf": ("CAF", "PCM_16", 1e-4),
}
RATES = (8_000, 22_050, 44_100, 48_000)
EARLY = {("av", "OGG"): 256}  # samples that FFmpeg's Vorbis decoder leaves out at the end


def installed(decoder: str) -> bool:
    """Whether a decoder is here."""
    try:
        decoders.find_decoder(decoder)
    except ValueError:
        return False
    return True


INSTALLED = [decoder for decoder in DECODERS if installed(decoder)]
assert {"auto", "soundfile", "av"} <= set(INSTALLED)  # else most tests below would be empty
each_decoder = pytest.mark.parametrize("decoder", INSTALLED, indirect=True)


def but_not(*others: str) -> pytest.MarkDecorator:
    """Run a test with each decoder that is installed, but for these."""
    return pytest.mark.parametrize("decoder", [name for name in INSTALLED if name not in others], indirect=True)


# Each decoder that is installed with each format that it reads.
each_format = pytest.mark.parametrize(
    ("decoder", "name"),
    [
        (name, key)
        for name in INSTALLED
        for key, (container, *_) in FORMATS.items()
        if container in DECODERS[name].formats and (name, key) != ("tfio", "wavex.wav")  # of 24 bits: see test_decoders
    ],
    indirect=["decoder"],
)


@pytest.fixture(scope="module")
def of_tfio() -> Iterator[IsolatedDecoder]:
    """tensorflow-io in the process that it needs."""
    with IsolatedDecoder(decoder="tfio") as isolated:
        yield isolated


@pytest.fixture(autouse=True)
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The decoder that `audio` takes in a test; the default in those that are not repeated with each."""
    chosen: str = getattr(request, "param", "auto")
    for name in ("read", "read_blocks", "probe"):
        monkeypatch.setattr(reading, name, functools.partial(getattr(reading, name), decoder=chosen))
    if chosen == "tfio":
        isolated: IsolatedDecoder = request.getfixturevalue("of_tfio")

        def read(path: Path, rate: int, **options: float) -> np.ndarray:
            return np.concatenate(list(isolated.read_blocks(path, rate, 50_000, **options)))

        monkeypatch.setattr(reading, "read_blocks", isolated.read_blocks)
        monkeypatch.setattr(reading, "read", read)
    return chosen


def sine(rate: float, seconds: float, hertz: float = 440.0) -> np.ndarray:
    """A sine (samples,) of amplitude 0.4."""
    return 0.4 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def noise(samples: int, channels: int = 1) -> np.ndarray:
    """Noise (samples, channels) within ±0.5, the same at each call."""
    return np.random.default_rng(7).uniform(-0.5, 0.5, (samples, channels))


def write(path: Path, samples: np.ndarray, rate: int = 44_100, **options: object) -> Path:
    """Write a file, by default in the format of its suffix."""
    soundfile.write(path, samples, rate, **options)
    return path


def patched(path: Path, position: int, data: bytes) -> Path:
    """Overwrite bytes of a file."""
    content = bytearray(path.read_bytes())
    content[position : position + len(data)] = data
    path.write_bytes(content)
    return path


def cut(path: Path, share: float) -> Path:
    """Keep the first part of a file."""
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return path


def without_first_mp3_frame(path: Path) -> Path:
    """Take away the frame that holds the Xing or Info header; the second frame becomes the first."""
    kilobits = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
    content = path.read_bytes()
    path.write_bytes(content[144 * kilobits[content[2] >> 4] * 1_000 // 44_100 + (content[2] >> 1 & 1) :])
    return path


class TestRead:
    """Waveforms."""

    @pytest.mark.parametrize("channels", [1, 2])
    @pytest.mark.parametrize("rate", RATES)
    @each_format
    def test_every_format_at_its_own_rate(
        self, tmp_path: Path, decoder: str, name: str, rate: int, channels: int
    ) -> None:
        """What was written comes back: length, type, scale and place in time."""
        container, subtype, tolerance = FORMATS[name]
        expected = sine(rate, 0.613)
        path = write(
            tmp_path / f"a.{name}", np.repeat(expected[:, None], channels, 1), rate, format=container, subtype=subtype
        )
        waveform = reading.read(path, rate)
        assert waveform.dtype == np.float32
        assert 0 <= len(expected) - len(waveform) <= EARLY.get((decoder, container), 0)
        expected = expected[: len(waveform)]
        assert np.abs(waveform - expected)[500:-500].max() < tolerance
        info = reading.probe(str(path))
        assert (info.sample_rate, info.channels, info.format) == (rate, channels, container)
        assert info.seconds == pytest.approx(0.613, abs=1 / rate)

    @but_not("tfio")
    @pytest.mark.parametrize("rate", [8_000, 48_000])
    def test_opus(self, tmp_path: Path, rate: int) -> None:
        """Opus knows only some rates."""
        path = write(tmp_path / "a.opus", sine(rate, 0.613), rate, format="OGG", subtype="OPUS")
        assert np.abs(reading.read(path, rate) - sine(rate, 0.613))[500:-500].max() < 0.06

    @each_decoder
    @pytest.mark.parametrize("channels", [1, 2])
    @pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
    @pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
    def test_mp3_of_every_bit_rate_mode(self, tmp_path: Path, mode: str, rate: int, channels: int) -> None:
        """Ordinary MP3 passes, with a tag at its end too."""
        expected = noise(rate, channels)
        path = write(tmp_path / "a.mp3", expected, rate, bitrate_mode=mode, compression_level=0.3)
        assert len(reading.read(path, rate)) == len(expected)
        path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
        assert len(reading.read(path, rate)) == len(expected)

    @each_format
    @pytest.mark.parametrize("rate", [22_050, 44_100])
    def test_decoding_in_blocks_leaves_no_seams(self, tmp_path: Path, decoder: str, name: str, rate: int) -> None:
        """The oracle decodes in one call; a decoder that seeks between blocks drops out after each."""
        container, subtype, _ = FORMATS[name]
        path = write(tmp_path / f"a.{name}", sine(rate, 2.1), rate, format=container, subtype=subtype)
        expected, _ = soundfile.read(path, dtype="float32")
        waveform = reading.read(path, rate)
        assert 0 <= len(expected) - len(waveform) <= EARLY.get((decoder, container), 0)
        np.testing.assert_allclose(waveform, expected[: len(waveform)], rtol=0, atol=3e-6)

    @each_format
    @pytest.mark.parametrize("samples", [1, 10, 1_151, 1_153])
    def test_very_short_files(self, tmp_path: Path, name: str, samples: int) -> None:
        """A frame of a codec more or less must not look like damage."""
        container, subtype, _ = FORMATS[name]
        path = write(tmp_path / f"a.{name}", noise(samples), format=container, subtype=subtype)
        assert reading.read(path, 44_100).shape == (samples,)

    @each_decoder
    def test_mp3_of_constant_bit_rate_needs_no_xing_header(self, tmp_path: Path) -> None:
        """Its length follows from its size."""
        path = write(tmp_path / "a.mp3", noise(100_000), bitrate_mode="CONSTANT", compression_level=0.5)
        waveform = reading.read(without_first_mp3_frame(path), 44_100)
        assert abs(len(waveform) - 100_000) < 3 * 1_152

    @each_decoder
    def test_channels_are_averaged(self, tmp_path: Path) -> None:
        """Opposite channels cancel, unequal ones meet in the middle."""
        channels = noise(5_000, 3)
        path = write(tmp_path / "three.wav", channels, subtype="FLOAT")
        np.testing.assert_allclose(reading.read(path, 44_100), channels.mean(axis=1), atol=1e-6)
        path = write(tmp_path / "opposite.wav", np.stack([channels[:, 0], -channels[:, 0]], 1), subtype="FLOAT")
        assert not reading.read(path, 44_100).any()

    @but_not("tfio")
    def test_full_scale_is_one(self, tmp_path: Path) -> None:
        """Integers are scaled by their range, eight bits as well as thirty-two."""
        square = np.tile([1.0, -1.0], 50)
        for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "DOUBLE"):
            path = write(tmp_path / f"{subtype}.wav", square, subtype=subtype)
            np.testing.assert_allclose(reading.read(path, 44_100), square, atol=0.01)

    @pytest.mark.parametrize("target", [22_050, 44_100, 16_000])
    @pytest.mark.parametrize("rate", [*RATES, 96_000])
    def test_resampling_against_the_formula(self, tmp_path: Path, rate: int, target: int) -> None:
        """A sine at one rate is the sine at the other: same place in time, same length, no gain."""
        path = write(tmp_path / "a.wav", sine(rate, 1.3), rate, subtype="FLOAT")
        waveform = reading.read(path, target)
        expected = sine(target, 1.3)
        assert len(waveform) == len(expected)
        assert np.abs(waveform - expected)[2_000:-2_000].max() < 1e-5

    def test_resampling_against_scipy(self, tmp_path: Path) -> None:
        """Music-like noise, limited to what both filters pass."""
        low = scipy.signal.sosfiltfilt(scipy.signal.butter(8, 0.2, output="sos"), noise(44_100)[:, 0])
        path = write(tmp_path / "a.wav", low, subtype="FLOAT")
        expected = scipy.signal.resample_poly(low, 1, 2, window=("kaiser", 12.0))
        assert np.abs(reading.read(path, 22_050) - expected)[500:-500].max() < 1e-4

    def test_resampling_leaves_no_alias(self, tmp_path: Path) -> None:
        """A tone above half of the new rate is gone, not folded down."""
        path = write(tmp_path / "a.wav", sine(44_100, 1.0, hertz=15_000), subtype="FLOAT")
        assert np.abs(reading.read(path, 22_050))[500:-500].max() < 1e-4

    def test_result_can_be_changed(self, tmp_path: Path) -> None:
        """Callers may normalise in place."""
        waveform = reading.read(write(tmp_path / "a.wav", noise(100)), 44_100)
        waveform *= 2
        assert waveform.flags.c_contiguous

    @each_decoder
    def test_suffix_does_not_matter(self, tmp_path: Path) -> None:
        """The content decides, even where the suffix names a headerless format."""
        for suffix in ("raw", "gsm", "txt", "mp3"):
            path = write(tmp_path / f"a.{suffix}", noise(1_000), format="FLAC")
            assert len(reading.read(path, 44_100)) == 1_000

    @each_decoder
    def test_name_that_is_no_unicode(self, tmp_path: Path) -> None:
        """Old disks hold such names."""
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n.wav"))
        path.write_bytes(write(tmp_path / "a.wav", noise(1_000)).read_bytes())
        assert len(reading.read(path, 44_100)) == 1_000
        path.write_bytes(b"")
        with pytest.raises(checks.AudioError, match=r"caf\\udce9\\n\.wav'") as refusal:
            reading.read(path, 44_100)
        str(refusal.value).encode()

    @each_decoder
    def test_metadata_after_the_samples(self, tmp_path: Path) -> None:
        """A WAV may carry a cover far larger than its audio."""
        path = write(tmp_path / "a.wav", noise(1_000))
        path.write_bytes(path.read_bytes() + b"id3 " + struct.pack("<I", 50_000) + bytes(50_000))
        assert len(reading.read(path, 44_100)) == 1_000

    @each_decoder
    @pytest.mark.parametrize("suffix", ["ogg", "flac"])
    def test_tag_after_the_stream(self, tmp_path: Path, suffix: str) -> None:
        """Taggers made for MP3 leave 128 bytes at the end of any file."""
        path = write(tmp_path / f"a.{suffix}", noise(10_000))
        path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
        assert len(reading.read(path, 44_100)) == 10_000

    @but_not("tfio")
    @pytest.mark.parametrize("size", [0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
    def test_wav_of_unknown_length(self, tmp_path: Path, size: int) -> None:
        """Programs that write to a pipe leave such sizes."""
        path = patched(write(tmp_path / "a.wav", noise(1_000)), 40, struct.pack("<I", size))
        assert len(reading.read(patched(path, 4, struct.pack("<I", size)), 44_100)) == 1_000

    def test_au_of_unknown_length(self, tmp_path: Path) -> None:
        """The AU format has a value for it."""
        path = patched(write(tmp_path / "a.au", noise(1_000)), 8, b"\xff" * 4)
        assert len(reading.read(path, 44_100)) == 1_000


class TestReadBlocks:
    """Blocks joined are the whole."""

    @each_decoder
    @pytest.mark.parametrize("target", [44_100, 22_050, 48_000])
    def test_blocks_equal_the_whole(self, tmp_path: Path, target: int) -> None:
        """At a block a sample shorter than the file, as long, and a sample longer; and at odd ones."""
        path = write(tmp_path / "a.flac", noise(40_001, 2))
        whole = reading.read(path, target)
        n = len(whole)
        for size in (n - 1, n, n + 1, 1_000, 16_384, n // 2, 12_345):
            blocks = list(reading.read_blocks(path, target, size))
            assert [len(block) for block in blocks] == [size] * (n // size) + [n % size] * (n % size > 0)
            assert all(block.dtype == np.float32 for block in blocks)
            np.testing.assert_array_equal(np.concatenate(blocks), whole)

    def test_blocks_of_one_sample(self, tmp_path: Path) -> None:
        """The smallest block."""
        path = write(tmp_path / "a.wav", noise(100))
        assert [block.shape for block in reading.read_blocks(path, 44_100, 1)] == [(1,)] * 100

    def test_blocks_do_not_share_memory(self, tmp_path: Path) -> None:
        """A caller may keep and change them."""
        blocks = list(reading.read_blocks(write(tmp_path / "a.wav", noise(20_000)), 44_100, 7_000))
        assert not any(np.shares_memory(one, other) for one in blocks for other in blocks if one is not other)

    @but_not("tfio")
    def test_memory_stays_small(self, tmp_path: Path) -> None:
        """Two minutes of stereo are 21 MB as float32; neither they nor their mono half are ever held."""
        path = write(tmp_path / "a.flac", np.zeros((120 * 22_050, 2), np.int16), 22_050)
        tracemalloc.start()
        samples = sum(len(block) for block in reading.read_blocks(path, 22_050, 82_944))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert samples == 120 * 22_050
        assert peak < 3e6

    @but_not("tfio")
    def test_stopping_early_closes_the_file(self, tmp_path: Path) -> None:
        """No descriptor is left behind."""
        path = write(tmp_path / "a.wav", noise(20_000))
        before = os.listdir("/dev/fd")
        blocks = reading.read_blocks(path, 44_100, 100)
        next(blocks)
        assert len(os.listdir("/dev/fd")) == len(before) + 1
        del blocks
        assert os.listdir("/dev/fd") == before

    def test_arguments_are_refused_at_the_call(self) -> None:
        """Before any file is touched."""
        with pytest.raises(ValueError, match="block_samples=0: a block needs a positive whole number"):
            reading.read_blocks("missing.wav", 44_100, 0)


@pytest.mark.parametrize("rate", [0, -1, 999, 768_001, 44_100.0, "44100", None])
def test_sample_rate_argument(rate: object) -> None:
    """The rate is part of the interface, and has no default."""
    with pytest.raises(ValueError, match=rf"sample_rate={rate!r}: give a whole number of Hz from 1000 to 768000"):
        reading.read("missing.wav", rate)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="sample_rate"):
        reading.read("missing.wav")  # type: ignore[call-arg]


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_max_seconds_argument(seconds: float) -> None:
    """Nothing fits into no time."""
    with pytest.raises(ValueError, match=rf"max_seconds={seconds!r}: give a positive number"):
        reading.read("missing.wav", 44_100, max_seconds=seconds)


def refusal(path: Path | str, **options: float) -> str:
    """The message with which `read` refuses a file; it has to be one sentence that begins with the quoted path."""
    with pytest.raises(checks.AudioError) as caught:
        reading.read(path, 44_100, **options)
    message = str(caught.value)
    assert message.startswith(f"{str(path)!r}: ")
    assert "\n" not in message
    assert not message.endswith(".")
    with pytest.raises(checks.AudioError, match=re.escape(message)):
        list(reading.read_blocks(path, 44_100, 5_000, **options))
    return message


class TestNoFile:
    """Paths at which there is nothing to decode."""

    @each_decoder
    def test_missing(self, tmp_path: Path) -> None:
        """Also where a link points to nothing."""
        assert "no such file; check the path" in refusal(tmp_path / "missing.wav")
        (tmp_path / "link.wav").symlink_to(tmp_path / "missing.wav")
        assert "no such file" in refusal(tmp_path / "link.wav")
        assert "no such file" in refusal("")

    @each_decoder
    def test_folder(self, tmp_path: Path) -> None:
        """A folder is named as one."""
        assert "a folder, not a file; give one of its files" in refusal(tmp_path)

    @each_decoder
    def test_fifo_does_not_hang(self, tmp_path: Path) -> None:
        """Opening it would wait for a writer for ever."""
        os.mkfifo(tmp_path / "pipe.wav")
        assert "a pipe, socket or device, not a regular file" in refusal(tmp_path / "pipe.wav")
        assert "a pipe, socket or device" in refusal("/dev/zero")

    @each_decoder
    def test_empty(self, tmp_path: Path) -> None:
        """An interrupted download."""
        (tmp_path / "empty.mp3").touch()
        assert "empty (0 bytes); copy or download it again" in refusal(tmp_path / "empty.mp3")

    def test_impossible_paths(self, tmp_path: Path) -> None:
        """Whatever the system says of a path becomes a sentence."""
        file = write(tmp_path / "a.wav", noise(10))
        assert "cannot be reached (Not a directory)" in refusal(file / "b.wav")
        assert "cannot be reached (File name too long)" in refusal(tmp_path / ("a" * 300))
        assert "cannot be reached (embedded null byte)" in refusal("a\0.wav")

    def test_no_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Simulated, because an administrator may read everything."""

        def deny(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(reading, "FileIO", deny)
        message = refusal(write(tmp_path / "a.wav", noise(10)))
        assert "cannot be opened (Permission denied); give a readable file" in message


class TestNotDecodable:
    """Bytes that are no audio, or audio of another kind."""

    @each_decoder
    @pytest.mark.parametrize("suffix", ["wav", "mp3", "flac", "ogg", "au", "snd", "gsm", "vox", "raw", "txt", "m4a"])
    @pytest.mark.parametrize("content", ["random", "zeros", "one byte", "text"])
    def test_no_audio(self, tmp_path: Path, decoder: str, suffix: str, content: str) -> None:
        """A suffix never makes audio of noise: libsndfile by itself would decode such .au, .gsm and .vox files."""
        path = tmp_path / f"a.{suffix}"
        random = np.random.default_rng(3).integers(0, 256, 20_000, np.uint8).tobytes()
        path.write_bytes({"random": random, "zeros": bytes(20_000), "one byte": b"R", "text": b"<html>" * 900}[content])
        message = refusal(path)
        assert "cannot be decoded (" in message
        named = {"snd": "AU"}.get(suffix, suffix.upper())
        if suffix in ("gsm", "vox", "raw", "txt"):
            assert ": damaged, or in another format); " in message
            assert f"{DECODERS[decoder].formats_text}, so convert it to one of them" in message
            assert ("M4A, AAC, WMA and more too with decoder=auto" in message) == (decoder in ("soundfile", "tfio"))
        else:
            assert f"so it is damaged or not the {named} file that its name says; copy or download it again" in message
            other = suffix == "m4a" and decoder in ("soundfile", "tfio")
            assert ("M4A is read with decoder=auto" in message) == other

    def test_an_mp3_without_a_sound_frame(self, tmp_path: Path) -> None:
        """libsndfile's word for it is that there is no file."""
        path = write(tmp_path / "a.mp3", noise(20_000))
        random = np.random.default_rng(3).integers(0, 256, 20_000, np.uint8).tobytes()
        path.write_bytes(path.read_bytes()[:300] + random)
        assert "cannot be decoded (No audio found), so it is damaged or not the MP3 file" in refusal(path)

    @pytest.mark.parametrize("decoder", ["soundfile"], indirect=True)
    @pytest.mark.parametrize("name", ["a.m4a", "a.mp3", "a"])
    def test_m4a(self, tmp_path: Path, name: str) -> None:
        """The commonest file that is audio and that soundfile does not read, whatever it is called."""
        path = tmp_path / name
        path.write_bytes(struct.pack(">I", 32) + b"ftypM4A \0\0\2\0M4A mp42isom\0\0\0\0" + bytes(5_000))
        assert refusal(path) == (
            f"'{path}': is M4A, which soundfile does not read; read it with decoder=auto, or convert it "
            "to WAV, FLAC or MP3"
        )

    @pytest.mark.parametrize("container", ["VOC", "NIST", "MAT5", "PAF"])
    def test_formats_whose_cuts_pass_unnoticed(self, tmp_path: Path, container: str) -> None:
        """libsndfile knows them; a cut or lying file of them could not be told."""
        path = write(tmp_path / "a.x", noise(1_000), format=container)
        assert f"cannot be decoded (its format is {container})" in refusal(path)

    @each_format
    def test_header_alone(self, tmp_path: Path, name: str) -> None:
        """A file that ends within its header."""
        container, subtype, _ = FORMATS[name]
        path = write(tmp_path / "a.x", noise(30_000), format=container, subtype=subtype)
        refusal(cut(path, 20 / path.stat().st_size))

    @each_decoder
    def test_no_samples(self, tmp_path: Path) -> None:
        """A header and no more."""
        message = refusal(write(tmp_path / "a.wav", noise(0)))
        assert "holds no samples; give a file with audio in it" in message

    @each_decoder
    def test_less_than_a_sample_at_the_asked_rate(self, tmp_path: Path) -> None:
        """One sample at a far higher rate is nothing."""
        path = write(tmp_path / "a.wav", noise(1), 768_000)
        assert "1 samples at 768000 Hz are less than one sample at 44100 Hz" in refusal(path)


class TestBadSamples:
    """Audio that no music has."""

    @each_decoder
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("rate", [44_100, 22_050])
    def test_not_finite(self, tmp_path: Path, value: float, rate: int) -> None:
        """One such sample in one channel, past the first blocks, is found and its second is told."""
        samples = noise(3 * rate, 2)
        samples[5 * rate // 2, 1] = value
        message = refusal(write(tmp_path / "a.wav", samples, rate, subtype="FLOAT"))
        assert f"at 2.50 s a sample is {value:g}, not a finite number" in message

    @each_decoder
    def test_infinities_that_cancel(self, tmp_path: Path) -> None:
        """Channels are checked before they are mixed."""
        samples = noise(1_000, 2)
        samples[441] = 1e4, -1e4
        message = refusal(write(tmp_path / "a.wav", samples, subtype="FLOAT"))
        assert "at 0.01 s a sample is 10000 times full scale; scale the audio to ±1" in message

    @each_decoder
    def test_integers_as_floats(self, tmp_path: Path) -> None:
        """The commonest cause; a little over full scale is music, though."""
        path = write(tmp_path / "a.wav", 32_768 * noise(1_000) + 200, subtype="FLOAT")
        assert "times full scale; scale the audio to ±1 and write the file again" in refusal(path)
        assert len(reading.read(write(path, 99 * 2 * noise(1_000), subtype="FLOAT"), 44_100)) == 1_000

    def test_beyond_float32(self, tmp_path: Path) -> None:
        """A 64-bit file can hold more than the waveform."""
        path = write(tmp_path / "a.wav", np.array([0.0, 1e300]), subtype="DOUBLE")
        assert "a sample is inf, not a finite number" in refusal(path)


class TestLyingHeaders:
    """Headers that are not what the file holds."""

    @each_decoder
    @pytest.mark.parametrize("rate", [1, 999, 768_001, 4_000_000_000 // 2])
    def test_absurd_sample_rate(self, tmp_path: Path, rate: int) -> None:
        """The limits, a step beyond."""
        path = patched(write(tmp_path / "a.wav", noise(1_000)), 24, struct.pack("<I", rate))
        assert f"its sample rate is {rate} Hz; give a file with a rate from 1000 to 768000 Hz" in refusal(path)
        with pytest.raises(checks.AudioError, match=f"sample rate is {rate} Hz"):
            reading.probe(path)

    @each_decoder
    @pytest.mark.parametrize("rate", [1_000, 768_000])
    def test_extreme_sample_rates_that_pass(self, tmp_path: Path, rate: int) -> None:
        """The limits themselves."""
        assert len(reading.read(write(tmp_path / "a.wav", noise(rate // 2), rate), 44_100)) == 22_050

    @each_decoder
    def test_too_many_channels(self, tmp_path: Path) -> None:
        """The limit and a step beyond."""
        assert len(reading.read(write(tmp_path / "a.wav", noise(100, 64)), 44_100)) == 100
        message = refusal(write(tmp_path / "a.wav", noise(100, 65)))
        assert "it has 65 channels; give a file with 1 to 64" in message

    @each_decoder
    def test_too_long(self, tmp_path: Path) -> None:
        """At the limit, and a sample beyond."""
        path = write(tmp_path / "a.wav", noise(44_100))
        assert len(reading.read(path, 44_100, max_seconds=1.0)) == 44_100
        assert len(reading.read(path, 44_100, max_seconds=float("inf"))) == 44_100
        message = refusal(write(path, noise(44_101 + 441)), max_seconds=1.0)
        assert "declares 1.01 s of audio and 1 s are allowed; cut it, or raise max_seconds" in message

    @each_decoder
    def test_mp3_that_claims_a_century(self, tmp_path: Path) -> None:
        """Over eighteen terabytes as float64; refused before anything is allocated, and by the cap alone."""
        path = write(tmp_path / "a.mp3", noise(44_100))
        xing = path.read_bytes().index(b"Xing")
        patched(path, xing + 8, b"\xff" * 4)
        tracemalloc.start()
        message = refusal(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert "s of audio and 86400 s are allowed" in message
        assert peak < 2e6
        assert "damaged" in refusal(path, max_seconds=float("inf"))

    @each_decoder
    def test_mp3_that_claims_too_little(self, tmp_path: Path) -> None:
        """The decoder would stop there, and most of the track be lost without a word."""
        path = write(tmp_path / "a.mp3", noise(441_000))
        xing = path.read_bytes().index(b"Xing")
        message = refusal(patched(path, xing + 8, struct.pack(">I", 100)))
        assert re.search(
            r"its header is wrong, it declares 2\.\d\d s and (these are in the first \d+ of|10\.0)", message
        )

    @each_decoder
    def test_mp3_of_variable_bit_rate_without_xing_header(self, tmp_path: Path, decoder: str) -> None:
        """It declares no length. libsndfile guesses, here by a first frame of music before silence and the reverse."""
        loud, silent = noise(441_000), np.zeros((441_000, 1))
        first = without_first_mp3_frame(
            write(tmp_path / "a.mp3", np.concatenate([loud, silent]), bitrate_mode="VARIABLE")
        )
        if decoder in ("auto", "av"):
            assert abs(len(reading.read(first, 44_100)) - 882_000) < 3 * 1_152
            assert reading.probe(first).seconds is None
        else:
            message = refusal(first)
            assert re.search(rf"{decoder} stops after \d+\.\d\d s of it, as its header states no length; read", message)
            assert message.endswith("read it with decoder=auto")
        path = write(tmp_path / "b.mp3", np.concatenate([silent, loud]), bitrate_mode="VARIABLE")
        assert abs(len(reading.read(without_first_mp3_frame(path), 44_100)) - 882_000) < 3 * 1_152

    @but_not("auto", "av")
    def test_flac_of_unknown_length(self, tmp_path: Path) -> None:
        """As written to a pipe; a cut in it could not be noticed."""
        path = patched(write(tmp_path / "a.flac", noise(44_100)), 22, bytes(4))
        assert "its header states no length; write the whole FLAC file again" in refusal(path)

    @each_decoder
    def test_flac_that_claims_two_weeks(self, tmp_path: Path, decoder: str) -> None:
        """The largest length that the format can state."""
        path = write(tmp_path / "a.flac", noise(44_100))
        patched(path, 21, bytes([path.read_bytes()[21] | 0x0F]) + b"\xff" * 4)
        assert "declares 1558264.78 s of audio and 86400 s are allowed" in refusal(path)
        if decoder != "tfio":  # which hangs on it; test_subprocess_decoder.py tests hangs
            assert "1.00 s decoded of the 1558264.78 s that its header declares" in refusal(path, max_seconds=1e9)

    @each_decoder
    def test_flac_that_claims_too_little(self, tmp_path: Path) -> None:
        """All but the first second would be lost."""
        path = patched(write(tmp_path / "a.flac", noise(441_000)), 22, struct.pack(">I", 44_100))
        assert re.search(
            r"its header is wrong, it declares 1\.00 s and (these are in the first \d+ of|10\.0)", refusal(path)
        )

    @each_decoder
    def test_chained_ogg(self, tmp_path: Path, decoder: str) -> None:
        """Two streams in one file, of which libsndfile sees one."""
        write(tmp_path / "a.ogg", noise(44_100))
        write(tmp_path / "b.ogg", noise(44_100))
        path = tmp_path / "c.ogg"
        path.write_bytes((tmp_path / "a.ogg").read_bytes() + (tmp_path / "b.ogg").read_bytes())
        if decoder in ("auto", "av"):
            assert 88_200 - 2 * EARLY["av", "OGG"] <= len(reading.read(path, 44_100)) <= 88_200
        else:
            assert re.search("its header (is wrong|states no length)", refusal(path))


class TestCutFiles:
    """Files of which a part is missing."""

    @pytest.mark.parametrize("channels", [1, 2])
    @each_format
    def test_half_a_file(self, tmp_path: Path, decoder: str, name: str, channels: int) -> None:
        """Refused in every format; each says so in its own way."""
        container, subtype, _ = FORMATS[name]
        path = write(tmp_path / f"a.{name}", noise(88_200, channels), format=container, subtype=subtype)
        message = refusal(cut(path, 0.5))
        expected = {"flac": "damaged", "mp3": "damaged"}.get(name, "cut off")
        if (name, decoder) == ("caf", "soundfile"):  # libsndfile does not open it
            expected = "is CAF, of a kind that soundfile does not read ("
        assert expected in message

    @pytest.mark.parametrize("name", ["wav", "au", "aiff", "w64", "rf64", "mp3"])
    def test_nearly_whole(self, tmp_path: Path, name: str) -> None:
        """Up to a tenth may be missing, and no more."""
        container, subtype, _ = FORMATS[name]
        path = write(tmp_path / f"a.{name}", noise(441_000), format=container, subtype=subtype)
        assert 0.9 * 441_000 < len(reading.read(cut(path, 0.93), 44_100)) < 0.94 * 441_000
        assert "cut off" in refusal(cut(path, 0.95))

    @each_decoder
    def test_the_header_tells_before_anything_is_decoded(self, tmp_path: Path) -> None:
        """The numbers are in the message, and `probe` refuses too."""
        path = cut(write(tmp_path / "a.wav", noise(44_100)), 0.5)
        expected = (
            r"cut off, its header declares 88200 bytes or frames of audio and 44078 are present; copy or download"
        )
        with pytest.raises(checks.AudioError, match=expected):
            reading.probe(path)

    @each_decoder
    @pytest.mark.parametrize("comments", [1, 40])
    def test_long_metadata_hides_no_cut(self, tmp_path: Path, comments: int) -> None:
        """libsndfile's log, which alone tells of the cut, is full after 2,048 characters."""
        path = write(tmp_path / "a.wav", noise(44_100))
        content = path.read_bytes()
        comment = b"ICMT" + struct.pack("<I", 202) + b"x" * 200 + bytes(2)
        tags = b"LIST" + struct.pack("<I", 4 + comments * len(comment)) + b"INFO" + comments * comment
        size = struct.pack("<I", len(content) + len(tags) - 8)
        path.write_bytes(content[:4] + size + content[8:36] + tags + content[36:])
        assert len(reading.read(path, 44_100)) == 44_100
        assert "cut off, its header declares" in refusal(cut(path, 0.5))

    @but_not("tfio")
    def test_wrong_size_of_the_whole_is_harmless(self, tmp_path: Path) -> None:
        """Many programs get RIFF's own size wrong; the size of the audio is what counts."""
        for size in (0, 1_000_000):
            path = patched(write(tmp_path / "a.wav", noise(1_000)), 4, struct.pack("<I", size))
            assert len(reading.read(path, 44_100)) == 1_000

    @but_not("tfio")
    @pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
    def test_ogg_cut_between_two_pages(self, tmp_path: Path, subtype: str) -> None:
        """A shorter stream in every respect, but that no page is marked as the last."""
        path = write(tmp_path / "a.ogg", noise(144_000), 48_000, format="OGG", subtype=subtype)
        content = path.read_bytes()
        path.write_bytes(content[: content.rindex(b"OggS", 0, 2 * len(content) // 3)])
        assert "cut off, its Ogg stream ends after" in refusal(path)

    @but_not("av")
    def test_flac_damaged_in_the_middle(self, tmp_path: Path) -> None:
        """The decoder gives up there; FFmpeg leaves out up to a tenth."""
        path = write(tmp_path / "a.flac", noise(88_200))
        patched(path, path.stat().st_size // 2, bytes(5_000))
        assert re.search(r"damaged, decoding stopped after \d\.\d\d s of 2\.00 s \(", refusal(path))


class TestFind:
    """Audio files of a folder."""

    def test_what_is_found(self, tmp_path: Path) -> None:
        """Sorted, at any depth, capitals or not, and nothing hidden."""
        seen = ["a.MP3", "b.wav", "e.au", "f.aif", "g.aiff", "h.aifc", "i.opus", "j.oga", "z/c.flac", "z/y/d.Ogg"]
        passed_over = ["notes.txt", "cover.jpg", "list.m3u", "wav", "wav.", "flac/a.txt"]
        hidden = [".hidden.wav", "._a.MP3", "z/._c.flac", ".trash/x.wav", "z/.git/x.wav"]
        for name in seen[::-1] + passed_over + hidden:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "folder.wav").mkdir()
        os.mkfifo(tmp_path / "pipe.wav")
        (tmp_path / "link.wav").symlink_to("b.wav")
        (tmp_path / "dangling.wav").symlink_to("nowhere.wav")
        (tmp_path / "loop").symlink_to(tmp_path)
        expected = [tmp_path / name for name in (*seen[:8], "link.wav", *seen[8:])]
        assert folders.find(tmp_path) == expected
        assert folders.find(str(tmp_path)) == folders.find(tmp_path)

    def test_hidden_folder_by_name(self, tmp_path: Path) -> None:
        """A hidden folder that was asked for is searched."""
        (tmp_path / ".music").mkdir()
        (tmp_path / ".music" / "a.wav").touch()
        assert folders.find(tmp_path / ".music") == [tmp_path / ".music" / "a.wav"]

    def test_nothing_there(self, tmp_path: Path) -> None:
        """No files are an answer, no folder is not."""
        assert folders.find(tmp_path) == []
        (tmp_path / "a.wav").touch()
        for path in (tmp_path / "missing", tmp_path / "a.wav"):
            with pytest.raises(
                checks.AudioError, match=f"{str(path)!r}: cannot be listed as a folder .*; give a folder"
            ):
                folders.find(path)

    def test_suffixes(self) -> None:
        """Lower case, with their dot."""
        assert {".wav", ".flac", ".ogg", ".mp3", ".au", ".aif", ".aiff", ".aifc", ".opus"} <= folders.AUDIO_SUFFIXES
        assert {".m4a", ".m4b", ".aac", ".wma", ".mka", ".webm", ".mp2", ".ac3", ".wv"} <= folders.AUDIO_SUFFIXES
        assert all(re.fullmatch(r"\.[a-z0-9]+", suffix) for suffix in folders.AUDIO_SUFFIXES)


def mutations(content: bytes, count: int) -> list[bytes]:
    """Seeded damage: bytes overwritten, mostly near the header, and some files cut or with a hole."""
    mutated = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        damaged = bytearray(content)
        reach = min(len(content), int(random.choice([48, 256, len(content)])))
        for position in random.integers(0, reach, random.integers(1, 9)):
            damaged[position] = random.choice([0, 0x7F, 0x80, 0xFF, int(random.integers(256))])
        start, end = sorted(random.integers(0, len(content), 2))
        if seed % 5 == 0:
            del damaged[start:end]
        elif seed % 5 == 1:
            del damaged[start:]
        mutated.append(bytes(damaged))
    return mutated


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize(
    ("decoder", "name"),
    [
        *(("soundfile", name) for name in (*FORMATS, "opus")),
        *(("auto", name) for name in (*FORMATS, "opus")),
        *(("av", name) for name in (*FORMATS, "opus")),
    ],
    indirect=["decoder"],
)
def test_mutated_files_end_in_an_array_or_a_refusal(tmp_path: Path, name: str, tally: Tally) -> None:
    """No other exception, no crash, no hang, and nothing that is not finite."""
    container, subtype, _ = FORMATS.get(name, ("OGG", "OPUS", 0.0))
    samples = np.stack([sine(48_000, 0.15), noise(7_200)[:, 0]], 1)
    path = write(tmp_path / "a.x", samples, 48_000, format=container, subtype=subtype)
    outcomes: dict[str, int] = {"array": 0, "refusal": 0}
    for content in mutations(path.read_bytes(), amount(200, 800)):
        path.write_bytes(content)
        started = time.perf_counter()
        try:
            waveform = reading.read(path, 22_050, max_seconds=60)
        except checks.AudioError as error:
            assert str(error).startswith(repr(str(path)))
            outcomes["refusal"] += 1
        else:
            assert waveform.dtype == np.float32
            assert 0 < len(waveform) <= 60 * 22_050 + 1
            assert np.isfinite(waveform).all()
            outcomes["array"] += 1
        assert time.perf_counter() - started < 10
    assert outcomes["refusal"] >= 40  # at least the cut ones
    tally.add("damaged sound files", read=outcomes["array"], refused=outcomes["refusal"])


@pytest.mark.parametrize("decoder", [name for name in INSTALLED if name != "tfio"], indirect=True)
def test_tensorflow_is_not_imported(tmp_path: Path, decoder: str) -> None:
    """A process that decodes must stay small."""
    path = write(tmp_path / "a.wav", noise(1_000))
    program = (
        "import sys; from mcc_zoo import audio;"
        f"audio.read({str(path)!r}, 8_000, decoder={decoder!r}); print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"av": "'av'"}.get(decoder, "'soundfile'") in done.stdout
    assert not re.search("'(tensorflow|keras)", done.stdout)


def test_find_takes_other_suffixes_when_asked(tmp_path: Path) -> None:
    for name in ("a.wav", "b.M4A", "c.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in folders.find(tmp_path)] == ["a.wav", "b.M4A"]
    assert [path.name for path in folders.find(tmp_path, frozenset({".wav"}))] == ["a.wav"]
