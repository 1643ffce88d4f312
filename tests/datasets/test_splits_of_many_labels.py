"""Folds of tracks with many labels: groups stay whole, rare labels are spread, and what cannot be split is refused."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mcc_zoo.datasets import Track
from mcc_zoo.datasets.fixed_splits import PARTS, write_lists
from mcc_zoo.datasets.splits import (
    assign_folds,
    choose_classes,
    describe_rare_label,
    draw_splits,
    make_splits,
    number_groups,
    read_fixed_split,
)


def tag(*labels_of: str, per_group: int = 0) -> list[Track]:
    """Tracks whose labels are the letters of a text, in groups of `per_group` tracks or none."""
    return [
        Track(Path(f"{n}"), f"{n:03}.wav", "", f"band {n // per_group}" if per_group else "", labels=tuple(labels))
        for n, labels in enumerate(labels_of)
    ]


# "a" is on all but the untagged, "b" on every second, "c" on every sixth; in groups of two.
TAGGED = tag(*itertools.islice(itertools.cycle(["abc", "a", "ab", "a", "ab", ""]), 120), per_group=2)
SHARES = {"a": 100, "b": 60, "c": 20}


def test_the_rarest_label_is_a_track_s_class() -> None:
    assert choose_classes(tag("ab", "ba", "a", "", "cab"), 2) == ["b", "b", "a", "", "c"]
    assert choose_classes(tag("ab", "a", "b"), 2) == ["a", "a", "b"]  # of two that are equally rare the first by name
    assert choose_classes(tag("ab", "a", "b"), 3) == ["", "", ""]  # all have too few tracks
    assert choose_classes(TAGGED, 10)[:6] == ["c", "a", "b", "a", "b", ""]
    single = [Track(Path(f"{n}"), f"{n}", "ab"[n % 2]) for n in range(4)]
    assert choose_classes(single, 3) == ["a", "b", "a", "b"]


@pytest.mark.parametrize("folds", [3, 5, 10])
def test_random_folds_hold_an_equal_share_of_each_class(folds: int) -> None:
    tracks = tag(*("".join(track.all_labels) for track in TAGGED))
    fold_of = assign_folds(tracks, "random", folds, seed=3)
    for own in ("c", "b", "a", ""):  # the rarest labels of 20, 40, 40 and 20 tracks
        counts = Counter(
            fold for fold, name in zip(fold_of.tolist(), choose_classes(tracks, folds), strict=True) if name == own
        )
        shares = [counts[fold] for fold in range(folds)]
        assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize("folds", [3, 5, 10])
def test_grouped_folds_keep_groups_whole_and_labels_balanced(folds: int) -> None:
    fold_of = assign_folds(TAGGED, "grouped", folds, seed=1)
    groups = number_groups(TAGGED)
    assert all(len(set(fold_of[groups == group])) == 1 for group in set(groups))
    for label, count in SHARES.items():
        held = np.bincount(fold_of[[label in track.all_labels for track in TAGGED]], minlength=folds)
        assert held.sum() == count
        assert abs(held - count / folds).max() <= 2, (label, held)


def test_splits_of_many_labels_test_each_track_once_and_are_drawn_by_the_seed() -> None:
    drawn = {seed: draw_splits(TAGGED, "grouped", 5, seed) for seed in (0, 1)}
    for splits in drawn.values():
        np.testing.assert_array_equal(np.sort(np.concatenate([split.test for split in splits])), np.arange(120))
        for split in splits:
            assert {label for i in split.train for label in TAGGED[i].all_labels} == set("abc")
    assert [split.test.tolist() for split in drawn[0]] == [
        split.test.tolist() for split in draw_splits(TAGGED, "auto", 5, 0)
    ]
    assert [split.test.tolist() for split in drawn[0]] != [split.test.tolist() for split in drawn[1]]


def test_folds_of_the_tracks_own_are_taken() -> None:
    tracks = [Track(t.path, t.name, "", t.group, n % 4, t.labels) for n, t in enumerate(TAGGED)]
    assert [split.test.tolist() for split in draw_splits(tracks)] == [list(range(k, 120, 4)) for k in range(4)]


@pytest.mark.parametrize("split", ["random", "grouped"])
def test_classes_with_fewer_tracks_than_folds_do_not_matter(split: str, recwarn: pytest.WarningsRecorder) -> None:
    few = tag(*["ab", "ac", "bc", "abc", "", "a"] * 2)  # classes of at most four tracks, ten folds
    assert sorted(Counter(assign_folds(few, split, 10).tolist()).values()) == [1] * 8 + [2] * 2
    rare = tag(*["a"] * 30, *["ab"] * 3)
    assert len(set(assign_folds(rare, split, 10)[30:].tolist())) == 3
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]


def test_a_label_that_some_folds_cannot_test_is_named() -> None:
    tracks = tag(*["ab", "b", "b", "b", "", "b"] * 4, per_group=3)  # eight groups; "a" is in four of them
    said = "a has 4 groups for 5 folds: in some folds none of its tracks is tested; folds=4 can test it in each"
    assert describe_rare_label(tracks, "grouped", 5) == said
    assert describe_rare_label(tracks, "random", 5).startswith("a has 4 tracks for 5 folds")
    assert describe_rare_label(tracks, "grouped", 4) == ""
    assert describe_rare_label(tag("", ""), "random", 3) == ""


@pytest.mark.parametrize("split", ["random", "grouped"])
@pytest.mark.parametrize(
    ("tracks", "folds", "message"),
    [
        (TAGGED, 2, r"folds=2: at least 3 are needed, one each to test, validate and train"),
        (TAGGED, 121, r"^folds=121: there are (60|120) groups of tracks: use at most \1 folds$"),
        (tag("ab", "ab", per_group=2), 3, r"there are [12] groups of tracks: at least 3 groups, and 3 tracks of each"),
        (tag(*["a"] * 9, "ab", "ab"), 3, r"label 'b' has 2 tracks: at least 3 are needed to test, validate and train"),
        (tag("", "", "", ""), 3, r"^no track has a label: there is nothing to learn$"),
        ([], 3, r"there are no tracks to split"),
    ],
)
def test_impossible_folds_are_refused(split: str, tracks: list[Track], folds: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assign_folds(tracks, split, folds)


def test_a_label_without_training_tracks_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"^test fold 0: no training track has the label b: it needs tracks of at least three groups, or "
        r"split=random, or another seed; or leave this label out$",
    ):
        make_splits(np.array([0, 1, 2, 2]), [("a", "b"), ("a",), ("a",), ()])
    assert len(make_splits(np.array([0, 1, 2]), [("a", "b"), ("b", "a"), ("b", "a")])) == 3
    band = [*tag(*["a"] * 12, per_group=2), *(Track(Path("x"), f"x{n}", "", "X", labels=("a", "b")) for n in range(3))]
    with pytest.raises(ValueError, match=r"no training track has the label b: it needs tracks of at least three"):
        draw_splits(band, "grouped", 3)


# Lists


def test_lists_that_are_written_fix_the_split(tmp_path: Path) -> None:
    tracks = tag("ab", "a", "b", "", "abc", "a")
    names = {"train": ["000.wav", "004.wav"], "valid": ["001.mp3", "077.wav"], "test": ["003.wav", "002.wav"]}
    folder = write_lists(tmp_path / "new/folder", names)
    assert folder == tmp_path / "new/folder"
    assert sorted(path.name for path in folder.iterdir()) == ["test.txt", "train.txt", "valid.txt"]
    fixed = read_fixed_split(tracks, folder)
    assert [part.tolist() for part in (fixed.split.train, fixed.split.validation, fixed.split.test)] == [
        [0, 4],
        [1],
        [2, 3],
    ]
    assert (fixed.unlisted, fixed.missing) == (["005.wav"], {folder / "valid.txt": ["077.wav"]})
    write_lists(folder, {**names, "train": ["005.wav", "000.wav"]})  # replaces them; "c" is in none of the lists now
    (split,) = draw_splits(tracks, str(folder))
    assert split.train.tolist() == [0, 5]
    write_lists(folder, {**names, "train": ["001.wav", "005.wav"], "valid": ["000.wav"]})
    with pytest.raises(ValueError, match=r"train\.txt: no training track has the label b$"):
        draw_splits(tracks, str(folder))


def test_long_lists_are_read_in_no_time(tmp_path: Path) -> None:
    tracks = tag(*["ab"] * 30_000)
    names = [track.name for track in tracks]
    write_lists(tmp_path, dict(zip(PARTS, (names[::3], names[1::3], names[2::3]), strict=True)))
    assert len(read_fixed_split(tracks, tmp_path).split.test) == 10_000  # in minutes, where each name is searched for
