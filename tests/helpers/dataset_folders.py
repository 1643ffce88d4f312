"""Tiny datasets in the layouts in which they go round, made by the tests that read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from mcc_zoo.datasets import Track

RATE = 8_000
FORMATS = {".au": "AU", ".wav": "WAV", ".mp3": "MP3", ".ogg": "OGG"}


def write_audio(path: Path, seconds: float = 0.11) -> Path:
    """A short sine, in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE)
    soundfile.write(path, wave, RATE, format=FORMATS[path.suffix.lower()])
    return path


def touch(folder: Path, *names: str) -> Path:
    """Empty files: listing opens no audio."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def write_table(path: Path, header: str, *rows: str, end: str = "\n", encoding: str = "utf-8") -> Path:
    """A CSV table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in (header, *rows)).encode(encoding))
    return path


def names(tracks: list[Track]) -> list[str]:
    """Names, in the order given."""
    return [track.name for track in tracks]


def groups(tracks: list[Track]) -> set[frozenset[str]]:
    """The names that stand together, whatever the groups are called."""
    together: dict[str, set[str]] = {}
    for track in tracks:
        if track.group:
            together.setdefault(track.group, set()).add(track.name)
    return {frozenset(members) for members in together.values()}


SET1 = "number,valence,energy,tension,anger,fear,happy,sad,tender,TARGET"
SET2 = "Number,Valence,Energy,Tension,Anger,Fear,Happy,Sad,Tender,Beauty,Liking,TARGET,soundtrack,link"
SET1_ROWS = (
    "001,5,5,5,6.00,6.00,1,1,1,ANGER",  # a tie: anger comes first
    "002,5,5,5,1,1.02,1.01,1,1,HAPPY",
    "003,5,5,5,1,1,5.17,1,5.17,TENDER",  # a tie: happy comes first
    "004,5,5,5,1,1,1,3.5,3.49,SAD",
    "005,5,5,5,1,1,1,3.5,9,TENDER",
)
SET2_ROWS = (
    "001,5,5,5,7,1,1,1,1,4,4,ANGER_HIGH,Film A,004",
    "002,5,5,5,1,1,1,1,7,4,4,TENDER_HIGH,Film B,004",
    '003,5,5,5,1,7,1,1,1,4,4,FEAR_HIGH,"Film, C",',
)
LABELS = ["anger", "fear", "happiness", "sadness", "tenderness", "anger", "tenderness", "fear"]
NAMES = [*(f"Set1/{n:03d}.mp3" for n in range(1, 6)), *(f"Set2/{n:03d}.mp3" for n in range(1, 4))]


def soundtracks_folder(folder: Path, audio: tuple[str, str] = ("Set1", "Set2"), albums: bool = False) -> Path:
    """Soundtracks with five and three excerpts."""
    touch(folder, *(f"{audio[0]}/{n:03d}.mp3" for n in range(1, 6)), *(f"{audio[1]}/{n:03d}.mp3" for n in range(1, 4)))
    write_table(folder / "mean_ratings_set1.csv", SET1, *SET1_ROWS, encoding="utf-8-sig")
    write_table(folder / "mean_ratings_set2.csv", SET2, *SET2_ROWS, end="\r\n", encoding="utf-8-sig")
    if albums:
        header = "Nro,Emotion,Album name,Track,Min:Sec"
        one = ("001,Happy,Film A,6,02:02-02:17", "002,Happy,Pride and Prejudice,2,01:54-02:07", "003,Happy,film a ,1,")
        two = ("003,Fear,Pride Prejudice,8,04:15-04:29", "001,Anger,Film Z,8,", "002,Sad,,8,")
        write_table(folder / "set1_tracklist.csv", header, *one)
        write_table(folder / "set2_tracklist.csv", header, *two)
    return folder
