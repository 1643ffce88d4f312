"""Tracks to `tf.data` of chunk sequences, through a feature cache that all folds, seeds and systems share.

The cache holds each track's log-mel frames, not standardised, because every fold has a mean and std of its own. So a
dataset is decoded once, and nothing holds its audio in memory.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import tensorflow as tf

from mcc_zoo import audio
from mcc_zoo.chunks import samples_of, too_short
from mcc_zoo.datasets import Track
from mcc_zoo.decoders import Name, check
from mcc_zoo.front_end import log_mel_of_frames
from mcc_zoo.isolation import IsolatedDecoder
from mcc_zoo.paper import FrontEnd

CACHE_FORMAT = 2  # raise it whenever the front end's numbers change
BLOCK_CHUNKS = 16
TRANSFORMED_CHUNKS = 64  # at a time
CHECKSUM_BYTES = 4
UNTUNED = tf.data.Options()  # a stream that tf.data tunes waits for the tuning thread when it ends: up to as long again
UNTUNED.autotune.enabled = False
BUCKETS = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # longest sequence of each batch shape, in chunks

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Features:
    """Where a track's cached log-mel frames lie.

    Attributes:
        path: The cache file: a `.npy` of (frames, n_mels) float32, with a CRC-32 behind it.
        offset: Bytes before the first value.
        chunks: Whole chunks in it.
        total: Sum of the values of those chunks.
        total_squares: Sum of their squares.
        shape: Of one chunk: (n_mels, chunk_frames), which lie in the file frame by frame, or (size,) where a network
            has made a vector of it (`transformed`).
    """

    path: Path
    offset: int
    chunks: int
    total: float
    total_squares: float
    shape: tuple[int, ...]

    @property
    def rows(self) -> int:
        """How many rows of shape[0] values a chunk has in the file: its frames, or one."""
        return math.prod(self.shape[1:])


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
        mcc_zoo.audio.AudioError: The waveform is shorter than one window.
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
            raise audio.AudioError(too_short(len(rest), front_end))
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


class FeatureCache:
    """A folder with one file a track, named by the audio's content, the front end and the decoder.

    A file of another edition of the audio, another front end or another version of this package has another name, so
    that nothing stale is ever read; a damaged one fails its checksum and is made anew. Decoders have names of their
    own, because some differ by samples.

    Args:
        folder: Is made if need be; it may be deleted at any time.
        front_end: What to compute.
        decoder: Who decodes, in a process of its own.

    Raises:
        ValueError: The decoder is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str], front_end: FrontEnd, decoder: Name = "soundfile") -> None:
        """Make the folder."""
        check(decoder)
        self.folder = Path(folder)
        self.front_end = front_end
        self.decoder = decoder
        self.folder.mkdir(parents=True, exist_ok=True)

    def features(self, path: str | os.PathLike[str]) -> Features:
        """Return a track's features, computed now if they are not there whole.

        Raises:
            mcc_zoo.audio.AudioError: The file is refused.
        """
        with IsolatedDecoder(decoder=self.decoder) as isolated:
            return self._features(path, isolated)

    def _features(self, path: str | os.PathLike[str], isolated: IsolatedDecoder) -> Features:
        audio.check_regular(path)  # refuses what must not be opened, a FIFO say
        entry = self.folder / self._name(path)
        return self._read(entry) or self._write(entry, path, isolated)

    def _name(self, path: str | os.PathLike[str]) -> str:
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256")
        others = [] if self.decoder == "soundfile" else [self.decoder]
        content.update(json.dumps([CACHE_FORMAT, asdict(self.front_end), *others]).encode())
        return f"{content.hexdigest()[:40]}.npy"

    def _read(self, entry: Path) -> Features | None:
        try:
            data = entry.read_bytes()
        except FileNotFoundError:
            return None
        body, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
        if zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "little") != checksum:
            return None
        frame_bytes = 4 * self.front_end.n_mels
        offset = len(body) % (frame_bytes * self.front_end.chunk_frames)
        values = np.frombuffer(body, "<f4", offset=offset)
        chunks = values.size // (self.front_end.n_mels * self.front_end.chunk_frames)
        total, total_squares = values.sum(dtype=np.float64), np.square(values, dtype=np.float64).sum()
        shape = (self.front_end.n_mels, self.front_end.chunk_frames)
        return Features(entry, offset, chunks, total, total_squares, shape)

    def _write(self, entry: Path, path: str | os.PathLike[str], isolated: IsolatedDecoder) -> Features:
        blocks = isolated.read_blocks(path, self.front_end.sample_rate, samples_of(BLOCK_CHUNKS, self.front_end))
        try:
            frames = np.concatenate(list(log_mel_blocks(blocks, self.front_end)))
        except audio.AudioError as error:
            raise error if str(path) in str(error) else audio.AudioError(f"{path}: {error}") from None
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as file:
            try:
                np.save(file, frames.astype("<f4"))
                file.seek(0)
                checksum = zlib.crc32(file.read())
                file.write(checksum.to_bytes(CHECKSUM_BYTES, "little"))
            except BaseException:
                os.unlink(file.name)
                raise
        os.replace(file.name, entry)
        features = self._read(entry)
        if features is None:
            raise OSError(f"{entry}: what was just written does not read back: check the disk of the feature cache")
        return features

    def prepare(
        self, tracks: Sequence[Track], progress: Progress | None = None, workers: int | None = None
    ) -> list[Features | audio.AudioError]:
        """Decode what is not cached yet, several tracks at a time.

        Args:
            tracks: The dataset.
            progress: Called after each track with the number done and the number of all.
            workers: Threads; as many as there are cores by default.

        Returns:
            For each track its features, or the error that says why it was refused.
        """
        workers = workers or os.cpu_count() or 1
        idle: SimpleQueue[IsolatedDecoder] = SimpleQueue()

        def one(track: Track) -> Features | audio.AudioError:
            isolated = idle.get()
            try:
                return self._features(track.path, isolated)
            except audio.AudioError as error:
                return error
            finally:
                idle.put(isolated)

        results = []
        with contextlib.ExitStack() as stack:
            for _ in range(workers):
                idle.put(stack.enter_context(IsolatedDecoder(decoder=self.decoder)))
            pool = stack.enter_context(ThreadPoolExecutor(workers))
            for result in pool.map(one, tracks):
                results.append(result)
                if progress:
                    progress(len(results), len(tracks))
        return results


