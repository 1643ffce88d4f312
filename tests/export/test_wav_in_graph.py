"""WAV files and sample rates inside the graph, against soundfile and soxr."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import soundfile
import soxr
import tensorflow as tf
from helpers.wav_files import chunk, integers, wav

from mcc_zoo.export.resample_in_graph import resample
from mcc_zoo.export.wav_in_graph import MAX_CHUNKS, decode_wav, find_fault, read_header
from mcc_zoo.features.front_end import FRONT_ENDS

RATE = 44_100
COMMON_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 48_000, 88_200, 96_000, 176_400, 192_000)


@pytest.fixture(scope="module")
def resampled():
    """Bring samples from any rate to 44,100 Hz, in one graph for all rates."""
    signature = [tf.TensorSpec((None,), tf.float32), tf.TensorSpec((), tf.int64)]
    function = tf.function(lambda audio, rate: resample(audio, rate, RATE), input_signature=signature)
    return lambda audio, rate: function(np.asarray(audio, np.float32), np.int64(rate)).numpy()


@pytest.fixture(scope="module")
def fault():
    """Say what is wrong with a file, where three seconds are allowed."""
    function = tf.function(
        lambda file: find_fault(file, read_header(file), FRONT_ENDS["44k"], 3.0),
        input_signature=[tf.TensorSpec((), tf.string)],
    )
    return lambda file: function(tf.constant(file)).numpy().decode()


@pytest.fixture(scope="module")
def decoded(fault):
    """Decode a file without faults to 44,100 Hz."""
    function = tf.function(
        lambda file: decode_wav(file, read_header(file), FRONT_ENDS["44k"]),
        input_signature=[tf.TensorSpec((), tf.string)],
    )

    def decode(file: bytes) -> np.ndarray:
        assert fault(file) == ""
        return function(tf.constant(file)).numpy()

    return decode


def decibels(audio: np.ndarray) -> float:
    """Level of the middle, beyond reach of the ends, relative to a full-scale sine."""
    middle = audio[len(audio) // 4 : -len(audio) // 4].astype(float)
    return float(10 * np.log10(2 * np.average(middle**2, weights=np.hanning(len(middle))) + 1e-20))


def tone(hertz: float, rate: int, seconds: float = 1.5) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 32_000, 44_101, 48_000, 88_200, 96_000, 192_000])
def test_pass_band_is_soxrs_and_nothing_folds_back(resampled, rate):
    nyquist = min(rate, RATE) / 2
    for share in (0.001, 0.1, 0.5, 0.8, 0.9, 0.913):
        audio = tone(share * nyquist, rate)
        found, expected = resampled(audio, rate), soxr.resample(audio, rate, RATE, quality="HQ")
        assert abs(decibels(found) - decibels(expected)) < 0.05  # half a decibel is allowed
        assert abs(decibels(found)) < 0.05
    for hertz in np.linspace(RATE / 2, rate / 2, 8)[:-1] if rate > RATE + 1 else []:
        assert decibels(resampled(tone(hertz, rate), rate)) < -90  # sixty are allowed


@pytest.mark.parametrize("rate", [8_000, 22_050, 32_000])
def test_raising_the_rate_adds_nothing_above(resampled, rate):
    audio = tone(0.9 * rate / 2, rate, seconds=4)
    found = resampled(audio, rate)
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found))))
    above = spectrum[np.fft.rfftfreq(len(found), 1 / RATE) > rate / 2]
    assert 20 * np.log10(above.max() / spectrum.max()) < -90


@pytest.mark.parametrize(
    ("rate", "seconds"),
    [
        *(
            (rate, seconds)
            for rate in (1_000, 8_000, 12_345, 22_050, 44_099, 44_101, 48_000, 96_000, 768_000)
            for seconds in (0.3, 1.0, 2.37)
        ),
        *((48_000, seconds) for seconds in (3.67, 3.68, 3.69, 8.0)),  # a group of frames lasts 3.68 s
        (44_101, 17.3),  # and here 16 s
    ],
)
def test_waveform_is_soxrs_sample_by_sample(resampled, rate, seconds, rng):
    """Noise below the transition, over the borders of frames and of their groups; faded, for an end is a click."""
    spectrum = np.fft.rfft(rng.normal(size=int(rate * seconds)))
    spectrum[np.fft.rfftfreq(int(rate * seconds), 1 / rate) > 0.88 * min(rate, RATE) / 2] = 0
    audio = np.fft.irfft(spectrum, int(rate * seconds)) * np.hanning(int(rate * seconds))
    audio *= 0.3 / audio.std()
    found, expected = resampled(audio, rate), soxr.resample(audio, rate, RATE, quality="VHQ")
    assert abs(len(found) - len(expected)) <= 1
    assert len(found) == round(len(audio) * RATE / rate)
    both = min(len(found), len(expected))
    np.testing.assert_allclose(found[:both], expected[:both], rtol=0, atol=1e-3)


@pytest.mark.parametrize("rate", COMMON_RATES)
def test_white_noise_is_soxrs_up_to_the_last_tenth_of_an_octave(resampled, rate, rng):
    """Where the filter falls, too: as the files that the tagger reads, by soxr's HQ."""
    audio = rng.normal(scale=0.1, size=3 * rate).astype(np.float32)
    found, expected = resampled(audio, rate), soxr.resample(audio, rate, RATE, quality="HQ")
    away = (found - expected)[1_000:-1_000]  # an end is a click
    assert len(found) == len(expected)
    assert away.std() < 2e-3 * expected.std()


