"""Folds: complete, disjoint, balanced, drawn anew by a seed, and refused where they cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mcc_zoo.datasets import DatasetError, Track
from mcc_zoo.datasets.splits import (
    assign_folds,
    count_groups_on_both_sides,
    describe_rare_label,
    describe_split,
    draw_splits,
    make_splits,
    number_groups,
    read_fixed_split,
)


def make(label: str, count: int, *, per_group: int = 0, start: int = 0, suffix: str = ".wav") -> list[Track]:
    """Tracks of one label, in groups of `per_group` tracks or none."""
    groups = [f"{label} {number // per_group}" if per_group else "" for number in range(count)]
    names = [f"{label}/{label}.{start + number:05d}{suffix}" for number in range(count)]
    return [Track(Path(name), name, label, group) for name, group in zip(names, groups, strict=True)]


def with_folds(folds: Sequence[int | None]) -> list[Track]:
    """Tracks of two labels in turn that have folds of their own."""
    return [Track(Path(f"{n}"), f"{n}.wav", "ab"[n % 2], fold=fold) for n, fold in enumerate(folds)]


def labels_of(tracks: Sequence[Track]) -> list[str]:
    return [track.label for track in tracks]


UNEVEN = [*make("a", 31), *make("b", 17), *make("c", 8)]
GROUPED = [track for label in "abc" for track in make(label, 27, per_group=3)]  # nine groups a label


# Balance, chance and seed


@pytest.mark.parametrize("folds", [3, 5, 8])
def test_random_folds_hold_an_equal_share_of_each_label(folds: int) -> None:
    fold_of = assign_folds(UNEVEN, "random", folds)
    assert fold_of.shape == (56,)
    assert set(fold_of) == set(range(folds))
    for label in "abc":
        counts = Counter(fold for fold, track in zip(fold_of, UNEVEN, strict=True) if track.label == label)
        shares = [counts[fold] for fold in range(folds)]
        assert max(shares) - min(shares) <= 1


def test_grouped_folds_keep_groups_whole_and_labels_balanced() -> None:
    fold_of = assign_folds(GROUPED, "grouped", 3)
    assert Counter((int(fold), track.label) for fold, track in zip(fold_of, GROUPED, strict=True)) == {
        (fold, label): 9 for fold in range(3) for label in "abc"
    }
    folds_of_group: dict[str, set[int]] = {}
    for fold, track in zip(fold_of, GROUPED, strict=True):
        folds_of_group.setdefault(track.group, set()).add(int(fold))
    assert {len(folds) for folds in folds_of_group.values()} == {1}


def test_uneven_groups_across_labels_stay_whole() -> None:
    tracks = UNEVEN + [Track(Path(f"{n}"), f"{n}", "ab"[n % 2], "one band") for n in range(7)]
    fold_of = assign_folds(tracks, "grouped", 5)
    assert len(set(fold_of[-7:])) == 1
    assert len(set(fold_of[:-7])) == 5  # the others, without a group, are free
    assert max(Counter(fold_of).values()) - min(Counter(fold_of).values()) <= 3


def test_random_lets_groups_stand_on_both_sides() -> None:
    groups = number_groups(GROUPED)
    fold_of = assign_folds(GROUPED, "random", 3)
    assert any(len(set(fold_of[groups == group])) > 1 for group in set(groups))


@pytest.mark.parametrize("split", ["random", "grouped"])
def test_a_seed_draws_the_same_folds_again_and_another_draws_others(split: str) -> None:
    first = assign_folds(GROUPED, split, 3, seed=4)
    np.testing.assert_array_equal(assign_folds(GROUPED, split, 3, seed=4), first)
    drawn = {tuple(assign_folds(GROUPED, split, 3, seed=seed)) for seed in range(5)}
    assert len(drawn) == 5


def test_a_label_with_fewer_tracks_than_folds_is_drawn_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    tracks = make("a", 20) + make("b", 3)
    for split in ("random", "grouped"):
        fold_of = assign_folds(tracks, split, 10)
        assert len(set(fold_of[20:])) == 3
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]


def test_a_label_that_some_folds_cannot_test_is_named(tmp_path: Path) -> None:
    tracks = [*make("rock", 40, per_group=2), *make("pop", 21, per_group=3)]
    said = "pop has 7 groups for 10 folds: in some folds none of its tracks is tested; folds=7 can test it in each"
    assert describe_rare_label(tracks, "auto", 10) == describe_rare_label(tracks, "grouped", 10) == said
    assert describe_rare_label(tracks, "grouped", 7) == describe_rare_label(tracks, "random", 10) == ""
    folds_of_pop = {
        fold for fold, track in zip(assign_folds(tracks, "grouped", 7), tracks, strict=True) if track.label == "pop"
    }
    assert len(folds_of_pop) == 7
    assert describe_rare_label([*make("a", 20), *make("b", 4)], "auto", 5).startswith("b has 4 tracks for 5 folds: ")
    assert describe_rare_label([*tracks, *make("folk", 9, per_group=9)], "auto", 3).endswith(
        "is tested; it needs more groups"
    )
    assert describe_rare_label(with_folds([0, 1, 2]), "auto", 10) == describe_rare_label(tracks, "random.csv", 10) == ""
    assert describe_rare_label(tracks, str(tmp_path), 10) == ""


def test_group_numbers() -> None:
    tracks = [Track(Path("x"), "x", "a", group) for group in ("Bob", "", "Ann", "Bob", "")]
    numbers = number_groups(tracks)
    assert numbers.shape == (5,)
    assert numbers[0] == numbers[3]
    assert len(set(numbers)) == 4


# Folds from elsewhere


def test_auto_takes_the_folds_of_the_tracks_or_else_the_groups() -> None:
    np.testing.assert_array_equal(assign_folds(with_folds([7, 2, 11, 2, 7])), [1, 0, 2, 0, 1])  # numbered anew from 0
    np.testing.assert_array_equal(assign_folds(with_folds([7, 2, 11, 2, 7]), seed=3, folds=99), [1, 0, 2, 0, 1])
    np.testing.assert_array_equal(assign_folds(GROUPED, folds=3, seed=2), assign_folds(GROUPED, "grouped", 3, 2))
    some = [*with_folds([0, 1, 2, 0, 1, None])]
    np.testing.assert_array_equal(assign_folds(some, folds=3), assign_folds(some, "grouped", 3))


def fold_file(path: Path, *rows: str, header: str = "path,fold", encoding: str = "utf-8") -> str:
    path.write_text("\n".join([header, *rows]), encoding=encoding)
    return str(path)


@pytest.mark.parametrize("suffix", [".wav", ".au", ".MP3", ""])
def test_a_file_of_folds_names_tracks_with_any_suffix(suffix: str, tmp_path: Path) -> None:
    rows = [f"blues/blues.{n:05d}{suffix},{fold},more" for n, fold in ((2, 5), (0, 9), (3, 5), (1, 7), (88, 0))]
    file = fold_file(tmp_path / "f.csv", *rows, header="path,fold,note", encoding="utf-8-sig")
    for seed in (0, 1):
        np.testing.assert_array_equal(assign_folds(make("blues", 4, suffix=".au"), file, seed=seed), [2, 1, 0, 0])


def test_the_exact_name_comes_before_the_name_without_suffix(tmp_path: Path) -> None:
    tracks = [Track(Path(name), name, "a") for name in ("x.au", "x.wav", "take.1.wav", "take.2.wav")]
    file = fold_file(tmp_path / "f.csv", "x.wav,0", "x.au,2", "take.2,1", "take.1,0")
    np.testing.assert_array_equal(assign_folds(tracks, file), [2, 0, 0, 1])


@pytest.mark.parametrize(
    ("names", "rows", "absent"),
    [
        (["x.au", "y.au"], ["x.wav,0", "x.mp3,1", "y.wav,2"], r"1 tracks of .* such as 'x\.au'"),  # which of the two?
        (["x.au", "x.flac"], ["x.wav,0", "y.wav,1"], r"2 tracks of .* such as 'x\.au'"),  # they may be two pieces
        (["x.au", "x.flac"], ["x.au,0", "y.wav,1"], r"1 tracks of .* such as 'x\.flac'"),
        (["take.1.wav"], ["take.2.wav,0", "take.wav,1"], r"1 tracks of .* such as 'take\.1\.wav'"),
        (["a/x.wav"], ["b/x.wav,0", "x.wav,1"], r"1 tracks of .* such as 'a/x\.wav'"),
    ],
)
def test_names_in_doubt_have_no_fold(names: list[str], rows: list[str], absent: str, tmp_path: Path) -> None:
    file = fold_file(tmp_path / "f.csv", *rows)
    with pytest.raises(ValueError, match=rf"f\.csv: {absent}"):
        assign_folds([Track(Path(name), name, "a") for name in names], file)


# Lists

LISTS = {"train": ["a/a.00001", "b/b.00000"], "valid": ["a/a.00003", "b/b.00002"], "test": ["b/b.00004", "a/a.00000"]}
TWO_LABELS = [*make("a", 5, suffix=".au"), *make("b", 5, suffix=".au")]


def write_lists(folder: Path, suffix: str = ".wav", name: str = "_filtered", **changes: list[str]) -> Path:
    """Lists of a fixed split, a name a line, with an empty line at the end."""
    folder.mkdir(exist_ok=True)
    for part, names in {**LISTS, **changes}.items():
        lines = [*(f"{own}{suffix}" for own in names), "", ""]
        (folder / f"{part}{name}.txt").write_bytes("\r\n".join(lines).encode())
    return folder


@pytest.mark.parametrize("suffix", [".wav", ".au", ""])
def test_lists_fix_one_split_and_tell_who_is_left_out_or_absent(suffix: str, tmp_path: Path) -> None:
    absent = ["a/a.00077", "c/c.00000"]
    lists = write_lists(tmp_path / "lists", suffix, valid=[*LISTS["valid"], *absent])
    fixed = read_fixed_split(TWO_LABELS, lists)
    names = np.array([track.name.removesuffix(".au") for track in TWO_LABELS])
    for part, indices in zip(LISTS, (fixed.split.train, fixed.split.validation, fixed.split.test), strict=True):
        assert names[indices].tolist() == sorted(LISTS[part])
    assert fixed.unlisted == ["a/a.00002.au", "a/a.00004.au", "b/b.00001.au", "b/b.00003.au"]
    assert fixed.missing == {lists / "valid_filtered.txt": [f"{name}{suffix}" for name in absent]}


def test_lists_are_one_fold_whatever_the_seed(tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "lists")
    for seed in (0, 5):
        (split,) = draw_splits(TWO_LABELS, str(lists), folds=10, seed=seed)
        assert (split.train.tolist(), split.validation.tolist(), split.test.tolist()) == ([1, 5], [3, 7], [0, 9])
    drawn = draw_splits(GROUPED, "grouped", 3, seed=4)
    expected = make_splits(assign_folds(GROUPED, "grouped", 3, seed=4), labels_of(GROUPED))
    assert [own.test.tolist() for own in drawn] == [own.test.tolist() for own in expected]


def test_of_several_lists_in_a_folder_the_train_list_tells_which(tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "lists")
    write_lists(lists, name="_random", train=["a/a.00002", "b/b.00001"])
    with pytest.raises(ValueError, match=r"has 2 lists train\*\.txt \(train_filtered\.txt, train_random\.txt\)"):
        draw_splits(TWO_LABELS, str(lists))
    (split,) = draw_splits(TWO_LABELS, str(lists / "train_random.txt"))
    assert split.train.tolist() == [2, 6]


def test_a_folder_may_be_called_like_a_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random").mkdir()
    assert len(draw_splits(GROUPED, "random", 3)) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": ["a/a.00000", "b/b.00002"]}, r"test_x\.txt: line 2: 'b/b\.00002' is in valid_x\.txt too"),
        ({"train": ["b/b.00000"]}, r"train_x\.txt: no training track has the label a"),
        (
            {"valid": ["blues.00000", "blues.00001"]},
            r"valid_x\.txt: names 2 tracks and the dataset has none of them; .* such as 'a/a\.00000\.au'",
        ),
        ({"valid": []}, r"valid_x\.txt: names 0 tracks and the dataset has none of them"),
    ],
)
def test_lists_that_cannot_be_used_are_refused(changes: dict[str, list[str]], message: str, tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "lists", "", "_x", **changes)
    with pytest.raises(ValueError, match=message):
        draw_splits(TWO_LABELS, str(lists))


def test_one_track_under_two_suffixes_is_in_two_lists(tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "lists")
    (lists / "test_filtered.txt").write_text("b/b.00004.wav\na/a.00003.au\n")
    with pytest.raises(ValueError, match=r"'a/a\.00003\.au' is in valid_filtered\.txt too"):
        draw_splits(TWO_LABELS, str(lists))


def test_missing_lists_are_refused(tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "lists")
    with pytest.raises(
        ValueError, match=r"split=.*test_filtered\.txt: give the folder of the lists, or the list whose"
    ):
        draw_splits(TWO_LABELS, str(lists / "test_filtered.txt"))
    with pytest.raises(ValueError, match=r"train_none\.txt: no such list; train_none\.txt, valid_none\.txt, test_none"):
        draw_splits(TWO_LABELS, str(lists / "train_none.txt"))
    (lists / "valid_filtered.txt").unlink()
    with pytest.raises(ValueError, match=r"valid_filtered\.txt: no such list; train_filtered\.txt, valid_filtered"):
        draw_splits(TWO_LABELS, str(lists))
    with pytest.raises(ValueError, match=r"split=.*: has 0 lists train\*\.txt; give a folder with the lists train"):
        draw_splits(TWO_LABELS, str(tmp_path))
    with pytest.raises(ValueError, match="there are no tracks to split"):
        draw_splits([], str(lists))


def test_what_a_split_comes_to() -> None:
    own = [Track(track.path, track.name, track.label, track.group, 1) for track in GROUPED]
    assert [describe_split(GROUPED, split) for split in ("auto", "grouped", "random")] == [
        "grouped",
        "grouped",
        "random",
    ]
    assert describe_split(own, "auto") == "the tracks' own folds"
    assert (
        describe_split(TWO_LABELS, "auto") == describe_split(TWO_LABELS, "grouped") == "random, no groups being known"
    )
    assert describe_split(own, "folds.csv") == "folds.csv"


def test_groups_on_both_sides_are_counted(tmp_path: Path) -> None:
    bands = ["X", "Y", "", "X", "Z", "Y", "", "Z", "", "W"]  # 0 and 9 are tested; 1, 3, 5 and 7 are not
    tracks = [Track(own.path, own.name, own.label, band) for own, band in zip(TWO_LABELS, bands, strict=True)]
    assert count_groups_on_both_sides(tracks, draw_splits(tracks, str(write_lists(tmp_path / "lists")))) == 1
    assert count_groups_on_both_sides(GROUPED, draw_splits(GROUPED, "grouped", 3)) == 0
    assert count_groups_on_both_sides(TWO_LABELS, draw_splits(TWO_LABELS, "random", 3)) == 0  # none is known


# Train, validation and test


@pytest.mark.parametrize("split", ["random", "grouped"])
@pytest.mark.parametrize("folds", [3, 4, 9])
def test_parts_share_no_track_and_each_track_is_tested_once(split: str, folds: int) -> None:
    fold_of = assign_folds(GROUPED, split, folds, seed=1)
    parts = make_splits(fold_of, labels_of(GROUPED))
    assert len(parts) == folds
    groups = number_groups(GROUPED)
    for number, part in enumerate(parts):
        np.testing.assert_array_equal(part.test, np.flatnonzero(fold_of == number))
        np.testing.assert_array_equal(part.validation, parts[(number + 1) % folds].test)  # the next, cyclic
        together = np.concatenate([part.train, part.validation, part.test])
        np.testing.assert_array_equal(np.sort(together), np.arange(len(GROUPED)))
        if split == "grouped":
            train, validation, test = (set(groups[each]) for each in (part.train, part.validation, part.test))
            assert not (train & validation or train & test or validation & test)
        assert (np.diff(part.train) > 0).all()
    tested = np.concatenate([part.test for part in parts])
    np.testing.assert_array_equal(np.sort(tested), np.arange(len(GROUPED)))


def test_ten_folds_train_on_eight_tenths() -> None:
    tracks = make("a", 50) + make("b", 50)
    for part in make_splits(assign_folds(tracks, "random"), labels_of(tracks)):
        assert (len(part.train), len(part.validation), len(part.test)) == (80, 10, 10)


# Refusals


@pytest.mark.parametrize("split", ["random", "grouped"])
@pytest.mark.parametrize(
    ("tracks", "folds", "message"),
    [
        (UNEVEN, 2, r"folds=2: at least 3 are needed, one each to test, validate and train"),
        (
            UNEVEN,
            57,
            r"folds=57: there are 56 groups of tracks, and at most \d+ tracks of a label: use at most \d+ folds",
        ),
        (
            make("a", 1) + make("b", 1),
            10,
            r"folds=10: there are 2 groups of tracks, and at most 1 tracks of a label: at least 3 groups, and 3 "
            r"tracks of each label, are needed; add tracks$",
        ),
        ([], 10, "there are no tracks to split"),
        (UNEVEN + make("rare", 2), 3, r"label 'rare' has 2 tracks: at least 3 are needed to test, validate and train"),
    ],
)
def test_impossible_folds_are_refused(split: str, tracks: list[Track], folds: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assign_folds(tracks, split, folds)


def test_more_folds_than_groups_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"folds=28: there are 27 groups of tracks, and at most 27 tracks of a label: use at most 27"
    ):
        assign_folds(GROUPED, "grouped", 28)


def test_two_groups_are_too_few_for_any_folds() -> None:
    with pytest.raises(ValueError, match=r"there are 2 groups of tracks, .*: at least 3 groups, and 3 tracks of each"):
        assign_folds([*make("a", 9, per_group=9), *make("b", 9, per_group=9)], "grouped", 5)


def test_tracks_without_folds_of_their_own_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the manifest's column fold: a fold is a whole number for every track"):
        assign_folds(with_folds([0, 1, None]), "tracks")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,set\na/a.00000.wav,0", r"f\.csv: lacks fold \(each of the columns path, fold .* found 'path', 'set'"),
        ("", r"f\.csv: lacks path, fold .* the table is empty"),
        ("path,fold\nx.wav,0\nx.wav,0", r"f\.csv: row 3: 'x\.wav' has a row already"),
        ("path,fold\nx.wav,0", r"f\.csv: 3 tracks of the dataset have no fold in it, such as 'a/a\.00000\.wav'"),
        ("path,fold\nx.wav,train", r"f\.csv: row 2: fold 'train' is not a number"),
        ("path,fold\nx.wav,", r"f\.csv: row 2: fold '' is not a number"),
        ("path,fold\nx.wav,-1", r"f\.csv: row 2: fold '-1' is not a whole number such as 0 or 3"),
        ('path,fold\n"x.wav,0', r"f\.csv: is not a CSV table \(unexpected end of data\)"),
    ],
)
def test_a_file_of_folds_that_cannot_be_used_is_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        assign_folds(make("a", 3), str(file))


def test_a_split_that_is_no_file_is_refused(tmp_path: Path) -> None:
    choices = r": no such file: give random, grouped, a CSV with the columns path, fold"
    for split in ("groupd", str(tmp_path / "gone.csv"), str(tmp_path)):
        with pytest.raises(ValueError, match=f"^split={split}{choices}"):
            assign_folds(UNEVEN, split)
    (tmp_path / "f.csv").write_bytes("path,fold\nä.wav,0".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"f\.csv: is not UTF-8 text"):
        assign_folds(UNEVEN, str(tmp_path / "f.csv"))


@pytest.mark.parametrize(
    ("fold_of", "labels", "message"),
    [
        ([0, 1, 1, 0], "aaaa", r"^2 folds: at least 3 are needed, one each to test, validate and train"),
        ([0, 1, 3, 3], "aaaa", r"^fold 1 or 2 is empty: use fewer folds \(there are 4\)"),
        ([0, 2, 2, 2], "aaaa", r"^fold 0 or 1 is empty: add tracks of other groups$"),
        (
            [0, 1, 2, 2],
            "abcc",
            r"^test fold 0: no training track has the label a, b: it needs tracks of at least three groups, "
            r"or split=random",
        ),
    ],
)
def test_folds_that_cannot_be_trained_on_are_refused(fold_of: list[int], labels: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_splits(np.array(fold_of), labels)
