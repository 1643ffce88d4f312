"""The demo corpus: which files it has, and how they are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcc_zoo.datasets.synthetic.bands import draw_band
from mcc_zoo.datasets.synthetic.composition import CorpusError
from mcc_zoo.datasets.synthetic.dances import DANCES
from mcc_zoo.datasets.synthetic.files import PlannedTrack, Progress, Settings, write_corpus
from mcc_zoo.datasets.synthetic.sounds import synthesise

FORMATS = ("wav", "flac", "ogg", "mp3")
SAMPLE_RATES = (22_050, 44_100, 48_000)  # Hz
CHANNELS = (1, 2)
SECONDS = (8.0, 14.0)  # 4 to 7 chunks of 1.858 s
VERSION = 1  # raise it with every change to the sound, so that older corpora on disk are recognised


def make_demo(folder: Path, *, tracks_per_dance: int = 20, seed: int = 0, progress: Progress | None = None) -> Path:
    """Make the demo corpus, or keep it if it exists.

    Writes `folder/audio/DANCE/NAME.EXTENSION`, `folder/manifest.csv` (path, label, group) and `folder/corpus.json` (the
    settings). The same settings give the same samples.

    Args:
        folder: The corpus's folder; new, empty, or with this corpus in it.
        tracks_per_dance: Number of files of each of the eight dances.
        seed: 0 or more; another seed makes other music.
        progress: Called after each file with the number of files done and of all files.

    Returns:
        The path of the manifest.

    Raises:
        CorpusError: An argument is out of range, or something else is in the folder.
        OSError: A file cannot be written.
    """
    tracks = plan_demo(tracks_per_dance, seed)
    dances = {dance.name: dance for dance in DANCES}
    names = sorted({track.group for track in tracks})
    bands = {name: draw_band(np.random.default_rng([seed, 1, number])) for number, name in enumerate(names)}

    def play(number: int) -> np.ndarray:
        track = tracks[number]
        rng = np.random.default_rng([seed, 2, number])
        dance, band = dances[track.label], bands[track.group]
        return synthesise(dance, track.seconds, track.sample_rate, rng, band, channels=track.channels)

    settings: Settings = {"corpus": "dances", "version": VERSION, "tracks_per_dance": tracks_per_dance, "seed": seed}
    return write_corpus(folder, tracks, play, settings, progress=progress)


def plan_demo(tracks_per_dance: int = 20, seed: int = 0) -> list[PlannedTrack]:
    """Plan the files of the demo corpus.

    Every dance has the same share of each format, sample rate, channel count and length, as far as numbers divide;
    these are drawn independently of each other. Each band plays one track of four dances; two bands play all eight.

    Args:
        tracks_per_dance: Number of files of each dance, 1 or more.
        seed: 0 or more.

    Returns:
        The tracks, dance by dance.

    Raises:
        CorpusError: An argument is out of range.

    >>> len(plan_demo(tracks_per_dance=2)), len({track.group for track in plan_demo(tracks_per_dance=2)})
    (16, 4)
    """
    for name, value, least in (("tracks_per_dance", tracks_per_dance, 1), ("seed", seed, 0)):
        if type(value) is not int or value < least:
            raise CorpusError(f"{name}={value!r}: give a whole number of {least} or more")
    rng = np.random.default_rng([seed, 0])
    # For each take: whether a dance is played by the first or the second of the take's two bands.
    halves = [rng.permutation(len(DANCES)).argsort() // (len(DANCES) // 2) for _ in range(tracks_per_dance)]
    tracks: list[PlannedTrack] = []
    for which, dance in enumerate(DANCES):
        # Each dance starts at another value, which balances the pools where numbers do not divide.
        cycle = np.arange(which, which + tracks_per_dance)
        formats, rates, channels = (rng.permutation(cycle % len(pool)) for pool in (FORMATS, SAMPLE_RATES, CHANNELS))
        strata = (rng.permutation(tracks_per_dance) + rng.random(tracks_per_dance)) / tracks_per_dance
        tracks += [
            PlannedTrack(
                path=f"audio/{dance.name}/{dance.name.lower()}-{take:02d}.{FORMATS[formats[take]]}",
                label=dance.name,
                group=f"band-{2 * take + halves[take][which]:02d}",
                seconds=round(SECONDS[0] + float(strata[take]) * (SECONDS[1] - SECONDS[0]), 3),
                sample_rate=SAMPLE_RATES[rates[take]],
                channels=CHANNELS[channels[take]],
            )
            for take in range(tracks_per_dance)
        ]
    return tracks
