"""An export used from Python: tags, descriptors and taggrams of files and waveforms."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from mcc_zoo.audio.addresses import as_local_file
from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.decoders import Decoder, DecoderName, find_decoder
from mcc_zoo.audio.sound import NO_SOUND, SoundMeter
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder
from mcc_zoo.evaluation.pooling import pool_windows
from mcc_zoo.export.consistency import load_whole_model
from mcc_zoo.export.metadata import ExportMetadata
from mcc_zoo.features.chunking import cut_windows, samples_of
from mcc_zoo.features.log_mel import split_into_chunks
from mcc_zoo.features.sound import segment_samples
from mcc_zoo.features.streaming import BLOCK_CHUNKS, join_windows, mel_blocks
from mcc_zoo.forking import check_threads
from mcc_zoo.inference.locate import latest
from mcc_zoo.inference.result import Result, Status
from mcc_zoo.inference.scheduling import AHEAD, batches_by_length, ready_in_order
from mcc_zoo.inference.waveform import to_waveform
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.text import counted, without_path

Mode = Literal["windows", "whole"]


@dataclass(frozen=True)
class Described:
    """A file on its way: the fused descriptors of its chunks (chunks, F), or none and the reason why not.

    `has_sound` tells it of each window; what the model would say of a silent one does not count.
    """

    path: str
    descriptors: np.ndarray | None = None
    has_sound: Sequence[bool] = ()
    status: Status = "ok"
    reason: str = ""


class Tagger:
    """An export, ready to tag. Get one from `mcc_zoo.load`.

    It is of use in the process that loaded it, and not in a fork of that process: there its functions raise
    `RuntimeError`, because TensorFlow would wait for ever.

    Attributes:
        folder: The version's folder.
        metadata: What its mcc_zoo.json says.
        architecture: One of `mcc_zoo.ARCHITECTURES`.
        has_lstm: Whether it reads a track's chunks with an LSTM.
        labels: Class names in the order of the outputs.
        thresholds: With many labels a track, for each label the probability from which on it is given; else empty.
        front_end: Its front end.
        sample_rate: Hz of the audio that the model itself takes; files and waveforms are resampled to it.
        model: The Keras model.
        decoder: The decoder that reads files.
    """

    def __init__(
        self, folder: Path, metadata: ExportMetadata, model: keras.Model, decoder: DecoderName | Decoder = "auto"
    ) -> None:
        """Keep the parts."""
        self.decoder = find_decoder(decoder)
        self.folder, self.metadata, self.model = folder, metadata, model
        self.labels = list(metadata.labels)
        self.thresholds: Mapping[str, float] = _choose_thresholds(metadata)
        self.front_end, self.sample_rate = metadata.front_end, metadata.front_end.sample_rate
        self._parts = Classifier(model)
        self.architecture, self.has_lstm = self._parts.architecture, self._parts.has_lstm
        self._idle: SimpleQueue[IsolatedDecoder] = SimpleQueue()  # decoder processes take a while to start
        weakref.finalize(self, _close_all, self._idle)
        frames, chunk = (None, self.front_end.n_mels), (None, self.front_end.n_mels, self.front_end.chunk_frames)
        self._standardise = tf.function(self._standardise_frames, [tf.TensorSpec(frames, tf.float32)], autograph=False)
        self._describe = tf.function(self._describe_chunks, [tf.TensorSpec(chunk, tf.float32)], autograph=False)
        size = self._parts.fused_descriptor_size
        signature = [tf.TensorSpec((None, None, size), tf.float32), tf.TensorSpec((None,), tf.int32)]
        self._read_batch = tf.function(self._read_sequences, input_signature=signature, autograph=False)

    def __repr__(self) -> str:
        """Say which model it is."""
        labels, rate = counted(len(self.labels), "label"), self.front_end.sample_rate
        each = " (many a track)" if self.metadata.task == "multi-label" else ""
        named = f"{self.metadata.name}, version {self.folder.name}"
        return f"<Tagger: {named}; {self.architecture}, {labels}{each}, {rate} Hz>"

    def tag(self, path: str | bytes | os.PathLike[str], sequence: Mode = "windows") -> Result:
        """Tag one file of any length, format and rate.

        Args:
            path: The file, or as a text its address, such as s3://music/song.mp3, which fsspec reads (extra [remote]).
                It is decoded in a process of its own, mixed to mono and resampled.
            sequence: `windows` reads a track that is longer than those of the training in windows of that length
                and averages them, each weighed by its chunks. `whole` reads it in one sequence.

        Returns:
            The result.

        Raises:
            mcc_zoo.AudioError: The file is refused; the message names it and says why.
        """
        (result,) = self.tag_files([path], sequence, workers=1)
        if result.status == "refused":
            raise AudioError(result.path, without_path(result.reason, result.path))
        return result

    def tag_files(
        self,
        paths: Iterable[str | bytes | os.PathLike[str]],
        sequence: Mode = "windows",
        workers: int | None = None,
    ) -> Iterator[Result]:
        """Tag many files; as `tag`, but a file that is refused has a result too, and stops nothing.

        Args:
            paths: The files. They are taken from the iterable a few ahead of the results.
            sequence: As in `tag`.
            workers: Files that are read at a time, each by a decoder process and a thread; as many as there are cores
                by default. Memory grows with them, not with the number or length of the files.

        Yields:
            A result for each file, in the order of the files; `status` says whether it was refused.

        Raises:
            TypeError: One path was given, where a list of paths is needed.
        """
        check_threads()
        _check_paths(paths)
        _check_sequence(sequence)
        workers = workers or os.cpu_count() or 1
        busy: set[IsolatedDecoder] = set()

        def describe(path: str | bytes | os.PathLike[str]) -> Described:
            decoder = self._take_decoder()
            busy.add(decoder)
            try:
                return self._describe_file(path, decoder, sequence)
            finally:
                busy.discard(decoder)
                self._idle.put(decoder)

        with ThreadPoolExecutor(workers) as pool:
            try:
                for group in ready_in_order(pool, describe, paths, ahead=AHEAD * workers):
                    yield from self._make_results(group, sequence)
            finally:
                for decoder in list(busy):  # whoever stopped reading does not want to wait for long files
                    decoder.close()

    def tag_waveform(self, samples: np.ndarray, sample_rate: int, sequence: Mode = "windows") -> Result:
        """Tag audio that is in memory.

        Args:
            samples: (samples,), or (samples, channels), which are averaged. Floats have full scale ±1; integers are
                scaled by the range of their type, and unsigned ones are centred, uint8 at 128.
            sample_rate: Their rate in Hz. Where it is not the model's, the audio is resampled as files are.
            sequence: As in `tag`.

        Returns:
            The result, whose path is "".

        Raises:
            ValueError: Rate, type or shape are not as described, or samples are not finite, far above full scale, or
                too few.
        """
        check_threads()
        _check_sequence(sequence)
        waveform = to_waveform(samples, sample_rate, self.front_end.sample_rate)
        (result,) = self._make_results([self._describe_blocks("", [waveform], sequence)], sequence)
        return result

    def _take_decoder(self) -> IsolatedDecoder:
        try:
            return self._idle.get_nowait()
        except Empty:
            return IsolatedDecoder(decoder=self.decoder)

    def _describe_file(self, path: str | bytes | os.PathLike[str], decoder: IsolatedDecoder, mode: Mode) -> Described:
        """Read a file to the fused descriptors of its chunks."""
        name, block = os.fsdecode(path), samples_of(BLOCK_CHUNKS, self.front_end)
        try:
            with as_local_file(name) as local:
                return self._describe_blocks(name, decoder.read_blocks(local, self.front_end.sample_rate, block), mode)
        except AudioError as error:
            return Described(name, status="refused", reason=str(AudioError(name, error.reason)))

    def _describe_blocks(self, name: str, blocks: Iterable[np.ndarray], mode: Mode) -> Described:
        meter = SoundMeter(segment_samples(self.front_end))
        frames = mel_blocks(meter.listen(blocks), self.front_end)
        if self.front_end.level != "none":
            frames = join_windows(frames, self._count_window_chunks(mode), self.front_end)
        found = [descriptors for window in frames for descriptors in self._describe_window(window)]
        descriptors, length = np.concatenate(found), self._count_window_chunks(mode)
        hop = length * self.front_end.chunk_hop if length else None
        has_sound = meter.find_sound(-(-len(descriptors) // (length or len(descriptors))), hop)
        if not any(has_sound):
            return Described(name, status="silent", reason=str(AudioError(name or None, f"silent, {NO_SOUND}")))
        return Described(name, descriptors, has_sound)

    def _describe_window(self, frames: np.ndarray) -> list[np.ndarray]:
        chunks = self._standardise(frames)
        return [self._describe(chunks[i : i + BLOCK_CHUNKS]).numpy() for i in range(0, chunks.shape[0], BLOCK_CHUNKS)]

    def _count_window_chunks(self, mode: Mode) -> int | None:
        """How many chunks are read as one sequence; None if all are."""
        return None if mode == "whole" else self.metadata.training_chunks

    def _make_results(self, group: Sequence[Described], mode: Mode) -> Iterator[Result]:
        """Read the sequences of several tracks, those of like length together."""
        windows = [
            (place, window)
            for place, track in enumerate(group)
            if track.descriptors is not None
            for window in self._cut_windows(track.descriptors, mode)
        ]
        read = self._read_windows([window for _, window in windows])
        for place, track in enumerate(group):
            if track.descriptors is None:
                yield self._make_empty_result(track)
            else:
                own = [found for (owner, _), found in zip(windows, read, strict=True) if owner == place]
                own = [_keep_or_hide(found, kept) for found, kept in zip(own, track.has_sound, strict=True)]
                yield self._make_result(track.path, track.descriptors, own)

    def _cut_windows(self, descriptors: np.ndarray, mode: Mode) -> list[np.ndarray]:
        length = self._count_window_chunks(mode) or len(descriptors)
        return [descriptors[first : first + count] for first, count in cut_windows(len(descriptors), length)]

    def _read_windows(self, windows: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        """Give tags, descriptor and taggram of every window; padding up to the longest of a batch changes nothing."""
        found: list[dict[str, np.ndarray]] = [{}] * len(windows)
        for batch in batches_by_length([len(window) for window in windows]):
            longest = max(len(windows[i]) for i in batch)
            padded = np.zeros((len(batch), longest, windows[batch[0]].shape[1]), np.float32)
            for row, i in enumerate(batch):
                padded[row, : len(windows[i])] = windows[i]
            outputs = self._read_batch(padded, np.array([len(windows[i]) for i in batch], np.int32))
            values = {name: value.numpy() for name, value in outputs.items()}
            for row, i in enumerate(batch):
                found[i] = {name: value[row] for name, value in values.items()}
                found[i]["taggram"] = found[i]["taggram"][: len(windows[i])]
        return found

    def _make_result(self, path: str, descriptors: np.ndarray, read: Sequence[dict[str, np.ndarray]]) -> Result:
        pooled = pool_windows(read)
        return Result(
            path=path,
            status="ok",
            reason="",
            tags=dict(zip(self.labels, pooled["tags"].tolist(), strict=True)),
            descriptor=pooled["descriptor"].astype(np.float32),
            taggram=pooled["taggram"],
            chunk_descriptors=descriptors,
            windows=len(read),
            chunk_seconds=self.front_end.chunk_seconds,
            thresholds=self.thresholds,
        )

    def _make_empty_result(self, track: Described) -> Result:
        empty = np.empty(0, np.float32)
        taggram = np.empty((0, len(self.labels)), np.float32)
        seconds = self.front_end.chunk_seconds
        return Result(track.path, track.status, track.reason, {}, empty, taggram, empty, 0, seconds)

    def _standardise_frames(self, frames: tf.Tensor) -> tf.Tensor:
        chunks = split_into_chunks(frames[tf.newaxis], self.front_end)
        return self._parts.standardise_chunks(chunks, tf.shape(chunks)[1:2])[0]

    def _describe_chunks(self, chunks: tf.Tensor) -> tf.Tensor:
        return self._parts.chunk_network(chunks, training=False)

    def _read_sequences(self, descriptors: tf.Tensor, chunk_count: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = {"chunk_descriptors": descriptors, "chunk_count": chunk_count}
        return self._parts.sequence_network(inputs, training=False)


def _choose_thresholds(metadata: ExportMetadata) -> Mapping[str, float]:
    """Take the export's thresholds, or one half where it has none and tracks have many labels."""
    if metadata.task == "single-label":
        return {}
    return metadata.thresholds or dict.fromkeys(metadata.labels, 0.5)


