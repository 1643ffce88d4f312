"""`tf.data` batches of chunk sequences, read from cached features."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from mcc_zoo.features.cache import Features
from mcc_zoo.features.chunking import cut_windows
from mcc_zoo.training.draws import UNTUNED, EpochDraws

BUCKETS = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # longest sequence of each batch shape, in chunks


@dataclass(frozen=True)
class TrainingBatches:
    """Shuffled batches of the epoch that was begun last; at first of epoch 0.

    Attributes:
        dataset: Of ({"chunks": (batch, chunks, n_mels, chunk_frames), "chunk_count": (batch,)}, targets (batch,
            labels)) in float32, and the numbers of the tracks (batch,). The chunks are (batch, chunks, size) where
            features are those of `mcc_zoo.training.warm_start.cache_channel_features`; the targets are (batch,
            chunks, values) where every chunk has its own.
        names: The tracks' names, by number.
        windows: Order and excerpts of the epoch.
        plan: For each batch the windows that `read` reads, (batch, 4) int64.
        read: Reads such windows into a dataset of one batch, in a graph that may run on another machine.
    """

    dataset: tf.data.Dataset
    names: Sequence[str]
    windows: EpochDraws
    plan: tf.data.Dataset
    read: Callable[[tf.Tensor], tf.data.Dataset]

    @property
    def steps(self) -> int:
        """Number of batches in an epoch."""
        return int(self.dataset.cardinality())

    @property
    def target_size(self) -> int:
        """Number of values in a target."""
        return int(self.dataset.element_spec[1].shape[-1])

    def begin_epoch(self, epoch: int) -> None:
        """Go on to an epoch, counted from 0."""
        self.windows.begin_epoch(epoch)

    def list_names(self, step: int) -> str:
        """List the names of the tracks in a step of the epoch, counted from 0."""
        _, _, tracks = next(iter(self.dataset.skip(step)))
        return ", ".join(self.names[track] for track in tracks.numpy())


def list_excerpts(features: Sequence[Features], max_chunks: int) -> np.ndarray:
    """List the consecutive windows of at most `max_chunks` that cover each track.

    Returns:
        (windows, 3) integers: number of the track, first chunk, chunks.
    """
    return np.array(
        [
            (track, first, count)
            for track, f in enumerate(features)
            for first, count in cut_windows(f.chunks, max_chunks)
        ]
    )


def make_training_batches(
    features: Sequence[Features],
    targets: np.ndarray | Sequence[np.ndarray],
    *,
    batch_tracks: int,
    max_chunks: int,
    seed: int,
    static_shapes: bool = False,
    names: Sequence[str] | None = None,
) -> TrainingBatches:
    """Stream shuffled batches of chunk sequences; the seed fixes the order of each epoch.

    Args:
        features: The training tracks.
        targets: An array (tracks, labels), 1 for each label that a track has, else 0; or a list with (chunks, values)
            of each track, a target for each chunk.
        batch_tracks: Tracks in a batch.
        max_chunks: A longer track gives an excerpt of this length, drawn anew each epoch.
        seed: Fixes order and excerpts, together with TensorFlow's global seed.
        static_shapes: Make every batch (batch_tracks, max_chunks, ...), as a TPU needs; the last, smaller batch of an
            epoch is dropped.
        names: Of the tracks, for messages; by default their files of features.

    Raises:
        ValueError: With static shapes, there are fewer tracks than a batch has.
    """
    whole = np.array([f.chunks for f in features])
    lengths = np.minimum(whole, max_chunks)
    chunk_rows = features[0].rows

    def to_windows(rows: tuple[tf.Tensor, ...], draws: tf.Tensor) -> tf.Tensor:
        tracks, lengths, rooms = rows
        return tf.stack([tracks, draws % (rooms + 1) * chunk_rows, lengths, tracks], axis=1)

    def draw_windows() -> tf.data.Dataset:
        rows = tf.data.Dataset.from_tensor_slices((np.arange(len(features)), lengths, whole - lengths))
        rows = rows.shuffle(len(features), seed=seed, reshuffle_each_iteration=True)
        return tf.data.Dataset.zip(rows, draw_numbers(seed)).batch(len(features)).map(to_windows)

    windows = EpochDraws(draw_windows)
    loaded = _load_windows(windows.dataset, features, targets)
    batched = _batch_by_length(loaded, lengths, batch_tracks, max_chunks, static_shapes)
    if batched.cardinality() == 0:
        raise ValueError(
            f"static shapes need whole batches of {batch_tracks} tracks, and there are {len(features)}: "
            "lower the recipe's batch_tracks, or train on a CPU or GPU"
        )
    names = names or [str(f.path) for f in features]
    plan = _bucket(
        windows.dataset, lambda row: tf.cast(row[2], tf.int32), lengths, batch_tracks, max_chunks, static_shapes
    )
    read = functools.partial(_read_batch, features=features, targets=targets)
    return TrainingBatches(batched.prefetch(2).with_options(UNTUNED), names, windows, plan, read)


def _read_batch(
    rows: tf.Tensor, features: Sequence[Features], targets: np.ndarray | Sequence[np.ndarray]
) -> tf.data.Dataset:
    loaded = _load_windows(tf.data.Dataset.from_tensor_slices(rows), features, targets)
    return loaded.padded_batch(tf.shape(rows, tf.int64)[0])


def draw_numbers(seed: int) -> tf.data.Dataset:
    """Draw int64 numbers without end, others at each iteration."""
    return tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)


def make_evaluation_batches(
    features: Sequence[Features], targets: np.ndarray | Sequence[np.ndarray], *, batch_tracks: int, max_chunks: int
) -> tf.data.Dataset:
    """Stream all chunks of all tracks in order, longer tracks as consecutive windows (`list_excerpts`).

    Returns:
        As `TrainingBatches.dataset`. Windows of similar length share a batch, so a third item gives each window's row
        number in `list_excerpts(features, max_chunks)`: (batch,).
    """
    rows = list_excerpts(features, max_chunks)
    windows = np.column_stack([rows[:, 0], rows[:, 1] * features[0].rows, rows[:, 2], np.arange(len(rows))])
    loaded = _load_windows(tf.data.Dataset.from_tensor_slices(windows), features, targets)
    return _batch_by_length(loaded, rows[:, 2], batch_tracks, max_chunks, False).prefetch(2).with_options(UNTUNED)


def _load_windows(
    windows: tf.data.Dataset, features: Sequence[Features], targets: np.ndarray | Sequence[np.ndarray]
) -> tf.data.Dataset:
    """Read windows [track, first row in the file, chunks, number] from the files of features; the number goes along."""
    paths = tf.constant([os.path.abspath(f.path) for f in features])  # workers have other working folders
    offsets = tf.constant([f.offset for f in features], tf.int64)
    find_targets = _index_targets(targets)
    shape, rows = features[0].shape, features[0].rows
    row_bytes = 4 * shape[0]

    def load(window: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        track, first, count, number = tf.unstack(window, num=4)
        data = tf.io.read_file(tf.gather(paths, track))
        start = tf.gather(offsets, track) + first * row_bytes
        values = tf.io.decode_raw(tf.strings.substr(data, start, count * rows * row_bytes), tf.float32)
        chunks = tf.reshape(values, (count, *reversed(shape)))  # which fails where a file has been cut
        chunks = tf.linalg.matrix_transpose(chunks) if len(shape) == 2 else chunks
        inputs = {"chunks": chunks, "chunk_count": tf.cast(count, tf.int32)}
        return inputs, find_targets(track, first // rows, count), number

    return windows.map(load, num_parallel_calls=2, deterministic=True)


def _index_targets(
    targets: np.ndarray | Sequence[np.ndarray],
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """Make a function from track, first chunk and number of chunks to the targets of this window."""
    if isinstance(targets, np.ndarray):
        of_tracks = tf.constant(targets, tf.float32)
        return lambda track, *_: tf.gather(of_tracks, track)
    of_chunks = tf.constant(np.concatenate(targets), tf.float32)
    starts = tf.constant(np.cumsum([0, *map(len, targets)]), tf.int64)

    def take_chunks(track: tf.Tensor, first: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        start = tf.gather(starts, track) + first
        return of_chunks[start : start + count]

    return take_chunks


def _batch_by_length(
    examples: tf.data.Dataset, lengths: np.ndarray, batch_tracks: int, max_chunks: int, static_shapes: bool
) -> tf.data.Dataset:
    """Batch examples of similar length; shorter ones get zeros at their end."""
    batched = _bucket(
        examples, lambda inputs, *_: inputs["chunk_count"], lengths, batch_tracks, max_chunks, static_shapes
    )
    if not static_shapes:
        return batched

    def fix_shape(inputs: dict[str, tf.Tensor], *rest: tf.Tensor) -> tuple:
        chunks = tf.ensure_shape(inputs["chunks"], (batch_tracks, max_chunks, *inputs["chunks"].shape[2:]))
        return ({**inputs, "chunks": chunks}, *rest)

    return batched.map(fix_shape)


def _bucket(
    items: tf.data.Dataset,
    get_length: Callable[..., tf.Tensor],
    lengths: np.ndarray,
    batch_tracks: int,
    max_chunks: int,
    static_shapes: bool,
) -> tf.data.Dataset:
    """Batch items whose lengths are in the same bucket; `lengths` are those of all items."""
    longest = [max_chunks] if static_shapes else [*(bucket for bucket in BUCKETS if bucket < max_chunks), max_chunks]
    batched = items.bucket_by_sequence_length(
        get_length,
        bucket_boundaries=[length + 1 for length in longest],
        bucket_batch_sizes=[batch_tracks] * (len(longest) + 1),
        pad_to_bucket_boundary=static_shapes,
        drop_remainder=static_shapes,
    )
    in_bucket = np.bincount(np.searchsorted(longest, lengths))
    count = (in_bucket // batch_tracks if static_shapes else -(-in_bucket // batch_tracks)).sum()
    return batched.apply(tf.data.experimental.assert_cardinality(int(count)))
