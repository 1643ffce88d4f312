"""Emotify as released and as tables, by genre and by emotion."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from helpers.dataset_folders import groups, names, touch, write_table

from mcc_zoo import datasets
from mcc_zoo.datasets import DATASETS, DatasetError

VOTES = datasets.EMOTIFY_EMOTIONS


def listener(track_id: int, genre: str, *emotions: str) -> str:
    """One row of the table of listeners."""
    return f"{track_id},{genre},{','.join(str(int(emotion in emotions)) for emotion in VOTES)},3,1,0,30,1,Dutch"


def emotify_release(folder: Path) -> Path:
    """The layout as released: calmness 20 times, tension 20 times, power once, and one track with two choices."""
    rows = [listener(181 + n, "rock", "tension", "power") for n in range(20)]
    rows += [listener(181 + n, "rock", "tension") for n in range(20)]
    rows += [listener(1 + n, "classical", "calmness") for n in range(20)]
    rows += [listener(21, "classical", "calmness"), listener(21, "classical", "power")]
    rows += [listener(22, "classical", "power"), listener(23, "classical")]
    header = f"track id, genre, {', '.join(VOTES)}, mood, liked, disliked, age, gender, mother tongue"
    write_table(folder / "data.csv", header, *rows)
    classical = (f"emotifymusic/classical/{n}.mp3" for n in (1, 9, 20, 21, 22, 23))
    return touch(
        folder, *classical, "emotifymusic/Rock/81.mp3", "emotifymusic/Rock/100.mp3", "emotifymusic/Rock/21.mp3"
    )


def test_emotify_genres_as_released(tmp_path: Path) -> None:
    tracks = datasets.read_emotify(emotify_release(tmp_path))
    assert Counter(track.label for track in tracks) == {"classical": 6, "rock": 3}
    assert {"classical/9.mp3", "rock/21.mp3"} < set(names(tracks))
    assert {track.group for track in tracks} == {""}


def test_emotify_emotions_as_released(tmp_path: Path) -> None:
    tracks = datasets.read_emotify(emotify_release(tmp_path), labels="emotion")
    assert {track.name: track.label for track in tracks} == {
        "classical/1.mp3": "calmness",
        "classical/9.mp3": "calmness",
        "classical/20.mp3": "calmness",
        "rock/81.mp3": "tension",
        "rock/100.mp3": "tension",
    }


def test_emotify_artists_beside_the_release_are_groups(tmp_path: Path) -> None:
    emotify_release(tmp_path)
    rows = ("audio/classical_001.ogg,Ann", "classical/9.mp3,ann", "rock/81.mp3,Bob", "rock/100.mp3,")
    write_table(tmp_path / "tracks.csv", "path,artist", *rows)
    tracks = datasets.read_emotify(tmp_path)
    assert groups(tracks) == {frozenset({"classical/1.mp3", "classical/9.mp3"}), frozenset({"rock/81.mp3"})}


def test_emotify_as_tables(tmp_path: Path) -> None:
    touch(tmp_path, "audio/pop_001.ogg", "audio/rock_002.ogg", "audio/rock_003.ogg")
    rows = ("audio/pop_001.ogg,{},Ann", "audio/rock_002.ogg,{},Ann", "audio/rock_003.ogg,{},", "audio/gone.ogg,{},")
    write_table(tmp_path / "genre.csv", "path,label,group", *map(str.format, rows, ["pop", "rock", "rock", "rock"]))
    write_table(tmp_path / "emotion.csv", "path,label,group", *map(str.format, rows[:2], ["calmness", "power"]))
    tracks = datasets.read_emotify(tmp_path)
    assert names(tracks) == ["audio/pop_001.ogg", "audio/rock_002.ogg", "audio/rock_003.ogg"]
    assert [(track.label, track.group) for track in tracks] == [("pop", "Ann"), ("rock", "Ann"), ("rock", "")]
    assert [track.label for track in datasets.read_emotify(tmp_path, "emotion")] == ["calmness", "power"]
    missing = datasets.check_dataset(DATASETS["emotify"], tmp_path, decode=False).missing
    assert len(missing) == 397
    assert {"pop/2", "rock/1", "rock/4"} < set(missing)


def test_emotify_refusals(tmp_path: Path) -> None:
    touch(tmp_path, "pop/1.mp3", "pop/2.mp3")
    with pytest.raises(DatasetError, match=r"labels='mood': choose 'genre', 'emotion' or 'moods'"):
        datasets.read_emotify(tmp_path, "mood")  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=r"emotions need the listeners' table data\.csv beside the genres"):
        datasets.read_emotify(tmp_path, "emotion")
    header = f"track id, genre, {', '.join(VOTES)}, mood, liked, disliked, age, gender, mother tongue"
    write_table(tmp_path / "data.csv", header, listener(1, "pop", "power"), listener(301, "pop", "power"))
    with pytest.raises(DatasetError, match=r"data\.csv: row 3: track ids 1 and 301 both mean pop/1"):
        datasets.read_emotify(tmp_path, "emotion")
    write_table(tmp_path / "data.csv", header, listener(1, "pop", "power"))
    with pytest.raises(DatasetError, match=r"no Emotify track with a label of emotion here"):
        datasets.read_emotify(tmp_path, "emotion")  # one track is too few for a label


# Moods: many labels per track


def test_emotify_moods_as_a_table(tmp_path: Path) -> None:
    touch(tmp_path, "audio/pop_001.ogg", "audio/rock_002.ogg")
    rows = ("audio/pop_001.ogg,power|tension,Ann", "audio/rock_002.ogg,,", "audio/gone.ogg,power,Bob")
    write_table(tmp_path / "moods.csv", "path,labels,group", *rows)
    votes = "audio/pop_001.ogg,Ann,1,1,1,1,1,1,1,1,1,1"
    write_table(tmp_path / "tracks.csv", f"path,artist,raters,{','.join(VOTES)}", votes)  # is not asked
    tracks = datasets.read_emotify(tmp_path, "moods")
    assert [(track.name, track.labels, track.group) for track in tracks] == [
        ("audio/pop_001.ogg", ("power", "tension"), "Ann"),
        ("audio/rock_002.ogg", (), ""),
    ]


def test_emotify_moods_are_what_a_quarter_of_the_raters_chose(tmp_path: Path) -> None:
    touch(tmp_path, "audio/pop_001.ogg", "audio/pop_002.ogg", "audio/pop_003.ogg", "audio/pop_004.ogg")
    rows = (
        "audio/pop_001.ogg,The Band!,pop,8,2,1,0,3,8,1,1,1,1",  # two of eight are a quarter
        "audio/pop_002.ogg,the band,pop,9,2,3,0,0,0,0,0,0,9",  # two of nine are less, three are more
        "audio/pop_003.ogg,,pop,4,0,0,0,0,0,0,0,0,0",
        "audio/pop_004.ogg,Ann,pop,0,0,0,0,0,0,0,0,0,0",
        "audio/gone.ogg,Ann,pop,1,1,1,1,1,1,1,1,1,1",
    )
    write_table(tmp_path / "tracks.csv", f"path,artist,genre,raters,{','.join(VOTES)}", *rows)
    tracks = datasets.read_emotify(tmp_path, "moods")
    assert {track.name[10:13]: track.labels for track in tracks} == {
        "001": ("amazement", "nostalgia", "calmness"),
        "002": ("solemnity", "sadness"),
        "003": (),
        "004": (),
    }
    assert [track.group for track in tracks] == ["the band", "the band", "", "ann"]
    assert {track.label for track in tracks} == {""}


def test_emotify_moods_as_released(tmp_path: Path) -> None:
    emotify_release(tmp_path)
    rows = ("classical/1.mp3,Ann", "classical/21.mp3,ann")
    write_table(tmp_path / "tracks.csv", "path,artist", *rows)  # without votes: it names artists alone
    tracks = datasets.read_emotify(tmp_path, "moods")
    assert {track.name: track.labels for track in tracks} == {
        "classical/1.mp3": ("calmness",),
        "classical/9.mp3": ("calmness",),
        "classical/20.mp3": ("calmness",),
        "classical/21.mp3": ("calmness", "power"),
        "classical/22.mp3": ("power",),
        "classical/23.mp3": (),
        "rock/81.mp3": ("power", "tension"),
        "rock/100.mp3": ("power", "tension"),
    }  # rock/21 has no listener
    assert groups(tracks) == {frozenset({"classical/1.mp3", "classical/21.mp3"})}


def test_emotify_moods_need_votes(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no Emotify track with a label of moods .* table moods\.csv with co"):
        datasets.read_emotify(touch(tmp_path, "pop/song.mp3"), "moods")
    with pytest.raises(DatasetError, match=r"moods need the listeners' table data\.csv beside the genres"):
        datasets.read_emotify(touch(tmp_path, "pop/1.mp3"), "moods")
    header = f"path,artist,raters,{','.join(VOTES)}"
    write_table(tmp_path / "tracks.csv", header, "pop/1.mp3,Ann,many,1,1,1,1,1,1,1,1,1")
    with pytest.raises(DatasetError, match=r"tracks\.csv: row 2: raters 'many' is not a number"):
        datasets.read_emotify(tmp_path, "moods")
