"""A corpus in which only the order of sections tells the classes apart: what an LSTM over a track is for.

Every song has two sections, A and B, and stands in the corpus once in each order of two As and two Bs. So the tracks of
a song hold the very same chunks, and whatever looks at chunks one by one, or at their mean, is at chance.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcc_zoo.demo_corpus.bands import draw_band
from mcc_zoo.demo_corpus.composition import DemoCorpusError
from mcc_zoo.demo_corpus.dances import DANCES
from mcc_zoo.demo_corpus.files import Progress, Settings, Track, write_corpus
from mcc_zoo.demo_corpus.sounds import synthesise
from mcc_zoo.paper import FrontEnd

ORDERS = ("AABB", "ABAB", "ABBA", "BAAB", "BABA", "BBAA")
SECTIONS = {"A": "Waltz", "B": "Samba"}  # all As of the corpus are of one kind, else no order could be learnt
SECTION_CHUNKS = 2
VERSION = 1


def make_structure(folder: Path, *, songs: int = 40, seed: int = 0, progress: Progress | None = None) -> Path:
    """Make the structure corpus, or keep it where it is already there.

    Writes `folder/audio/ORDER/NAME.flac`, `folder/manifest.csv` (path, label, group; a song is a group) and
    `folder/corpus.json`. The same settings give the same samples.

    Args:
        folder: Where the corpus goes; new, empty, or holding this corpus.
        songs: Pairs of sections; each gives a track of every order in `ORDERS`.
        seed: 0 or more; another seed gives other music.
        progress: Called with files done and files in all, after each file.

    Returns:
        The path of the manifest.

    Raises:
        DemoCorpusError: When an argument is out of its range, or the folder holds anything else.
        OSError: When the disk refuses a file.
    """
    for name, value, least in (("songs", songs, 1), ("seed", seed, 0)):
        if type(value) is not int or value < least:
            raise DemoCorpusError(f"{name}={value!r}: give a whole number of {least} or more")
    front_end = FrontEnd()
    rate, length = front_end.sample_rate, SECTION_CHUNKS * front_end.chunk_hop
    tracks = [
        Track(f"audio/{order}/song-{song:03d}.flac", order, f"song-{song:03d}", 4 * length / rate, rate, 1)
        for song in range(songs)
        for order in ORDERS
    ]

    def play(number: int) -> np.ndarray:
        song, order = divmod(number, len(ORDERS))
        sections = {name: section(seed, song, name, front_end) for name in SECTIONS}
        whole = [sections[name] for name in ORDERS[order]]
        return np.concatenate([*whole, np.zeros(front_end.window_length - front_end.hop_length, np.float32)])

    settings: Settings = {"corpus": "structure", "version": VERSION, "songs": songs, "seed": seed}
    return write_corpus(folder, tracks, play, settings, progress=progress)


def section(seed: int, song: int, name: str, front_end: FrontEnd) -> np.ndarray:
    """Play one section of a song: whole chunks, (samples,) float32.

    The last frame of a chunk reaches into what follows. Every section begins with that much silence, so that a chunk
    is the same whatever comes after it.
    """
    dance = next(dance for dance in DANCES if dance.name == SECTIONS[name])
    rng = np.random.default_rng([seed, song, ord(name)])
    samples = SECTION_CHUNKS * front_end.chunk_hop
    played = synthesise(dance, samples / front_end.sample_rate, front_end.sample_rate, rng, draw_band(rng))
    played = played.reshape(len(played), -1)[:samples, 0].astype(np.float32)
    played[: front_end.window_length - front_end.hop_length] = 0
    return played
