"""The feature cache: one file of mel frames per audio file, shared by all folds, seeds and systems.

An entry that is not whole is made anew, whatever stands in its place and whenever that shows: before a training, or
when a training that reads it fails. Where it cannot be, the error names it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import tensorflow as tf

from mcc_zoo.atomic import make_folder, open_atomically
from mcc_zoo.audio import checks
from mcc_zoo.audio.decoders import Decoder, DecoderName, find_decoder
from mcc_zoo.audio.sound import NO_SOUND, SoundMeter
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder
from mcc_zoo.disk import WriteError, explained
from mcc_zoo.features.chunking import cut_windows, samples_of
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.level import bring_to_one_level
from mcc_zoo.features.sound import segment_samples
from mcc_zoo.features.streaming import BLOCK_CHUNKS, mel_blocks

CACHE_FORMAT = 2  # raise it whenever the front end's numbers change
CHECKSUM_BYTES = 4
Progress = Callable[[int, int], None]


class CacheError(ValueError):
    """A file of cached features has gone or was cut while it was in use; the message names it."""


@dataclass(frozen=True)
class Features:
    """Where a track's cached mel frames lie.

    Attributes:
        path: The cache file: a `.npy` of (frames, n_mels) float32, with a CRC-32 behind it.
        offset: Bytes before the first value.
        chunks: Whole chunks in it.
        total: Sum of the values of those chunks.
        total_squares: Sum of their squares.
        shape: Of one chunk: (n_mels, chunk_frames), which the file holds frame by frame; or (size,) for channel
            features (`mcc_zoo.training.warm_start`).
    """

    path: Path
    offset: int
    chunks: int
    total: float
    total_squares: float
    shape: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Rows of shape[0] values that a chunk has in the file: its frames, or one."""
        return math.prod(self.shape[1:])

    def find_fault(self) -> str:
        """Say why the file cannot be read to its end, which was there when these features were made; "" if it can."""
        wanted = self.offset + 4 * self.chunks * math.prod(self.shape)
        try:
            with open(self.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
        except OSError as error:
            return error.strerror or str(error)
        return "" if size >= wanted else f"cut to {size} bytes"


class FeatureCache:
    """A folder with one file per audio file, named by a hash of its content, the front end and the decoder.

    Changed audio, another front end or another cache format give another name, so nothing stale is read; a damaged
    file fails its checksum and is computed anew. Decoders are part of the name because some differ by samples.

    Args:
        folder: Created if missing; it may be deleted at any time, and is made anew where it is needed.
        front_end: Parameters of the mel frames.
        decoder: A name in `mcc_zoo.audio.decoders.DECODERS`; it runs in a process of its own.

    Raises:
        ValueError: The decoder is not installed.
        mcc_zoo.disk.WriteError: The folder cannot be made.
    """

    def __init__(
        self, folder: str | os.PathLike[str], front_end: FrontEnd, decoder: DecoderName | Decoder = "auto"
    ) -> None:
        """Make the folder."""
        self.folder = Path(folder)
        self.front_end = front_end
        self.decoder = find_decoder(decoder)
        with _explained(self.folder):
            make_folder(self.folder)

    def features(self, path: str | os.PathLike[str]) -> Features:
        """Return a file's features from the cache, computed first where they are missing or damaged.

        Raises:
            mcc_zoo.audio.checks.AudioError: The file is refused.
            mcc_zoo.disk.WriteError: They cannot be written.
        """
        with IsolatedDecoder(decoder=self.decoder) as isolated:
            return self._features(path, isolated)

    def _features(self, path: str | os.PathLike[str], isolated: IsolatedDecoder) -> Features:
        checks.check_regular(path)  # refuses what must not be opened, such as a FIFO
        entry = self.folder / self._name_entry(path)
        return self._read(entry) or self._write(entry, path, isolated)

    def _name_entry(self, path: str | os.PathLike[str]) -> str:
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256")
        others = [] if self.decoder.name == "soundfile" else [self.decoder.name]
        content.update(json.dumps([CACHE_FORMAT, self._list_parameters(), *others]).encode())
        return f"{content.hexdigest()[:40]}.npy"

    def _list_parameters(self) -> dict[str, Any]:
        """List the parameters on which the mel frames depend."""
        parameters = asdict(self.front_end)
        if parameters.pop("level") != "none":
            parameters["compression"] = "none"
        return parameters

    def _read(self, entry: Path) -> Features | None:
        """Read an entry; None where nothing whole is in its place."""
        try:
            data = entry.read_bytes()
        except OSError:
            return None
        body, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
        if zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "little") != checksum:
            return None
        if (offset := self._find_values(body)) is None:
            return None
        values = np.frombuffer(body, "<f4", offset=offset)
        chunks = values.size // (self.front_end.n_mels * self.front_end.chunk_frames)
        total, total_squares = values.sum(dtype=np.float64), np.square(values, dtype=np.float64).sum()
        if not math.isfinite(total_squares):
            return None
        shape = (self.front_end.n_mels, self.front_end.chunk_frames)
        return Features(entry, offset, chunks, total, total_squares, shape)

    def _find_values(self, body: bytes) -> int | None:
        """Find where the values begin in a `.npy` of whole chunks of this front end; None if it is no such file."""
        file, front_end = io.BytesIO(body), self.front_end
        try:
            version = np.lib.format.read_magic(file)
            shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
        except ValueError:
            return None
        offset = file.tell()
        is_whole = len(body) - offset == dtype.itemsize * math.prod(shape) > 0
        are_chunks = shape[1:] == (front_end.n_mels,) and shape[0] % front_end.chunk_frames == 0
        is_written_here = version == (1, 0) and dtype == np.dtype("<f4") and not by_columns
        return offset if is_whole and are_chunks and is_written_here else None

    def _write(self, entry: Path, path: str | os.PathLike[str], isolated: IsolatedDecoder) -> Features:
        blocks = isolated.read_blocks(path, self.front_end.sample_rate, samples_of(BLOCK_CHUNKS, self.front_end))
        meter = SoundMeter(segment_samples(self.front_end))
        try:
            frames = np.concatenate(list(mel_blocks(meter.listen(blocks), self.front_end)))
            if not meter.has_sound:
                raise checks.AudioError(path, f"silent, {NO_SOUND}")
        except checks.AudioError as error:
            raise checks.AudioError(path, error.reason) from None
        with _explained(entry, any_fault=True):
            make_folder(entry.parent)
            if entry.is_dir():  # which no file can replace, and which somebody may want to see
                entry.rename(entry.with_suffix(".aside"))
            with open_atomically(entry, "w+b") as file:
                np.save(file, frames.astype("<f4"))
                file.seek(0)
                checksum = zlib.crc32(file.read())
                file.write(checksum.to_bytes(CHECKSUM_BYTES, "little"))
            features = self._read(entry)
            if features is None:
                raise WriteError(0, "what was just written cannot be read back", str(entry))
        return features

    def prepare(
        self, paths: Sequence[str | os.PathLike[str]], progress: Progress | None = None, workers: int | None = None
    ) -> list[Features | checks.AudioError]:
        """Decode the files that are not cached yet, several at a time.

        Args:
            paths: Audio files.
            progress: Called after each file with the number done and the total.
            workers: Files decoded at a time, each by a thread and a process; by default one per core.

        Returns:
            For each file its features, or the error that says why it was refused.

        Raises:
            mcc_zoo.disk.WriteError: Features cannot be written.
        """
        workers = workers or os.cpu_count() or 1
        idle: SimpleQueue[IsolatedDecoder] = SimpleQueue()

        def read_or_refuse(path: str | os.PathLike[str]) -> Features | checks.AudioError:
            isolated = idle.get()
            try:
                return self._features(path, isolated)
            except checks.AudioError as error:
                return error
            finally:
                idle.put(isolated)

        results = []
        with contextlib.ExitStack() as stack:
            for _ in range(workers):
                idle.put(stack.enter_context(IsolatedDecoder(decoder=self.decoder)))
            pool = stack.enter_context(ThreadPoolExecutor(workers))
            for result in pool.map(read_or_refuse, paths):
                results.append(result)
                if progress:
                    progress(len(results), len(paths))
        return results


