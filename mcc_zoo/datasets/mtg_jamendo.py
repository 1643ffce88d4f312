"""MTG-Jamendo: 55,609 whole tracks with tags of genre, instrument, and mood or theme, from those who uploaded them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mcc_zoo.datasets.base import Dataset, DatasetError, Track, strip_suffix
from mcc_zoo.datasets.files import choose_one_per_key, filter_audio, find_by_name, list_files
from mcc_zoo.datasets.tables import read_text

TABLES = {  # tags: how the names of their tables begin
    "top50tags": "autotagging_top50tags",
    "genre": "autotagging_genre",
    "instrument": "autotagging_instrument",
    "moodtheme": "autotagging_moodtheme",
    "all": "autotagging",
}
PARTS = {"train": "train", "valid": "validation", "test": "test"}  # part: how its tables end
SPLIT_COUNT = 5
COLUMNS = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]


def read_mtg_jamendo(folder: Path | str, tags: str = "top50tags", split: int | None = None) -> list[Track]:
    """List MTG-Jamendo: the tables `autotagging*.tsv` and the audio, such as `56/1376256.mp3` or `56/1376256.low.mp3`.

    The tracks of one artist are a group. Labels are called as in the tables: `genre---rock`, `instrument---guitar`,
    `mood/theme---happy`.

    Args:
        folder: The folder that holds the tables and the audio; they may be further down.
        tags: `top50tags`, `genre`, `instrument`, `moodtheme` or `all`.
        split: One of the five published splits, 0 to 4: only its tracks, with the tags that all five have in each part.
            By default the tracks and tags of `autotagging*.tsv`, some of which are in no split.

    Returns:
        The tracks on disk, in the order of the tables. A track's name is its path in them (`56/1376256.mp3`).

    Raises:
        DatasetError: If no track is found, if two copies are, if a table is missing or cannot be read, or if there are
            no such tags or split.
    """
    return [track for track in list_mtg_jamendo(folder, tags, split) if os.path.isfile(track.path)]


def list_mtg_jamendo(folder: Path | str, tags: str = "all", split: int | None = None) -> list[Track]:
    """List the tracks as `read_mtg_jamendo` does, whether or not they are on disk."""
    folder = Path(folder)
    files = list_files(folder)
    audio = (path for path in filter_audio(files) if re.fullmatch(r"\d+(\.low)?", path.stem, re.ASCII))
    found = choose_one_per_key((f"{path.parent.name}/{path.stem.removesuffix('.low')}", path) for path in audio)
    tables = _find_tables(folder, files, tags, split)
    if not found:
        raise DatasetError(
            f"folder {str(folder)!r}: no audio of MTG-Jamendo here; looked for files like 56/1376256.mp3 or "
            f"56/1376256.low.mp3. Give the folder that holds the tables and the audio"
        )
    tracks: dict[str, Track] = {}
    for table in tables.values():
        for name, artist, labels in _read_table(table):
            if name in tracks:
                raise DatasetError(f"{table}: {name} has a row already; a track belongs in one part of a split, once")
            path = found.get(strip_suffix(name), folder / name)
            tracks[name] = Track(path, name, label="", group=artist, labels=labels)
    return list(tracks.values())


def read_mtg_jamendo_split(folder: Path | str, tags: str = "top50tags", split: int = 0) -> dict[str, list[str]]:
    """Read one of the five published splits.

    Args:
        folder: As for `read_mtg_jamendo`.
        tags: As for `read_mtg_jamendo`.
        split: 0 to 4.

    Returns:
        The names of the tracks of each part, `train`, `valid` and `test`, on disk or not: lists for
        `mcc_zoo.datasets.fixed_splits.write_lists`.

    Raises:
        DatasetError: If a table is missing or cannot be read, or if there are no such tags or split.
    """
    folder = Path(folder)
    tables = _find_tables(folder, list_files(folder), tags, split)
    return {part: [name for name, _, _ in _read_table(table)] for part, table in tables.items()}


def _find_tables(folder: Path, files: Sequence[Path], tags: str, split: int | None) -> Mapping[str, Path]:
    """Find the table of these tags, or its three parts in a split, by part."""
    if tags not in TABLES:
        raise DatasetError(f"tags={tags!r} is not known: choose one of {', '.join(TABLES)}")
    if split not in (None, *range(SPLIT_COUNT)):
        raise DatasetError(f"split={split}: MTG-Jamendo has the splits 0 to {SPLIT_COUNT - 1}")
    names = {"": f"{TABLES[tags]}.tsv"}
    if split is not None:
        files = [path for path in files if path.parent.name == f"split-{split}"]
        names = {part: f"{TABLES[tags]}-{end}.tsv" for part, end in PARTS.items()}
    tables = {part: find_by_name(files, re.escape(name)) for part, name in names.items()}
    if lacking := [names[part] for part, table in tables.items() if table is None]:
        where = "" if split is None else f"split-{split}/"
        raise DatasetError(
            f"folder {str(folder)!r}: no MTG-Jamendo here; looked for the table {where}{lacking[0]}, which is in the "
            f"folder data of the dataset's repository. Give the folder that holds the tables and the audio"
        )
    return {part: table for part, table in tables.items() if table is not None}


def _read_table(table: Path) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield path, artist and labels of each row; the last column goes on to the end of the line, a tag in each cell."""
    header, *lines = read_text(table).splitlines() or [""]
    if header.split("\t") != COLUMNS:
        raise DatasetError(f"{table}: its columns are not {', '.join(COLUMNS)}, separated by tabs, but {header[:80]!r}")
    for number, line in enumerate(lines, start=2):
        cells = [cell.strip() for cell in line.split("\t")]
        if not any(cells):
            continue
        if not re.fullmatch(r"\d+/\d+\.mp3", "".join(cells[3:4]), re.ASCII):
            raise DatasetError(f"{table}: row {number} has no path such as 56/1376256.mp3 in its fourth cell")
        yield cells[3], cells[1], tuple(dict.fromkeys(tag for tag in cells[5:] if tag))


MTG_JAMENDO = Dataset(
    name="mtg_jamendo",
    title="MTG-Jamendo",
    citation=(
        "D. Bogdanov, M. Won, P. Tovstogan, A. Porter and X. Serra, The MTG-Jamendo dataset for automatic music "
        "tagging, Machine Learning for Music Discovery Workshop, International Conference on Machine Learning "
        "(ICML), 2019"
    ),
    licence="Creative Commons, another one for each track (audio_licenses.txt); tables CC BY-NC-SA 4.0.",
    homepage="https://github.com/MTG/mtg-jamendo-dataset",
    layout=(
        "autotagging.tsv and others (the folder data of its repository), 00/*.mp3 to 99/*.mp3, or *.low.mp3 of the "
        "smaller version. 44,100 Hz."
    ),
    label_counts={},
    track_seconds=224.0,
    notes=(
        "Not in the paper. 195 tags; the 50 most frequent, genre, instrument, and mood or theme are usual subsets.",
        "The audio has 55,701 tracks, 55,609 of which have one of the 195 tags (autotagging.tsv).",
        "The five published splits leave out tags that not all of them have: 183 tags and 55,525 tracks remain.",
        "Tags are the uploaders': a track lacks tags that would apply to it.",
    ),
    list_tracks=list_mtg_jamendo,
    total=55_609,
)
