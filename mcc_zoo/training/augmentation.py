"""Data augmentation on batches of log-mel chunks.

Each function is deterministic given its seed. `augment` calls those that the recipe switches on.
"""

from __future__ import annotations

import tensorflow as tf

from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.log_mel import change_loudness
from mcc_zoo.recipes import Recipe

Inputs = dict[str, tf.Tensor]


def augment(
    inputs: Inputs, targets: tf.Tensor, seed: tf.Tensor, recipe: Recipe, front_end: FrontEnd
) -> tuple[Inputs, tf.Tensor]:
    """Apply the recipe's augmentation to a batch.

    Args:
        inputs: `chunks` (batch, chunks, n_mels, chunk_frames), not standardised, and `chunk_count` (batch,).
        targets: (batch, labels) float32, from 0 to 1.
        seed: (2,) integers; the same ones give the same changes.
        recipe: Its fields from `mixup` to `masked_frames`.
        front_end: What the chunks were made with.

    Returns:
        Inputs and targets of the same shapes.
    """
    chunks, count = inputs["chunks"], inputs["chunk_count"]
    seeds = tf.random.split(tf.cast(seed, tf.int32), 6)
    if recipe.shortest_excerpt < 1:
        chunks, count = draw_excerpts(chunks, count, seeds[0], recipe.shortest_excerpt)
    if recipe.gain_db > 0:
        gains = tf.random.stateless_uniform((tf.shape(chunks)[0], 1, 1, 1), seeds[1], -recipe.gain_db, recipe.gain_db)
        chunks = change_loudness(chunks, gains, front_end)
    if recipe.masked_bands > 0:
        chunks = mask(chunks, seeds[2], recipe.masked_bands, axis=2)
    if recipe.masked_frames > 0:
        chunks = mask(chunks, seeds[3], recipe.masked_frames, axis=3)
    if recipe.mixup > 0:
        chunks, count, targets = mix_pairs(chunks, count, targets, seeds[4], recipe.mixup)
    return {**inputs, "chunks": chunks, "chunk_count": count}, targets


def draw_excerpts(chunks: tf.Tensor, count: tf.Tensor, seed: tf.Tensor, shortest: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Keep consecutive chunks of each track, a share drawn between `shortest` and 1; the rest becomes padding."""
    shares = tf.random.stateless_uniform((2, tf.shape(count)[0]), seed)
    full = tf.cast(count, tf.float32)
    length = tf.cast(tf.math.ceil(full * (shortest + (1 - shortest) * shares[0])), tf.int32)
    length = tf.clip_by_value(length, 1, count)
    first = tf.cast(tf.floor(shares[1] * tf.cast(count - length + 1, tf.float32)), tf.int32)
    steps = tf.range(tf.shape(chunks)[1])
    places = tf.minimum(first[:, tf.newaxis] + steps, tf.shape(chunks)[1] - 1)
    kept = tf.sequence_mask(length, tf.shape(chunks)[1], chunks.dtype)
    kept = tf.reshape(kept, [*tf.unstack(tf.shape(kept)), *[1] * (chunks.shape.rank - 2)])
    return tf.gather(chunks, places, batch_dims=1) * kept, length


def mask(chunks: tf.Tensor, seed: tf.Tensor, most: int, axis: int) -> tf.Tensor:
    """Set up to `most` adjacent bands (axis 2, per track) or frames (axis 3, per chunk) to the batch's mean."""
    size = chunks.shape[axis]
    drawn = [tf.shape(chunks)[0], 1 if axis == 2 else tf.shape(chunks)[1], 1, 1]
    shares = tf.random.stateless_uniform([2, *drawn], seed)
    width = tf.floor(shares[0] * (most + 1))
    first = tf.floor(shares[1] * (size - width + 1))
    place = tf.reshape(tf.range(size, dtype=tf.float32), [1, 1, size, 1] if axis == 2 else [1, 1, 1, size])
    hidden = tf.logical_and(place >= first, place < first + width)
    return tf.where(hidden, tf.reduce_mean(chunks), chunks)


def mix_pairs(
    chunks: tf.Tensor, count: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor, alpha: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mix each track with the previous one of the batch, and their targets in the same proportion (Zhang 2018).

    The share of the track itself is drawn once per batch from Beta(alpha, alpha) and is at least one half.
    """
    gammas = tf.random.stateless_gamma((2,), seed, alpha)
    share = gammas[0] / tf.maximum(tf.reduce_sum(gammas), 1e-12)
    share = tf.maximum(share, 1 - share)
    other = tf.roll(chunks, 1, axis=0)
    return share * chunks + (1 - share) * other, count, share * targets + (1 - share) * tf.roll(targets, 1, axis=0)
