"""Soundtracks: 470 excerpts of film music, rated for five emotions."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mcc_zoo.datasets.base import Dataset, DatasetError, DatasetWarning, Track, make_tracks
from mcc_zoo.datasets.files import choose_one_per_key, filter_audio, find_by_name, list_files
from mcc_zoo.datasets.groups import merge_pairs, normalise_name
from mcc_zoo.datasets.tables import read_rows

# Column of the rating tables: label; ties go to the first.
LABELS = {"anger": "anger", "fear": "fear", "happy": "happiness", "sad": "sadness", "tender": "tenderness"}
SETS = {1: 360, 2: 110}  # set: number of excerpts
MISSPELT_ALBUMS = {"the portait of a lady": "the portrait of a lady", "pride prejudice": "pride and prejudice"}


def read_soundtracks(folder: Path | str) -> list[Track]:
    """List Soundtracks: `Set1/001.mp3` to `360.mp3`, `Set2/001.mp3` to `110.mp3`, with their rating tables.

    The folders may also be called `set1/mp3/Soundtrack360_mp3` and the like. The rating tables
    (`mean_ratings_set1.csv` and `mean_ratings_set2.csv`, or Excel) may lie anywhere in the folder.

    A track's label is the highest of its five mean ratings of emotion. Nine tracks of Set 1 have two highest ratings;
    the first of anger, fear, happy, sad, tender counts, which gives exactly the paper's counts.

    Every excerpt of Set 2 is linked to one of Set 1 with the same music, and many albums have several excerpts. Tracks
    that are connected by links or albums are a group. The albums are in `set1_tracklist.csv` and `set2_tracklist.csv`;
    where these are missing, a `DatasetWarning` says so and the links alone make the groups.

    Args:
        folder: The folder of both sets.

    Returns:
        The tracks that are on disk and rated, by name (`Set1/001.mp3`).

    Raises:
        DatasetError: If no track is found, if two copies are, or if a rating table is missing or cannot be read.
    """
    folder = Path(folder)
    files = list_files(folder)
    found = choose_one_per_key(_find_excerpts(folder, files))
    if not found:
        raise DatasetError(
            f"folder {str(folder)!r}: no Soundtracks here; looked for Set1/001.mp3 to 360.mp3 and Set2/001.mp3 to "
            f"110.mp3 (or set1/mp3/Soundtrack360_mp3/001.mp3). Give the folder that holds both sets"
        )
    label_of: dict[str, str] = {}
    pairs: list[tuple[str, str]] = []
    for number in SETS:
        if any(key.startswith(f"Set{number}/") for key in found):
            labels, links = _read_ratings(folder, files, number)
            label_of |= labels
            pairs += links + _read_albums(folder, files, number)
    tracks = make_tracks(found, label_of, merge_pairs(pairs))
    if not tracks:
        raise DatasetError(f"folder {str(folder)!r}: the rating tables rate none of the tracks found")
    return tracks


def _find_excerpts(folder: Path, files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the key and path of each numbered file; the nearest folder above that names a set gives the set."""
    for path in filter_audio(files):
        if not re.fullmatch(r"\d{1,3}", path.stem, re.ASCII):
            continue
        above = [folder.resolve().name, *path.relative_to(folder).parts[:-1]]
        sets = (
            number
            for name in reversed(above)
            for number, size in SETS.items()
            if re.fullmatch(rf"set[ _-]?{number}|soundtracks?{size}.*", name, re.IGNORECASE)
        )
        if (number := next(sets, None)) is not None:
            yield f"Set{number}/{int(path.stem):03d}", path


def _read_ratings(folder: Path, files: Sequence[Path], number: int) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Read the label of each rated track of a set, and the links to Set 1."""
    path = find_by_name(files, rf"mean_ratings_set{number}_?\.(csv|xlsx?)")
    if path is None:
        raise DatasetError(
            f"folder {str(folder)!r}: Set{number} has no ratings; put mean_ratings_set{number}.csv beside its audio"
        )
    labels: dict[str, str] = {}
    links: list[tuple[str, str]] = []
    for row in read_rows(path, ("number", *LABELS)):
        key = f"Set{number}/{row.get_whole_number('number'):03d}"
        if key in labels:
            raise DatasetError(f"{row} rates {key} a second time; keep one row per track")
        labels[key] = LABELS[max(LABELS, key=row.get_number)]
        if row.get_text("link"):
            links.append((key, f"Set1/{row.get_whole_number('link'):03d}"))
    return labels, links


def _read_albums(folder: Path, files: Sequence[Path], number: int) -> list[tuple[str, str]]:
    """Read the album of each track of a set."""
    path = find_by_name(files, rf"set{number}_tracklist\.(csv|xlsx?)")
    if path is None:
        text = (
            f"folder {str(folder)!r}: no set{number}_tracklist.csv, so the albums of Set{number} are unknown; its "
            f"tracks are grouped by the links from Set 2 to Set 1 alone, and a split may have an album on both sides"
        )
        warnings.warn(text, DatasetWarning, stacklevel=3)
        return []
    named = [row for row in read_rows(path, ("nro", "album name")) if row.get_text("album name")]
    albums = [(row.get_whole_number("nro"), normalise_name(row.get_text("album name"))) for row in named]
    return [(f"Set{number}/{track:03d}", f"Album {MISSPELT_ALBUMS.get(album, album)}") for track, album in albums]


SOUNDTRACKS = Dataset(
    name="soundtracks",
    title="Soundtracks",
    citation=(
        "T. Eerola and J. K. Vuoskoski, A comparison of the discrete and dimensional models of emotion in music, "
        "Psychology of Music 39(1), 2011"
    ),
    licence="For academic research; excerpts of commercial film soundtracks.",
    homepage="https://osf.io/p6vkg/",
    layout=(
        "Set1/001.mp3 to 360.mp3 and Set2/001.mp3 to 110.mp3 (also set1/mp3/Soundtrack360_mp3), with "
        "mean_ratings_set1.csv, mean_ratings_set2.csv and, for the albums, set1_tracklist.csv, set2_tracklist.csv."
    ),
    label_counts={"anger": 61, "fear": 116, "happiness": 89, "sadness": 108, "tenderness": 96},
    track_seconds=15.0,
    notes=(
        "The music of every excerpt of Set 2 is in Set 1 too: a random split has it on both sides.",
        "Nine tracks of Set 1 have two highest ratings; the first of anger, fear, happy, sad, tender counts.",
    ),
    list_tracks=read_soundtracks,
    track_keys=tuple(f"Set{one}/{number:03d}" for one, size in SETS.items() for number in range(1, size + 1)),
)
