"""Emotify: 400 excerpts of four genres, with the emotions that listeners chose."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mcc_zoo.datasets.base import Dataset, DatasetError, Track, make_tracks, strip_suffix
from mcc_zoo.datasets.files import choose_one_per_key, filter_audio, find_by_name, list_files
from mcc_zoo.datasets.groups import normalise_name
from mcc_zoo.datasets.manifest import parse_manifest
from mcc_zoo.datasets.tables import read_rows

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
MIN_TRACKS = 20  # an emotion that is the first choice for fewer tracks is left out


def read_emotify(folder: Path | str, labels: Literal["genre", "emotion"] = "genre") -> list[Track]:
    """List Emotify, in either of two layouts.

    As released: one folder per genre, `classical/1.mp3` to `100.mp3`, and `data.csv` with one row for each listener and
    track (`track id`, `genre`, nine emotions as 0 or 1). It names no artists, so tracks have no groups, unless
    `tracks.csv` with the columns path and artist lies beside it. How track ids map to files is not documented: they are
    taken as a hundred per genre in the order of the files, so that ids 101 and 1 are each a `1.mp3`.

    As tables: `genre.csv` and `emotion.csv` with the columns path, label and group, beside the audio. Tables are used
    where both layouts exist.

    Args:
        folder: The folder of the genres or of the tables; the genres may be further down.
        labels: `genre`, or `emotion`: the one that most listeners chose. Tracks with two first choices are left out,
            and so are emotions that are the first choice for fewer than 20 tracks of the table.

    Returns:
        The labelled tracks on disk, by name (`classical/1.mp3`, or as the table has it).

    Raises:
        DatasetError: If no track is found, if two copies are, or if a table is missing or cannot be read.
    """
    folder = Path(folder)
    if labels not in ("genre", "emotion"):
        raise DatasetError(f"labels={labels!r}: choose 'genre' or 'emotion'")
    files = list_files(folder)
    if os.path.isfile(folder / f"{labels}.csv"):
        tracks = [track for track in parse_manifest(folder / f"{labels}.csv") if os.path.isfile(track.path)]
    else:
        tracks = _read_release(folder, files, labels)
    if not tracks:
        raise DatasetError(
            f"folder {str(folder)!r}: no Emotify track with a label of {labels} here; looked for classical/1.mp3 and "
            f"so on for {', '.join(GENRES)}, and for a table {labels}.csv with columns path and label"
        )
    return tracks


def _read_release(folder: Path, files: Sequence[Path], labels: str) -> list[Track]:
    """List the tracks of the layout as released."""
    found = choose_one_per_key(
        (f"{path.parent.name.lower()}/{int(path.stem)}", path)
        for path in filter_audio(files)
        if path.parent.name.lower() in GENRES and re.fullmatch(r"\d{1,3}", path.stem, re.ASCII)
    )
    label_of = {key: key.split("/")[0] for key in found}
    if labels == "emotion" and found:
        listeners = find_by_name(files, r"data\.csv")
        if listeners is None:
            raise DatasetError(f"folder {str(folder)!r}: emotions need the listeners' table data.csv beside the genres")
        label_of = _read_emotions(listeners)
    table = find_by_name(files, r"tracks\.csv")
    artists = read_rows(table, ("path", "artist")) if table is not None else []
    group_of = {_make_key(row.get_text("path")): normalise_name(row.get_text("artist")) for row in artists}
    return make_tracks(found, label_of, group_of)


def _read_emotions(listeners: Path) -> dict[str, str]:
    """Read the emotion that most listeners chose, for each track that has one."""
    votes: dict[str, Counter[str]] = {}
    id_of: dict[str, int] = {}
    for row in read_rows(listeners, ("track id", "genre", *EMOTIFY_EMOTIONS)):
        number = row.get_whole_number("track id")
        key = f"{row.get_text('genre').lower()}/{(number - 1) % 100 + 1}"
        if id_of.setdefault(key, number) != number:
            raise DatasetError(f"{row}: track ids {id_of[key]} and {number} both mean {key}")
        votes.setdefault(key, Counter()).update(
            {emotion: row.get_whole_number(emotion) for emotion in EMOTIFY_EMOTIONS}
        )
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
    layout="<genre>/1.mp3 to 100.mp3 and data.csv; or genre.csv and emotion.csv beside the audio. 44,100 Hz.",
    label_counts=dict.fromkeys(GENRES, 100),
    track_seconds=60.0,
    notes=(
        "Not in the paper. Its licence allows copies, so everyone can repeat results on it.",
        "By emotion it has 290 tracks: calmness 93, joyful_activation 86, tension 43, nostalgia 42, power 26.",
        "The release names no artists: use a table with groups, to keep artists on one side of a split.",
    ),
    list_tracks=read_emotify,
    track_keys=tuple(f"{genre}/{number}" for genre in GENRES for number in range(1, 101)),
    make_key=_make_key,
)
