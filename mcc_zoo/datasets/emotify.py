"""Emotify: 400 excerpts of four genres, with the emotions that listeners chose, one or many per excerpt."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from mcc_zoo.datasets.base import Dataset, DatasetError, Track, make_tracks, strip_suffix
from mcc_zoo.datasets.files import choose_one_per_key, filter_audio, find_by_name, list_files
from mcc_zoo.datasets.groups import normalise_name
from mcc_zoo.datasets.manifest import parse_manifest
from mcc_zoo.datasets.tables import Row, read_columns, read_rows

GENRES = ("classical", "electronic", "pop", "rock")
EMOTIFY_EMOTIONS = (
    "amazement",
    "solemnity",
    "tenderness",
    "nostalgia",
    "calmness",
    "power",
    "joyful_activation",
    "tension",
    "sadness",
)
LABELS = ("genre", "emotion", "moods")
MIN_SHARE = 0.25  # of the listeners of a track: the emotions that as many chose are its moods
MIN_TRACKS = 20  # an emotion that is the first choice for fewer tracks is left out


def read_emotify(folder: Path | str, labels: Literal["genre", "emotion", "moods"] = "genre") -> list[Track]:
    """List Emotify, in either of two layouts.

    As released: one folder per genre, `classical/1.mp3` to `100.mp3`, and `data.csv` with one row for each listener and
    track (`track id`, `genre`, nine emotions as 0 or 1). It names no artists, so tracks have no groups, unless
    `tracks.csv` with the columns path and artist lies beside it. How track ids map to files is not documented: they are
    taken as a hundred per genre in the order of the files, so that ids 101 and 1 are each a `1.mp3`.

    As tables: `genre.csv` and `emotion.csv` with the columns path, label and group, and `moods.csv` with path, labels
    and group, beside the audio. Tables are used where both layouts exist. Without `moods.csv` moods are counted in
    `tracks.csv`, if it has the columns path, raters and the votes for each emotion, else in `data.csv`.

    Args:
        folder: The folder of the genres or of the tables; the genres may be further down.
        labels: `genre`; `emotion`: the one that most listeners chose; or `moods`: the emotions that a quarter of the
            listeners chose, none to nine per track. For `emotion`, tracks with two first choices are left out, and so
            are emotions that are the first choice for fewer than 20 tracks of the table.

    Returns:
        The labelled tracks on disk, by name (`classical/1.mp3`, or as the table has it).

    Raises:
        DatasetError: If no track is found, if two copies are, or if a table is missing or cannot be read.
    """
    folder = Path(folder)
    if labels not in LABELS:
        raise DatasetError(f"labels={labels!r}: choose 'genre', 'emotion' or 'moods'")
    files = list_files(folder)
    if os.path.isfile(folder / f"{labels}.csv"):
        tracks = [track for track in parse_manifest(folder / f"{labels}.csv") if os.path.isfile(track.path)]
    else:
        tracks = (_count_moods(files) if labels == "moods" else []) or _read_release(folder, files, labels)
    if not tracks:
        raise DatasetError(
            f"folder {str(folder)!r}: no Emotify track with a label of {labels} here; looked for classical/1.mp3 and "
            f"so on for {', '.join(GENRES)}, and for a table {labels}.csv with columns path and "
            f"{'labels' if labels == 'moods' else 'label'}"
        )
    return tracks


def _read_release(folder: Path, files: Sequence[Path], labels: str) -> list[Track]:
    """List the tracks of the layout as released."""
    found = choose_one_per_key(
        (f"{path.parent.name.lower()}/{int(path.stem)}", path)
        for path in filter_audio(files)
        if path.parent.name.lower() in GENRES and re.fullmatch(r"\d{1,3}", path.stem, re.ASCII)
    )
    table = find_by_name(files, r"tracks\.csv")
    artists = read_rows(table, ("path", "artist")) if table is not None else []
    group_of = {_make_key(row.get_text("path")): normalise_name(row.get_text("artist")) for row in artists}
    if labels == "genre" or not found:
        return make_tracks(found, {key: key.split("/")[0] for key in found}, group_of)
    listeners = find_by_name(files, r"data\.csv")
    if listeners is None:
        what = "moods" if labels == "moods" else "emotions"
        raise DatasetError(f"folder {str(folder)!r}: {what} need the listeners' table data.csv beside the genres")
    votes, raters = _read_votes(listeners)
    if labels == "emotion":
        return make_tracks(found, _choose_emotions(votes), group_of)
    mood_of = {key: _choose_moods(counts, raters[key]) for key, counts in votes.items()}
    tracks = make_tracks(found, dict.fromkeys(mood_of, ""), group_of)
    return [dataclasses.replace(track, labels=mood_of[strip_suffix(track.name)]) for track in tracks]


def _read_votes(listeners: Path) -> tuple[dict[str, Counter[str]], Counter[str]]:
    """Read how many listeners chose each emotion of a track, and how many listeners it had."""
    votes: dict[str, Counter[str]] = {}
    raters: Counter[str] = Counter()
    id_of: dict[str, int] = {}
    for row in read_rows(listeners, ("track id", "genre", *EMOTIFY_EMOTIONS)):
        number = row.get_whole_number("track id")
        key = f"{row.get_text('genre').lower()}/{(number - 1) % 100 + 1}"
        if id_of.setdefault(key, number) != number:
            raise DatasetError(f"{row}: track ids {id_of[key]} and {number} both mean {key}")
        raters[key] += 1
        votes.setdefault(key, Counter()).update(_read_emotions(row))
    return votes, raters


def _count_moods(files: Sequence[Path]) -> list[Track]:
    """List the tracks of a table of votes; none where there is no such table or no track of it."""
    table = find_by_name(files, r"tracks\.csv")
    columns = ("path", "artist", "raters", *EMOTIFY_EMOTIONS)
    if table is None or not {*columns} <= {*read_columns(table)}:
        return []
    return [
        Track(
            table.parent / name,
            name,
            label="",
            group=normalise_name(row.get_text("artist")),
            labels=_choose_moods(_read_emotions(row), row.get_whole_number("raters")),
        )
        for row in read_rows(table, columns)
        if os.path.isfile(table.parent / (name := row.get_text("path")))
    ]


def _read_emotions(row: Row) -> dict[str, int]:
    return {emotion: row.get_whole_number(emotion) for emotion in EMOTIFY_EMOTIONS}


def _choose_moods(votes: Mapping[str, int], raters: int) -> tuple[str, ...]:
    """Choose the emotions that at least a quarter of a track's listeners chose."""
    return tuple(emotion for emotion in EMOTIFY_EMOTIONS if raters and votes[emotion] >= MIN_SHARE * raters)