def _keep_or_hide(outputs: dict[str, np.ndarray], has_sound: bool) -> dict[str, np.ndarray]:
    """Set the outputs for a silent window to 0, as the signatures do."""
    return outputs if has_sound else {name: np.zeros_like(values) for name, values in outputs.items()}


def _check_paths(paths: object) -> None:
    """Refuse one path: a text is an iterable of texts as well, and its letters would be taken for files."""
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise TypeError(
            f"paths={paths!r}: give a list of files, such as [{paths!r}], or mcc_zoo.audio.find({paths!r}) for those "
            "of a folder"
        )


def _check_sequence(mode: str) -> None:
    if mode not in ("windows", "whole"):
        raise ValueError(f"sequence={mode!r} is not known: choose windows or whole")


def _close_all(decoders: SimpleQueue[IsolatedDecoder]) -> None:
    while not decoders.empty():
        decoders.get_nowait().close()


def load(name_or_folder: str | os.PathLike[str], decoder: DecoderName | Decoder = "auto") -> Tagger:
    """Load an export.

    Args:
        name_or_folder: Name of a model, the folder of all of its versions, or the folder of one version; as for
            `mcc_zoo.latest`.
        decoder: Name of the decoder that reads files: `auto`, `soundfile`, `av`, or `tfio` with that extra.

    Raises:
        ValueError: The decoder is not installed.
        ExportError: There is no export, or it is not as it was written; the message says what is missing or differs.
        RuntimeError: The process was forked after TensorFlow had started.
    """
    check_threads()
    found_decoder = find_decoder(decoder)
    folder = latest(name_or_folder)
    metadata = ExportMetadata.read(folder)
    model = load_whole_model(folder, metadata)
    return Tagger(folder, metadata, model, found_decoder)
