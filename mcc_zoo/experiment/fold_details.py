"""What a fold keeps for the report: the taggrams of two tracks and the learnt filters."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mcc_zoo.atomic import open_atomically, write_text
from mcc_zoo.evaluation import auto_tagging
from mcc_zoo.paper import CHANNELS

TAGGRAMS, FILTERS = "taggrams.json", "filters.npz"  # in the folder of a fold


@dataclass(frozen=True)
class TrackTaggram:
    """A tested track and what a system predicted for it, window by window.

    Attributes:
        path: The track's name.
        truth: The track's label, or its labels separated by "|".
        prediction: The label, or the labels, that the system predicted.
        probability: The probability of that label; with many labels a track, the average precision of the track.
        labels: Names of the taggrams' columns.
        windows: For each window of the track (chunks, labels) probabilities.
        is_best: With many labels a track, whether it is the best of its fold, not the worst; None with one label.
    """

    path: str
    truth: str
    prediction: str
    probability: float
    labels: list[str]
    windows: list[np.ndarray]
    is_best: bool | None = None

    @property
    def is_right(self) -> bool:
        """Whether the track's label was predicted; with many labels, whether this track's fit best of all."""
        return self.truth == self.prediction if self.is_best is None else self.is_best

    @property
    def strength(self) -> float:
        """How well the track shows what the system can do, if it is right, or cannot do."""
        return self.probability if self.is_right or self.is_best is None else -self.probability


def write_taggrams(
    folder: Path, rows: Sequence[Mapping[str, Any]], taggrams: Sequence[Sequence[np.ndarray]], labels: Sequence[str]
) -> None:
    """Keep the taggrams of two tested tracks: the right and the wrong prediction of the highest probability.

    Only one is kept if all predictions are right or all are wrong. With many labels a track, those of the highest and
    the lowest average precision.

    Args:
        folder: The folder of a fold, which gets taggrams.json.
        rows: The tested tracks' rows of predictions.csv.
        taggrams: For each track its windows, (chunks, labels) probabilities; they are rounded to four decimals.
        labels: Names of the taggrams' columns.
    """
    choose = _choose_surest if "majority_vote" in rows[0] else _choose_best_and_worst
    kept = []
    for number, extra in choose(rows, labels):
        row, windows = rows[number], [np.round(window.astype(float), 4).tolist() for window in taggrams[number]]
        track = {name: row[name] for name in ("path", "truth", "prediction")}
        kept.append({**track, **extra, "labels": list(labels), "windows": windows})
    write_text(folder / TAGGRAMS, json.dumps(kept, ensure_ascii=False))


def _choose_surest(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Choose of the right and of the wrong predictions the one of the highest probability."""
    for right in (True, False):
        own = [i for i, row in enumerate(rows) if (row["truth"] == row["prediction"]) == right]
        if own:
            surest = max(own, key=lambda i: rows[i][rows[i]["prediction"]])
            yield surest, {"probability": rows[surest][rows[surest]["prediction"]]}


def _choose_best_and_worst(
    rows: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Choose the tracks of the highest and of the lowest average precision."""
    precisions = auto_tagging.score_tracks(pd.DataFrame(rows), list(labels))["average_precision"]
    if precisions.notna().any():
        best, worst = int(precisions.argmax()), int(precisions.argmin())
        yield best, {"probability": float(precisions[best]), "is_best": True}
        if worst != best:
            yield worst, {"probability": float(precisions[worst]), "is_best": False}


def read_taggrams(path: Path) -> list[TrackTaggram]:
    """Read a taggrams.json.

    Raises:
        ValueError: It is damaged.
    """
    kept = json.loads(path.read_text(encoding="utf-8"))
    try:
        tracks = [TrackTaggram(**{**track, "windows": [*map(np.asarray, track["windows"])]}) for track in kept]
        sound = all(np.concatenate(track.windows).shape[1:] == (len(track.labels),) for track in tracks)
    except (KeyError, TypeError) as error:
        raise ValueError(f"does not hold tracks ({error!r})") from error
    if not sound:
        raise ValueError("has taggrams that do not fit their labels")
    return tracks


def write_filters(folder: Path, filters: Mapping[str, np.ndarray]) -> None:
    """Keep the filters of the channels that a system has, (bands, frames, filters) by channel, in filters.npz."""
    if filters:
        arrays: dict[str, Any] = {name: values.astype(np.float16) for name, values in filters.items()}
        with open_atomically(folder / FILTERS) as file:
            np.savez_compressed(file, **arrays)


def read_filters(path: Path) -> dict[str, np.ndarray]:
    """Read a filters.npz: for each channel (bands, frames, filters) float32.

    Raises:
        ValueError: It is damaged.
    """
    try:
        with np.load(path) as arrays:
            return {name: arrays[name].astype(np.float32) for name in CHANNELS if name in arrays}
    except (zipfile.BadZipFile, zlib.error, EOFError, TypeError) as error:
        raise ValueError(f"does not hold filters ({error!r})") from error
