"""Audio inside the graph: the bytes of a WAV file to a waveform at the model's rate, by TensorFlow's core operations.

`tf.audio.decode_wav` is not enough: it refuses the longer, extensible header, loses its way after a chunk of odd
length, and names neither the file nor what would do. The rate is changed by a sinc under a Gaussian window, whose
spectrum has a closed form. It is applied to a second of audio at a time, so that any two rates go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import tensorflow as tf

from mcc_zoo.audio.limits import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from mcc_zoo.features.framing import too_short
from mcc_zoo.features.front_end import FrontEnd

Structure = TypeVar("Structure")
MAX_CHUNKS = 1_000  # of a WAV file, looked at in search of one; a file made of empty ones would else keep a server busy
PCM, EXTENSIBLE = 1, 0xFFFE  # codings; the second has the coding proper further on
CUTOFF = 0.95  # of the lower Nyquist frequency: response 1/2
TRANSITION = 0.0165  # of the lower Nyquist frequency: -0.01 dB at 0.913, as soxr, and -100 dB at 1


class WavHeader(NamedTuple):
    """What a WAV file says of itself, and how many bytes of audio there are; scalar int64 tensors."""

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


def checked(tensors: Structure, faults: Sequence[tuple[Any, Any]]) -> Structure:
    """Return tensors, unless one of the faults holds: the graph then fails with the sentence of the first that does.

    One assertion for all of them: of several, which run side by side, any could speak first.

    Args:
        tensors: Any structure of tensors; what is computed from the result waits for the check.
        faults: Conditions, scalar bool, each with its sentence, a scalar string.

    Raises:
        tf.errors.InvalidArgumentError: One of the faults holds.
    """
    sentence = tf.constant("")
    for holds, words in reversed(faults):
        sentence = tf.where(holds, words, sentence)
    with tf.control_dependencies([tf.debugging.Assert(tf.equal(sentence, ""), [sentence])]):
        return tf.nest.map_structure(tf.identity, tensors)


def waveform_of_wav(wav: tf.Tensor, index: tf.Tensor, front_end: FrontEnd, max_seconds: float) -> tf.Tensor:
    """Decode a WAV file of 16-bit PCM, mix its channels and bring it to the front end's sample rate.

    Args:
        wav: Its bytes, a scalar string.
        index: Its place in the request, for the sentences.
        front_end: Of the model.
        max_seconds: Longer files are refused.

    Returns:
        Float32 tensor (samples,), full scale 1.

    Raises:
        tf.errors.InvalidArgumentError: It is no such file, or empty, cut off, too short or too long; see `_faults`.
    """
    header = read_header(wav)
    wav, header = checked((wav, header), _faults(wav, header, index, front_end, max_seconds))
    audio = tf.io.decode_raw(tf.strings.substr(wav, header.start, header.frames * header.block), tf.int16)
    frames = tf.reshape(tf.cast(audio, tf.float32), tf.stack([-1, header.channels]))  # (frames, channels)
    return resample(tf.reduce_mean(frames, axis=1) / 32_768.0, header.sample_rate, front_end.sample_rate)


def read_header(wav: tf.Tensor) -> WavHeader:
    """Read the header of anything; of what is no WAV file it comes out as numbers that `_faults` refuses."""
    size, form, data = _size(wav), _find(wav, "fmt "), _find(wav, "data")
    coding = _number(wav, form, 2)
    return WavHeader(
        format_at=form,
        coding=tf.where(tf.equal(coding, EXTENSIBLE), _number(wav, form + 24, 2), coding),
        channels=_number(wav, form + 2, 2),
        sample_rate=_number(wav, form + 4, 4),
        block=_number(wav, form + 12, 2),
        bits=_number(wav, form + 14, 2),
        start=data,
        declared=_number(wav, data - 4, 4),
        there=size - data,
    )


def resample(audio: tf.Tensor, rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Change the sample rate of a waveform; where it is right already, the waveform stays as it is.

    Args:
        audio: Float32 tensor (samples,), at least one.
        rate: Its rate in Hz, a positive integer scalar.
        sample_rate: The wanted rate in Hz.

    Returns:
        Float32 tensor (`resampled_length`,), in which time 0 is where it was.
    """
    changed = tf.cond(
        tf.equal(rate, sample_rate),
        lambda: audio,
        lambda: _resampled(audio, tf.cast(rate, tf.int64), sample_rate),
    )
    return tf.ensure_shape(changed, (None,))


