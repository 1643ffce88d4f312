"""A split that three lists fix: `train*.txt` trains, `valid*.txt` validates, `test*.txt` tests. It is one fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcc_zoo.atomic import make_folder, write_text
from mcc_zoo.datasets.base import Track, strip_suffix
from mcc_zoo.datasets.tables import read_text
from mcc_zoo.disk import explained

PARTS = ("train", "valid", "test")  # the names of the lists of a fixed split begin so


@dataclass(frozen=True)
class Split:
    """Indices of the tracks of each part: integer arrays (tracks,), ascending."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class FixedSplit:
    """A split that lists fix, and how the lists and the dataset differ.

    Attributes:
        split: The tracks that train, validate and test.
        unlisted: Names of the tracks that are in none of the lists.
        missing: By list, the names in it that the dataset does not have.
    """

    split: Split
    unlisted: list[str]
    missing: dict[Path, list[str]]


def read_fixed_split(tracks: Sequence[Track], path: Path) -> FixedSplit:
    """Read the lists of a fixed split: one track's name per line, such as `blues/blues.00029.wav`.

    The suffixes of the names do not matter where a name without suffix is one track.

    Args:
        tracks: The dataset.
        path: The folder that holds `train*.txt`, `valid*.txt` and `test*.txt`. Where it holds several of each, the
            train list; the other lists have the same name after `train`.

    Raises:
        ValueError: A list is missing, two lists name one track, the dataset has no track of a list, or a label of the
            listed tracks has none to train on.
    """
    if not tracks:
        raise ValueError("there are no tracks to split")
    lists = _find_lists(path)
    part_of = _read_lists(lists)
    names = match_names(tracks, part_of)
    parts = np.array([part_of[name] if name is not None else "" for name in names])
    for part, file in lists.items():
        if part not in parts:
            raise ValueError(
                f"{file}: names {list(part_of.values()).count(part)} tracks and the dataset has none of them; its "
                f"tracks have names such as {tracks[0].name!r}"
            )
    split = Split(*(np.flatnonzero(parts == part) for part in PARTS))
    listed_labels = _collect_labels(tracks, np.flatnonzero(parts != ""))
    if missing := sorted(listed_labels - _collect_labels(tracks, split.train)):
        raise ValueError(f"{lists['train']}: no training track has the label {', '.join(missing)}")
    found = set(names)
    missing_names = {
        file: [name for name, own in part_of.items() if own == part and name not in found]
        for part, file in lists.items()
    }
    return FixedSplit(
        split,
        unlisted=[track.name for track, name in zip(tracks, names, strict=True) if name is None],
        missing={file: absent for file, absent in missing_names.items() if absent},
    )


def _collect_labels(tracks: Sequence[Track], indices: np.ndarray) -> set[str]:
    return {label for i in indices.tolist() for label in tracks[i].all_labels}


def write_lists(folder: Path | str, names: Mapping[str, Sequence[str]]) -> Path:
    """Write the lists of a fixed split, which `read_fixed_split` reads; lists of the same name are replaced.

    Args:
        folder: Where `train.txt`, `valid.txt` and `test.txt` go; it is made where it does not exist.
        names: The names of the tracks of each part: `train`, `valid` and `test`.

    Returns:
        The folder.

    Raises:
        mcc_zoo.disk.WriteError: A list cannot be written.
    """
    folder = Path(folder)
    with explained(folder, "the split"):
        make_folder(folder)
        for part in PARTS:
            write_text(folder / f"{part}.txt", "".join(f"{name}\n" for name in names[part]))
    return folder


def match_names(tracks: Sequence[Track], listed: Mapping[str, object]) -> list[str | None]:
    """Match tracks with listed names: for each track its listed name, or None where there is none or no unique one."""
    # The files and the user's copy may be in different formats: names match without suffix where that is unique.
    stems = Counter(map(strip_suffix, listed))
    tracks_of = Counter(strip_suffix(track.name) for track in tracks)
    by_stem = {stem: name for name in listed if stems[stem := strip_suffix(name)] == 1 and tracks_of[stem] == 1}
    return [track.name if track.name in listed else by_stem.get(strip_suffix(track.name)) for track in tracks]


def _find_lists(split: Path) -> dict[str, Path]:
    """Find the three lists of a folder, or a train list and those of the same name; by part."""
    if split.is_dir():
        found = sorted(split.glob("train*.txt"))
        if len(found) != 1:
            names = f" ({', '.join(path.name for path in found)})" if found else ""
            raise ValueError(
                f"split={split}: has {len(found)} lists train*.txt{names}; give a folder with the lists "
                "train*.txt, valid*.txt and test*.txt, or one of several train lists: split=FOLDER/train_filtered.txt"
            )
        split = found[0]
    if not split.name.startswith("train"):
        raise ValueError(f"split={split}: give the folder of the lists, or the list whose name starts with train")
    lists = {part: split.with_name(part + split.name.removeprefix("train")) for part in PARTS}
    for path in lists.values():
        if not path.is_file():
            raise ValueError(
                f"{path}: no such list; {', '.join(own.name for own in lists.values())} must be in one folder"
            )
    return lists


def _read_lists(lists: Mapping[str, Path]) -> dict[str, str]:
    """Read the part of each name in the lists."""
    part_of: dict[str, str] = {}
    first: dict[str, str] = {}  # part of a name without suffix
    for part, file in lists.items():
        for number, line in enumerate(read_text(file).splitlines(), start=1):
            if not (name := line.strip()):
                continue
            part_of[name] = part
            if (other := first.setdefault(strip_suffix(name), part)) != part:
                raise ValueError(
                    f"{file}: line {number}: {name!r} is in {lists[other].name} too; a track belongs in one list"
                )
    return part_of
