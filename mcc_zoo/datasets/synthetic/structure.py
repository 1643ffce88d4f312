"""A corpus in which only the order of sections differs between labels: a task for an LSTM over a track.

Every song has two sections, A and B, and is in the corpus once in each order of two As and two Bs. So all tracks of a
song have the same chunks, and a model that uses single chunks, or their mean, is at chance.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcc_zoo.datasets.synthetic.bands import draw_band
from mcc_zoo.datasets.synthetic.composition import CorpusError
from mcc_zoo.datasets.synthetic.dances import DANCES
from mcc_zoo.datasets.synthetic.files import PlannedTrack, Progress, Settings, write_corpus
from mcc_zoo.datasets.synthetic.sounds import synthesise
from mcc_zoo.paper import CHUNK_FRAMES, HOP_LENGTH, SAMPLE_RATE, WINDOW_LENGTH

ORDERS = ("AABB", "ABAB", "ABBA", "BAAB", "BABA", "BBAA")
SECTIONS = {"A": "Waltz", "B": "Samba"}  # one dance for all As and one for all Bs, so that an order can be learnt
SECTION_CHUNKS = 2
VERSION = 1


def make_structure(folder: Path, *, songs: int = 40, seed: int = 0, progress: Progress | None = None) -> Path:
    """Make the structure corpus, or keep it if it exists.

    Writes `folder/audio/ORDER/NAME.flac`, `folder/manifest.csv` (path, label, group; a song is a group) and
    `folder/corpus.json`. The same settings give the same samples.

    Args:
        folder: The corpus's folder; new, empty, or with this corpus in it.
        songs: Number of songs; each has one track of every order in `ORDERS`.
        seed: 0 or more; another seed makes other music.
        progress: Called after each file with the number of files done and of all files.

    Returns:
        The path of the manifest.

    Raises:
        CorpusError: An argument is out of range, or something else is in the folder.
        OSError: A file cannot be written.
    """
    for name, value, least in (("songs", songs, 1), ("seed", seed, 0)):
        if type(value) is not int or value < least:
            raise CorpusError(f"{name}={value!r}: give a whole number of {least} or more")
    rate, length = SAMPLE_RATE, SECTION_CHUNKS * CHUNK_FRAMES * HOP_LENGTH
    tracks = [
        PlannedTrack(f"audio/{order}/song-{song:03d}.flac", order, f"song-{song:03d}", 4 * length / rate, rate, 1)
        for song in range(songs)
        for order in ORDERS
    ]

    def play(number: int) -> np.ndarray:
        song, order = divmod(number, len(ORDERS))
        sections = {name: play_section(seed, song, name) for name in SECTIONS}
        whole = [sections[name] for name in ORDERS[order]]
        return np.concatenate([*whole, np.zeros(WINDOW_LENGTH - HOP_LENGTH, np.float32)])

    settings: Settings = {"corpus": "structure", "version": VERSION, "songs": songs, "seed": seed}
    return write_corpus(folder, tracks, play, settings, progress=progress)


def play_section(seed: int, song: int, name: str) -> np.ndarray:
    """Play one section of a song: whole chunks, (samples,) float32.

    The last frame of a chunk overlaps the next chunk. Every section begins with that much silence, so that a chunk does
    not depend on the section that follows.
    """
    dance = next(dance for dance in DANCES if dance.name == SECTIONS[name])
    rng = np.random.default_rng([seed, song, ord(name)])
    samples = SECTION_CHUNKS * CHUNK_FRAMES * HOP_LENGTH
    played = synthesise(dance, samples / SAMPLE_RATE, SAMPLE_RATE, rng, draw_band(rng))
    played = played.reshape(len(played), -1)[:samples, 0].astype(np.float32)
    played[: WINDOW_LENGTH - HOP_LENGTH] = 0
    return played
