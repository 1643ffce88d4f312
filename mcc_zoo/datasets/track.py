"""What a track and a dataset are, and what is said when a folder holds none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcc_zoo.audio.folders import AUDIO_SUFFIXES


class DatasetError(ValueError):
    """A folder or table is not the dataset it is said to be; the message names it and says what would do."""


class DatasetWarning(UserWarning):
    """A dataset can be read, but something that a user should know of is missing."""


@dataclass(frozen=True)
class Track:
    """One labelled recording.

    Attributes:
        path: Where the audio lies.
        name: Its identity in result tables: the path inside the dataset, with forward slashes, the same on every
            disk; unique within a dataset.
        label: Its one label.
        group: Tracks of one group never stand on both sides of a split; "" is a group of its own.
        fold: The fold that a manifest gives it; None where it gives none.
    """

    path: Path
    name: str
    label: str
    group: str = ""
    fold: int | None = None


def labelled(found: Mapping[str, Path], label_of: Mapping[str, str], group_of: Mapping[str, str]) -> list[Track]:
    """Make tracks of the files that have a label; each table goes by key, a track's name without suffix."""
    return [
        Track(path, f"{key}{path.suffix.lower()}", label_of[key], group_of.get(key, ""))
        for key, path in found.items()
        if key in label_of
    ]


def without_suffix(name: str) -> str:
    """Take the suffix of an audio format off a name; what else follows a point belongs to the name.

    Examples:
        >>> without_suffix("blues/blues.00000.wav"), without_suffix("blues/blues.00000")
        ('blues/blues.00000', 'blues/blues.00000')
    """
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in AUDIO_SUFFIXES else name


@dataclass(frozen=True)
class Dataset:
    """A page of facts about one dataset.

    Attributes:
        name: What the command line calls it.
        title: What people call it.
        citation: What to cite where results on it are reported.
        licence: What is known of the rights in the recordings.
        homepage: Where it comes from.
        layout: How it lies on disk.
        labels: Tracks of each label, as the paper counts them.
        seconds: How long most tracks are.
        notes: What a user should know before believing a figure on it.
        list_tracks: Reads a user's folder; raises `DatasetError` when the folder is no such dataset.
        files: The tracks of a whole copy, as `key` writes them; empty where only their number is known.
        known_faults: Those of `files` that do not decode in the copies that go round.
        key: Makes an entry of `files` out of a track's name.
    """

    name: str
    title: str
    citation: str
    licence: str
    homepage: str
    layout: str
    labels: Mapping[str, int]
    seconds: float
    notes: tuple[str, ...]
    list_tracks: Callable[[Path], list[Track]]
    files: tuple[str, ...] = ()
    known_faults: tuple[str, ...] = ()
    key: Callable[[str], str] = without_suffix

    @property
    def tracks(self) -> int:
        """Tracks of a whole copy."""
        return sum(self.labels.values())
