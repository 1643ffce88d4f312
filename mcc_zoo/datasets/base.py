"""A track and a dataset, and the errors of their readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcc_zoo.audio.folders import AUDIO_SUFFIXES
from mcc_zoo.tasks import Task


class DatasetError(ValueError):
    """A folder or table is not the expected dataset; the message names it and the remedy."""


class DatasetWarning(UserWarning):
    """A dataset can be read, but lacks something that matters, such as its albums."""


@dataclass(frozen=True)
class Track:
    """One labelled recording.

    Attributes:
        path: The audio file.
        name: Its name in result tables, unique within a dataset: the path inside the dataset with forward slashes, the
            same on every disk.
        label: Its one label; "" where tracks have several.
        group: Tracks of one group are kept on one side of a split; "" is a group of its own.
        fold: The fold that a manifest gives it, or None.
        labels: Its labels, none to many, where tracks have several (auto-tagging); None where each has one.
    """

    path: Path
    name: str
    label: str
    group: str = ""
    fold: int | None = None
    labels: tuple[str, ...] | None = None

    @property
    def all_labels(self) -> tuple[str, ...]:
        """Its labels, in datasets of either kind."""
        return (self.label,) if self.labels is None else self.labels


def find_task(tracks: Sequence[Track]) -> Task:
    """Find out whether each track has one label of a set, or any number of them."""
    return "multi-label" if any(track.labels is not None for track in tracks) else "single-label"


def make_tracks(found: Mapping[str, Path], label_of: Mapping[str, str], group_of: Mapping[str, str]) -> list[Track]:
    """Make tracks of the files that have a label; all three tables go by key, a track's name without suffix."""
    return [
        Track(path, f"{key}{path.suffix.lower()}", label_of[key], group_of.get(key, ""))
        for key, path in found.items()
        if key in label_of
    ]


def strip_suffix(name: str) -> str:
    """Strip the suffix of an audio format from a name; anything else after a dot belongs to the name.

    Examples:
        >>> strip_suffix("blues/blues.00000.wav"), strip_suffix("blues/blues.00000")
        ('blues/blues.00000', 'blues/blues.00000')
    """
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in AUDIO_SUFFIXES else name


@dataclass(frozen=True)
class Dataset:
    """A page of facts about one dataset.

    Attributes:
        name: Its name on the command line.
        title: Its usual name.
        citation: The publication to cite.
        licence: The known rights in the recordings.
        homepage: Where it is published.
        layout: Its files and folders.
        label_counts: Number of tracks of each label, as in the paper; empty where they are not known for sure.
        track_seconds: Length of most tracks in seconds.
        notes: Known faults and leaks, to be read before a score on it is believed.
        list_tracks: Lists the tracks of a folder, where a table names them also those that are not on disk; raises
            `DatasetError` if the folder is not this dataset.
        track_keys: The tracks of a complete copy, as `make_key` writes them; empty where only their number is known.
        known_faults: Those of `track_keys` that do not decode in most copies.
        make_key: Makes an entry of `track_keys` from a track's name.
        total: Number of tracks of a complete copy where tracks have several labels, of which no sum can be made; None
            where each has one.
    """

    name: str
    title: str
    citation: str
    licence: str
    homepage: str
    layout: str
    label_counts: Mapping[str, int]
    track_seconds: float
    notes: tuple[str, ...]
    list_tracks: Callable[[Path], list[Track]]
    track_keys: tuple[str, ...] = ()
    known_faults: tuple[str, ...] = ()
    make_key: Callable[[str], str] = strip_suffix
    total: int | None = None

    @property
    def track_count(self) -> int:
        """Number of tracks of a complete copy."""
        return sum(self.label_counts.values()) if self.total is None else self.total
