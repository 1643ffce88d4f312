"""What is said of a manifest's labels and copies before anything is trained."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.dataset_folders import touch, write_audio, write_table

from mcc_zoo import datasets
from mcc_zoo.datasets import Track
from mcc_zoo.datasets.cautions import find_copies, list_copies, list_spellings
from mcc_zoo.experiment.corpus import prepare
from mcc_zoo.features.cache import FeatureCache
from mcc_zoo.features.front_end import FRONT_ENDS


def labelled(*labels: str) -> list[Track]:
    return [Track(Path(f"{n}.wav"), f"{n}.wav", label) for n, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["Rock", "rock", "rock", "pop"], "'Rock' (1 track), 'rock' (2 tracks)"),
        (["caf\u00e9", "cafe\u0301"], r"'cafe\u0301' (1 track), 'caf\xe9' (1 track)"),  # one look, two forms
        (["jazz", "\uff4aazz"], "'jazz' (1 track), '\uff4aazz' (1 track)"),
        (["soul", "so\u200bul", "soul\ufeff"], r"'soul' (1 track), 'soul\ufeff' (1 track), 'so\u200bul' (1 track)"),
        (["soul", "soul \u200b"], r"'soul' (1 track), 'soul \u200b' (1 track)"),
        (["hip hop", "Hip  hop"], "'Hip  hop' (1 track), 'hip hop' (1 track)"),
        (["Straße", "STRASSE"], "'STRASSE' (1 track), 'Straße' (1 track)"),
    ],
)
def test_labels_that_differ_in_spelling_alone_are_listed_with_their_counts(labels: list[str], said: str) -> None:
    (sentence,) = list_spellings(labelled(*labels))
    assert f"labels differ in spelling alone: {said}; write them alike" in sentence


def test_other_labels_are_not_listed() -> None:
    assert list_spellings(labelled("rock", "rock", "rocks", "hip hop", "hip-hop", "hiphop", "ü", "u")) == []


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """A manifest of three tracks, each twice, and of two files that are no audio and hold the same."""
    for number, name in enumerate("abc", start=1):
        write_audio(tmp_path / f"{name}.wav", seconds=2 + number / 100)
        (tmp_path / f"{name} again.wav").write_bytes((tmp_path / f"{name}.wav").read_bytes())
    for name in ("gone 1.wav", "gone 2.wav"):
        (tmp_path / name).write_text("<html>404</html>")
    rows = ["a.wav,x,Ann", "a again.wav,y,Ann", "b.wav,x,Bob", "b again.wav,x,", "c.wav,y,Cid", "c again.wav,y,Cid"]
    return write_table(tmp_path / "m.csv", "path,label,group", *rows, "gone 1.wav,x,Ann", "gone 2.wav,y,Bob")


SAID = [
    "the same audio has several labels: 'a.wav' ('x'), 'a again.wav' ('y'); keep the row with the right one",
    "the same audio is in several groups, so a split may test what it has trained on: 'b.wav' (group 'Bob'), "
    "'b again.wav' (no group); keep one of these rows, or give them one group",
]


def test_the_same_audio_in_two_places_is_said_when_a_manifest_is_checked(copies: Path) -> None:
    assert datasets.check_dataset(None, copies).notes == tuple(SAID)
    assert datasets.check_dataset(None, copies, decode=False).format_lines()[-2:] == [f"note: {said}" for said in SAID]


def test_the_same_audio_in_two_places_is_said_before_a_training(
    copies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracks = datasets.read_manifest(copies)
    prepare(tracks, FeatureCache(tmp_path / "cache", FRONT_ENDS["44k"]), quiet=True)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("warning: ")] == [f"warning: {said}" for said in SAID]


def test_spellings_are_said_when_a_manifest_is_checked(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav")
    table = write_table(tmp_path / "m.csv", "path,label", "a.wav,x", "missing.wav,X")
    (note,) = datasets.check_dataset(None, table).notes
    assert "'X' (1 track), 'x' (1 track)" in note


def test_many_copies_are_cut_to_some(tmp_path: Path) -> None:
    write_audio(tmp_path / "0.wav")
    for number in range(1, 12):
        os.link(tmp_path / "0.wav", tmp_path / f"{number}.wav")
    tracks = [Track(tmp_path / f"{n}.wav", f"{n}.wav", str(n)) for n in range(12)]
    (found,) = find_copies(tracks)
    assert list_copies([found])[0].endswith("'9.wav' ('9') and 2 more; keep the row with the right one")
    assert list_copies([found] * 13)[-1] == "and 3 more sets of tracks with the same audio"


def test_spellings_of_many_labels_count_the_tracks_of_each() -> None:
    tracks = [Track(Path("x"), "x", "", labels=labels) for labels in (("Rock", "sad"), ("rock", "Rock"), (), ("slow",))]
    (sentence,) = list_spellings(tracks)
    assert "2 labels differ in spelling alone: 'Rock' (2 tracks), 'rock' (1 track); write them alike" in sentence


def test_copies_whose_sets_of_labels_differ_are_listed() -> None:
    def copy(name: str, *labels: str, group: str = "Ann") -> Track:
        return Track(Path(name), name, "", group, labels=labels)

    assert list_copies([[copy("a", "x", "y"), copy("b", "y", "x")]]) == []  # the order does not matter
    assert list_copies([[copy("a", "x", "y"), copy("b", "x"), copy("c")], [copy("d"), copy("e", group="Bob")]]) == [
        "the same audio has different labels: 'a' ('x', 'y'), 'b' ('x'), 'c' (no label); keep one of these rows, with "
        "the right labels",
        "the same audio is in several groups, so a split may test what it has trained on: 'd' (group 'Ann'), 'e' "
        "(group 'Bob'); keep one of these rows, or give them one group",
    ]


def test_a_table_may_begin_with_blank_lines(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    table = write_table(tmp_path / "m.csv", "", " , ", "path,label", "a.wav,x", "b.wav,y")
    assert [track.label for track in datasets.read_manifest(table)] == ["x", "y"]
    write_table(table, "", "path,label", "a.wav,x", "b.wav,")
    with pytest.raises(datasets.DatasetError, match=r"m\.csv: row 4 has no label"):
        datasets.read_manifest(table)
    write_table(table, "", "")
    with pytest.raises(datasets.DatasetError, match=r"found none, the table is empty"):
        datasets.read_manifest(table)
