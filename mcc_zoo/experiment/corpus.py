"""A dataset's readable tracks with their features."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from mcc_zoo.datasets.base import Track, find_task
from mcc_zoo.datasets.cautions import group_copies, list_copies
from mcc_zoo.evaluation import auto_tagging
from mcc_zoo.features.cache import CacheError, FeatureCache, Features, check_after_failure
from mcc_zoo.progress import progress_bar
from mcc_zoo.tasks import SEPARATOR, Task
from mcc_zoo.text import without_path

Result = TypeVar("Result")
ROW = ["seed", "fold", "architecture", "path", "group"]
RESERVED = {*ROW, *auto_tagging.FIXED, "majority_vote", "chunks_right"}


@dataclass(frozen=True)
class Corpus:
    """A dataset's readable tracks with their features.

    Attributes:
        tracks: In the dataset's order.
        features: One for each track.
        labels: Class names, sorted.
        targets: (tracks, labels) float32, 1 for each label that a track has, else 0.
        refused: Path and reason of each track that could not be read.
        taught: What a teacher says of every chunk, which training takes as its targets: for each track (chunks, values)
            float32, the probabilities of the labels and behind them, standardised, what a layer of the teacher gives.
            None where training takes `targets`.
        cache: Where the features lie, and are made anew if they are lost; None if they cannot be.
    """

    tracks: list[Track]
    features: list[Features]
    labels: list[str]
    targets: np.ndarray
    refused: pd.DataFrame
    taught: Sequence[np.ndarray] | None = None
    cache: FeatureCache | None = None

    @property
    def task(self) -> Task:
        """Whether each track has one label or any number of them."""
        return find_task(self.tracks)

    @property
    def classes(self) -> np.ndarray:
        """(tracks,) numbers of the tracks' labels, where each has one."""
        return self.targets.argmax(axis=1)


def prepare(tracks: Sequence[Track], cache: FeatureCache, quiet: bool = False) -> Corpus:
    """Decode every track into the cache. Unreadable tracks are left out.

    Standard error says why they are, and which tracks with the same audio have two labels or may be parted by a split.

    Args:
        tracks: The dataset.
        cache: Where the features go.
        quiet: No progress bar.

    Raises:
        ValueError: No track is readable, or a label is the name of a column of predictions.csv.
        mcc_zoo.disk.WriteError: The cache cannot be written.
    """
    with progress_bar(quiet) as bar:
        task = bar.add_task("reading tracks", total=len(tracks))
        paths = [track.path for track in tracks]
        found = cache.prepare(paths, lambda done, _: bar.update(task, completed=done))
    pairs = [(t, f) for t, f in zip(tracks, found, strict=True) if isinstance(f, Features)]
    refused = [(t, str(f)) for t, f in zip(tracks, found, strict=True) if not isinstance(f, Features)]
    for _, reason in refused:
        print(f"set aside: {reason}", file=sys.stderr)
    if not pairs:
        raise ValueError(f"none of {len(tracks)} tracks could be read" + (f": {refused[0][1]}" if refused else ""))
    # A cache file is named after the content of its audio file.
    for caution in list_copies(group_copies([track for track, _ in pairs], [f.path for _, f in pairs])):
        print(f"warning: {caution}", file=sys.stderr)
    rows = [(track.name, without_path(reason, str(track.path))) for track, reason in refused]
    kept, features = [track for track, _ in pairs], [f for _, f in pairs]
    labels = sorted({label for track in kept for label in track.all_labels})
    if taken := RESERVED & set(labels):
        raise ValueError(f"label {min(taken)!r} is the name of a column of predictions.csv: rename the label")
    if find_task(kept) == "multi-label" and (torn := [label for label in labels if SEPARATOR in label]):
        raise ValueError(f'label {torn[0]!r} has a "|", which separates labels: rename the label')
    targets = np.array([[label in track.all_labels for label in labels] for track in kept], np.float32)
    return Corpus(kept, features, labels, targets, pd.DataFrame(rows, columns=["path", "reason"]), cache=cache)


def call_with_cache(corpus: Corpus, work: Callable[[], Result]) -> Result:
    """Call `work`, which reads the features of the corpus; if some are lost meanwhile, make them anew and call again.

    Raises:
        mcc_zoo.features.cache.CacheError: They cannot be made anew, or are lost a second time.
    """
    try:
        with check_after_failure(corpus.features):
            return work()
    except CacheError as error:
        if corpus.cache is None:
            raise
        print(f"{error}: they are made anew, and what was under way begins again", file=sys.stderr)
        _restore(corpus, corpus.cache)
    with check_after_failure(corpus.features):
        return work()


def _restore(corpus: Corpus, cache: FeatureCache) -> None:
    """Make anew what the cache lacks of a corpus."""
    found = cache.prepare([track.path for track in corpus.tracks])
    for track, before, now in zip(corpus.tracks, corpus.features, found, strict=True):
        if now != before:
            reason = "it has changed" if isinstance(now, Features) else str(now)
            raise CacheError(
                f"the cached features {before.path} were lost, and cannot be made anew from {track.path} ({reason}): "
                "start again"
            )


def shuffle_labels(corpus: Corpus, seed: int) -> Corpus:
    """Permute the labels among the tracks."""
    order = np.random.default_rng(seed).permutation(len(corpus.tracks))
    tracks = [
        replace(t, label=corpus.tracks[i].label, labels=corpus.tracks[i].labels)
        for t, i in zip(corpus.tracks, order, strict=True)
    ]
    taught = None
    if corpus.taught is not None:  # of another track, which may have fewer chunks: then it starts again
        given = pick(corpus.taught, order)
        taught = [np.resize(own, (f.chunks, own.shape[1])) for own, f in zip(given, corpus.features, strict=True)]
    return replace(corpus, tracks=tracks, targets=corpus.targets[order], taught=taught)


def pick(items: Sequence, indices: np.ndarray) -> list:
    """Take the items with these indices."""
    return [items[i] for i in indices]
