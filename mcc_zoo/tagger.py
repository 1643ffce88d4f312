"""An export used from Python: tags, descriptors and taggrams of files and waveforms."""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, TypeVar

import keras
import numpy as np
import tensorflow as tf

from mcc_zoo.audio import AudioError
from mcc_zoo.export import FACTS, ExportError
from mcc_zoo.front_end import split_into_chunks
from mcc_zoo.isolation import IsolatedDecoder
from mcc_zoo.paper import FrontEnd
from mcc_zoo.pipeline import BLOCK_CHUNKS, log_mel_blocks

Sequence = Literal["windows", "whole"]
Input = TypeVar("Input")
Output = TypeVar("Output")


@dataclass(frozen=True, repr=False)
class Result:
    """What a tagger says of one input; there is exactly one for each.

    Attributes:
        path: The file, or "" for a waveform.
        status: `ok`, or `refused`, and then `reason` says why and the arrays are empty.
        reason: One sentence.
        tags: Probability of each label, in the model's order; they sum to 1.
        descriptor: The track's high-level descriptor, (D,) float32.
        taggram: Each chunk's probabilities, (chunks, labels) float32. With an LSTM row t is the window's tags so far.
        chunk_descriptors: Each chunk's fused descriptor, (chunks, F) float32.
        windows: Windows that were averaged; 1 for a track no longer than those of the training.
    """

    path: str
    status: Literal["ok", "refused"]
    reason: str
    tags: dict[str, float]
    descriptor: np.ndarray
    taggram: np.ndarray
    chunk_descriptors: np.ndarray
    windows: int

    def __repr__(self) -> str:
        """Leave the arrays out."""
        said = f"tag={self.tag!r}, chunks={len(self.taggram)}" if self.status == "ok" else f"reason={self.reason!r}"
        return f"Result(path={self.path!r}, status={self.status!r}, {said})"

    @property
    def tag(self) -> str:
        """The most probable label; "" where the input was refused."""
        return max(self.tags, key=self.tags.__getitem__) if self.tags else ""


