"""The feature cache: one file of mel frames per audio file, shared by all folds, seeds and systems."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import tensorflow as tf

from mcc_zoo.atomic import open_atomically
from mcc_zoo.audio import checks
from mcc_zoo.audio.decoders import Decoder, DecoderName, find_decoder
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder
from mcc_zoo.features.chunking import cut_windows, samples_of
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.level import bring_to_one_level
from mcc_zoo.features.sound import NO_SOUND, SoundMeter
from mcc_zoo.features.streaming import BLOCK_CHUNKS, mel_blocks

CACHE_FORMAT = 2  # raise it whenever the front end's numbers change
CHECKSUM_BYTES = 4
Progress = Callable[[int, int], None]


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


class FeatureCache:
    """A folder with one file per audio file, named by a hash of its content, the front end and the decoder.

    Changed audio, another front end or another cache format give another name, so nothing stale is read; a damaged
    file fails its checksum and is computed anew. Decoders are part of the name because some differ by samples.

    Args:
        folder: Created if missing; it may be deleted at any time.
        front_end: Parameters of the mel frames.
        decoder: A name in `mcc_zoo.audio.decoders.DECODERS`; it runs in a process of its own.

    Raises:
        ValueError: The decoder is not installed.
    """

    def __init__(
        self, folder: str | os.PathLike[str], front_end: FrontEnd, decoder: DecoderName | Decoder = "auto"
    ) -> None:
        """Make the folder."""
        self.folder = Path(folder)
        self.front_end = front_end
        self.decoder = find_decoder(decoder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def features(self, path: str | os.PathLike[str]) -> Features:
        """Return a file's features from the cache, computed first where they are missing or damaged.

        Raises:
            mcc_zoo.audio.checks.AudioError: The file is refused.
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
        meter = SoundMeter(self.front_end)
        try:
            frames = np.concatenate(list(mel_blocks(meter.listen(blocks), self.front_end)))
            if not meter.has_sound:
                raise checks.AudioError(path, f"silent, {NO_SOUND}")
        except checks.AudioError as error:
            raise checks.AudioError(path, error.reason) from None
        with open_atomically(entry, "w+b") as file:
            np.save(file, frames.astype("<f4"))
            file.seek(0)
            checksum = zlib.crc32(file.read())
            file.write(checksum.to_bytes(CHECKSUM_BYTES, "little"))
        features = self._read(entry)
        if features is None:
            raise OSError(f"{entry}: the file just written cannot be read back: check the disk of the feature cache")
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
    variance = max(0.0, sum(squares for _, squares in sums) / values - mean**2)
    return mean, max(variance**0.5, 1e-6)  # digital silence alone has no spread


def _sum_at_one_level(energy: np.ndarray, front_end: FrontEnd) -> tuple[float, float]:
    """Sum the log-mel values of a window, and their squares."""
    log_mel = bring_to_one_level(tf.constant(energy[np.newaxis]), tf.constant([len(energy)]), front_end).numpy()
    return log_mel.sum(dtype=np.float64), np.square(log_mel, dtype=np.float64).sum()
