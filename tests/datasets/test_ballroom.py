"""Ballroom in the layouts in which it goes round: three Rumbas, and replicas as groups."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from helpers.dataset_folders import groups, touch

from mcc_zoo import datasets


@pytest.mark.parametrize("layout", ["", "BallroomData", "B_1.0/audio"])
def test_ballroom_layouts_and_the_three_rumbas(layout: str, tmp_path: Path) -> None:
    touch(
        tmp_path / layout,
        "Rumba-American/Media-105401.wav",
        "Rumba-international/Albums-Latin_Jam-08.wav",  # so written in some copies
        "Rumba-Misc/Media-103901.wav",
        "Waltz/Media-105901.wav",
        "Waltz/cover.wav",
        "nada/Media-100000.wav",
    )
    (tmp_path / layout / "Pasodoble").mkdir()
    tracks = datasets.read_ballroom(tmp_path)
    assert {track.name: track.label for track in tracks} == {
        "Rumba-American/Media-105401.wav": "Rumba",
        "Rumba-International/Albums-Latin_Jam-08.wav": "Rumba",
        "Rumba-Misc/Media-103901.wav": "Rumba",
        "Waltz/Media-105901.wav": "Waltz",
    }
    assert all(track.path.is_file() for track in tracks)


def test_ballroom_replicas_are_groups_and_albums_are_not(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "ChaChaCha/Albums-Fire-08.wav",
        "Samba/Albums-Fire-09.wav",  # the same file under another label
        "Samba/Albums-Fire-10.wav",
        "ChaChaCha/Media-103402.wav",
        "ChaChaCha/Media-103415.wav",
        "Rumba/Albums-Latin_Jam-08.wav",  # the three folders merged
        "Rumba/Albums-Latin_Jam-14.wav",
    )
    tracks = datasets.read_ballroom(tmp_path)
    assert groups(tracks) == {
        frozenset({"ChaChaCha/Albums-Fire-08.wav", "Samba/Albums-Fire-09.wav"}),
        frozenset({"ChaChaCha/Media-103402.wav", "ChaChaCha/Media-103415.wav"}),
        frozenset({"Rumba/Albums-Latin_Jam-08.wav", "Rumba/Albums-Latin_Jam-14.wav"}),
    }
    assert {track.name: track.group for track in tracks}["Samba/Albums-Fire-10.wav"] == ""


def test_table_of_replicas() -> None:
    assert Counter(kind for _, _, kind in datasets.REPLICAS) == {"exact": 4, "recording": 9}
    ends = [name for one, other, _ in datasets.REPLICAS for name in (one, other)]
    assert len(set(ends)) == 26
    dances = [(one.split("/")[0], other.split("/")[0]) for one, other, _ in datasets.REPLICAS]
    assert {dance for pair in dances for dance in pair} <= set(datasets.DANCES)
    assert [pair for pair in dances if pair[0] != pair[1]] == [("ChaChaCha", "Samba")]