def resampled_length(samples: tf.Tensor, rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Count samples · sample_rate / rate, rounded to the nearest whole number: an int64 tensor."""
    samples, rate = tf.cast(samples, tf.int64), tf.cast(rate, tf.int64)
    return (2 * samples * sample_rate + rate) // (2 * tf.maximum(rate, 1))


def _resampled(audio: tf.Tensor, rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    samples = tf.size(audio, tf.int64)
    seconds = (samples + rate - 1) // rate
    blocks = tf.reshape(tf.pad(audio, [[0, seconds * rate - samples]]), tf.stack([seconds, rate]))
    response = tf.cast(_low_pass(rate, sample_rate), tf.complex64)
    lead = sample_rate // 2  # the filter looks back and ahead, by far less than this half second

    def of_block(block: tf.Tensor) -> tf.Tensor:
        spectrum = tf.signal.rfft(block, [tf.cast(2 * rate, tf.int32)]) * response  # a bin is half a Hz, at either rate
        return tf.roll(tf.signal.irfft(spectrum, [2 * sample_rate]), lead, 0)

    # Block by block, because the spectrum of ten minutes at a high rate takes gigabytes.
    pieces = tf.map_fn(of_block, blocks, fn_output_signature=tf.TensorSpec((2 * sample_rate,), tf.float32))
    joined = tf.signal.overlap_and_add(pieces, sample_rate)
    return joined[lead : lead + resampled_length(samples, rate, sample_rate)]


def _low_pass(rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Make the response at 0, 1/2, 1, ... Hz up to rate / 2: (rate + 1,) float32.

    A sinc times a Gaussian in time is a rectangle convolved with a Gaussian in frequency: a difference of error
    functions, of which the one about negative frequencies is 1 here.
    """
    nyquist = tf.cast(tf.minimum(rate, sample_rate), tf.float32) / 2
    frequency = tf.cast(tf.range(rate + 1), tf.float32) / 2
    gain = sample_rate / tf.cast(rate, tf.float32)  # the inverse transform divides by its own length
    return gain * tf.math.erfc((frequency / nyquist - CUTOFF) / TRANSITION) / 2


def _faults(
    wav: tf.Tensor, header: WavHeader, index: tf.Tensor, front_end: FrontEnd, max_seconds: float
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    def said(words: str, *values: tf.Tensor) -> tf.Tensor:
        return tf.strings.format(f"wav_bytes[{{}}] {words}", (index, *values))

    size, rate = _size(wav), header.sample_rate
    samples = resampled_length(header.frames, rate, front_end.sample_rate)
    whole = tf.equal(_bytes(wav, 0, 4), "RIFF") & tf.equal(_bytes(wav, 8, 4), "WAVE")
    seconds = tf.cast(header.frames, tf.float64) / tf.cast(tf.maximum(rate, 1), tf.float64)
    return [
        (tf.equal(size, 0), said("is empty: send the bytes of a WAV file")),
        (~whole, said("is no WAV file, it does not begin with RIFF and WAVE: send 16-bit PCM WAV")),
        (tf.equal(header.format_at, size), said("has no format chunk: write the WAV file again")),
        (
            tf.not_equal(header.coding, PCM) | tf.not_equal(header.bits, 16),
            said(
                "has WAV coding {} (1 is PCM, 3 is float) with {} bits a sample and only 16-bit PCM is read here: "
                "convert it",
                header.coding,
                header.bits,
            ),
        ),
        (
            (header.channels < 1) | (header.channels > MAX_CHANNELS),
            said(f"has {{}} channels: send 1 to {MAX_CHANNELS}, they are mixed to one", header.channels),
        ),
        (
            tf.not_equal(header.block, 2 * header.channels),
            said(
                "has a header that contradicts itself, {} channels of 16 bits in blocks of {} bytes: write it again",
                header.channels,
                header.block,
            ),
        ),
        (
            (rate < MIN_SAMPLE_RATE) | (rate > MAX_SAMPLE_RATE),
            said(f"has a sample rate of {{}} Hz: send {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz", rate),
        ),
        (tf.equal(header.start, size), said("holds no samples: send a file with audio in it")),
        (
            header.declared > header.there,
            said(
                "declares {} bytes of audio and {} are there: it is cut off, or was written to a pipe without its "
                "length; send it whole",
                header.declared,
                header.there,
            ),
        ),
        (
            seconds > max_seconds,
            said(f"lasts {{}} s and {max_seconds:g} s are allowed: send it in parts", seconds),
        ),
        (
            samples < front_end.window_length,
            said(f"is too short: {too_short('too few', front_end)}; it has {{}}", samples),
        ),
    ]


def _find(wav: tf.Tensor, name: str) -> tf.Tensor:
    """Find where the content of the first chunk of a name begins; the size of the file where there is none."""
    size = _size(wav)

    def is_other(at: tf.Tensor) -> tf.Tensor:
        return (at + 8 <= size) & tf.not_equal(_bytes(wav, at, 4), name)

    def skip(at: tf.Tensor) -> tuple[tf.Tensor]:
        length = _number(wav, at + 4, 4)
        return (at + 8 + length + length % 2,)  # a chunk of odd length is followed by a byte

    (at,) = tf.while_loop(is_other, skip, (tf.constant(12, tf.int64),), maximum_iterations=MAX_CHUNKS)
    return tf.where(tf.equal(_bytes(wav, at, 4), name), tf.minimum(at + 8, size), size)


def _size(wav: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.strings.length(wav), tf.int64)


def _bytes(wav: tf.Tensor, at: Any, count: int) -> tf.Tensor:
    """Read `count` bytes, or as many as there are: past the end, none."""
    start = tf.clip_by_value(tf.cast(at, tf.int64), 0, _size(wav))
    return tf.strings.substr(wav, start, tf.constant(count, tf.int64))


def _number(wav: tf.Tensor, at: tf.Tensor, count: int) -> tf.Tensor:
    """Read an unsigned number of `count` bytes, the lowest first; bytes past the end are 0."""
    return tf.io.decode_raw(_bytes(wav, at, count), tf.int64, fixed_length=8)[0]