def transformed(
    features: Sequence[Features], transform: Callable[[np.ndarray], np.ndarray], folder: Path
) -> list[Features]:
    """Keep what a network makes of every chunk, a file a track, so that it need not make it anew each epoch.

    Args:
        features: As `FeatureCache` gives them.
        transform: Log-mel chunks (chunks, n_mels, chunk_frames), not standardised, to (chunks, size) float32.
        folder: Gets the files; they are of no use past the training that reads them.
    """
    made = []
    for number, one in enumerate(features):
        path, total, total_squares = folder / f"{number}.f32", 0.0, 0.0
        with open(path, "wb") as file:
            for first in range(0, one.chunks, TRANSFORMED_CHUNKS):
                values = transform(_read_chunks(one, first, min(TRANSFORMED_CHUNKS, one.chunks - first)))
                file.write(values.astype("<f4").tobytes())
                total += values.sum(dtype=np.float64)
                total_squares += np.square(values, dtype=np.float64).sum()
        made.append(Features(path, 0, one.chunks, total, total_squares, values.shape[1:]))
    return made


def _read_chunks(features: Features, first: int, count: int) -> np.ndarray:
    bands, frames = features.shape
    size = bands * frames
    values = np.fromfile(features.path, "<f4", count * size, offset=features.offset + 4 * first * size)
    return values.reshape(count, frames, bands).transpose(0, 2, 1)


def mean_and_std(features: Sequence[Features], front_end: FrontEnd) -> tuple[float, float]:
    """Mean and standard deviation of all log-mel values of these tracks (the training fold's)."""
    values = sum(f.chunks for f in features) * front_end.chunk_frames * front_end.n_mels
    mean = sum(f.total for f in features) / values
    variance = max(0.0, sum(f.total_squares for f in features) / values - mean**2)
    return mean, max(variance**0.5, 1e-6)  # digital silence alone has no spread


def excerpts(features: Sequence[Features], max_chunks: int) -> np.ndarray:
    """List consecutive windows of at most `max_chunks` that cover each track: rows (track, first chunk, chunks)."""
    return np.array(
        [
            (track, first, min(max_chunks, f.chunks - first))
            for track, f in enumerate(features)
            for first in range(0, f.chunks, max_chunks)
        ]
    )


