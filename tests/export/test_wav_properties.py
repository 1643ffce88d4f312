"""The WAV parser in the graph on files of any kind, against soundfile and SciPy; on any bytes, against arithmetic."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import soundfile
import tensorflow as tf
from helpers.wav_files import chunk, wav
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import wavfile

from mcc_zoo.export.wav_in_graph import WavHeader, read_header

READ = tf.function(read_header, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
names = st.text("qxz", min_size=4, max_size=4).map(str.encode)  # none that libsndfile knows
other_chunks = st.lists(st.builds(chunk, names, st.binary(max_size=9)), max_size=4).map(b"".join)
rates = st.integers(1_000, 768_000)


@st.composite
def recordings(draw: st.DrawFn) -> np.ndarray:
    """Draw 16-bit samples (frames, channels)."""
    shape = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    return draw(arrays(np.int16, shape, elements=st.integers(-32_768, 32_767)))


def parse(file: bytes) -> WavHeader:
    """Parse a file, as whole numbers."""
    return WavHeader(*(int(value) for value in READ(tf.constant(file))))


def read_samples(file: bytes) -> np.ndarray:
    """Cut the samples out of a file by its parsed header: (frames, channels)."""
    header = parse(file)
    frames = header.declared // header.block
    return np.frombuffer(file, "<i2", frames * header.channels, header.start).reshape(frames, header.channels)


@settings(max_examples=max(10, settings.default.max_examples // 2))
@given(recordings(), rates, st.sampled_from([1, 0xFFFE]), other_chunks, other_chunks)
def test_samples_and_header_are_soundfiles_and_scipys(
    samples: np.ndarray, rate: int, coding: int, before: bytes, after: bytes
) -> None:
    file = wav(samples, rate, coding=coding, before=before, after=after)
    header = parse(file)
    assert (header.coding, header.channels, header.sample_rate) == (1, samples.shape[1], rate)
    assert (header.bits, header.block, header.declared) == (16, 2 * samples.shape[1], samples.nbytes)
    assert header.there >= header.declared
    found = read_samples(file)
    np.testing.assert_array_equal(found, samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of chunks that it does not know
        by_scipy = wavfile.read(io.BytesIO(wav(samples, rate, before=before)))
    assert by_scipy[0] == rate
    np.testing.assert_array_equal(by_scipy[1].reshape(samples.shape), found)
    by_soundfile, its_rate = soundfile.read(io.BytesIO(file), dtype="int16", always_2d=True)
    assert its_rate == rate
    np.testing.assert_array_equal(by_soundfile, found)


@given(recordings(), rates, st.sampled_from(["WAV", "WAVEX"]))
def test_files_that_soundfile_writes_are_read(samples: np.ndarray, rate: int, container: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype="PCM_16")
    np.testing.assert_array_equal(read_samples(file.getvalue()), samples)
    assert parse(file.getvalue()).sample_rate == rate


@given(recordings(), rates)
def test_files_that_scipy_writes_are_read(samples: np.ndarray, rate: int) -> None:
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    np.testing.assert_array_equal(read_samples(file.getvalue()), samples)


@given(recordings(), other_chunks, st.data())
def test_a_file_that_is_cut_anywhere_declares_more_than_is_there(
    samples: np.ndarray, before: bytes, data: st.DataObject
) -> None:
    file = wav(samples, before=before)
    cut = file[: data.draw(st.integers(0, len(file) - 1))]
    header = parse(cut)
    assert 0 <= header.start <= len(cut) and header.there == len(cut) - header.start
    assert header.declared > header.there or header.start == len(cut) or header.there == 0


@given(st.one_of(st.binary(max_size=120), st.binary(max_size=100).map(lambda rest: b"RIFF\0\0\0\0WAVE" + rest)))
def test_any_bytes_give_places_within_them(file: bytes) -> None:
    header = parse(file)
    assert 0 <= header.format_at <= len(file) and 0 <= header.start <= len(file)
    assert header.there == len(file) - header.start
    assert all(value >= 0 for value in header)
    if header.format_at + 16 <= len(file):
        coding, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", file, header.format_at)
        assert (channels, rate, block, bits) == (header.channels, header.sample_rate, header.block, header.bits)
        assert coding in (header.coding, 0xFFFE)
