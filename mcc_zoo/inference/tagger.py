"""An export used from Python: tags, descriptors and taggrams of files and waveforms."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.decoders import Decoder, DecoderName, find_decoder
from mcc_zoo.audio.limits import MAX_AMPLITUDE
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder
from mcc_zoo.export.metadata import ExportError
from mcc_zoo.export.saved_model import FACTS
from mcc_zoo.features.framing import samples_of
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.log_mel import split_into_chunks
from mcc_zoo.features.streaming import BLOCK_CHUNKS, log_mel_blocks
from mcc_zoo.inference.locate import newest
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.scheduling import AHEAD, batches_by_length, ready_in_order

Mode = Literal["windows", "whole"]


@dataclass(frozen=True)
class Described:
    """A file on its way: the fused descriptors of its chunks (chunks, F), or None and the reason why not."""

    path: str
    descriptors: np.ndarray | None
    reason: str


class Tagger:
    """An export, ready to tag. Get one from `mcc_zoo.load`.

    Attributes:
        folder: The version's folder.
        facts: What its mcc_zoo.json says.
        labels: Class names in the order of the outputs.
        front_end: Its front end; waveforms have to be at `front_end.sample_rate`.
        model: The Keras model.
        decoder: Who decodes files.
    """

    def __init__(
        self,
        folder: Path,
        facts: dict[str, Any],
        model: keras.Model,
        decoder: DecoderName | Decoder = "soundfile",
    ) -> None:
        """Keep the parts."""
        self.decoder = find_decoder(decoder)
        self.folder, self.facts, self.model = folder, facts, model
        self.labels: list[str] = facts["labels"]
        self.front_end = FrontEnd(**facts["front_end"])
        self.has_lstm = any(
            isinstance(layer, keras.layers.LSTM) for layer in model.get_layer("sequence_network").layers
        )
        self._idle: SimpleQueue[IsolatedDecoder] = SimpleQueue()  # decoder processes take a while to start
        weakref.finalize(self, _close_all, self._idle)
        self._describe = tf.function(self._chunk_descriptors, input_signature=[tf.TensorSpec((None, None), tf.float32)])
        size = model.output["chunk_descriptors"].shape[-1]
        signature = [tf.TensorSpec((None, None, size), tf.float32), tf.TensorSpec((None,), tf.int32)]
        self._read = tf.function(self._read_sequences, input_signature=signature)

    def tag(self, path: str | os.PathLike[str], sequence: Mode = "windows") -> Result:
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
        sequence: Mode = "windows",
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

        Raises:
            TypeError: One path was given, where a list of paths is needed.
        """
        _check_paths(paths)
        _check_sequence(sequence)
        workers = workers or os.cpu_count() or 1
        busy: set[IsolatedDecoder] = set()

        def described(path: str | os.PathLike[str]) -> Described:
            decoder = self._decoder()
            busy.add(decoder)
            try:
                return self._described(path, decoder)
            finally:
                busy.discard(decoder)
                self._idle.put(decoder)

        with ThreadPoolExecutor(workers) as pool:
            try:
                for group in ready_in_order(pool, described, paths, ahead=AHEAD * workers):
                    yield from self._results(group, sequence)
            finally:
                for decoder in list(busy):  # whoever stopped reading does not want to wait for long files
                    decoder.close()

    def tag_waveform(self, samples: np.ndarray, sample_rate: int, sequence: Mode = "windows") -> Result:
        """Tag audio that is in memory.

        Args:
            samples: (samples,) mono float, full scale ±1; integers are refused, for their full scale is not known.
            sample_rate: Hz; has to be the model's, because another rate gives plausible, wrong tags.
            sequence: As in `tag`.

        Raises:
            ValueError: Rate, type or shape are not as asked, or samples are not finite, far above full scale, or too
                few.
        """
        if sample_rate != self.front_end.sample_rate:
            raise ValueError(
                f"sample_rate={sample_rate}: this model needs {self.front_end.sample_rate} Hz: resample first"
            )
        samples = np.asarray(samples)
        _check_samples(samples)
        _check_sequence(sequence)
        (result,) = self._results([Described("", self._chunks_of([samples.astype(np.float32)]), "")], sequence)
        return result

    def _decoder(self) -> IsolatedDecoder:
        try:
            return self._idle.get_nowait()
        except Empty:
            return IsolatedDecoder(decoder=self.decoder)

    def _described(self, path: str | os.PathLike[str], decoder: IsolatedDecoder) -> Described:
        """Read a file to the fused descriptors of its chunks."""
        name, block = str(path), samples_of(BLOCK_CHUNKS, self.front_end)
        try:
            descriptors = self._chunks_of(decoder.read_blocks(path, self.front_end.sample_rate, block))
        except AudioError as error:
            named = any(written in str(error) for written in (name, repr(name)))
            return Described(name, None, str(error) if named else f"{name}: {error}")
        return Described(name, descriptors, "")

    def _chunks_of(self, blocks: Iterable[np.ndarray]) -> np.ndarray:
        return np.concatenate([self._describe(frames).numpy() for frames in log_mel_blocks(blocks, self.front_end)])

    def _results(self, group: Sequence[Described], mode: Mode) -> Iterator[Result]:
        """Read the sequences of several tracks, those of like length together."""
        windows = [
            (place, window)
            for place, track in enumerate(group)
            if track.descriptors is not None
            for window in self._windows(track.descriptors, mode)
        ]
        read = self._read_windows([window for _, window in windows])
        for place, track in enumerate(group):
            if track.descriptors is None:
                yield self._refused(track.path, track.reason)
            else:
                own = [found for (owner, _), found in zip(windows, read, strict=True) if owner == place]
                yield self._result(track.path, track.descriptors, own)

    def _windows(self, descriptors: np.ndarray, mode: Mode) -> list[np.ndarray]:
        length = len(descriptors) if mode == "whole" else self.facts["training_chunks"]
        return [descriptors[i : i + length] for i in range(0, len(descriptors), length)]

    def _read_windows(self, windows: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        """Give tags, descriptor and taggram of every window; padding up to the longest of a batch changes nothing."""
        found: list[dict[str, np.ndarray]] = [{}] * len(windows)
        for batch in batches_by_length([len(window) for window in windows]):
            longest = max(len(windows[i]) for i in batch)
            padded = np.zeros((len(batch), longest, windows[batch[0]].shape[1]), np.float32)
            for row, i in enumerate(batch):
                padded[row, : len(windows[i])] = windows[i]
            outputs = self._read(padded, np.array([len(windows[i]) for i in batch], np.int32))
            values = {name: value.numpy() for name, value in outputs.items()}
            for row, i in enumerate(batch):
                found[i] = {name: value[row] for name, value in values.items()}
                found[i]["taggram"] = found[i]["taggram"][: len(windows[i])]
        return found

    def _result(self, path: str, descriptors: np.ndarray, read: Sequence[dict[str, np.ndarray]]) -> Result:
        weights = [len(found["taggram"]) for found in read]
        tags = np.average([found["tags"] for found in read], axis=0, weights=weights)
        return Result(
            path=path,
            status="ok",
            reason="",
            tags=dict(zip(self.labels, tags.tolist(), strict=True)),
            descriptor=np.average([found["descriptor"] for found in read], axis=0, weights=weights).astype(np.float32),
            taggram=np.concatenate([found["taggram"] for found in read]),
            chunk_descriptors=descriptors,
            windows=len(read),
        )

    def _refused(self, path: str, reason: str) -> Result:
        empty = np.empty(0, np.float32)
        return Result(path, "refused", reason, {}, empty, np.empty((0, len(self.labels)), np.float32), empty, 0)

    def _chunk_descriptors(self, frames: tf.Tensor) -> tf.Tensor:
        chunks = split_into_chunks(frames[tf.newaxis], self.front_end)
        standardised = self.model.get_layer("front_end").get_layer("standardise")(chunks)
        return self.model.get_layer("chunk_network")(standardised[0], training=False)

    def _read_sequences(self, descriptors: tf.Tensor, chunk_count: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = {"chunk_descriptors": descriptors, "chunk_count": chunk_count}
        return self.model.get_layer("sequence_network")(inputs, training=False)


def _check_paths(paths: object) -> None:
    """Refuse one path: a text is an iterable of texts as well, and its letters would be taken for files."""
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise TypeError(
            f"paths={paths!r}: give a list of files, such as [{paths!r}], or mcc_zoo.audio.find({paths!r}) for those "
            "of a folder"
        )


def _check_samples(samples: np.ndarray) -> None:
    """Refuse what is no waveform, and what is one of another full scale: as files are, for its tags would be wrong."""
    if samples.dtype.kind != "f":
        raise ValueError(
            f"samples are {samples.dtype}: give floats, full scale ±1; 16-bit integers are divided by 32768 for that"
        )
    if samples.ndim != 1:
        raise ValueError(f"samples have shape {samples.shape}: one mono waveform (samples,) is needed")
    if not np.isfinite(samples).all():
        raise ValueError("samples hold values that are not finite (NaN or infinite)")
    if (peak := np.abs(samples).max(initial=0)) > MAX_AMPLITUDE:
        raise ValueError(
            f"samples go up to {peak:g} times full scale, which is 1: scale them to ±1; if they were 16-bit integers, "
            "divide by 32768"
        )


def _check_sequence(mode: str) -> None:
    if mode not in ("windows", "whole"):
        raise ValueError(f"sequence={mode!r} is not known: choose windows or whole")


def _close_all(decoders: SimpleQueue[IsolatedDecoder]) -> None:
    while not decoders.empty():
        decoders.get_nowait().close()


def load(folder: str | os.PathLike[str], decoder: DecoderName | Decoder = "soundfile") -> Tagger:
    """Load an export.

    Args:
        folder: A version's folder, or the folder of all versions of a model: the newest is taken.
        decoder: Who decodes files: `soundfile`, or `av` or `tfio` where that extra is installed.

    Raises:
        ValueError: The decoder is not installed.
        ExportError: There is no export, or it cannot be read; the message says what is missing.
    """
    found = find_decoder(decoder)
    path = newest(Path(folder))
    try:
        facts = json.loads((path / FACTS).read_text(encoding="utf-8"))
        return Tagger(path, facts, keras.models.load_model(path, compile=False), found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{path} cannot be loaded ({error!r}): is the folder whole?") from error
