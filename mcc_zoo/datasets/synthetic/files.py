"""The corpus on disk: which files it has, how they are made, and writing them whole or not at all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from mcc_zoo.atomic import publish_folder
from mcc_zoo.datasets.synthetic.bands import draw_band
from mcc_zoo.datasets.synthetic.composition import DemoCorpusError
from mcc_zoo.datasets.synthetic.dances import DANCES
from mcc_zoo.datasets.synthetic.sounds import synthesise

FORMATS = ("wav", "flac", "ogg", "mp3")
SAMPLE_RATES = (22_050, 44_100, 48_000)  # Hz
CHANNELS = (1, 2)
SECONDS = (8.0, 14.0)  # 4 to 7 chunks of 1.858 s
SETTINGS_FILE = "corpus.json"
MANIFEST_FILE = "manifest.csv"
VERSION = 1  # raise it with every change to the sound: older corpora on disk are then told apart

Progress = Callable[[int, int], None]
Settings = dict[str, str | int]


@dataclass(frozen=True)
class Track:
    """One file of a corpus.

    Attributes:
        path: Relative to the corpus's folder, with forward slashes; its ending names the format.
        label: The class.
        group: Tracks of one group belong on one side of a split.
        seconds: Length.
        sample_rate: Hz.
        channels: 1 for mono, 2 for stereo.
    """

    path: str
    label: str
    group: str
    seconds: float
    sample_rate: int
    channels: int


def make(folder: Path, *, tracks_per_dance: int = 20, seed: int = 0, progress: Progress | None = None) -> Path:
    """Make the demo corpus, or keep it where it is already there.

    Writes `folder/audio/DANCE/NAME.EXTENSION`, `folder/manifest.csv` (path, label, group) and `folder/corpus.json` (the
    settings). The same settings give the same samples.

    Args:
        folder: Where the corpus goes; new, empty, or holding this corpus.
        tracks_per_dance: Files of each of the eight dances.
        seed: 0 or more; another seed gives other music.
        progress: Called with files done and files in all, after each file.

    Returns:
        The path of the manifest.

    Raises:
        DemoCorpusError: When an argument is out of its range, or the folder holds anything else.
        OSError: When the disk refuses a file.
    """
    tracks = plan(tracks_per_dance, seed)
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


def plan(tracks_per_dance: int = 20, seed: int = 0) -> list[Track]:
    """Settle which files the corpus has.

    Every dance has the same share of each format, sample rate, channel count and length, as far as numbers divide, and
    these are drawn independently of each other. Each band plays four tracks of four dances; two bands share out all
    eight dances.

    Args:
        tracks_per_dance: Files of each dance, 1 or more.
        seed: 0 or more.

    Returns:
        The tracks, dance by dance.

    Raises:
        DemoCorpusError: When an argument is out of its range.

    >>> len(plan(tracks_per_dance=2)), len({track.group for track in plan(tracks_per_dance=2)})
    (16, 4)
    """
    for name, value, least in (("tracks_per_dance", tracks_per_dance, 1), ("seed", seed, 0)):
        if type(value) is not int or value < least:
            raise DemoCorpusError(f"{name}={value!r}: give a whole number of {least} or more")
    rng = np.random.default_rng([seed, 0])
    # For each take, which dance goes to the first and which to the second of its two bands.
    halves = [rng.permutation(len(DANCES)).argsort() // (len(DANCES) // 2) for _ in range(tracks_per_dance)]
    tracks: list[Track] = []
    for which, dance in enumerate(DANCES):
        # Starting each dance at another value shares out the odd ones where numbers do not divide.
        cycle = np.arange(which, which + tracks_per_dance)
        formats, rates, channels = (rng.permutation(cycle % len(pool)) for pool in (FORMATS, SAMPLE_RATES, CHANNELS))
        strata = (rng.permutation(tracks_per_dance) + rng.random(tracks_per_dance)) / tracks_per_dance
        tracks += [
            Track(
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


def write_corpus(
    folder: Path,
    tracks: Sequence[Track],
    play: Callable[[int], np.ndarray],
    settings: Settings,
    *,
    progress: Progress | None = None,
) -> Path:
    """Write tracks and their manifest, whole or not at all.

    Everything goes into a temporary folder beside `folder`, which is renamed at the end. A folder that already holds
    the corpus of these settings is kept as it is.

    Args:
        folder: Where the corpus goes; new, empty, or holding this corpus.
        tracks: What to write.
        play: Gives the samples of the track of this number, (samples,) or (samples, channels).
        settings: All that decides the corpus; kept beside it as JSON.
        progress: Called with files done and files in all, after each file.

    Returns:
        The path of the manifest.

    Raises:
        DemoCorpusError: When the folder holds anything else, or a format cannot be written here.
        OSError: When the disk refuses a file.
    """
    report = progress or (lambda done, total: None)
    folder = Path(folder).resolve()
    if _is_finished(folder, tracks, settings):
        report(len(tracks), len(tracks))
        return folder / MANIFEST_FILE
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", suffix=".partial", dir=folder.parent) as scratch:
        unfinished = Path(scratch) / "corpus"  # a folder of its own, as the temporary one is private to its owner
        for number, track in enumerate(tracks):
            _write_audio(unfinished / track.path, play(number), track.sample_rate)
            report(number + 1, len(tracks))
        manifest = pd.DataFrame(tracks)[["path", "label", "group"]]
        manifest.to_csv(unfinished / MANIFEST_FILE, index=False, lineterminator="\n")
        (unfinished / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        # Another process may have finished the same corpus in the meantime: then its copy stays.
        if not _is_finished(folder, tracks, settings):
            if folder.exists():
                folder.rmdir()  # it is empty; not every system renames onto a folder
            publish_folder(unfinished, folder)
    return folder / MANIFEST_FILE


def _is_finished(folder: Path, tracks: Sequence[Track], settings: Settings) -> bool:
    """Whether the folder holds just this corpus; False if it is new or empty; refused if it holds anything else."""
    if not folder.exists():
        return False
    if folder.is_dir() and not any(folder.iterdir()):
        if folder == Path.cwd() or folder.is_mount():  # neither can be renamed onto
            raise DemoCorpusError(f"{folder} is the working folder or a mount point: name a new folder in it")
        return False
    try:
        found = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found != settings:
        raise DemoCorpusError(
            f"{folder} is not this demo corpus ({SETTINGS_FILE}: {found} there, {settings} asked for): "
            "name a new or empty folder; nothing in this one was touched"
        )
    missing = [name for name in (MANIFEST_FILE, *(track.path for track in tracks)) if not (folder / name).is_file()]
    if missing:
        raise DemoCorpusError(
            f"{folder} lacks {len(missing)} files of its demo corpus, such as {missing[0]}: remove it and make it again"
        )
    return True


def _write_audio(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    if not soundfile.check_format(path.suffix[1:].upper()):
        raise DemoCorpusError(
            f"{path.name}: this libsndfile ({soundfile.__libsndfile_version__}) cannot write the format; "
            "libsndfile 1.1 or newer can, and comes with the soundfile wheels"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    try:
        with soundfile.SoundFile(path, "w", samplerate=sample_rate, channels=channels) as file:
            # In blocks of a second: libsndfile's Vorbis encoder overflows its stack on one long write.
            for start in range(0, len(samples), sample_rate):
                file.write(samples[start : start + sample_rate])
    except soundfile.LibsndfileError as error:
        raise OSError(f"{path}: not written ({error}): is the disk full?") from error
    written = soundfile.info(path).frames
    if abs(written - len(samples)) > 4_608:  # two MP3 frames of padding at either end
        raise OSError(f"{path}: {written} of {len(samples)} samples were written: is the disk full?")