def test_the_right_rate_is_left_alone(resampled, rng):
    audio = rng.normal(size=50_001).astype(np.float32)
    np.testing.assert_array_equal(resampled(audio, RATE), audio)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("frames", [2_048, 2_049, 44_101])
def test_samples_are_soundfiles(decoded, channels, frames):
    samples = integers(frames, frames, channels)
    for file in (wav(samples), wav(samples, coding=0xFFFE), wav(samples, before=chunk(b"LIST", b"odd"), after=b"junk")):
        expected, rate = soundfile.read(io.BytesIO(file), dtype="float32", always_2d=True)
        assert (rate, expected.shape) == (RATE, (frames, channels))
        np.testing.assert_allclose(decoded(file), expected.mean(axis=1), rtol=0, atol=1e-7)


@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize("rate", [22_050, 48_000, 96_000])
def test_files_of_soundfile_are_read(decoded, container, rate):
    file = io.BytesIO()
    soundfile.write(file, integers(0, rate, 2), rate, format=container, subtype="PCM_16")
    expected = soxr.resample(integers(0, rate, 2).mean(axis=1) / 32_768, rate, RATE)
    found = decoded(file.getvalue())
    assert len(found) == len(expected) == RATE
    assert np.corrcoef(found, expected)[0, 1] > 0.9999


def test_bytes_past_the_last_whole_frame_are_dropped(decoded):
    samples = integers(1, 8_001)
    file = wav(samples[:-1].reshape(-1, 2), declared=2 * 8_001, after=samples[-1:].tobytes())
    np.testing.assert_allclose(decoded(file), samples[:-1].reshape(-1, 2).mean(axis=1) / 32_768, atol=1e-7)


GOOD = integers(3, 4_096)
REFUSED = {
    "empty": (b"", "is empty"),
    "text": (b"these are no samples at all, but words", "is no WAV file, it does not begin with RIFF and WAVE"),
    "few bytes": (b"RI", "is no WAV file"),
    "big-endian": (b"RIFX" + wav(GOOD)[4:], "is no WAV file"),
    "AVI": (wav(GOOD)[:8] + b"AVI " + wav(GOOD)[12:], "is no WAV file"),
    "header alone": (wav(GOOD)[:12], "has no format chunk"),
    "format cut": (wav(GOOD)[:24], r"has WAV coding 1 \(1 is PCM, 3 is float\) with 0 bits"),
    "float": (wav(GOOD, coding=3, bits=32, block=4), r"has WAV coding 3 .* with 32 bits .*only 16-bit PCM is read"),
    "24 bits": (wav(GOOD, bits=24, block=3), "with 24 bits a sample"),
    "8 bits": (wav(GOOD, bits=8, block=1), "with 8 bits a sample"),
    "A-law": (wav(GOOD, coding=6, bits=8, block=1), "has WAV coding 6"),
    "no channels": (wav(GOOD, channels=0, block=2), "has 0 channels: send 1 to 64"),
    "many channels": (wav(GOOD, channels=65), "has 65 channels"),
    "block of nothing": (wav(GOOD, block=0), "contradicts itself, 1 channels of 16 bits in blocks of 0 bytes"),
    "wrong block": (wav(GOOD, block=4), "in blocks of 4 bytes"),
    "0 Hz": (wav(GOOD, 0), "has a sample rate of 0 Hz: send 1000 to 768000 Hz"),
    "4 GHz": (wav(GOOD, 2**32 - 1), "has a sample rate of 4294967295 Hz"),
    "no data chunk": (wav(GOOD)[:36], "holds no samples"),
    "no samples": (wav(GOOD[:0]), "holds no samples"),
    "one byte": (wav(GOOD[:0], declared=1, after=b"\0"), "is too short"),
    "truncated": (wav(GOOD)[:-1], r"declares 8192 bytes of audio and 8191 are there: it is cut off"),
    "lying header": (wav(GOOD, declared=10**6), "declares 1000000 bytes of audio and 8192 are there"),
    "unknown length": (wav(GOOD, declared=2**32 - 1), "declares 4294967295 bytes .* written to a pipe"),
    "lying chunk": (wav(GOOD, before=b"LIST\xff\xff\xff\xff"), "holds no samples"),
    "under one window": (wav(GOOD[:2_047]), r"is too short: audio has too few .*at least one window.* it has 2047"),
    "short when resampled": (wav(GOOD, 96_000), r"is too short: .* it has 1882"),
    "too long": (wav(np.zeros(24_001, np.int16), 8_000), "lasts 3.000125 s and 3 s are allowed"),
    "empty chunks": (wav(GOOD, before=chunk(b"junk", b"") * (MAX_CHUNKS + 1)), "holds no samples"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_such_file_is_refused_with_a_sentence(fault, name):
    file, words = REFUSED[name]
    assert re.match(f"wav_bytes .*{words}", fault(file))


def test_any_bytes_get_samples_or_a_sentence(fault, decoded, rng):
    """A good file with bytes of its header changed, or cut anywhere: never NaN, never an error of another kind."""
    good = np.frombuffer(wav(GOOD, before=chunk(b"LIST", b"1234")), np.uint8)
    answered = 0
    for _ in range(300):
        file = good.copy()
        file[rng.integers(0, 60, size=rng.integers(1, 4))] = rng.integers(0, 256)
        content = file[: rng.integers(0, len(file)) if rng.random() < 0.3 else None].tobytes()
        if sentence := fault(content):
            assert sentence.startswith("wav_bytes ")
        else:
            answered += 1
            found = decoded(content)
            assert np.isfinite(found).all() and len(found) >= 2_048
    assert 0 < answered < 300
