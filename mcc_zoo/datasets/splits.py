"""Who is in which fold: random, grouped, from a file, or fixed by three lists; by track, never by chunk.

Test fold k, validation fold k + 1 (cyclic), the rest trains: 80-10-10 % at ten folds, as the paper splits (Sec. 3).
Lists fix one split, so that there is one fold: `train*.txt` trains, `valid*.txt` validates, `test*.txt` tests.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcc_zoo.datasets import Track
from mcc_zoo.datasets.tables import rows, text
from mcc_zoo.datasets.track import without_suffix
from mcc_zoo.extras import require
from mcc_zoo.text import counted

PARTS = ("train", "valid", "test")  # how the lists of a fixed split begin
DRAWN = ("auto", "tracks", "random", "grouped")  # the splits that are no path


@dataclass(frozen=True)
class Split:
    """Indices of the tracks of each part, ascending."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Fixed:
    """What the lists of a fixed split make of a dataset.

    Attributes:
        split: Which tracks train, validate and test.
        left_out: Names of the tracks that stand in none of the lists.
        absent: For each list that names tracks that the dataset lacks, those names.
    """

    split: Split
    left_out: list[str]
    absent: dict[Path, list[str]]


def draw(tracks: Sequence[Track], split: str = "auto", folds: int = 10, seed: int = 0) -> list[Split]:
    """Divide the tracks into training, validation and test tracks: one `Split` a test fold.

    Args:
        tracks: The dataset.
        split: As for `assign`; or a folder of lists or a train list, as for `from_lists`, which make one fold.
        folds: As for `assign`.
        seed: As for `assign`.

    Raises:
        ValueError: The split is impossible; the message says why and what would do.
    """
    if is_fixed(split):
        return [from_lists(tracks, Path(split)).split]
    return splits(assign(tracks, split, folds, seed), [track.label for track in tracks])


def applied(tracks: Sequence[Track], split: str) -> str:
    """Say what a split comes to: `auto` is the tracks' own folds or grouped, and that is random without a group."""
    if split == "auto" and all(track.fold is not None for track in tracks):
        return "the tracks' own folds"
    if split in ("auto", "grouped"):
        return "grouped" if any(track.group for track in tracks) else "random, no groups being known"
    return split


def too_few(tracks: Sequence[Track], split: str, folds: int) -> str:
    """Name the label that has the fewest groups, if drawn folds are more than these; "" where none is too rare.

    Where groups are not kept together, tracks count. That is legitimate, but some folds then say nothing of the label.
    """
    how = applied(tracks, split) if split in ("auto", "random", "grouped") else ""
    if not how.startswith(("random", "grouped")):  # the folds are not drawn, but the user's own
        return ""
    units = group_numbers(tracks) if how == "grouped" else np.arange(len(tracks))
    counts = Counter(label for label, _ in {*zip((track.label for track in tracks), units.tolist(), strict=True)})
    label, fewest = min(counts.items(), key=lambda item: (item[1], item[0]))
    if fewest >= folds:
        return ""
    unit = "group" if how == "grouped" else "track"
    remedy = f"--folds={fewest} can test it in each" if fewest >= 3 else f"it needs more {unit}s"
    has = f"{label} has {counted(fewest, unit)} for {folds} folds"
    return f"{has}: in some folds none of its tracks is tested; {remedy}"


def is_fixed(split: str) -> bool:
    """Say whether a split is a folder of lists or one of them."""
    return split not in DRAWN and (split.endswith(".txt") or Path(split).is_dir())


def from_lists(tracks: Sequence[Track], path: Path) -> Fixed:
    """Read the lists of a fixed split: a track's name a line, such as `blues/blues.00029.wav`.

    The suffixes of the names do not matter where each name leaves one track without them.

    Args:
        tracks: The dataset.
        path: The folder that holds `train*.txt`, `valid*.txt` and `test*.txt`. Where it holds several of each, the
            train list: the others are called like it.

    Raises:
        ValueError: A list is missing, two lists name one track, none of a list's tracks is there, or a label has no
            track to train on.
    """
    if not tracks:
        raise ValueError("there are no tracks to split")
    lists = _lists(path)
    part_of = _read_lists(lists)
    named = _listed_names(tracks, part_of)
    parts = np.array([part_of[name] if name is not None else "" for name in named])
    for part, file in lists.items():
        if part not in parts:
            raise ValueError(
                f"{file}: names {list(part_of.values()).count(part)} tracks and none is there; lists name tracks as "
                f"the dataset does, such as {tracks[0].name!r}"
            )
    split = Split(*(np.flatnonzero(parts == part) for part in PARTS))
    labels = np.array([track.label for track in tracks])
    if missing := sorted(set(labels[parts != ""]) - set(labels[split.train])):
        raise ValueError(f"{lists['train']}: no track to train on is labelled {', '.join(missing)}")
    absent = {
        file: [name for name, own in part_of.items() if own == part and name not in named]
        for part, file in lists.items()
    }
    return Fixed(
        split,
        [track.name for track, name in zip(tracks, named, strict=True) if name is None],
        {file: names for file, names in absent.items() if names},
    )


