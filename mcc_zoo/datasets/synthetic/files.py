"""Write a corpus to disk: audio files, manifest and settings, all or none."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from mcc_zoo.atomic import make_folder, publish_folder
from mcc_zoo.datasets.synthetic.composition import CorpusError
from mcc_zoo.disk import explained

SETTINGS_FILE = "corpus.json"
MANIFEST_FILE = "manifest.csv"

Progress = Callable[[int, int], None]
Settings = dict[str, str | int]


@dataclass(frozen=True)
class PlannedTrack:
    """One file of a corpus, before it is made.

    Attributes:
        path: Path relative to the corpus's folder, with forward slashes; its suffix is the format.
        label: The label.
        group: Tracks of one group are kept on one side of a split.
        seconds: Length in seconds.
        sample_rate: Hz.
        channels: 1 for mono, 2 for stereo.
    """

    path: str
    label: str
    group: str
    seconds: float
    sample_rate: int
    channels: int


def write_corpus(
    folder: Path,
    tracks: Sequence[PlannedTrack],
    play: Callable[[int], np.ndarray],
    settings: Settings,
    *,
    progress: Progress | None = None,
) -> Path:
    """Write tracks and their manifest, all or none.

    Everything is written to a temporary folder beside `folder`, which is renamed at the end. A folder that holds the
    corpus of these settings already is kept as it is.

    Args:
        folder: The corpus's folder; new, empty, or with this corpus in it.
        tracks: The tracks to write.
        play: Makes the samples of the track of this number: (samples,) or (samples, channels), full scale ±1.
        settings: All that determines the corpus; written beside it as JSON.
        progress: Called after each file with the number of files done and of all files.

    Returns:
        The path of the manifest.

    Raises:
        CorpusError: Something else is in the folder, or libsndfile cannot write a format.
        mcc_zoo.disk.WriteError: A file cannot be written.
    """
    report = progress or (lambda done, total: None)
    folder = Path(folder).resolve()
    if _is_finished(folder, tracks, settings):
        report(len(tracks), len(tracks))
        return folder / MANIFEST_FILE
    make_folder(folder.parent)
    with (
        explained(folder, "the corpus", "name another folder"),
        tempfile.TemporaryDirectory(prefix=f".{folder.name}-", suffix=".partial", dir=folder.parent) as scratch,
    ):
        unfinished = Path(scratch) / "corpus"  # a folder in it, because the temporary folder is private to its owner
        for number, track in enumerate(tracks):
            _write_audio(unfinished / track.path, play(number), track.sample_rate)
            report(number + 1, len(tracks))
        manifest = pd.DataFrame(tracks)[["path", "label", "group"]]
        manifest.to_csv(unfinished / MANIFEST_FILE, index=False, lineterminator="\n")
        (unfinished / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        # Another process may have finished the same corpus meanwhile; its copy is kept.
        if not _is_finished(folder, tracks, settings):
            if folder.exists():
                folder.rmdir()  # it is empty; not every system renames onto a folder
            publish_folder(unfinished, folder)
    return folder / MANIFEST_FILE


def _is_finished(folder: Path, tracks: Sequence[PlannedTrack], settings: Settings) -> bool:
    """Check whether the folder holds this corpus; False if it is new or empty, an error if it holds anything else."""
    if not folder.exists():
        return False
    if folder.is_dir() and not any(folder.iterdir()):
        if folder == Path.cwd() or folder.is_mount():  # neither can be renamed onto
            raise CorpusError(f"{folder} is the working folder or a mount point: name a new folder in it")
        return False
    try:
        found = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found != settings:
        raise CorpusError(
            f"{folder} is not this corpus ({SETTINGS_FILE}: {found} there, {settings} asked for): "
            "name a new or empty folder; nothing in this one was touched"
        )
    missing = [name for name in (MANIFEST_FILE, *(track.path for track in tracks)) if not (folder / name).is_file()]
    if missing:
        raise CorpusError(
            f"{folder} lacks {len(missing)} files of its corpus, such as {missing[0]}: remove it and make it again"
        )
    return True


def _write_audio(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    if not soundfile.check_format(path.suffix[1:].upper()):
        raise CorpusError(
            f"{path.name}: this libsndfile ({soundfile.__libsndfile_version__}) cannot write the format; "
            "libsndfile 1.1 or newer can, and comes with the soundfile wheels"
        )
    channels, encoded = 1 if samples.ndim == 1 else samples.shape[1], io.BytesIO()
    # To memory: of a full disk libsndfile says "System error".
    with soundfile.SoundFile(encoded, "w", sample_rate, channels, format=path.suffix[1:].upper()) as file:
        # In blocks of one second: libsndfile's Vorbis encoder overflows its stack on one long write.
        for start in range(0, len(samples), sample_rate):
            file.write(samples[start : start + sample_rate])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.getvalue())
