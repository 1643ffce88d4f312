"""Ballroom: 698 excerpts of eight dances."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from mcc_zoo.datasets.base import Dataset, DatasetError, Track, make_tracks
from mcc_zoo.datasets.files import choose_one_per_key, filter_audio, list_files
from mcc_zoo.datasets.groups import merge_pairs

RUMBAS = (
    "Rumba",
    "Rumba-American",
    "Rumba-International",
    "Rumba-Misc",
)  # the first: the others merged
DANCES = {  # folder: label
    **{dance: dance for dance in ("ChaChaCha", "Jive", "Quickstep", "Samba", "Tango", "VienneseWaltz", "Waltz")},
    **dict.fromkeys(RUMBAS, "Rumba"),
}
REPLICAS = (  # Sturm 2014: four files are copies of another, nine are of the same recording as another
    ("Quickstep/Albums-AnaBelen_Veneo-11", "Quickstep/Albums-Chrisanne2-12", "exact"),
    ("ChaChaCha/Albums-Fire-08", "Samba/Albums-Fire-09", "exact"),  # one file under two labels
    ("ChaChaCha/Albums-Latin_Jam2-05", "ChaChaCha/Albums-Latin_Jam2-13", "exact"),
    ("Waltz/Albums-Secret_Garden-01", "Waltz/Media-104705", "exact"),
    ("Rumba-International/Albums-AnaBelen_Veneo-03", "Rumba-International/Albums-AnaBelen_Veneo-15", "recording"),
    ("Waltz/Albums-Ballroom_Magic-03", "Waltz/Albums-Ballroom_Magic-18", "recording"),
    ("ChaChaCha/Albums-Latin_Jam-04", "ChaChaCha/Albums-Latin_Jam-13", "recording"),
    ("Rumba-International/Albums-Latin_Jam-08", "Rumba-International/Albums-Latin_Jam-14", "recording"),
    ("Samba/Albums-Latin_Jam-06", "Samba/Albums-Latin_Jam-15", "recording"),
    ("Samba/Albums-Latin_Jam2-02", "Samba/Albums-Latin_Jam2-14", "recording"),
    ("Rumba-International/Albums-Latin_Jam2-07", "Rumba-International/Albums-Latin_Jam2-15", "recording"),
    ("ChaChaCha/Albums-Latin_Jam3-02", "ChaChaCha/Media-103414", "recording"),
    ("ChaChaCha/Media-103402", "ChaChaCha/Media-103415", "recording"),
)


def read_ballroom(folder: Path | str) -> list[Track]:
    """List Ballroom: `<dance>/Albums-*.wav` and `<dance>/Media-*.wav`, under `BallroomData` or `B_1.0/audio`.

    The three Rumba folders are one label. Other folders (`nada`, `Pasodoble`) are ignored. The replicas that
    Sturm found are groups; all other tracks have none.

    Args:
        folder: The folder of the dances, or one above it.

    Returns:
        The tracks on disk, by name (`Rumba-Misc/Media-103901.wav`).

    Raises:
        DatasetError: If no track is found, or if two copies are.
    """
    folder = Path(folder)
    folder_names = {name.lower(): name for name in DANCES}
    found = choose_one_per_key(
        (f"{folder_names[path.parent.name.lower()]}/{path.stem}", path)
        for path in filter_audio(list_files(folder))
        if path.parent.name.lower() in folder_names and re.fullmatch(r"Albums-.+-\d+|Media-\d+", path.stem)
    )
    if not found:
        raise DatasetError(
            f"folder {str(folder)!r}: no Ballroom here; looked for dance folders ({', '.join(DANCES)}) that hold files "
            f"like Waltz/Media-105901.wav. Give the folder called BallroomData or audio, or the one above"
        )
    # By file name alone, as the three Rumba folders may have been merged; file names are unique.
    group_of = merge_pairs((PurePosixPath(one).name, PurePosixPath(other).name) for one, other, _ in REPLICAS)
    parts = {key: key.split("/") for key in found}
    return make_tracks(
        found,
        {key: DANCES[dance] for key, (dance, _) in parts.items()},
        {key: group_of.get(file, "") for key, (_, file) in parts.items()},
    )


BALLROOM = Dataset(
    name="ballroom",
    title="Ballroom",
    citation=(
        "F. Gouyon, A. Klapuri, S. Dixon, M. Alonso, G. Tzanetakis, C. Uhle and P. Cano, An experimental "
        "comparison of audio tempo induction algorithms, IEEE Transactions on Audio, Speech, and Language "
        "Processing 14(5), 2006"
    ),
    licence="None stated; excerpts of commercial recordings from BallroomDancers.com, shared for research.",
    homepage="http://mtg.upf.edu/ismir2004/contest/tempoContest/node5.html",
    layout="BallroomData/<dance>/<name>.wav, or B_1.0/audio/<dance>/<name>.wav. 44,100 Hz. Rumba in three folders.",
    label_counts={
        "ChaChaCha": 111,
        "Jive": 60,
        "Quickstep": 82,
        "Rumba": 98,
        "Samba": 86,
        "Tango": 86,
        "VienneseWaltz": 65,
        "Waltz": 110,
    },
    track_seconds=30.0,
    notes=(
        "Rumba is three folders: International 51, Misc 40, American 7.",
        "Four files are copies of another and nine are of the same recording as another (Sturm 2014): groups.",
        "One of the copied files has two labels, ChaChaCha and Samba: no system can get both right.",
    ),
    list_tracks=read_ballroom,
)
