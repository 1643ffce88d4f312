"""Waveform to mel chunks: the one graph of the front end, as pure functions, and one layer around them.

Training, streaming, exports and converted files all compute them by `compute_mel`. They are log-mel, or mel energies
where the front end brings them to one level (`mcc_zoo.features.level`) before the logarithm.

The scaling follows the extractor of P16 (see `mcc_zoo.paper`): the window sums to 2, so that a full-scale sine has
amplitude 1, and every mel filter sums to 1. It matters, because standardising does not undo the logarithm.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from mcc_zoo.audio.limits import MAX_AMPLITUDE
from mcc_zoo.features.chunking import Shape, too_short
from mcc_zoo.features.front_end import LOG10_1P_SCALE, LOG_OFFSET, FrontEnd

NOT_FINITE = "audio has samples that are not finite (NaN or infinite)"
_BLACKMAN_HARRIS = (0.35875, 0.48829, 0.14128, 0.01168)  # the four terms; Harris (1978), table 1
TOO_LOUD = "audio has samples far above full scale, which is 1: divide 16-bit integers by 32768; the largest is"


def chunk_counts(lengths: Any, front_end: FrontEnd) -> Any:
    """Count as `chunks_in` does, for a tensor of lengths that are at least one window each; the same shape.

    >>> chunk_counts([2_048, 82_943 + 81_920, 82_944 + 81_920], FrontEnd()).numpy().tolist()
    [1, 1, 2]
    """
    frames = 1 + (ops.convert_to_tensor(lengths) - front_end.window_length) // front_end.hop_length
    return ops.maximum(1, frames // front_end.chunk_frames)


@functools.cache
def make_window(length: int) -> np.ndarray:
    """Make the four-term periodic Blackman-Harris window, scaled to sum to 2: (length,) float32.

    `scipy.signal` has it too, but takes as long to import as a quarter of TensorFlow.
    """
    phases = np.linspace(-np.pi, np.pi, length + 1)[:-1]
    samples = np.sum([term * np.cos(k * phases) for k, term in enumerate(_BLACKMAN_HARRIS)], axis=0)
    return (2.0 * samples / samples.sum()).astype(np.float32)


@functools.cache
def make_mel_matrix(front_end: FrontEnd) -> np.ndarray:
    """Make the mel filters, 0 Hz to Nyquist, each scaled to sum to 1: (window_length // 2 + 1, n_mels) float32."""
    with tf.init_scope(), tf.device("CPU"):
        weights = tf.signal.linear_to_mel_weight_matrix(
            num_mel_bins=front_end.n_mels,
            num_spectrogram_bins=front_end.window_length // 2 + 1,
            sample_rate=front_end.sample_rate,
            lower_edge_hertz=0.0,
            upper_edge_hertz=front_end.sample_rate / 2,
        ).numpy()
    return (weights / weights.sum(axis=0, keepdims=True)).astype(np.float32)


def pad_to_one_chunk(audio: tf.Tensor, front_end: FrontEnd) -> tf.Tensor:
    """Pad waveforms under one chunk with zeros to one: (batch, samples) to (batch, at least chunk_samples)."""
    missing = tf.maximum(0, front_end.chunk_samples - tf.shape(audio)[1])
    return tf.pad(audio, [[0, 0], [0, missing]])


def compute_power_spectrum(frames: tf.Tensor) -> tf.Tensor:
    """Compute |DFT|^2 of windowed frames: (..., window_length) to (..., window_length // 2 + 1)."""
    spectrum = tf.signal.rfft(frames)
    return tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))


@dataclass(frozen=True)
class Operations:
    """The operations of the graph that some runtimes lack.

    Attributes:
        power_spectrum: Windowed frames (..., window_length) to |DFT|^2, (..., window_length // 2 + 1).
        log1p: ln(1 + x).
    """

    power_spectrum: Callable[[tf.Tensor], tf.Tensor] = compute_power_spectrum
    log1p: Callable[[tf.Tensor], tf.Tensor] = tf.math.log1p


TENSORFLOW = Operations()


