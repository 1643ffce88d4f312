"""GTZAN: a thousand excerpts of ten genres."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from mcc_zoo.datasets.base import Dataset, DatasetError, Track, make_tracks, strip_suffix
from mcc_zoo.datasets.files import choose_one_per_key, filter_audio, find_by_name, list_files
from mcc_zoo.datasets.groups import normalise_name
from mcc_zoo.datasets.tables import read_text

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
ARTIST_INDEX = "GTZANindex.txt"


def read_gtzan(folder: Path | str, artists: Path | str | None = None) -> list[Track]:
    """List GTZAN: `<genre>/<genre>.00000.au`, or another audio format, under `genres` or `genres_original`.

    Args:
        folder: The folder of the genres, or one above it.
        artists: Sturm's artist index, lines of `file ::: artist ::: title`; artists become groups. By default
            GTZANindex.txt in or beside the folder, if it exists. Tracks of unknown artist have no group.

    Returns:
        The tracks on disk, by name (`blues/blues.00000.wav`).

    Raises:
        DatasetError: If no track is found, if two copies are, or if the index cannot be read.
    """
    folder = Path(folder)
    files = list_files(folder)
    pattern = re.compile(rf"({'|'.join(GENRES)})\.\d{{5}}", re.IGNORECASE)
    found = choose_one_per_key(
        (f"{path.parent.name}/{path.stem}".lower(), path)
        for path in filter_audio(files)
        if (match := pattern.fullmatch(path.stem)) and match[1].lower() == path.parent.name.lower()
    )
    if not found:
        raise DatasetError(
            f"folder {str(folder)!r}: no GTZAN here; looked for genre folders ({', '.join(GENRES)}) that hold files "
            f"like blues/blues.00000.au or .wav. Give the folder called genres or genres_original, or the one above"
        )
    if artists is None:
        artists = find_by_name([*files, folder.resolve().parent / ARTIST_INDEX], re.escape(ARTIST_INDEX))
    group_of = _read_artist_index(Path(artists), found) if artists is not None else {}
    return make_tracks(found, {key: key.split("/")[0] for key in found}, group_of)


def _read_artist_index(path: Path, found: Mapping[str, Path]) -> dict[str, str]:
    """Read the group of each track; empty where the index does not know its artist."""
    groups: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("##"):
            continue
        file, *rest = (cell.strip() for cell in line.split(":::"))
        if not rest:
            raise DatasetError(f"{path}: line {number} is {line!r}, not 'file ::: artist ::: title'")
        groups[f"{file.split('.')[0]}/{strip_suffix(file)}".lower()] = normalise_name(rest[0])
    if not groups.keys() & found.keys():
        raise DatasetError(f"{path}: names none of the tracks found; GTZAN's index names files like blues.00000.wav")
    return groups


GTZAN = Dataset(
    name="gtzan",
    title="GTZAN",
    citation=(
        "G. Tzanetakis and P. Cook, Musical genre classification of audio signals, IEEE Transactions on Speech and "
        "Audio Processing 10(5), 2002"
    ),
    licence="None stated; excerpts of commercial recordings, shared for research.",
    homepage="http://marsyas.info/downloads/datasets.html",
    layout="genres/<genre>/<genre>.00000.au to 00099; also .wav, also under genres_original. 22,050 Hz, mono.",
    label_counts=dict.fromkeys(GENRES, 100),
    track_seconds=30.0,
    notes=(
        "In most copies jazz.00054 does not decode, which leaves 999 tracks; report that with the score.",
        "Many artists have several tracks: with Sturm's GTZANindex.txt a split keeps each artist on one side.",
        "Copies, distortions and doubtful labels are known (Sturm 2012); a manifest can leave them out.",
    ),
    list_tracks=read_gtzan,
    track_keys=tuple(f"{genre}/{genre}.{number:05d}" for genre in GENRES for number in range(100)),
    known_faults=("jazz/jazz.00054",),
)
