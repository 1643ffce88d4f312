"""Folds of any tracks: complete, disjoint, whole groups, the same for a seed; or refused with a reason."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from hypothesis import assume, event, given
from hypothesis import strategies as st

from mcc_zoo.datasets import Track
from mcc_zoo.datasets.splits import Split, count_groups_on_both_sides, draw_splits, number_groups

REASONS = r"folds are needed|use (at most|fewer)|are needed|no training track has|no track has a label|add tracks"


@st.composite
def datasets(draw: st.DrawFn) -> list[Track]:
    """Draw tracks of one label each or of any number, in groups or without."""
    many, labels = draw(st.booleans()), st.sets(st.sampled_from("abc"), max_size=3)
    rows = draw(
        st.lists(st.tuples(st.sampled_from("abc") if not many else labels, st.integers(0, 9)), min_size=1, max_size=40)
    )
    return [
        Track(
            Path(f"{number}.wav"),
            f"{number}.wav",
            "" if many else own,
            f"g{group}" if group else "",
            labels=tuple(sorted(own)) if many else None,
        )
        for number, (own, group) in enumerate(rows)
    ]


def draw_or_refuse(tracks: list[Track], split: str, folds: int, seed: int) -> list[Split] | None:
    try:
        return draw_splits(tracks, split, folds, seed)
    except ValueError as error:
        assert re.search(REASONS, str(error)), error
        return None


@given(datasets(), st.sampled_from(["random", "grouped"]), st.integers(2, 8), st.integers(0, 5))
def test_folds_are_complete_and_disjoint(tracks: list[Track], split: str, folds: int, seed: int) -> None:
    drawn = draw_or_refuse(tracks, split, folds, seed)
    event("refused" if drawn is None else "drawn")
    if drawn is None:
        return
    everything = list(range(len(tracks)))
    assert len(drawn) == folds
    assert sorted(np.concatenate([part.test for part in drawn]).tolist()) == everything
    all_labels = {label for track in tracks for label in track.all_labels}
    for number, part in enumerate(drawn):
        assert sorted([*part.train.tolist(), *part.validation.tolist(), *part.test.tolist()]) == everything
        assert part.validation.tolist() == drawn[(number + 1) % folds].test.tolist()
        assert min(len(part.train), len(part.validation), len(part.test)) > 0
        assert {label for i in part.train.tolist() for label in tracks[i].all_labels} == all_labels


@given(datasets(), st.integers(3, 6), st.integers(0, 5))
def test_groups_are_kept_whole(tracks: list[Track], folds: int, seed: int) -> None:
    drawn = draw_or_refuse(tracks, "grouped", folds, seed)
    assume(drawn is not None)
    assert drawn is not None and count_groups_on_both_sides(tracks, drawn) == 0
    for part in drawn:
        groups = [{tracks[i].group for i in own.tolist()} - {""} for own in (part.train, part.validation, part.test)]
        assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


@given(datasets(), st.sampled_from(["random", "grouped"]), st.integers(3, 6), st.integers(0, 5))
def test_a_seed_draws_the_same_folds_again(tracks: list[Track], split: str, folds: int, seed: int) -> None:
    first, again = (draw_or_refuse(tracks, split, folds, seed) for _ in range(2))
    assert (first is None) == (again is None)
    for one, other in zip(first or [], again or [], strict=True):
        assert [part.tolist() for part in (one.train, one.validation, one.test)] == [
            part.tolist() for part in (other.train, other.validation, other.test)
        ]


@given(datasets())
def test_tracks_have_a_number_in_common_if_they_have_a_group_in_common(tracks: list[Track]) -> None:
    numbers = number_groups(tracks).tolist()
    for i, one in enumerate(tracks):
        for j, other in enumerate(tracks):
            assert (numbers[i] == numbers[j]) == (i == j or (one.group == other.group != ""))


@given(st.integers(3, 8), st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(0, 5))
def test_enough_tracks_of_each_label_are_never_refused(folds: int, more: list[int], seed: int) -> None:
    """Random folds of one label a track: with as many tracks of each label as folds, every fold tests each."""
    labels = [label for label, extra in zip("abcd", more, strict=False) for _ in range(folds + extra)]
    tracks = [Track(Path(f"{number}.wav"), f"{number}.wav", label) for number, label in enumerate(labels)]
    for part in draw_splits(tracks, "random", folds, seed):
        assert {labels[i] for i in part.test.tolist()} == set(labels)
