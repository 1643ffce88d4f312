"""A corpus in which only the order of sections tells the classes apart: what an LSTM over a track is for.

Every song has two sections, A and B, and stands in the corpus once in each order of two As and two Bs. So the tracks of
a song hold the very same chunks, and whatever looks at chunks one by one, or at their mean, is at chance.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcc_zoo.datasets.synthetic.bands import draw_band
from mcc_zoo.datasets.synthetic.composition import DemoCorpusError
from mcc_zoo.datasets.synthetic.dances import DANCES
from mcc_zoo.datasets.synthetic.files import Progress, Settings, Track, write_corpus
from mcc_zoo.datasets.synthetic.sounds import synthesise
from mcc_zoo.paper import CHUNK_FRAMES, HOP_LENGTH, SAMPLE_RATE, WINDOW_LENGTH

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
    rate, length = SAMPLE_RATE, SECTION_CHUNKS * CHUNK_FRAMES * HOP_LENGTH
    tracks = [
        Track(f"audio/{order}/song-{song:03d}.flac", order, f"song-{song:03d}", 4 * length / rate, rate, 1)
        for song in range(songs)
        for order in ORDERS
    ]

    def play(number: int) -> np.ndarray:
        song, order = divmod(number, len(ORDERS))
        sections = {name: section(seed, song, name) for name in SECTIONS}
        whole = [sections[name] for name in ORDERS[order]]
        return np.concatenate([*whole, np.zeros(WINDOW_LENGTH - HOP_LENGTH, np.float32)])

    settings: Settings = {"corpus": "structure", "version": VERSION, "songs": songs, "seed": seed}
    return write_corpus(folder, tracks, play, settings, progress=progress)


def section(seed: int, song: int, name: str) -> np.ndarray:
    """Play one section of a song: whole chunks, (samples,) float32.

    The last frame of a chunk reaches into what follows. Every section begins with that much silence, so that a chunk
    is the same whatever comes after it.
    """
    dance = next(dance for dance in DANCES if dance.name == SECTIONS[name])
    rng = np.random.default_rng([seed, song, ord(name)])
    samples = SECTION_CHUNKS * CHUNK_FRAMES * HOP_LENGTH
    played = synthesise(dance, samples / SAMPLE_RATE, SAMPLE_RATE, rng, draw_band(rng))
    played = played.reshape(len(played), -1)[:samples, 0].astype(np.float32)
    played[: WINDOW_LENGTH - HOP_LENGTH] = 0
    return played
