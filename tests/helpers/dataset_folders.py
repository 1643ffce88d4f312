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


CLIPS = {  # of MagnaTagATune: clip: artist, tags
    "0/ann-one-01-a-0-29.mp3": ("Ann", "guitar slow no_voice"),
    "0/ann-one-01-a-30-59.mp3": ("ANN", "guitar"),
    "3/bob-two-02-b-0-29.mp3": ("Bob", "slow guitar"),
    "b/cid-six-03-c-0-29.mp3": ("Cid", ""),
    "c/ann-ten-04-d-0-29.mp3": ("Ann", "slow no_voice"),
    "d/dan-xi-05-e-0-29.mp3": ("Dan", "guitar harp"),
    "f/eve-v-06-f-0-29.mp3": ("Eve & Co.", "slow"),
}


def magnatagatune_folder(folder: Path, audio: str = "mp3/", artists: bool = True, rare: int = 0) -> Path:
    """MagnaTagATune with seven clips and five tags, one of which no clip has; every cell in quotes, as published.

    The last clip has so many `rare` tags besides, `x 01` and so on.
    """
    tags = ["no voice", "guitar", "harp", "slow", "singer", *(f"x {number:02}" for number in range(1, rare + 1))]
    lines = [["clip_id", *tags, "mp3_path"]]
    info = ["clip_id\ttrack_number\ttitle\tartist\talbum\turl\tsegmentStart\tsegmentEnd\toriginal_url\tmp3_path"]
    for number, (clip, (artist, own)) in enumerate(CLIPS.items(), start=2):
        touch(folder, f"{audio}{clip}")
        has = {tag.replace("_", " ") for tag in own.split()} | (set(tags[5:]) if clip == list(CLIPS)[-1] else set())
        lines.append([str(number), *(str(int(tag in has)) for tag in tags), clip])
        info.append(f'"{number}"\t"1"\tA "quoted" title\t"{artist}"\t"One"\t""\t"0"\t"29"\t""\t"{clip}"')
    info.append('"99"\t"1"\t"Not cut"\t"Fay"\t"One"\t""\t"0"\t"29"\t""\t""')  # many clips were never made
    write_table(folder / "annotations_final.csv", *("\t".join(f'"{cell}"' for cell in line) for line in lines))
    if artists:
        write_table(folder / "clip_info_final.csv", *info)
    return folder


JAMENDO_HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
JAMENDO = {  # of MTG-Jamendo: path: artist, tags
    "00/1100.mp3": ("artist_000014", "genre---rock mood/theme---happy"),
    "14/214.mp3": ("artist_000014", "genre---rock instrument---guitar"),
    "15/215.mp3": ("artist_000005", "instrument---guitar genre---folk mood/theme---happy"),
    "16/216.mp3": ("artist_000006", "genre---folk"),
    "19/1376219.mp3": ("artist_000007", "genre---rock genre---odd"),
}


def jamendo_table(path: Path, *tracks: str, left_out: str = "") -> Path:
    """A table of these tracks; a tag takes a cell, so that lines differ in length."""
    rows = []
    for name in tracks:
        artist, tags = JAMENDO[name]
        own = "\t".join(tag for tag in tags.split() if tag != left_out)
        rows.append(f"track_{int(Path(name).stem):07}\t{artist}\talbum_000031\t{name}\t151.4\t{own}")
    return write_table(path, JAMENDO_HEADER, *rows)


def jamendo_folder(folder: Path, audio: str = "audio/", suffix: str = ".mp3") -> Path:
    """MTG-Jamendo with five tracks, and its split 2, which leaves out a rare tag."""
    touch(folder, *(f"{audio}{name.removesuffix('.mp3')}{suffix}" for name in JAMENDO))
    jamendo_table(folder / "data/autotagging.tsv", *JAMENDO)
    jamendo_table(folder / "data/autotagging_top50tags.tsv", *list(JAMENDO)[:4])
    parts = {"train": ("00/1100.mp3", "15/215.mp3", "14/214.mp3"), "validation": ("16/216.mp3",)}
    for part, own in {**parts, "test": ("19/1376219.mp3",)}.items():
        jamendo_table(folder / f"data/splits/split-2/autotagging-{part}.tsv", *own, left_out="genre---odd")
        jamendo_table(folder / f"data/splits/split-3/autotagging-{part}.tsv", *own)
    return folder