def _explained(path: Path, any_fault: bool = False) -> contextlib.AbstractContextManager[None]:
    return explained(path, "the feature cache", "name another folder for it", any_fault=any_fault)


@contextlib.contextmanager
def check_after_failure(features: Sequence[Features]) -> Iterator[None]:
    """Look at the files of features where the block fails that reads them.

    Raises:
        CacheError: The block failed, and a file has gone or was cut meanwhile. Of that, TensorFlow says in many ways
            what it could not do, and not always with which file.
    """
    try:
        yield
    except (OSError, ValueError, tf.errors.OpError) as error:
        for one in features:
            if fault := one.find_fault():
                raise CacheError(f"the cached features {one.path} were lost while in use ({fault})") from error
        raise


def read_chunks(features: Features, first: int, count: int) -> np.ndarray:
    """Read consecutive chunks of a track: (count, n_mels, chunk_frames), not standardised."""
    bands, frames = features.shape
    size = bands * frames
    values = np.fromfile(features.path, "<f4", count * size, offset=features.offset + 4 * first * size)
    return values.reshape(count, frames, bands).transpose(0, 2, 1)


def mean_and_std(features: Sequence[Features], front_end: FrontEnd, window_chunks: int) -> tuple[float, float]:
    """Compute mean and standard deviation of what the models of these tracks standardise: their log-mel.

    Args:
        features: Of the tracks.
        front_end: Their front end.
        window_chunks: Chunks of a window, which may be heard at one level.

    Raises:
        FloatingPointError: Some values are not finite.
    """
    values = sum(f.chunks for f in features) * front_end.chunk_frames * front_end.n_mels
    if front_end.level == "none":
        sums = [(f.total, f.total_squares) for f in features]
    else:
        sums = [
            _sum_at_one_level(read_chunks(f, first, count), front_end)
            for f in features
            for first, count in cut_windows(f.chunks, window_chunks)
        ]
    mean = sum(total for total, _ in sums) / values
    if not math.isfinite(sum(squares for _, squares in sums)):
        raise FloatingPointError("the mean of the training tracks' log-mel values is not finite")
    variance = max(0.0, sum(squares for _, squares in sums) / values - mean**2)
    return mean, max(variance**0.5, 1e-6)  # digital silence alone has no spread


def _sum_at_one_level(energy: np.ndarray, front_end: FrontEnd) -> tuple[float, float]:
    """Sum the log-mel values of a window, and their squares."""
    log_mel = bring_to_one_level(tf.constant(energy[np.newaxis]), tf.constant([len(energy)]), front_end).numpy()
    return log_mel.sum(dtype=np.float64), np.square(log_mel, dtype=np.float64).sum()
