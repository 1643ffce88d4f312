"""Soundtracks in the layouts in which it goes round: labels from ratings, groups from links and albums."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest
from helpers.dataset_folders import (
    LABELS,
    NAMES,
    SET1,
    SET1_ROWS,
    SET2,
    SET2_ROWS,
    groups,
    names,
    soundtracks_folder,
    touch,
    write_table,
)

from mcc_zoo import datasets
from mcc_zoo.datasets import DatasetError, DatasetWarning


@pytest.mark.parametrize(
    "audio",
    [
        ("Set1", "Set2"),
        ("set1", "SET2"),
        ("Set1/Set1", "Set2/Set2"),
        ("set1/mp3/Soundtrack360_mp3", "set2/mp3/Soundtrack110_mp3"),
        ("Soundtrack360 and 110/Set1", "Soundtrack360 and 110/Set2"),  # the nearest name counts
    ],
)
def test_soundtracks_layouts_and_labels(audio: tuple[str, str], tmp_path: Path) -> None:
    soundtracks_folder(tmp_path, audio, albums=True)
    touch(tmp_path, "1-min/001.mp3", "Set1/notes.mp3")  # other music, in no set or without a number
    tracks = datasets.read_soundtracks(tmp_path)
    assert names(tracks) == NAMES
    assert [track.label for track in tracks] == LABELS


def test_soundtracks_without_albums_are_grouped_by_link_and_say_so(tmp_path: Path) -> None:
    with pytest.warns(DatasetWarning, match=r"no set\d_tracklist\.csv, so the albums of Set\d are unknown") as heard:
        tracks = datasets.read_soundtracks(soundtracks_folder(tmp_path))
    assert len(heard) == 2
    assert groups(tracks) == {frozenset({"Set1/004.mp3", "Set2/001.mp3", "Set2/002.mp3"})}


def test_soundtracks_groups_are_links_and_albums_together(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracks = datasets.read_soundtracks(soundtracks_folder(tmp_path, albums=True))
    assert groups(tracks) == {
        frozenset({"Set1/001.mp3", "Set1/003.mp3"}),  # one album, spelt in two ways
        frozenset({"Set1/002.mp3", "Set2/003.mp3"}),  # one album, misspelt in Set 2
        frozenset({"Set1/004.mp3", "Set2/001.mp3", "Set2/002.mp3"}),  # linked to the same excerpt
    }
    assert {track.name: track.group for track in tracks}["Set1/005.mp3"] == ""


def test_groups_run_through_tracks_that_are_not_on_disk(tmp_path: Path) -> None:
    soundtracks_folder(tmp_path, albums=True)
    (tmp_path / "Set1/004.mp3").unlink()
    assert frozenset({"Set2/001.mp3", "Set2/002.mp3"}) in groups(datasets.read_soundtracks(tmp_path))


def test_one_set_alone(tmp_path: Path) -> None:
    touch(tmp_path, "set2/mp3/001.mp3", "set2/mp3/002.mp3")
    write_table(tmp_path / "set2/mean_ratings_set2.csv", SET2, *SET2_ROWS)
    with pytest.warns(DatasetWarning, match="Set2"):
        tracks = datasets.read_soundtracks(tmp_path / "set2")  # the folder given names the set
    assert names(tracks) == ["Set2/001.mp3", "Set2/002.mp3"]


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (
            SET1.replace("happy", "joy"),
            SET1_ROWS[0],
            r"lacks happy \(each of the columns number, anger, .*'joy'",
        ),
        (SET1.replace(",", ";"), SET1_ROWS[0].replace(",", ";"), r"Separate columns with commas\."),
        (SET1, "001,5,5,5,high,1,1,1,1,X", r"row 2: anger 'high' is not a number"),
        (SET1, "001,5,5,5,nan,1,1,1,1,X", r"row 2: anger 'nan' is not a number"),
        (SET1, "1.5,5,5,5,2,1,1,1,1,X", r"row 2: number '1\.5' is not a whole number"),
        (SET1, f"{SET1_ROWS[0]}\n1.0,5,5,5,2,1,1,1,1,X", r"row 3 rates Set1/001 a second time"),
        (SET1, "001,5,5,5,2,1,1,1,1,X,surplus", r"row 2 has 11 cells under 10 columns; put quotes around"),
        (SET1, "099,5,5,5,2,1,1,1,1,X", r"the rating tables rate none of the tracks found"),
    ],
)
def test_bad_ratings_are_refused(header: str, row: str, message: str, tmp_path: Path) -> None:
    touch(tmp_path, "Set1/001.mp3")
    write_table(tmp_path / "mean_ratings_set1.csv", header, row)
    write_table(tmp_path / "set1_tracklist.csv", "Nro,Album name")
    with pytest.raises(DatasetError, match=message):
        datasets.read_soundtracks(tmp_path)


def test_a_bad_link_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "Set2/001.mp3")
    write_table(tmp_path / "mean_ratings_set2.csv", SET2, SET2_ROWS[0].replace("004", "Film A"))
    with pytest.raises(DatasetError, match=r"mean_ratings_set2\.csv: row 2: link 'Film A' is not a number"):
        datasets.read_soundtracks(tmp_path)


def test_ratings_that_are_missing_or_in_excel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "Set1/001.mp3", "Set1/002.mp3")
    with pytest.raises(DatasetError, match=r"Set1 has no ratings; put mean_ratings_set1\.csv beside its audio"):
        datasets.read_soundtracks(tmp_path)

    def no_engine(*_: object, **__: object) -> pd.DataFrame:
        raise ImportError("Missing optional dependency")

    table = touch(tmp_path, "Set1/mean_ratings_set1.xls") / "Set1/mean_ratings_set1.xls"
    monkeypatch.setattr(pd, "read_excel", no_engine)
    with pytest.raises(DatasetError, match=r"\.xls: is an Excel table; save it as mean_ratings_set1\.csv .*xlrd"):
        datasets.read_soundtracks(tmp_path)
    monkeypatch.undo()
    table.write_bytes(b"no workbook")
    with pytest.raises(DatasetError, match=r"\.xls: cannot be read as Excel \(.+\); save it as CSV UTF-8"):
        datasets.read_soundtracks(tmp_path)

    cells = [SET1.split(","), ["1", *SET1_ROWS[1].split(",")[1:]], ["2.0", *SET1_ROWS[3].split(",")[1:]]]
    monkeypatch.setattr(pd, "read_excel", lambda *_, **__: pd.DataFrame(cells))
    with pytest.warns(DatasetWarning):
        assert [track.label for track in datasets.read_soundtracks(tmp_path)] == ["fear", "sadness"]

    write_table(tmp_path / "Set1/tables/mean_ratings_set1.csv", SET1, *SET1_ROWS)
    with pytest.warns(DatasetWarning):
        assert [track.label for track in datasets.read_soundtracks(tmp_path)] == [
            "anger",
            "fear",
        ]  # the CSV comes first