def training_batches(
    features: Sequence[Features],
    labels: np.ndarray,
    *,
    batch_tracks: int,
    max_chunks: int,
    seed: int,
    static_shapes: bool = False,
    random_offset: bool = False,
) -> tf.data.Dataset:
    """Stream shuffled batches of chunk sequences, each epoch in another order that the seed fixes.

    Args:
        features: The training tracks.
        labels: (tracks,) class numbers.
        batch_tracks: Tracks in a batch.
        max_chunks: Of a longer track an excerpt of this length, drawn anew each epoch.
        seed: Fixes order and excerpts.
        static_shapes: Make every batch (batch_tracks, max_chunks, ...), as a TPU wants; the last, smaller batch of an
            epoch is dropped.
        random_offset: Let excerpts start at any frame, not at whole chunks alone; a track of several chunks gives one
            chunk less then.

    Returns:
        A dataset of ({"chunks": (batch, chunks, n_mels, chunk_frames), "chunk_count": (batch,)}, labels (batch,)), or
        of chunks (batch, chunks, size) from features that are `transformed`.
    """
    whole = np.array([f.chunks for f in features])
    lengths = np.minimum(np.maximum(1, whole - 1) if random_offset else whole, max_chunks)
    rows = tf.data.Dataset.from_tensor_slices((np.arange(len(features)), lengths, whole - lengths))
    rows = rows.shuffle(len(features), seed=seed, reshuffle_each_iteration=True)
    draws = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
    frames = features[0].rows

    def drawn(row: tuple[tf.Tensor, ...], draw: tf.Tensor) -> tuple[tf.Tensor, ...]:
        track, length, room = row
        first = draw % (room * frames + 1) if random_offset else draw % (room + 1) * frames
        return track, first, length

    windows = tf.data.Dataset.zip(rows, draws).map(drawn)
    loaded = _loaded(windows, features, labels)
    return _batched(loaded, lengths, batch_tracks, max_chunks, static_shapes).prefetch(2).with_options(UNTUNED)


def evaluation_batches(
    features: Sequence[Features], labels: np.ndarray, *, batch_tracks: int, max_chunks: int
) -> tf.data.Dataset:
    """Stream all chunks of all tracks in order, longer tracks as consecutive windows (`excerpts`).

    Returns:
        As `training_batches`. Windows of like length share a batch, so a third item gives each window's row number
        in `excerpts(features, max_chunks)`: (batch,).
    """
    rows = excerpts(features, max_chunks)
    windows = tf.data.Dataset.from_tensor_slices((rows[:, 0], rows[:, 1] * features[0].rows, rows[:, 2]))
    loaded = _loaded(windows, features, labels)
    numbered = tf.data.Dataset.zip(loaded, tf.data.Dataset.range(len(rows)))
    flat = numbered.map(lambda example, row: (*example, row))
    return _batched(flat, rows[:, 2], batch_tracks, max_chunks, False).prefetch(2).with_options(UNTUNED)


def _loaded(windows: tf.data.Dataset, features: Sequence[Features], labels: np.ndarray) -> tf.data.Dataset:
    paths = tf.constant([str(f.path) for f in features])
    offsets = tf.constant([f.offset for f in features], tf.int64)
    classes = tf.constant(labels, tf.int32)
    shape, rows = features[0].shape, features[0].rows
    row_bytes = 4 * shape[0]

    def load(track: tf.Tensor, first: tf.Tensor, count: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        data = tf.io.read_file(tf.gather(paths, track))
        start = tf.gather(offsets, track) + first * row_bytes
        values = tf.io.decode_raw(tf.strings.substr(data, start, count * rows * row_bytes), tf.float32)
        chunks = tf.reshape(values, (-1, *reversed(shape)))
        chunks = tf.linalg.matrix_transpose(chunks) if len(shape) == 2 else chunks
        return {"chunks": chunks, "chunk_count": tf.cast(count, tf.int32)}, tf.gather(classes, track)

    return windows.map(load, num_parallel_calls=2, deterministic=True)


def _batched(
    examples: tf.data.Dataset, lengths: np.ndarray, batch_tracks: int, max_chunks: int, static_shapes: bool
) -> tf.data.Dataset:
    """Batch examples of like length, padding the shorter ones of a batch with zeros at their end."""
    longest = [max_chunks] if static_shapes else [*(bucket for bucket in BUCKETS if bucket < max_chunks), max_chunks]
    batched = examples.bucket_by_sequence_length(
        lambda inputs, *_: inputs["chunk_count"],
        bucket_boundaries=[length + 1 for length in longest],
        bucket_batch_sizes=[batch_tracks] * (len(longest) + 1),
        pad_to_bucket_boundary=static_shapes,
        drop_remainder=static_shapes,
    )
    in_bucket = np.bincount(np.searchsorted(longest, lengths))
    count = (in_bucket // batch_tracks if static_shapes else -(-in_bucket // batch_tracks)).sum()
    batched = batched.apply(tf.data.experimental.assert_cardinality(int(count)))
    if not static_shapes:
        return batched

    def fixed(inputs: dict[str, tf.Tensor], *rest: tf.Tensor) -> tuple:
        chunks = tf.ensure_shape(inputs["chunks"], (batch_tracks, max_chunks, *inputs["chunks"].shape[2:]))
        return ({**inputs, "chunks": chunks}, *rest)

    return batched.map(fixed)
