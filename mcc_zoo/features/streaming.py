"""Log-mel frames of a waveform of any length, block by block."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from mcc_zoo.audio import checks
from mcc_zoo.features.framing import samples_of, too_short
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.log_mel import log_mel_of_frames

BLOCK_CHUNKS = 16


@functools.cache
def _compiled_log_mel(front_end: FrontEnd) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Compile the front end of a block: (samples of BLOCK_CHUNKS,) and how many chunks count, to their frames.

    Chunk after chunk, so that what lies between the steps stays in the processor's cache. A frame that is a whole
    number of hops is put together from them, which XLA copies faster than it gathers samples.
    """
    hop, span = front_end.chunk_hop, front_end.chunk_samples
    signature = [tf.TensorSpec((samples_of(BLOCK_CHUNKS, front_end),), tf.float32), tf.TensorSpec((), tf.int32)]

    def frame(samples: tf.Tensor) -> tf.Tensor:
        if front_end.window_length % front_end.hop_length:
            return tf.signal.frame(samples, front_end.window_length, front_end.hop_length)
        hops, count = tf.reshape(samples, (-1, front_end.hop_length)), front_end.chunk_frames
        return tf.concat([hops[i : i + count] for i in range(front_end.window_length // front_end.hop_length)], 1)

    def transform(samples: tf.Tensor, chunks: tf.Tensor) -> tf.Tensor:
        frames = tf.TensorArray(tf.float32, BLOCK_CHUNKS, element_shape=(front_end.chunk_frames, front_end.n_mels))
        for chunk in tf.range(chunks):
            of_chunk = frame(tf.slice(samples, [chunk * hop], [span]))
            frames = frames.write(chunk, log_mel_of_frames(of_chunk, front_end))
        return tf.reshape(frames.stack(), (-1, front_end.n_mels))

    # The concrete function spares a fifth of a millisecond a call, against five that a block takes.
    return tf.function(transform, input_signature=signature, jit_compile=True).get_concrete_function()


def log_mel_blocks(blocks: Iterable[np.ndarray], front_end: FrontEnd) -> Iterator[np.ndarray]:
    """Stream the log-mel frames of one waveform, as whole chunks: arrays of (k * chunk_frames, n_mels) float32.

    The frames equal those of the whole waveform at once; memory holds one block. Frames past the last whole chunk are
    dropped, a waveform under one chunk is padded with zeros to one.

    Args:
        blocks: The waveform at the front end's rate, cut anyhow.
        front_end: What to compute.

    Raises:
        mcc_zoo.audio.checks.AudioError: The waveform is shorter than one window.
    """
    hop, span = front_end.chunk_hop, front_end.chunk_samples
    rest = np.empty(0, np.float32)
    found = False
    for block in blocks:
        rest = np.concatenate([rest, block]) if len(rest) else block
        while len(rest) >= span:
            found = True
            chunks = min(BLOCK_CHUNKS, (len(rest) - span) // hop + 1)
            yield _frames(rest, chunks, front_end)
            rest = rest[chunks * hop :]
    if not found:
        if len(rest) < front_end.window_length:
            raise checks.AudioError(too_short(len(rest), front_end))
        yield _frames(rest, 1, front_end)


def _frames(samples: np.ndarray, chunks: int, front_end: FrontEnd) -> np.ndarray:
    """Compute the frames of the first chunks, BLOCK_CHUNKS at most; samples that lack are 0."""
    block = samples[: samples_of(BLOCK_CHUNKS, front_end)]
    if len(block) < samples_of(BLOCK_CHUNKS, front_end):
        block = np.pad(block, (0, samples_of(BLOCK_CHUNKS, front_end) - len(block)))
    frames = _compiled_log_mel(front_end)(tf.constant(block), tf.constant(chunks))
    return frames.numpy()[: chunks * front_end.chunk_frames]


def as_chunks(frames: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Cut (chunks * chunk_frames, n_mels) into (chunks, n_mels, chunk_frames), frequency first as in Table 1."""
    return frames.reshape(-1, front_end.chunk_frames, front_end.n_mels).transpose(0, 2, 1)