class Tagger:
    """An export, ready to tag. Get one from `mcc_zoo.load`.

    Attributes:
        folder: The version's folder.
        facts: What its mcc_zoo.json says.
        labels: Class names in the order of the outputs.
        front_end: Its front end; waveforms have to be at `front_end.sample_rate`.
        model: The Keras model.
    """

    def __init__(self, folder: Path, facts: dict[str, Any], model: keras.Model) -> None:
        """Keep the parts."""
        self.folder, self.facts, self.model = folder, facts, model
        self.labels: list[str] = facts["labels"]
        self.front_end = FrontEnd(**facts["front_end"])
        self.has_lstm = any(
            isinstance(layer, keras.layers.LSTM) for layer in model.get_layer("sequence_network").layers
        )
        self._describe = tf.function(self._chunk_descriptors, input_signature=[tf.TensorSpec((None, None), tf.float32)])
        size = model.output["chunk_descriptors"].shape[-1]
        self._read = tf.function(self._read_sequence, input_signature=[tf.TensorSpec((None, size), tf.float32)])

    def tag(self, path: str | os.PathLike[str], sequence: Sequence = "windows") -> Result:
        """Tag one file of any length, format and rate.

        Args:
            path: The file. It is decoded in a process of its own, mixed to mono and resampled.
            sequence: `windows` reads a track that is longer than those of the training in windows of that length
                and averages them, each weighed by its chunks. `whole` reads it in one sequence.

        Returns:
            The result; a file that is refused has one too.
        """
        (result,) = self.tag_files([path], sequence, workers=1)
        return result

    def tag_files(
        self,
        paths: Iterable[str | os.PathLike[str]],
        sequence: Sequence = "windows",
        workers: int | None = None,
    ) -> Iterator[Result]:
        """Tag many files; as `tag`.

        Args:
            paths: The files. They are taken from the iterable a few ahead of the results.
            sequence: As in `tag`.
            workers: Files that are read at a time, each by a decoder process and a thread; as many as there are cores
                by default. Memory grows with them, not with the number or length of the files.

        Yields:
            A result for each file, in the order of the files.
        """
        workers = workers or os.cpu_count() or 1
        with ThreadPoolExecutor(workers) as pool, contextlib.ExitStack() as decoders:
            idle: SimpleQueue[IsolatedDecoder] = SimpleQueue()
            for _ in range(workers):
                idle.put(decoders.enter_context(IsolatedDecoder()))

            def tagged(path: str | os.PathLike[str]) -> Result:
                decoder = idle.get()
                try:
                    return self._tagged(path, decoder, sequence)
                finally:
                    idle.put(decoder)

            yield from in_order(pool, tagged, paths, ahead=2 * workers)

    def tag_waveform(self, samples: np.ndarray, sample_rate: int, sequence: Sequence = "windows") -> Result:
        """Tag audio that is in memory.

        Args:
            samples: (samples,) mono float, full scale ±1.
            sample_rate: Hz; has to be the model's, because another rate gives plausible, wrong tags.
            sequence: As in `tag`.

        Raises:
            ValueError: Rate or shape are not as asked, or samples are not finite, or too few.
        """
        if sample_rate != self.front_end.sample_rate:
            raise ValueError(
                f"sample_rate={sample_rate}: this model needs {self.front_end.sample_rate} Hz: resample first"
            )
        samples = np.asarray(samples, np.float32)
        if samples.ndim != 1:
            raise ValueError(f"samples have shape {samples.shape}: one mono waveform (samples,) is needed")
        if not np.isfinite(samples).all():
            raise ValueError("samples hold values that are not finite (NaN or infinite)")
        return self._result("", [samples], sequence)

    def _tagged(self, path: str | os.PathLike[str], decoder: IsolatedDecoder, sequence: Sequence) -> Result:
        block = BLOCK_CHUNKS * self.front_end.chunk_hop
        try:
            return self._result(str(path), decoder.read_blocks(path, self.front_end.sample_rate, block), sequence)
        except AudioError as error:
            return self._refused(str(path), str(error))

    def _result(self, path: str, blocks: Iterable[np.ndarray], sequence: Sequence) -> Result:
        if sequence not in ("windows", "whole"):
            raise ValueError(f"sequence={sequence!r} is not known: choose windows or whole")
        try:
            frames = log_mel_blocks(blocks, self.front_end)
            descriptors = np.concatenate([self._describe(block).numpy() for block in frames])
        except AudioError as error:
            raise error if not path or path in str(error) else AudioError(f"{path}: {error}") from None
        length = len(descriptors) if sequence == "whole" else self.facts["training_chunks"]
        windows = [descriptors[i : i + length] for i in range(0, len(descriptors), length)]
        read = [{name: value.numpy() for name, value in self._read(window).items()} for window in windows]
        weights = [len(window) for window in windows]
        tags = np.average([found["tags"] for found in read], axis=0, weights=weights)
        return Result(
            path=path,
            status="ok",
            reason="",
            tags=dict(zip(self.labels, tags.tolist(), strict=True)),
            descriptor=np.average([found["descriptor"] for found in read], axis=0, weights=weights).astype(np.float32),
            taggram=np.concatenate([found["taggram"] for found in read]),
            chunk_descriptors=descriptors,
            windows=len(windows),
        )

    def _refused(self, path: str, reason: str) -> Result:
        empty = np.empty(0, np.float32)
        return Result(path, "refused", reason, {}, empty, np.empty((0, len(self.labels)), np.float32), empty, 0)

    def _chunk_descriptors(self, frames: tf.Tensor) -> tf.Tensor:
        chunks = split_into_chunks(frames[tf.newaxis], self.front_end)
        standardised = self.model.get_layer("front_end").get_layer("standardise")(chunks)
        return self.model.get_layer("chunk_network")(standardised[0], training=False)

    def _read_sequence(self, descriptors: tf.Tensor) -> dict[str, tf.Tensor]:
        count = tf.shape(descriptors)[:1]
        inputs = {"chunk_descriptors": descriptors[tf.newaxis], "chunk_count": count}
        return {name: value[0] for name, value in self.model.get_layer("sequence_network")(inputs).items()}


def in_order(
    pool: Executor, function: Callable[[Input], Output], items: Iterable[Input], ahead: int
) -> Iterator[Output]:
    """Yield function(item) in the order of the items, with at most `ahead` items under way."""
    waiting: deque[Future[Output]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def load(folder: str | os.PathLike[str]) -> Tagger:
    """Load an export.

    Args:
        folder: A version's folder, or the folder of all versions of a model: the newest is taken.

    Raises:
        ExportError: There is no export, or it cannot be read; the message says what is missing.
    """
    path = newest(Path(folder))
    try:
        facts = json.loads((path / FACTS).read_text(encoding="utf-8"))
        return Tagger(path, facts, keras.models.load_model(path, compile=False))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{path} cannot be loaded ({error!r}): is the folder whole?") from error


def newest(folder: Path) -> Path:
    """Return the newest version below a model's folder, or the folder itself where it is a version.

    Raises:
        ExportError: It is neither.
    """
    if (folder / FACTS).is_file():
        return folder
    versions = [path for path in folder.glob("*") if path.name.isdecimal() and (path / FACTS).is_file()]
    if not versions:
        raise ExportError(f"{folder} is no export: neither it nor a numbered folder in it holds {FACTS}")
    return max(versions, key=lambda path: int(path.name))
