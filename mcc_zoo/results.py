"""What a run writes into its folder, results/DATASET/RUN, and reads from it again."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shlex
import sys
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mcc_zoo import comparison, evaluation
from mcc_zoo.paper import ARCHITECTURES, CHANNELS, REPORTED
from mcc_zoo.version import __version__

TAGGRAMS, FILTERS = "taggrams.json", "filters.npz"  # in the folder of a fold


def unit_dir(run_dir: Path, seed: int, fold: int, architecture: str) -> Path:
    """Say where a fold's results lie."""
    return run_dir / "units" / f"seed{seed}-fold{fold}-{architecture}"


def write_config(run_dir: Path, identity: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write config.json, or check that the run that lies there is the same one.

    Args:
        run_dir: Is made if need be.
        identity: What makes the run's figures; it may not change when a run goes on.
        facts: What else to write down.

    Raises:
        ValueError: The folder holds a run of another identity.
    """
    path = run_dir / "config.json"
    identity = json.loads(json.dumps(identity))
    started = []
    if path.exists():
        old = json.loads(path.read_text(encoding="utf-8"))
        before, now = _flat(old), _flat(identity)
        changed = [
            f"{name} was {before.get(name)!r}, is {now[name]!r}" for name in now if before.get(name) != now[name]
        ]
        if changed:
            raise ValueError(
                f"{run_dir} holds a run with other settings ({changed[0]}): give another --run, or remove that folder"
            )
        started = old["started"]
    run_dir.mkdir(parents=True, exist_ok=True)
    now = {"versions": versions()}
    start = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "command": command(), **now}
    config = {**identity, **facts, **now, "started": [*started, start]}
    write(path, json.dumps(config, indent=1, ensure_ascii=False))


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Lay recipe and front end open, so that a message can name what changed in them."""
    inner = {name: value for part in settings.values() if isinstance(part, dict) for name, value in part.items()}
    return {**inner, **{name: value for name, value in settings.items() if not isinstance(value, dict)}}


def collect(run_dir: str | os.PathLike[str], dataset: str) -> pd.DataFrame:
    """Gather the finished folds of a run into folds.csv, predictions.csv and summary.md; return the predictions."""
    run_dir = Path(run_dir)
    units = sorted(path.parent for path in run_dir.glob("units/*/fold.json") if path.parent.suffix != ".part")
    scores = pd.DataFrame([json.loads((unit / "fold.json").read_text()) for unit in units])
    predictions = pd.concat([evaluation.read_predictions(u / "predictions.csv") for u in units])
    for table in (scores, predictions):
        table["architecture"] = pd.Categorical(table["architecture"], ARCHITECTURES, ordered=True)
    scores = scores.sort_values(["architecture", "seed", "fold"])
    predictions = predictions.sort_values(["architecture", "seed", "fold"], kind="stable").reset_index(drop=True)
    predictions["architecture"] = predictions["architecture"].astype(str)
    write(run_dir / "folds.csv", scores.to_csv(index=False))
    write(run_dir / "predictions.csv", predictions.to_csv(index=False))
    tables = [
        f"# {dataset}: run {run_dir.absolute().name}\n",
        *(f"{sentence}\n" for sentence in evaluation.described(predictions, _config(run_dir))),
        evaluation.as_markdown(evaluation.summary(predictions, dataset)),
        comparison.as_markdown(comparison.compare(predictions)),
        *_notes(run_dir, predictions, dataset),
    ]
    write(run_dir / "summary.md", "\n".join(table for table in tables if table))
    return predictions


def _config(run_dir: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((run_dir / "config.json").read_text(encoding="utf-8"))
    return config


def leak(run_dir: str | os.PathLike[str], predictions: pd.DataFrame, dataset: str) -> str:
    """Say that a run's split is leaky, as `mcc_zoo.evaluation.leak` does; "" where nothing says so."""
    config = _config(Path(run_dir))
    return evaluation.leak(predictions, dataset, config["split"], config.get("groups_on_both_sides", 0))


def _notes(run_dir: Path, predictions: pd.DataFrame, dataset: str) -> list[str]:
    """What a reader has to know before believing the tables, a paragraph each."""
    warnings = [f"Warning: {caution}" for caution in evaluation.cautions(predictions, _config(run_dir), dataset)]
    papers = evaluation.PAPERS_SPLIT if dataset in REPORTED else ""
    notes = (*warnings, evaluation.same_tracks(predictions), papers)
    return [f"{note}\n" for note in notes if note]


def best_epochs(run_dir: str | os.PathLike[str], architecture: str) -> tuple[int, int]:
    """Return the median over a run's folds of the epoch with the best validation figure.

    Of the folds with a warm start and those without, which need many more epochs, the more numerous ones decide.

    Returns:
        The system's own, and that of the channels which it started from, 0 where it started from nothing.
    """
    table = pd.read_csv(Path(run_dir) / "folds.csv")
    own = table.loc[table["architecture"] == architecture]
    warm = own["channels_best_epoch"] > 0
    own = own[warm == (warm.mean() > 0.5)]
    return int(own["best_epoch"].median()), int(own["channels_best_epoch"].median())


@dataclass(frozen=True)
class TrackTaggram:
    """A tested track and what a system said of it, window by window.

    Attributes:
        path: The track's name.
        truth: Its label.
        prediction: The label that it was given.
        probability: Of that label.
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
        """Whether the track was given its own label."""
        return self.truth == self.prediction


def write_taggrams(
    unit: Path, rows: Sequence[Mapping[str, Any]], taggrams: Sequence[Sequence[np.ndarray]], labels: Sequence[str]
) -> None:
    """Keep the taggrams of two tested tracks: the right and the wrong one whose labels got the highest probability.

    Two, however large the dataset; one, where all tracks are right or all are wrong.

    Args:
        unit: Folder of a fold, which gets taggrams.json.
        rows: The tested tracks' rows of predictions.csv.
        taggrams: For each of them its windows, (chunks, labels) probabilities, kept with four decimals.
        labels: Names of their columns.
    """
    kept = []
    for right in (True, False):
        own = [i for i, row in enumerate(rows) if (row["truth"] == row["prediction"]) == right]
        if own:
            surest = max(own, key=lambda i: rows[i][rows[i]["prediction"]])
            row, windows = rows[surest], [np.round(window.astype(float), 4).tolist() for window in taggrams[surest]]
            facts = {name: row[name] for name in ("path", "truth", "prediction")}
            kept.append({**facts, "probability": row[row["prediction"]], "labels": list(labels), "windows": windows})
    write(unit / TAGGRAMS, json.dumps(kept, ensure_ascii=False))


def read_taggrams(path: Path) -> list[TrackTaggram]:
    """Read a taggrams.json.

    Raises:
        ValueError: It is damaged.
    """
    kept = json.loads(path.read_text(encoding="utf-8"))
    try:
        tracks = [TrackTaggram(**{**facts, "windows": [*map(np.asarray, facts["windows"])]}) for facts in kept]
        sound = all(np.concatenate(track.windows).shape[1:] == (len(track.labels),) for track in tracks)
    except (KeyError, TypeError) as error:
        raise ValueError(f"does not hold tracks ({error!r})") from error
    if not sound:
        raise ValueError("has taggrams that do not fit their labels")
    return tracks


def write_filters(unit: Path, chunk_network: keras.Model) -> None:
    """Keep the filters of the channels P, T and B that a system has, as (bands, frames, filters) in filters.npz."""
    layers = [layer for layer in chunk_network.layers if layer.name in CHANNELS]
    filters = {layer.name: layer.get_weights()[0][:, :, 0].astype(np.float16) for layer in layers}
    if filters:
        np.savez_compressed(unit / FILTERS, **filters)


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


def write(path: Path, text: str) -> None:
    """Replace a text file, whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def command() -> str:
    """Return the command that runs now, as a user would type it."""
    script = Path(sys.argv[0])
    start = ["python", "-m", f"{script.parent.name}.{script.stem}"] if script.suffix == ".py" else [script.name]
    return shlex.join([*start, *sys.argv[1:]])


def versions() -> dict[str, str]:
    """Return the versions that a figure depends on; scikit-learn draws the folds."""
    found = {"mcc_zoo": __version__, "python": platform.python_version()}
    found |= {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}
    return found | {"scikit-learn": importlib.metadata.version("scikit-learn")}