def _choose_emotions(votes: Mapping[str, Counter[str]]) -> dict[str, str]:
    """Choose the emotion that most listeners chose, for each track that has one."""
    first: dict[str, str] = {}
    for key, counts in votes.items():
        (emotion, most), (_, second) = counts.most_common(2)
        if most > second:
            first[key] = emotion
    tracks = Counter(first.values())
    return {key: emotion for key, emotion in first.items() if tracks[emotion] >= MIN_TRACKS}


def _make_key(name: str) -> str:
    """Make one key from the names of both layouts: `rock/7.mp3` and `audio/rock_007.ogg` are `rock/7`."""
    match = re.fullmatch(rf"(?:.*/)?({'|'.join(GENRES)})[/_](\d{{1,3}})\.\w+", name, re.IGNORECASE | re.ASCII)
    return f"{match[1].lower()}/{int(match[2])}" if match else strip_suffix(name)


EMOTIFY = Dataset(
    name="emotify",
    title="Emotify",
    citation=(
        "A. Aljanaki, F. Wiering and R. C. Veltkamp, Studying emotion induced by music through a crowdsourcing "
        "game, Information Processing & Management 52(1), 2016"
    ),
    licence="Recordings of Magnatune, CC BY-NC-SA.",
    homepage="http://www2.projects.science.uu.nl/memotion/emotifydata",
    layout=(
        "<genre>/1.mp3 to 100.mp3 and data.csv; or genre.csv, emotion.csv and moods.csv beside the audio. 44,100 Hz."
    ),
    label_counts=dict.fromkeys(GENRES, 100),
    track_seconds=60.0,
    notes=(
        "Not in the paper. Its licence allows copies, so everyone can repeat results on it.",
        "By emotion it has 290 tracks: calmness 93, joyful_activation 86, tension 43, nostalgia 42, power 26.",
        "By moods it has all 400 tracks: of nine emotions those that at least a quarter of the listeners chose.",
        "The release names no artists: use a table with groups, to keep artists on one side of a split.",
    ),
    list_tracks=read_emotify,
    track_keys=tuple(f"{genre}/{number}" for genre in GENRES for number in range(1, 101)),
    make_key=_make_key,
)