def compute_mel(frames: tf.Tensor, front_end: FrontEnd, operations: Operations = TENSORFLOW) -> tf.Tensor:
    """Compute mel values of frames: (..., window_length) float32, full scale 1, to (..., n_mels).

    Args:
        frames: Samples, a frame a row, not windowed.
        front_end: Its parameters.
        operations: Replacements for what a runtime lacks.

    Returns:
        Log-mel; or mel energies where the front end has a level, because a level is that of many frames together.
    """
    power = operations.power_spectrum(frames * make_window(front_end.window_length))  # (..., window_length / 2 + 1)
    energy = tf.tensordot(power, make_mel_matrix(front_end), 1)  # (..., n_mels)
    return energy if front_end.level != "none" else compress(energy, front_end, operations)


def compress(energy: tf.Tensor, front_end: FrontEnd, operations: Operations = TENSORFLOW) -> tf.Tensor:
    """Take the front end's logarithm of mel energies of any shape."""
    if front_end.compression == "log":
        return tf.math.log(energy + LOG_OFFSET)
    return operations.log1p(LOG10_1P_SCALE * energy) / np.log(10.0).astype(np.float32)


def mel_frames(audio: tf.Tensor, front_end: FrontEnd, operations: Operations = TENSORFLOW) -> tf.Tensor:
    """Cut waveforms into frames and compute their mel values: (batch, samples) to (batch, frames, n_mels)."""
    frames = tf.signal.frame(audio, front_end.window_length, front_end.hop_length)  # (batch, frames, window_length)
    return compute_mel(frames, front_end, operations)


def split_into_chunks(frames: tf.Tensor, front_end: FrontEnd) -> tf.Tensor:
    """Cut (batch, frames, n_mels) into (batch, chunks, n_mels, chunk_frames); drop frames past the last whole chunk."""
    batch, count = tf.shape(frames)[0], tf.shape(frames)[1] // front_end.chunk_frames
    whole = frames[:, : count * front_end.chunk_frames]
    chunks = tf.reshape(whole, (batch, count, front_end.chunk_frames, front_end.n_mels))
    return tf.transpose(chunks, (0, 1, 3, 2))  # frequency first, as in Table 1


def check_audio(audio: tf.Tensor, front_end: FrontEnd) -> tf.Tensor:
    """Refuse waveforms under one window, not finite, or far above full scale; the checks are part of the graph.

    Raises:
        tf.errors.InvalidArgumentError: With a sentence that says which.
    """
    samples = tf.shape(audio)[1]
    enough = tf.debugging.Assert(
        samples >= front_end.window_length, [too_short("too few", front_end) + "; it has", samples]
    )
    is_finite = tf.math.is_finite(audio)
    finite = tf.debugging.Assert(tf.reduce_all(is_finite), [NOT_FINITE])
    scaled = tf.debugging.Assert(
        tf.reduce_all(~is_finite | (tf.abs(audio) <= MAX_AMPLITUDE)), [TOO_LOUD, tf.reduce_max(tf.abs(audio))]
    )
    with tf.control_dependencies([op for op in (enough, finite, scaled) if op is not None]):
        return tf.identity(audio)


class FrontEndLayer(keras.layers.Layer):
    """A layer that is saved with the front end's parameters.

    Always in float32: the power spectrum overflows float16 under mixed precision.

    Args:
        front_end: Its parameters, or the dict of them that a saved model holds.
        **kwargs: As for any Keras layer.
    """

    def __init__(self, front_end: FrontEnd | dict[str, Any], **kwargs: Any) -> None:
        """Keep the parameters."""
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.front_end = front_end if isinstance(front_end, FrontEnd) else FrontEnd(**front_end)

    def get_config(self) -> dict[str, Any]:
        """Save the parameters with the layer."""
        return {**super().get_config(), "front_end": asdict(self.front_end)}


@keras.saving.register_keras_serializable(package="mcc_zoo", name="LogMelChunks")  # its name in published exports
class MelChunks(FrontEndLayer):
    """`compute_mel` as a layer: audio (batch, samples) to mel chunks (batch, chunks, n_mels, chunk_frames)."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Check, pad, transform and cut."""
        audio = pad_to_one_chunk(check_audio(inputs, self.front_end), self.front_end)
        return split_into_chunks(mel_frames(audio, self.front_end), self.front_end)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """One row a track, an unknown number of chunks."""
        return (input_shape[0], None, self.front_end.n_mels, self.front_end.chunk_frames)
