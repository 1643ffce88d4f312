"""What the page shows about a track: its tags, window by window, and the most similar tracks of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.sound import NO_SOUND, SoundMeter
from mcc_zoo.demo_page.models import BAD_GATEWAY, Model, ModelError
from mcc_zoo.evaluation.pooling import pool_windows
from mcc_zoo.features.chunking import samples_of, too_short
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.sound import segment_samples
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Tagger

MAX_SECONDS = 3_600.0  # a compressed file of a few hundred KB can hold days
NEAREST = 5


@dataclass(frozen=True)
class TaggedTrack:
    """A model's answer about a track.

    Attributes:
        tags: (labels,) probabilities.
        descriptor: (D,) float, the track's high-level descriptor.
        taggram: (chunks, labels) probabilities.
        windows: Number of windows that were averaged.
    """

    tags: np.ndarray
    descriptor: np.ndarray
    taggram: np.ndarray
    windows: int


@dataclass(frozen=True)
class Library:
    """The tracks of a folder, to compare a track with.

    Attributes:
        paths: Paths relative to the folder.
        tags: The most probable label of each track.
        descriptors: (tracks, D) float32.
    """

    paths: list[str]
    tags: list[str]
    descriptors: np.ndarray

    @classmethod
    def from_results(cls, results: Iterable[Result], folder: str | os.PathLike[str]) -> Library:
        """Keep the tracks that were not refused.

        Args:
            results: A tagger's results for the tracks.
            folder: The folder that holds them.

        Raises:
            AudioError: All were refused, or there are none.
        """
        reason, kept = "it holds no audio files", []
        for result in results:
            if result.status == "ok":
                kept.append((os.path.relpath(result.path, folder), result.tag, result.descriptor))
            else:
                reason = result.reason
        if not kept:
            raise AudioError(folder, f"no track of it can be read ({reason})")
        paths, tags, descriptors = zip(*kept, strict=True)
        return cls(list(paths), list(tags), np.stack(descriptors))

    def find_nearest(self, descriptor: np.ndarray, count: int = NEAREST) -> list[dict[str, Any]]:
        """List the tracks whose descriptors are most similar to one, the most similar first.

        Args:
            descriptor: (D,) float.
            count: The most tracks to list.

        Returns:
            For each its path, tag and similarity: the cosine of the descriptors, 0 if one is all zeros.

        >>> library = Library(["a", "b"], ["slow", "fast"], np.array([[1, 0], [3, 4]], np.float32))
        >>> [(track["path"], round(track["similarity"], 3)) for track in library.find_nearest(np.array([0.0, 2.0]))]
        [('b', 0.8), ('a', 0.0)]
        """
        lengths = np.linalg.norm(self.descriptors, axis=1) * np.linalg.norm(descriptor)
        cosines = self.descriptors @ descriptor / np.maximum(lengths, np.finfo(np.float32).tiny)
        first = np.argsort(-cosines, kind="stable")[:count]
        return [{"path": self.paths[i], "tag": self.tags[i], "similarity": float(cosines[i])} for i in first]


def split_into_windows(blocks: Iterable[np.ndarray], front_end: FrontEnd, chunks: int) -> Iterator[np.ndarray]:
    """Split a waveform as `mcc_zoo.Tagger` reads it: windows of some chunks; the last one may have fewer.

    The last frame of a chunk reaches into the next chunk. Windows overlap by so much, so that their chunks are the
    chunks of the whole waveform.

    Args:
        blocks: The waveform at the front end's rate, in blocks of any length.
        front_end: The model's front end.
        chunks: Number of chunks of a window.

    Yields:
        Windows, (samples,) float32.

    Raises:
        AudioError: The waveform is shorter than one STFT window.
    """
    step, span = chunks * front_end.chunk_hop, samples_of(chunks, front_end)
    rest, is_split = np.empty(0, np.float32), False
    for block in blocks:
        rest = np.concatenate([rest, block])
        while len(rest) >= span:
            is_split = True
            yield rest[:span]
            rest = rest[step:]
    if not is_split and len(rest) < front_end.window_length:
        raise AudioError(None, too_short(len(rest), front_end))
    if not is_split or len(rest) >= front_end.chunk_samples:
        yield rest


def tag_track(blocks: Iterable[np.ndarray], tagger: Tagger, model: Model) -> TaggedTrack:
    """Ask a model about a track, window by window, and average as `mcc_zoo.Tagger` does.

    Args:
        blocks: The track's waveform at the tagger's rate, in blocks of any length.
        tagger: Of the same export; it knows the labels, the front end and the length of the training tracks.
        model: The model to ask.

    Raises:
        AudioError: The track is refused.
        ModelError: The model refuses the track, does not answer, or is not the tagger's.
    """
    answers, meter = [], SoundMeter(segment_samples(tagger.front_end))
    audio = meter.listen(_refuse_long(blocks, tagger.front_end))
    for window in split_into_windows(audio, tagger.front_end, tagger.metadata.training_chunks):
        answers.append([model.predict(signature, window[np.newaxis]) for signature in ("serving_default", "taggram")])
    hop = tagger.metadata.training_chunks * tagger.front_end.chunk_hop
    if not any(meter.find_sound(len(answers), hop)):
        raise AudioError(None, f"silent, {NO_SOUND}")
    try:
        pooled = pool_windows(
            [{name: values[0] for answer in pair for name, values in answer.items()} for pair in answers]
        )
        tags, descriptor, taggram = (pooled[name] for name in ("tags", "descriptor", "taggram"))
        labels_differ = not len(tags) == taggram.shape[1] == len(tagger.labels)
        if labels_differ or len(descriptor) != tagger.metadata.descriptor_size:
            raise ValueError(f"{len(tags)} tags, {len(descriptor)} values per descriptor")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ModelError(
            f"the model's answer does not fit {tagger.folder} ({error}): is it that export?", BAD_GATEWAY
        ) from error
    return TaggedTrack(tags, descriptor, taggram, len(answers))


def _refuse_long(blocks: Iterable[np.ndarray], front_end: FrontEnd) -> Iterator[np.ndarray]:
    """Pass blocks on, and refuse a track as soon as it is longer than the page takes."""
    samples = 0
    for block in blocks:
        samples += len(block)
        if samples > MAX_SECONDS * front_end.sample_rate:
            raise AudioError(
                None, f"longer than the {MAX_SECONDS / 60:g} minutes that the page takes; cut it, or use mcc-zoo tag"
            )
        yield block
