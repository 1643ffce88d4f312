"""Split tracks into folds: random, grouped, from a CSV file, or fixed by three lists; by track, never by chunk.

Fold k tests, fold k + 1 (cyclic) validates, the others train: 80-10-10 % at ten folds, as in the paper (Sec. 3). Lists
fix one split, which is one fold: `train*.txt` trains, `valid*.txt` validates, `test*.txt` tests.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mcc_zoo.datasets.base import Track, find_task
from mcc_zoo.datasets.fixed_splits import PARTS, Split, match_names, read_fixed_split
from mcc_zoo.datasets.tables import read_rows
from mcc_zoo.extras import require
from mcc_zoo.text import counted

MIN_FOLDS = 3  # one each to test, validate and train
SPLIT_NAMES = ("auto", "tracks", "random", "grouped")  # any other split is a path


def draw_splits(tracks: Sequence[Track], split: str = "auto", folds: int = 10, seed: int = 0) -> list[Split]:
    """Divide the tracks into training, validation and test tracks: one `Split` per fold.

    Args:
        tracks: The dataset.
        split: As for `assign_folds`; or a folder of lists or a train list, as for `read_fixed_split`, which is one
            fold.
        folds: As for `assign_folds`.
        seed: As for `assign_folds`.

    Raises:
        ValueError: The split is impossible; the message gives the reason and the remedy.
    """
    if is_fixed_split(split):
        return [read_fixed_split(tracks, Path(split)).split]
    labels = [track.label if track.labels is None else track.labels for track in tracks]
    return make_splits(assign_folds(tracks, split, folds, seed), labels)


def describe_split(tracks: Sequence[Track], split: str) -> str:
    """Describe how a split divides these tracks.

    `auto` takes the tracks' own folds, else it is grouped; grouped is random where no track has a group.
    """
    if split == "auto" and all(track.fold is not None for track in tracks):
        return "the tracks' own folds"
    if split in ("auto", "grouped"):
        return "grouped" if any(track.group for track in tracks) else "random, no groups being known"
    return split


def describe_rare_label(tracks: Sequence[Track], split: str, folds: int) -> str:
    """Describe the label with the fewest groups, if it has fewer than there are folds; "" if all have enough.

    Where groups are not kept together, tracks are counted. Such a split is valid, but some folds do not test the label.
    """
    how = describe_split(tracks, split) if split in ("auto", "random", "grouped") else ""
    if not how.startswith(("random", "grouped")):  # the folds are the user's own
        return ""
    numbers = number_groups(tracks) if how == "grouped" else np.arange(len(tracks))
    found = {(label, i) for track, i in zip(tracks, numbers.tolist(), strict=True) for label in track.all_labels}
    counts = Counter(label for label, _ in found)
    label, fewest = min(counts.items(), key=lambda item: (item[1], item[0]), default=("", folds))
    if fewest >= folds:
        return ""
    thing = "group" if how == "grouped" else "track"
    remedy = f"folds={fewest} can test it in each" if fewest >= MIN_FOLDS else f"it needs more {thing}s"
    return (
        f"{label} has {counted(fewest, thing)} for {folds} folds: in some folds none of its tracks is tested; {remedy}"
    )


def is_fixed_split(split: str) -> bool:
    """Check whether a split is a folder of lists, or one of them."""
    return split not in SPLIT_NAMES and (split.endswith(".txt") or Path(split).is_dir())


def count_groups_on_both_sides(tracks: Sequence[Track], splits: Sequence[Split]) -> int:
    """Count the known groups that a split has in its test part and in its training or validation part."""
    leaking: set[str] = set()
    for split in splits:
        tested = {tracks[i].group for i in split.test.tolist()}
        learnt = {tracks[i].group for i in np.concatenate([split.train, split.validation]).tolist()}
        leaking |= tested & learnt
    return len(leaking - {""})


def assign_folds(tracks: Sequence[Track], split: str = "auto", folds: int = 10, seed: int = 0) -> np.ndarray:
    """Give each track the number of the fold in which it is tested.

    Args:
        tracks: The dataset.
        split: `grouped` keeps the tracks of a group (artist, album, link) in one fold; a track without a group is a
            group of its own. `random` is the paper's, and may have a group on both sides. Both balance the labels over
            the folds; of a track with several labels the rarest counts (`choose_classes`). `tracks` takes the tracks'
            own `fold`. `auto` is `tracks` where every track has one, else `grouped`. Anything else is the path of a
            CSV file with the columns `path` (a track's name) and `fold`.
        folds: Number of folds of `random` and `grouped`; the file's or the tracks' own folds are as many as occur.
        seed: Seed of `random` and `grouped`.

    Returns:
        (tracks,) int, 0 to folds - 1.

    Raises:
        ValueError: The split is impossible; the message gives the reason and the remedy.
        mcc_zoo.extras.MissingExtraError: scikit-learn, which draws folds, is not installed.
    """
    if not tracks:
        raise ValueError("there are no tracks to split")
    if split == "auto":
        split = "tracks" if all(track.fold is not None for track in tracks) else "grouped"
    if split == "tracks":
        return _number_folds([track.fold for track in tracks], "the manifest's column fold")
    if split not in ("random", "grouped"):
        return _read_fold_file(tracks, Path(split))

    groups = number_groups(tracks) if split == "grouped" else np.arange(len(tracks))
    _check_possible(tracks, groups, folds)
    classes = choose_classes(tracks, folds)
    selection = require("sklearn.model_selection", "train")
    if split == "random":
        drawn = selection.StratifiedKFold(folds, shuffle=True, random_state=seed).split(classes, classes)
    else:
        drawn = selection.StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(classes, classes, groups)
    fold_of = np.empty(len(tracks), int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a label with fewer tracks than folds is valid
        for fold, (_, test) in enumerate(drawn):
            fold_of[test] = fold
    return fold_of


def choose_classes(tracks: Sequence[Track], folds: int) -> list[str]:
    """Choose the class by which each track is balanced over the folds: its label, or the rarest of its labels.

    The rarest label is the one that the fewest tracks have. Tracks without a label are a class of their own, "".
    """
    if find_task(tracks) == "single-label":
        return [track.label for track in tracks]
    # scikit-learn balances one class per track. The rarest label needs it most: chance spreads the common ones.
    counts = _count_labels(tracks)
    classes = [min(track.all_labels, key=lambda label: (counts[label], label), default="") for track in tracks]
    # It refuses classes that all have fewer tracks than there are folds; the labels do not make folds impossible.
    return classes if max(Counter(classes).values()) >= folds else [""] * len(tracks)


def make_splits(fold_of: np.ndarray, labels: Sequence[str | Sequence[str]]) -> list[Split]:
    """Turn fold numbers into train, validation and test indices, one `Split` per fold.

    Args:
        fold_of: (tracks,) int, the fold in which each track is tested.
        labels: The label of each track, or a tuple of its labels.

    Raises:
        ValueError: There are fewer than three folds, a fold is empty, or a label is missing in a training part.
    """
    labels_of = [{own} if isinstance(own, str) else set(own) for own in labels]
    all_labels = set().union(*labels_of)
    count = int(fold_of.max()) + 1
    if count < MIN_FOLDS:
        raise ValueError(f"{count} folds: at least {MIN_FOLDS} are needed, one each to test, validate and train")
    result = []
    for test in range(count):
        validation = (test + 1) % count
        parts = [np.flatnonzero(mask) for mask in (fold_of == validation, fold_of == test)]
        train = np.flatnonzero((fold_of != test) & (fold_of != validation))
        if min(len(parts[0]), len(parts[1])) == 0:
            remedy = f"use fewer folds (there are {count})" if count > MIN_FOLDS else "add tracks of other groups"
            raise ValueError(f"fold {test} or {validation} is empty: {remedy}")
        missing = sorted(all_labels.difference(*(labels_of[i] for i in train.tolist())))
        if missing:
            one_each = all(isinstance(own, str) for own in labels)
            remedy = "" if one_each else ", or another seed; or leave this label out"
            raise ValueError(
                f"test fold {test}: no training track has the label {', '.join(missing)}: "
                f"it needs tracks of at least three groups, or split=random{remedy}"
            )
        result.append(Split(train, *parts))
    return result


def number_groups(tracks: Sequence[Track]) -> np.ndarray:
    """Number the groups, (tracks,) int; a track without a group gets a number of its own."""
    names = [track.group or f"\0{i}" for i, track in enumerate(tracks)]  # no group's name starts with NUL
    return np.unique(names, return_inverse=True)[1]


def _count_labels(tracks: Sequence[Track]) -> Counter[str]:
    """Count the tracks of each label."""
    return Counter(label for track in tracks for label in track.all_labels)


def _check_possible(tracks: Sequence[Track], groups: np.ndarray, folds: int) -> None:
    if folds < MIN_FOLDS:
        raise ValueError(f"folds={folds}: at least {MIN_FOLDS} are needed, one each to test, validate and train")
    counts = _count_labels(tracks)
    if not counts:
        raise ValueError("no track has a label: there is nothing to learn")
    number = len(set(groups.tolist()))
    most, limit = "", number
    if find_task(tracks) == "single-label":
        most, limit = f", and at most {max(counts.values())} tracks of a label", min(number, max(counts.values()))
    if limit < folds:
        remedy = f"use at most {limit} folds"
        if limit < MIN_FOLDS:
            remedy = f"at least {MIN_FOLDS} groups, and {MIN_FOLDS} tracks of each label, are needed; add tracks"
        raise ValueError(f"folds={folds}: there are {number} groups of tracks{most}: {remedy}")
    label, fewest = min(counts.items(), key=lambda item: item[1])
    if fewest < MIN_FOLDS:
        raise ValueError(
            f"label {label!r} has {fewest} tracks: at least {MIN_FOLDS} are needed to test, validate and train"
        )


def _read_fold_file(tracks: Sequence[Track], path: Path) -> np.ndarray:
    if not path.is_file():
        raise ValueError(
            f"split={path}: no such file: give random, grouped, a CSV with the columns path, fold, or a folder "
            f"with lists ({', '.join(f'{part}*.txt' for part in PARTS)})"
        )
    fold_of: dict[str, int] = {}
    for row in read_rows(path, ("path", "fold")):
        if row.get_text("path") in fold_of:
            raise ValueError(f"{row}: {row.get_text('path')!r} has a row already")
        fold_of[row.get_text("path")] = row.get_whole_number("fold")
    folds = [None if name is None else fold_of[name] for name in match_names(tracks, fold_of)]
    missing = [track.name for track, fold in zip(tracks, folds, strict=True) if fold is None]
    if missing:
        raise ValueError(f"{path}: {len(missing)} tracks of the dataset have no fold in it, such as {missing[0]!r}")
    return _number_folds(folds, str(path))


def _number_folds(values: Sequence[str | int | None], source: str) -> np.ndarray:
    """Number the folds that occur from 0: (tracks,) int."""
    try:
        numbers = np.array([int(str(value)) for value in values])
    except ValueError as error:
        raise ValueError(f"{source}: a fold is a whole number for every track ({error})") from error
    return np.unique(numbers, return_inverse=True)[1]
