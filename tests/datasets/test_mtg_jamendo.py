"""MTG-Jamendo: tables of tags, audio of either quality, artists, the published splits, and each error."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.dataset_folders import (
    JAMENDO,
    JAMENDO_HEADER,
    groups,
    jamendo_folder,
    jamendo_table,
    names,
    touch,
    write_audio,
    write_table,
)

from mcc_zoo import datasets
from mcc_zoo.datasets import DATASETS, DatasetError
from mcc_zoo.datasets.fixed_splits import write_lists
from mcc_zoo.datasets.splits import count_groups_on_both_sides, draw_splits, read_fixed_split


@pytest.mark.parametrize("audio", ["", "audio/", "raw_30s/audio-low/"])
@pytest.mark.parametrize("suffix", [".mp3", ".low.mp3"])
def test_mtg_jamendo(audio: str, suffix: str, tmp_path: Path) -> None:
    tracks = datasets.read_mtg_jamendo(jamendo_folder(tmp_path, audio, suffix), "all")
    assert names(tracks) == list(JAMENDO)  # whatever the quality of the audio
    assert tracks[0].path == tmp_path / f"{audio}00/1100{suffix}"
    assert [track.labels for track in tracks] == [
        ("genre---rock", "mood/theme---happy"),
        ("genre---rock", "instrument---guitar"),
        ("instrument---guitar", "genre---folk", "mood/theme---happy"),
        ("genre---folk",),
        ("genre---rock", "genre---odd"),
    ]
    assert {track.label for track in tracks} == {""}
    assert groups(tracks) == {
        frozenset({"00/1100.mp3", "14/214.mp3"}),
        *(frozenset({name}) for name in list(JAMENDO)[2:]),
    }


def test_the_fifty_most_frequent_tags_are_the_default(tmp_path: Path) -> None:
    assert names(datasets.read_mtg_jamendo(jamendo_folder(tmp_path))) == list(JAMENDO)[:4]
    for tags in ("genre", "instrument", "moodtheme"):
        jamendo_table(tmp_path / f"data/autotagging_{tags}.tsv", "16/216.mp3")
        assert names(datasets.read_mtg_jamendo(tmp_path, tags)) == ["16/216.mp3"]


def test_only_tracks_on_disk_are_listed(tmp_path: Path) -> None:
    folder = jamendo_folder(tmp_path)
    (folder / "audio/15/215.mp3").unlink()
    touch(folder, "audio/15/notes.mp3", "audio/77/777.mp3", "audio/15/._216.mp3")
    assert names(datasets.read_mtg_jamendo(folder, "all")) == [name for name in JAMENDO if name != "15/215.mp3"]


def test_a_published_split_has_tracks_and_tags_of_its_own(tmp_path: Path) -> None:
    folder = jamendo_folder(tmp_path)
    tracks = datasets.read_mtg_jamendo(folder, "all", split=2)
    assert names(tracks) == ["00/1100.mp3", "15/215.mp3", "14/214.mp3", "16/216.mp3", "19/1376219.mp3"]
    assert "genre---odd" not in {label for track in tracks for label in track.all_labels}
    lists = datasets.read_mtg_jamendo_split(folder, "all", 2)
    assert lists == {
        "train": ["00/1100.mp3", "15/215.mp3", "14/214.mp3"],
        "valid": ["16/216.mp3"],
        "test": ["19/1376219.mp3"],
    }
    (split,) = draw_splits(tracks, str(write_lists(tmp_path / "lists", lists)))
    assert [part.tolist() for part in (split.train, split.validation, split.test)] == [[0, 1, 2], [3], [4]]
    assert count_groups_on_both_sides(tracks, [split]) == 0
    # Where a tag is in the test tracks alone, the split is refused: the published ones leave such tags out.
    whole = datasets.read_mtg_jamendo(folder, "all")
    with pytest.raises(ValueError, match=r"train\.txt: no training track has the label genre---odd$"):
        draw_splits(whole, str(tmp_path / "lists"))


def test_tracks_of_a_split_that_are_not_on_disk_are_named(tmp_path: Path) -> None:
    folder = jamendo_folder(tmp_path)
    (folder / "audio/15/215.mp3").unlink()
    jamendo_table(folder / "data/splits/split-2/autotagging-train.tsv", "00/1100.mp3", "14/214.mp3")
    write_table(
        folder / "data/splits/split-2/autotagging-validation.tsv",
        JAMENDO_HEADER,
        "track_0000215\tartist_000005\talbum_000031\t15/215.mp3\t151.4\tgenre---rock",
        "track_0000216\tartist_000006\talbum_000031\t16/216.mp3\t151.4\tgenre---rock",
    )
    lists = write_lists(tmp_path / "lists", datasets.read_mtg_jamendo_split(folder, "all", 2))
    fixed = read_fixed_split(datasets.read_mtg_jamendo(folder, "all", 2), lists)
    assert (fixed.unlisted, fixed.missing) == ([], {lists / "valid.txt": ["15/215.mp3"]})


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_of_any_length_are_read(end: str, tmp_path: Path) -> None:
    touch(tmp_path, "15/215.mp3", "16/216.mp3", "17/217.mp3")
    start = "track_1\tartist_{0}\talbum_1\t1{0}/21{0}.mp3\t31.0"
    rows = (start.format(5), start.format(6) + "\tgenre---rock\t\tgenre---rock\t", "", start.format(7) + "\ta\tb\tc")
    write_table(tmp_path / "autotagging.tsv", JAMENDO_HEADER, *rows, end=end)
    tracks = datasets.read_mtg_jamendo(tmp_path, "all")
    assert [track.labels for track in tracks] == [(), ("genre---rock",), ("a", "b", "c")]
    assert [track.group for track in tracks] == ["artist_5", "artist_6", "artist_7"]


@pytest.mark.parametrize(
    ("tags", "split", "message"),
    [
        ("mood", None, r"^tags='mood' is not known: choose one of top50tags, genre, instrument, moodtheme, all$"),
        ("all", 5, r"^split=5: MTG-Jamendo has the splits 0 to 4$"),
        ("all", -1, r"^split=-1: MTG-Jamendo has the splits 0 to 4$"),
        (
            "genre",
            None,
            r"no MTG-Jamendo here; looked for the table autotagging_genre\.tsv, which is in the folder data",
        ),
        ("top50tags", 2, r"looked for the table split-2/autotagging_top50tags-train\.tsv, which is in the fold"),
        ("all", 4, r"looked for the table split-4/autotagging-train\.tsv"),
    ],
)
def test_tables_that_are_not_there_are_refused(tags: str, split: int | None, message: str, tmp_path: Path) -> None:
    folder = jamendo_folder(tmp_path)
    with pytest.raises(DatasetError, match=message):
        datasets.read_mtg_jamendo(folder, tags, split)
    if split is not None:
        with pytest.raises(DatasetError, match=message):
            datasets.read_mtg_jamendo_split(folder, tags, split)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"its columns are not TRACK_ID, ARTIST_ID, .*, TAGS, separated by tabs, but ''"),
        ("TRACK_ID,ARTIST_ID\n", r"its columns are not .* but 'TRACK_ID,ARTIST_ID'"),
        (f"{JAMENDO_HEADER}\na\tb\tc\n", r"row 2 has no path such as 56/1376256\.mp3 in its fourth cell"),
        (f"{JAMENDO_HEADER}\n\na\tb\tc\t../1.mp3\t3\tx\n", r"row 3 has no path such as 56/1376256\.mp3"),
        (f"{JAMENDO_HEADER}\na\tb\tc\t0/1.mp3\t3\tx\na\tb\tc\t0/1.mp3\t3\tx\n", r"0/1\.mp3 has a row already; a track"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(text: str, message: str, tmp_path: Path) -> None:
    table = touch(tmp_path, "15/215.mp3") / "autotagging.tsv"
    table.write_text(text)
    with pytest.raises(DatasetError, match=message) as refusal:
        datasets.read_mtg_jamendo(tmp_path, "all")
    assert str(refusal.value).startswith(f"{table}: ")


def test_a_track_is_in_one_part_of_a_split(tmp_path: Path) -> None:
    folder = jamendo_folder(tmp_path)
    jamendo_table(folder / "data/splits/split-2/autotagging-test.tsv", "19/1376219.mp3", "00/1100.mp3")
    with pytest.raises(
        DatasetError, match=r"autotagging-test\.tsv: 00/1100\.mp3 has a row already; a track belongs in"
    ):
        datasets.read_mtg_jamendo(folder, "all", 2)


def test_folders_without_audio_or_with_two_copies_are_refused(tmp_path: Path) -> None:
    tables = jamendo_table(tmp_path / "tables/autotagging.tsv", "15/215.mp3").parent
    with pytest.raises(DatasetError, match=r"no audio of MTG-Jamendo here; looked for files like 56/1376256\.mp3 or"):
        datasets.read_mtg_jamendo(tables, "all")
    both = jamendo_folder(jamendo_folder(tmp_path / "both"), "audio-low/", ".low.mp3")
    with pytest.raises(DatasetError, match=r"00/1100 is in '.*audio.00' and in '.*'; give the folder of one copy"):
        datasets.read_mtg_jamendo(both, "all")


def test_check_names_what_is_missing_and_extra(tmp_path: Path) -> None:
    folder = jamendo_folder(tmp_path, suffix=".low.mp3")
    for name in JAMENDO:
        write_audio(folder / "audio" / name.replace(".mp3", ".low.mp3"))
    (folder / "audio/16/216.low.mp3").unlink()
    write_audio(folder / "audio/77/777.low.mp3")
    found = datasets.check_dataset(DATASETS["mtg_jamendo"], folder)
    assert found.format_lines()[0] == "MTG-Jamendo: 4 of 55609 tracks, 4 of them decode to the end"
    assert "  genre---rock: 3 tracks, 2 groups" in found.format_lines()
    assert found.missing == ("16/216.mp3",)
    assert found.extra == ("77/777.low.mp3",)
    assert not found.is_complete
