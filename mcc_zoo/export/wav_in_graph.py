"""WAV files inside the graph: the bytes of 16-bit PCM to a mono waveform, by TensorFlow's core operations.

`tf.audio.decode_wav` is not enough: it refuses the longer, extensible header, loses its place after a chunk of odd
length, and its errors name neither the file nor a remedy.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from mcc_zoo.audio.limits import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from mcc_zoo.export.faults import Fault, find_first
from mcc_zoo.export.resample_in_graph import count_resampled, resample
from mcc_zoo.features.chunking import too_short
from mcc_zoo.features.front_end import FrontEnd

MAX_CHUNKS = 1_000  # of a WAV file that are searched; without a limit a file of empty ones would keep a server busy
PCM, EXTENSIBLE = 1, 0xFFFE  # codings; the second states the coding proper further on


class WavHeader(NamedTuple):
    """What a WAV file declares, and how many bytes of audio there are; scalar int64 tensors."""

    format_at: tf.Tensor
    coding: tf.Tensor
    channels: tf.Tensor
    sample_rate: tf.Tensor
    block: tf.Tensor  # bytes of one sample of all channels
    bits: tf.Tensor
    start: tf.Tensor  # where the audio begins
    declared: tf.Tensor  # bytes
    there: tf.Tensor  # bytes

    @property
    def frames(self) -> tf.Tensor:
        """Samples of each channel."""
        return self.declared // tf.maximum(self.block, 1)


def find_fault(wav: tf.Tensor, header: WavHeader, front_end: FrontEnd, max_seconds: float) -> tf.Tensor:
    """Find out why a file is not read.

    Args:
        wav: Its bytes, a scalar string.
        header: Of the file.
        front_end: Of the model.
        max_seconds: Longer files are refused.

    Returns:
        A sentence, scalar string: it is no WAV file of 16-bit PCM, or empty, cut off, too short or too long. "" where
        it can be decoded.
    """
    return find_first([*_list_format_faults(wav, header), *_list_audio_faults(wav, header, front_end, max_seconds)])


def decode_wav(wav: tf.Tensor, header: WavHeader, front_end: FrontEnd) -> tf.Tensor:
    """Decode a file without faults, average its channels and resample it to the front end's sample rate.

    Args:
        wav: Its bytes, a scalar string.
        header: Of the file.
        front_end: Of the model.

    Returns:
        Float32 tensor (samples,), full scale 1.
    """
    audio = tf.io.decode_raw(tf.strings.substr(wav, header.start, header.frames * header.block), tf.int16)
    frames = tf.reshape(tf.cast(audio, tf.float32), tf.stack([-1, header.channels]))  # (frames, channels)
    mono = tf.reduce_mean(tf.transpose(frames), axis=0) / 32_768.0  # over rows: twice as fast as over columns
    return resample(mono, header.sample_rate, front_end.sample_rate)


def read_header(wav: tf.Tensor) -> WavHeader:
    """Read the header of any bytes; of what is no WAV file it gives numbers that are refused as faults."""
    size, form, data = _count_bytes(wav), _find_chunk(wav, "fmt "), _find_chunk(wav, "data")
    coding = _read_number(wav, form, 2)
    return WavHeader(
        format_at=form,
        coding=tf.where(tf.equal(coding, EXTENSIBLE), _read_number(wav, form + 24, 2), coding),
        channels=_read_number(wav, form + 2, 2),
        sample_rate=_read_number(wav, form + 4, 4),
        block=_read_number(wav, form + 12, 2),
        bits=_read_number(wav, form + 14, 2),
        start=data,
        declared=_read_number(wav, data - 4, 4),
        there=size - data,
    )


def _list_format_faults(wav: tf.Tensor, header: WavHeader) -> list[Fault]:
    """List what the kind of file can be refused for."""
    size, rate = _count_bytes(wav), header.sample_rate
    is_wav = tf.equal(_read_bytes(wav, 0, 4), "RIFF") & tf.equal(_read_bytes(wav, 8, 4), "WAVE")
    return [
        (tf.equal(size, 0), _say("is empty: send the bytes of a WAV file")),
        (~is_wav, _say("is no WAV file, it does not begin with RIFF and WAVE: send 16-bit PCM WAV")),
        (tf.equal(header.format_at, size), _say("has no format chunk: write the WAV file again")),
        (
            tf.not_equal(header.coding, PCM) | tf.not_equal(header.bits, 16),
            _say(
                "has WAV coding {} (1 is PCM, 3 is float) with {} bits a sample and only 16-bit PCM is read here: "
                "convert it",
                header.coding,
                header.bits,
            ),
        ),
        (
            (header.channels < 1) | (header.channels > MAX_CHANNELS),
            _say(f"has {{}} channels: send 1 to {MAX_CHANNELS}, they are mixed to one", header.channels),
        ),
        (
            tf.not_equal(header.block, 2 * header.channels),
            _say(
                "has a header that contradicts itself, {} channels of 16 bits in blocks of {} bytes: write it again",
                header.channels,
                header.block,
            ),
        ),
        (
            (rate < MIN_SAMPLE_RATE) | (rate > MAX_SAMPLE_RATE),
            _say(f"has a sample rate of {{}} Hz: send {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz", rate),
        ),
    ]


def _list_audio_faults(wav: tf.Tensor, header: WavHeader, front_end: FrontEnd, max_seconds: float) -> list[Fault]:
    """List what the audio in the file can be refused for."""
    rate = header.sample_rate
    samples = count_resampled(header.frames, rate, front_end.sample_rate)
    seconds = tf.cast(header.frames, tf.float64) / tf.cast(tf.maximum(rate, 1), tf.float64)
    return [
        (
            tf.equal(header.start, _count_bytes(wav)),
            _say("holds no samples: send a file with audio in it"),
        ),
        (
            header.declared > header.there,
            _say(
                "declares {} bytes of audio and {} are there: it is cut off, or was written to a pipe without its "
                "length; send it whole",
                header.declared,
                header.there,
            ),
        ),
        (
            seconds > max_seconds,
            _say(f"lasts {{}} s and {max_seconds:g} s are allowed: send it in parts", seconds),
        ),
        (
            samples < front_end.window_length,
            _say(f"is too short: {too_short('too few', front_end)}; it has {{}}", samples),
        ),
    ]


def _say(words: str, *values: tf.Tensor) -> tf.Tensor:
    """Make a sentence about a file. It has no number: a server may have joined the files of several requests."""
    return tf.strings.format(f"wav_bytes {words}", values)


def _find_chunk(wav: tf.Tensor, name: str) -> tf.Tensor:
    """Find where the content of the first chunk of a name begins; the size of the file where there is none."""
    size = _count_bytes(wav)

    def is_other(at: tf.Tensor) -> tf.Tensor:
        return (at + 8 <= size) & tf.not_equal(_read_bytes(wav, at, 4), name)

    def skip(at: tf.Tensor) -> tuple[tf.Tensor]:
        length = _read_number(wav, at + 4, 4)
        return (at + 8 + length + length % 2,)  # a chunk of odd length is followed by a byte

    (at,) = tf.while_loop(is_other, skip, (tf.constant(12, tf.int64),), maximum_iterations=MAX_CHUNKS)
    return tf.where(tf.equal(_read_bytes(wav, at, 4), name), tf.minimum(at + 8, size), size)


def _count_bytes(wav: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.strings.length(wav), tf.int64)


def _read_bytes(wav: tf.Tensor, at: Any, count: int) -> tf.Tensor:
    """Read `count` bytes, or as many as there are: past the end, none."""
    start = tf.clip_by_value(tf.cast(at, tf.int64), 0, _count_bytes(wav))
    return tf.strings.substr(wav, start, tf.constant(count, tf.int64))


def _read_number(wav: tf.Tensor, at: tf.Tensor, count: int) -> tf.Tensor:
    """Read an unsigned number of `count` bytes, the lowest first; bytes past the end are 0."""
    return tf.io.decode_raw(_read_bytes(wav, at, count), tf.int64, fixed_length=8)[0]