def groups_on_both_sides(tracks: Sequence[Track], splits: Sequence[Split]) -> int:
    """Count the known groups that some split tests and trains or validates on as well."""
    found: set[str] = set()
    for split in splits:
        tested = {tracks[i].group for i in split.test.tolist()}
        learnt = {tracks[i].group for i in np.concatenate([split.train, split.validation]).tolist()}
        found |= tested & learnt
    return len(found - {""})


def assign(tracks: Sequence[Track], split: str = "auto", folds: int = 10, seed: int = 0) -> np.ndarray:
    """Give each track the number of the fold in which it is tested.

    Args:
        tracks: The dataset.
        split: `grouped` keeps the tracks of a group (artist, album, link) in one fold; a track without a group
            counts as its own. `random` is the paper's, and lets a group stand on both sides. `auto` takes the
            tracks' own `fold` where they have one, else `grouped`. Anything else is the path of a CSV file with
            the columns `path` (a track's name) and `fold`. The first two balance the classes over the folds.
        folds: How many; of the file's or the tracks' own folds each that occurs is one.
        seed: Draws `random` and `grouped` anew.

    Returns:
        (tracks,) int, 0 to folds - 1.

    Raises:
        ValueError: The split is impossible; the message says why and what would do.
        mcc_zoo.extras.MissingExtraError: scikit-learn, which draws folds, is not installed.
    """
    if not tracks:
        raise ValueError("there are no tracks to split")
    if split == "auto":
        split = "tracks" if all(track.fold is not None for track in tracks) else "grouped"
    if split == "tracks":
        return _renumbered([track.fold for track in tracks], "the manifest's column fold")
    if split not in ("random", "grouped"):
        return _from_file(tracks, Path(split))

    labels = [track.label for track in tracks]
    groups = group_numbers(tracks) if split == "grouped" else np.arange(len(tracks))
    _check_possible(labels, groups, folds)
    selection = require("sklearn.model_selection", "train")
    if split == "random":
        drawn = selection.StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels)
    else:
        drawn = selection.StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(labels, labels, groups)
    fold_of = np.empty(len(tracks), int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer tracks than folds is legitimate
        for fold, (_, test) in enumerate(drawn):
            fold_of[test] = fold
    return fold_of


def splits(fold_of: np.ndarray, labels: Sequence[str]) -> list[Split]:
    """Turn fold numbers into train, validation and test indices, one `Split` a test fold.

    Raises:
        ValueError: There are fewer than three folds, one is empty, or a label is missing in a training part.
    """
    count = int(fold_of.max()) + 1
    if count < 3:
        raise ValueError(f"{count} folds: at least 3 are needed, one each to test, to validate and to train")
    result = []
    for test in range(count):
        validation = (test + 1) % count
        parts = [np.flatnonzero(mask) for mask in (fold_of == validation, fold_of == test)]
        train = np.flatnonzero((fold_of != test) & (fold_of != validation))
        if min(len(parts[0]), len(parts[1])) == 0:
            raise ValueError(f"fold {test} or {validation} is empty: use fewer folds (there are {count})")
        missing = sorted(set(labels) - {labels[i] for i in train.tolist()})
        if missing:
            raise ValueError(
                f"test fold {test}: no track to train on is labelled {', '.join(missing)}: "
                "it needs tracks of three groups at least, or --split=random"
            )
        result.append(Split(train, *parts))
    return result


def group_numbers(tracks: Sequence[Track]) -> np.ndarray:
    """Number the groups; a track without one gets a number of its own: (tracks,) int."""
    names = [track.group or f"\0{i}" for i, track in enumerate(tracks)]  # no group's name starts with NUL
    return np.unique(names, return_inverse=True)[1]


def _check_possible(labels: Sequence[str], groups: np.ndarray, folds: int) -> None:
    if folds < 3:
        raise ValueError(f"--folds={folds}: at least 3 are needed, one each to test, to validate and to train")
    number = len(set(groups.tolist()))
    most = max(Counter(labels).values(), default=0)
    if min(number, most) < folds:
        raise ValueError(
            f"--folds={folds}: there are {number} groups of tracks, and at most {most} tracks of a label: "
            f"use at most {min(number, most)} folds"
        )
    label, fewest = min(Counter(labels).items(), key=lambda item: item[1])
    if fewest < 3:
        raise ValueError(f"label {label!r} has {fewest} tracks: at least 3 are needed to test, validate and train")


def _from_file(tracks: Sequence[Track], path: Path) -> np.ndarray:
    if not path.is_file():
        raise ValueError(
            f"--split={path}: no such file: give random, grouped or a CSV with the columns path, fold, or a folder "
            f"with lists ({', '.join(f'{part}*.txt' for part in PARTS)})"
        )
    listed: dict[str, int] = {}
    for row in rows(path, ("path", "fold")):
        if row.text("path") in listed:
            raise ValueError(f"{row}: {row.text('path')!r} stands there twice")
        listed[row.text("path")] = row.whole("fold")
    folds = [None if name is None else listed[name] for name in _listed_names(tracks, listed)]
    absent = [track.name for track, fold in zip(tracks, folds, strict=True) if fold is None]
    if absent:
        raise ValueError(f"{path}: {len(absent)} tracks of the dataset have no fold there, such as {absent[0]!r}")
    return _renumbered(folds, str(path))


def _listed_names(tracks: Sequence[Track], listed: Mapping[str, object]) -> list[str | None]:
    """The name under which a file lists each track; None where it does not, or leaves doubt."""
    # Split files name one edition, users have another: without suffix, where that leaves no doubt.
    stems = Counter(map(without_suffix, listed))
    tracks_of = Counter(without_suffix(track.name) for track in tracks)
    by_stem = {stem: name for name in listed if stems[stem := without_suffix(name)] == 1 and tracks_of[stem] == 1}
    return [track.name if track.name in listed else by_stem.get(without_suffix(track.name)) for track in tracks]


def _lists(split: Path) -> dict[str, Path]:
    """The three lists of a folder, or those that are called like a train list, by part."""
    if split.is_dir():
        found = sorted(split.glob("train*.txt"))
        if len(found) != 1:
            names = f" ({', '.join(path.name for path in found)})" if found else ""
            raise ValueError(
                f"--split={split}: holds {len(found)} lists train*.txt{names}; give a folder with the lists "
                "train*.txt, valid*.txt and test*.txt, or one of several train lists: --split=FOLDER/train_filtered.txt"
            )
        split = found[0]
    if not split.name.startswith("train"):
        raise ValueError(f"--split={split}: give the folder of the lists, or the list whose name starts with train")
    lists = {part: split.with_name(part + split.name.removeprefix("train")) for part in PARTS}
    for path in lists.values():
        if not path.is_file():
            raise ValueError(f"{path}: no such list; {', '.join(own.name for own in lists.values())} lie in one folder")
    return lists


def _read_lists(lists: Mapping[str, Path]) -> dict[str, str]:
    """The part of each name that the lists hold."""
    part_of: dict[str, str] = {}
    first: dict[str, str] = {}  # part of a name without suffix
    for part, file in lists.items():
        for number, line in enumerate(text(file).splitlines(), start=1):
            if not (name := line.strip()):
                continue
            part_of[name] = part
            if (other := first.setdefault(without_suffix(name), part)) != part:
                raise ValueError(
                    f"{file}: line {number}: {name!r} stands in {lists[other].name} too; a track belongs in one list"
                )
    return part_of


def _renumbered(values: Sequence[str | int | None], source: str) -> np.ndarray:
    try:
        numbers = np.array([int(str(value)) for value in values])
    except ValueError as error:
        raise ValueError(f"{source}: a fold is a whole number for every track ({error})") from error
    return np.unique(numbers, return_inverse=True)[1]
