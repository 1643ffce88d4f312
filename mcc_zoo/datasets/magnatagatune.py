"""MagnaTagATune: 25,863 clips of 29 seconds with the tags that players of a game agreed on."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mcc_zoo.datasets.base import Dataset, DatasetError, DatasetWarning, Track, strip_suffix
from mcc_zoo.datasets.files import choose_one_per_key, filter_audio, find_by_name, list_files
from mcc_zoo.datasets.groups import normalise_name
from mcc_zoo.datasets.tables import iterate_rows

PARTS = {**dict.fromkeys("0123456789ab", "train"), "c": "valid", **dict.fromkeys("def", "test")}  # folder: part
EMPTY_CLIPS = (
    "6/norine_braun-now_and_zen-08-gently-117-146",
    "8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233",
    "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_couperin-88-117",
)


def read_magnatagatune(folder: Path | str, tags: int = 50) -> list[Track]:
    """List MagnaTagATune: `0/*.mp3` to `f/*.mp3` with `annotations_final.csv`.

    Clips of one artist are a group. The artists are in `clip_info_final.csv`; where it is missing, a `DatasetWarning`
    says so and tracks have no groups.

    Args:
        folder: The folder that holds the clips and the tables; they may be further down.
        tags: How many tags are labels: the most frequent ones of the whole table, so that the labels are the same
            whatever clips are on the disk. A clip that has none of them stays, without a label.

    Returns:
        The clips on disk that the table names, in its order. A track's name is its path in the table.

    Raises:
        DatasetError: If no clip or table is found, if two copies are, if a table cannot be read, or if there are not so
            many tags.
    """
    return [track for track in list_magnatagatune(folder, tags) if os.path.isfile(track.path)]


def list_magnatagatune(folder: Path | str, tags: int = 50) -> list[Track]:
    """List the clips as `read_magnatagatune` does, whether or not they are on disk."""
    folder = Path(folder)
    files = list_files(folder)
    found = choose_one_per_key(
        (f"{path.parent.name}/{path.stem}", path) for path in filter_audio(files) if path.parent.name in PARTS
    )
    table = find_by_name(files, r"annotations_final\.csv")
    if table is None or not found:
        raise DatasetError(
            f"folder {str(folder)!r}: no MagnaTagATune here; looked for annotations_final.csv and for folders 0 to f "
            f"with clips (the three parts of mp3.zip, joined and unpacked). Give the folder that holds both"
        )
    artists = _read_artists(folder, files)
    return [
        Track(found.get(strip_suffix(name), folder / name), name, label="", group=artists.get(clip, ""), labels=labels)
        for name, clip, labels in _read_annotations(table, tags)
    ]


def split_magnatagatune(tracks: Sequence[Track]) -> dict[str, list[str]]:
    """Split the clips by their folder, as is usual: 0 to b train, c validates, d to f test.

    Args:
        tracks: The dataset.

    Returns:
        The names of the tracks of each part, `train`, `valid` and `test`: lists for
        `mcc_zoo.datasets.fixed_splits.write_lists`.
    """
    names: dict[str, list[str]] = {part: [] for part in PARTS.values()}
    for track in tracks:
        names[PARTS[track.name[0]]].append(track.name)
    return names


def _read_annotations(table: Path, tags: int) -> list[tuple[str, str, tuple[str, ...]]]:
    """Read path, clip number and labels of each clip."""
    clips: dict[str, tuple[str, tuple[str, ...]]] = {}
    for row in iterate_rows(table, ("clip_id", "mp3_path"), separator="\t"):
        cells = dict(row.cells)
        name, clip = cells.pop("mp3_path", ""), cells.pop("clip_id", "")
        if not re.fullmatch(r"[0-9a-f]/[^/]+\.mp3", name) or name in clips:
            raise DatasetError(f"{row}: mp3_path {name!r} is not the path of another clip, such as f/name-0-29.mp3")
        if wrong := [tag for tag, cell in cells.items() if cell not in ("0", "1")]:
            raise DatasetError(f"{row}: {wrong[0]} is {cells[wrong[0]]!r}, not 0 or 1")
        clips[name] = clip, tuple(tag for tag, cell in cells.items() if cell == "1")
    counts = Counter(tag for _, own in clips.values() for tag in own)
    if not 2 <= tags <= len(counts):
        raise DatasetError(f"tags={tags}: {table} has {len(counts)} tags; give 2 to {len(counts)}")
    kept = set(sorted(counts, key=lambda tag: (-counts[tag], tag))[:tags])
    return [(name, clip, tuple(tag for tag in own if tag in kept)) for name, (clip, own) in clips.items()]


def _read_artists(folder: Path, files: Sequence[Path]) -> dict[str, str]:
    """Read the artist of each clip, by its number."""
    table = find_by_name(files, r"clip_info_final\.csv")
    if table is None:
        text = (
            f"folder {str(folder)!r}: no clip_info_final.csv, so the artists are unknown, and a random split has the "
            f"clips of one recording on both sides"
        )
        warnings.warn(text, DatasetWarning, stacklevel=4)
        return {}
    rows = iterate_rows(table, ("clip_id", "artist"), separator="\t")
    return {row.get_text("clip_id"): normalise_name(row.get_text("artist")) for row in rows}


MAGNATAGATUNE = Dataset(
    name="magnatagatune",
    title="MagnaTagATune",
    citation=(
        "E. Law, K. West, M. Mandel, M. Bay and J. S. Downie, Evaluation of algorithms using games: the case of music "
        "tagging, International Society for Music Information Retrieval Conference (ISMIR), 2009"
    ),
    licence="Recordings of Magnatune and their tags, CC BY-NC-SA.",
    homepage="https://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset",
    layout=(
        "0/*.mp3 to f/*.mp3 (the three parts of mp3.zip, joined and unpacked), annotations_final.csv and, for the "
        "artists, clip_info_final.csv. 16,000 Hz, mono, 32 kbit/s."
    ),
    label_counts={},
    track_seconds=29.0,
    notes=(
        "Not in the paper. 188 tags, of which the 50 most frequent are usual.",
        "Three clips are empty files in the usual copy, which leaves 25,860; report that with the score.",
        "By folder (0 to b train, c validates, d to f test) albums are kept together, but not artists.",
        "Some tags mean the same (no vocals, no vocal, no voice), and a clip lacks tags that would apply to it.",
        "Clips that have none of the chosen tags count as clips without a label; some papers leave them out.",
    ),
    list_tracks=list_magnatagatune,
    known_faults=EMPTY_CLIPS,
    total=25_863,
)
