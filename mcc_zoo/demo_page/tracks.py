"""What the page shows of a track: the model asked window by window, and the tracks of a folder that are like it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcc_zoo.audio.checks import AudioError
from mcc_zoo.demo_page.models import BAD_GATEWAY, Model, ModelError
from mcc_zoo.evaluation.pooling import pool_windows
from mcc_zoo.features.framing import samples_of, too_short
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Tagger

MAX_SECONDS = 3_600.0  # a compressed file of a few hundred KB can hold days
NEAREST = 5


@dataclass(frozen=True)
class Tagged:
    """What a model says of a track.

    Attributes:
        tags: (labels,) probabilities.
        descriptor: (D,) of the track.
        taggram: (chunks, labels) probabilities.
        windows: Windows that were averaged.
    """

    tags: np.ndarray
    descriptor: np.ndarray
    taggram: np.ndarray
    windows: int


@dataclass(frozen=True)
class Library:
    """The tracks of a folder.

    Attributes:
        paths: Below the folder.
        tags: The most probable label of each.
        descriptors: (tracks, D) float32.
    """

    paths: list[str]
    tags: list[str]
    descriptors: np.ndarray

    @classmethod
    def of(cls, results: Iterable[Result], folder: str | os.PathLike[str]) -> Library:
        """Keep the tracks that were not refused.

        Raises:
            AudioError: There is none.
        """
        refused, kept = "no audio files are there", []
        for result in results:
            if result.status == "ok":
                kept.append((os.path.relpath(result.path, folder), result.tag, result.descriptor))
            else:
                refused = result.reason
        if not kept:
            raise AudioError(f"--folder={os.fspath(folder)}: no track of it can be read ({refused})")
        paths, tags, descriptors = zip(*kept, strict=True)
        return cls(list(paths), list(tags), np.stack(descriptors))

    def nearest(self, descriptor: np.ndarray, count: int = NEAREST) -> list[dict[str, Any]]:
        """List the tracks whose descriptors point most nearly the same way, the nearest first.

        Returns:
            Of each its path, its tag, and its similarity: the cosine, 0 where a descriptor is all zeros.

        >>> library = Library(["a", "b"], ["slow", "fast"], np.array([[1, 0], [3, 4]], np.float32))
        >>> [(found["path"], round(found["similarity"], 3)) for found in library.nearest(np.array([0.0, 2.0]))]
        [('b', 0.8), ('a', 0.0)]
        """
        lengths = np.linalg.norm(self.descriptors, axis=1) * np.linalg.norm(descriptor)
        cosines = self.descriptors @ descriptor / np.maximum(lengths, np.finfo(np.float32).tiny)
        first = np.argsort(-cosines, kind="stable")[:count]
        return [{"path": self.paths[i], "tag": self.tags[i], "similarity": float(cosines[i])} for i in first]


def windows(blocks: Iterable[np.ndarray], front_end: FrontEnd, chunks: int) -> Iterator[np.ndarray]:
    """Cut a waveform as `mcc_zoo.Tagger` reads it: windows of so many chunks, the last one may have fewer.

    Windows overlap by what the last frame of a chunk reaches into the next, so their chunks are those of the whole
    waveform.

    Args:
        blocks: The waveform at the front end's rate, cut anyhow.
        front_end: The model's.
        chunks: Of a window.

    Yields:
        Arrays (samples,).

    Raises:
        AudioError: The waveform is shorter than one STFT window.
    """
    step, span = chunks * front_end.chunk_hop, samples_of(chunks, front_end)
    rest, found = np.empty(0, np.float32), False
    for block in blocks:
        rest = np.concatenate([rest, block])
        while len(rest) >= span:
            found = True
            yield rest[:span]
            rest = rest[step:]
    if not found and len(rest) < front_end.window_length:
        raise AudioError(too_short(len(rest), front_end))
    if not found or len(rest) >= front_end.chunk_samples:
        yield rest


def tagged(blocks: Iterable[np.ndarray], tagger: Tagger, model: Model) -> Tagged:
    """Ask a model about a track, window by window, and average as `mcc_zoo.Tagger` does.

    Args:
        blocks: The track's waveform at the tagger's rate.
        tagger: Of the same export; knows its labels, its front end and the length of its training tracks.
        model: Who is asked.

    Raises:
        AudioError: The track is refused.
        ModelError: The model refuses it, does not answer, or is not the tagger's.
    """
    answers = []
    for window in windows(_limited(blocks, tagger.front_end), tagger.front_end, tagger.facts["training_chunks"]):
        answers.append([model.predict(signature, window[np.newaxis]) for signature in ("serving_default", "taggram")])
    try:
        pooled = pool_windows(
            [{name: values[0] for answer in pair for name, values in answer.items()} for pair in answers]
        )
        tags, descriptor, taggram = (pooled[name] for name in ("tags", "descriptor", "taggram"))
        if (
            not len(tags) == taggram.shape[1] == len(tagger.labels)
            or len(descriptor) != tagger.facts["descriptor_size"]
        ):
            raise ValueError(f"{len(tags)} tags, {len(descriptor)} values a descriptor")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ModelError(
            f"the model's answer does not fit {tagger.folder} ({error}): is it that export?", BAD_GATEWAY
        ) from error
    return Tagged(tags, descriptor, taggram, len(answers))


def _limited(blocks: Iterable[np.ndarray], front_end: FrontEnd) -> Iterator[np.ndarray]:
    samples = 0
    for block in blocks:
        samples += len(block)
        if samples > MAX_SECONDS * front_end.sample_rate:
            raise AudioError(
                f"longer than the {MAX_SECONDS / 60:g} minutes that the page takes; cut it, or use mcc-zoo tag"
            )
        yield block
