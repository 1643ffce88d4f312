"""What a fold keeps for the report: the taggrams of two tracks and the learnt filters."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcc_zoo.atomic import open_atomically, write_text
from mcc_zoo.paper import CHANNELS

TAGGRAMS, FILTERS = "taggrams.json", "filters.npz"  # in the folder of a fold


@dataclass(frozen=True)
class TrackTaggram:
    """A tested track and what a system predicted for it, window by window.

    Attributes:
        path: The track's name.
        truth: The track's label.
        prediction: The label that the system predicted.
        probability: The probability of that label.
        labels: Names of the taggrams' columns.
        windows: For each window of the track (chunks, labels) probabilities.
    """

    path: str
    truth: str
    prediction: str
    probability: float
    labels: list[str]
    windows: list[np.ndarray]

    @property
    def is_right(self) -> bool:
        """Whether the track's own label was predicted."""
        return self.truth == self.prediction


def write_taggrams(
    folder: Path, rows: Sequence[Mapping[str, Any]], taggrams: Sequence[Sequence[np.ndarray]], labels: Sequence[str]
) -> None:
    """Keep the taggrams of two tested tracks: the right and the wrong prediction of the highest probability.

    Only one is kept if all predictions are right or all are wrong.

    Args:
        folder: The folder of a fold, which gets taggrams.json.
        rows: The tested tracks' rows of predictions.csv.
        taggrams: For each track its windows, (chunks, labels) probabilities; they are rounded to four decimals.
        labels: Names of the taggrams' columns.
    """
    kept = []
    for right in (True, False):
        own = [i for i, row in enumerate(rows) if (row["truth"] == row["prediction"]) == right]
        if own:
            surest = max(own, key=lambda i: rows[i][rows[i]["prediction"]])
            row, windows = rows[surest], [np.round(window.astype(float), 4).tolist() for window in taggrams[surest]]
            track = {name: row[name] for name in ("path", "truth", "prediction")}
            kept.append({**track, "probability": row[row["prediction"]], "labels": list(labels), "windows": windows})
    write_text(folder / TAGGRAMS, json.dumps(kept, ensure_ascii=False))


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
