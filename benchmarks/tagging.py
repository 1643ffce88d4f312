"""Tagging a folder end to end, beside decoding alone, a plain Keras loop and musicnn.

Rates are seconds of audio a second. Slow peers get the first files only, so that a round is not theirs alone.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import soundfile

import mcc_zoo
from benchmarks.interleaved import Peer, measure, summarise
from mcc_zoo.datasets.synthetic import DANCES, draw_band, synthesise
from mcc_zoo.models.classifier import Classifier

FORMATS = ("mp3", "ogg", "flac", "wav")
SECONDS = 30
SAMPLE_RATE = 44_100
DISTINCT, COPIES = 20, 10  # 200 files
OURS, WITH_VOLUME, DECODING, PLAIN = "mcc_zoo", "mcc_zoo, --level=none", "decoding alone", "librosa, plain Keras"
TOLERANCE = 0.002  # of tags: librosa's mel filters are not quite TensorFlow's, and move them by some 0.0002


def run(quick: bool) -> dict[str, pd.DataFrame]:
    """Tag 200 files of each format; quick: 6 of one."""
    distinct, copies = (6, 1) if quick else (DISTINCT, COPIES)
    sounds = [synthesise_music(number, SECONDS) for number in range(distinct)]
    with tempfile.TemporaryDirectory() as folder:
        exports = {
            OURS: export_fresh_model(Path(folder)),
            WITH_VOLUME: export_fresh_model(Path(folder) / "volume", front_end="paper"),
        }
        tables = [_compare(sounds, copies, suffix, exports, quick) for suffix in FORMATS[: 1 if quick else None]]
    return {"tagging": pd.concat(tables, ignore_index=True)}


def synthesise_music(number: int, seconds: float, sample_rate: int = SAMPLE_RATE, channels: int = 2) -> np.ndarray:
    """Synthesise a dance: (samples, channels) float32."""
    rng = np.random.default_rng(number)
    dance = DANCES[number % len(DANCES)]
    return synthesise(dance, seconds, sample_rate, rng, draw_band(rng), channels=channels).reshape(-1, channels)


def write_file(path: Path, samples: np.ndarray, sample_rate: int = SAMPLE_RATE, repeats: int = 1) -> None:
    """Write a file of the same samples, `repeats` times."""
    with soundfile.SoundFile(path, "w", samplerate=sample_rate, channels=samples.shape[1]) as file:
        for _ in range(repeats):
            for start in range(0, len(samples), sample_rate):  # libsndfile's Vorbis encoder overflows on a long write
                file.write(samples[start : start + sample_rate])


def export_fresh_model(folder: Path, front_end: str = "44k") -> Path:
    """Export MCCLSTM with fresh weights, for they do not matter for speed."""
    keras.utils.set_random_seed(0)
    model = mcc_zoo.build("mcclstm", [dance.name for dance in DANCES], front_end=front_end, mean=1.0)
    kernel = Classifier(model).output_layer.kernel
    kernel.assign(30 * kernel)  # else all files have nearly the same tags, and nothing could be checked
    return mcc_zoo.export_model(model, folder, "mcclstm")


def _compare(sounds: list[np.ndarray], copies: int, suffix: str, exports: dict[str, Path], quick: bool) -> pd.DataFrame:
    peers = [
        *(Peer(name, "tagging_ours.py", (str(export),)) for name, export in exports.items()),
        Peer(DECODING, "tagging_decoding.py", ("mono",)),
        Peer("decoding alone, not mixed", "tagging_decoding.py", ("raw",)),
        Peer(PLAIN, "tagging_librosa.py", (str(exports[OURS]), "6" if quick else "40")),
        Peer("musicnn, as published", "tagging_musicnn.py", ("2" if quick else "5",), environment="musicnn"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        paths = _write_folder(Path(folder), sounds, copies, suffix)
        times = measure(
            peers, {"paths": paths}, rounds=3 if quick else 5, warm_up=1, title=f"tagging {len(paths)} {suffix} files"
        )
    _check_values(times, len(paths))
    times["seconds"] *= len(paths) / times["value"].map(lambda value: value["files"])  # as if all had got all files
    found = summarise(times, OURS, SECONDS * len(paths))
    return pd.DataFrame(
        {
            "format": suffix,
            "peer": found["peer"],
            "times real time": found["rate"].round(1),
            "spread": found["spread"].round(3),
            "ratio to ours": found["ratio"].round(2),
            "share of decoding alone": (found["rate"] / found.set_index("peer")["rate"][DECODING]).round(3),
        }
    )


def _write_folder(folder: Path, sounds: list[np.ndarray], copies: int, suffix: str) -> list[str]:
    for number, samples in enumerate(sounds):
        first = folder / f"0-{number:02d}.{suffix}"  # so that the first files are not copies of one another
        write_file(first, samples)
        for copy in range(1, copies):
            shutil.copy(first, folder / f"{copy}-{number:02d}.{suffix}")
    return sorted(str(path) for path in folder.iterdir())


def _check_values(times: pd.DataFrame, files: int) -> None:
    """Refuse times of work that was not done."""
    values = times.groupby("peer")["value"].first()
    if any(value["ok"] != value["files"] for value in values) or values[OURS]["files"] != files:
        raise RuntimeError(f"not all files were tagged or decoded: {values.to_dict()}")
    difference = np.max(np.abs(np.subtract(values[OURS]["first"], values[PLAIN]["first"])))
    if not difference <= TOLERANCE:
        raise RuntimeError(f"tags of {OURS} and {PLAIN} are {difference:.3f} apart: {values.to_dict()}")
