"""What a run writes into its folder, results/DATASET/RUN, and reads from it again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mcc_zoo.atomic import write_text
from mcc_zoo.evaluation import metrics, significance
from mcc_zoo.experiment import summary
from mcc_zoo.experiment.provenance import command_line
from mcc_zoo.paper import ARCHITECTURES, REPORTED
from mcc_zoo.version import library_versions


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
    now = {"versions": library_versions()}
    start = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "command": command_line(), **now}
    config = {**identity, **facts, **now, "started": [*started, start]}
    write_text(path, json.dumps(config, indent=1, ensure_ascii=False))


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Lay recipe and front end open, so that a message can name what changed in them."""
    inner = {name: value for part in settings.values() if isinstance(part, dict) for name, value in part.items()}
    return {**inner, **{name: value for name, value in settings.items() if not isinstance(value, dict)}}


def collect(run_dir: str | os.PathLike[str], dataset: str) -> pd.DataFrame:
    """Gather the finished folds of a run into folds.csv, predictions.csv and summary.md; return the predictions."""
    run_dir = Path(run_dir)
    units = sorted(path.parent for path in run_dir.glob("units/*/fold.json") if path.parent.suffix != ".part")
    scores = pd.DataFrame([json.loads((unit / "fold.json").read_text()) for unit in units])
    predictions = pd.concat([metrics.read_predictions(u / "predictions.csv") for u in units])
    for table in (scores, predictions):
        table["architecture"] = pd.Categorical(table["architecture"], ARCHITECTURES, ordered=True)
    scores = scores.sort_values(["architecture", "seed", "fold"])
    predictions = predictions.sort_values(["architecture", "seed", "fold"], kind="stable").reset_index(drop=True)
    predictions["architecture"] = predictions["architecture"].astype(str)
    write_text(run_dir / "folds.csv", scores.to_csv(index=False))
    write_text(run_dir / "predictions.csv", predictions.to_csv(index=False))
    tables = [
        f"# {dataset}: run {run_dir.absolute().name}\n",
        *(f"{sentence}\n" for sentence in summary.described(predictions, _config(run_dir))),
        summary.scores_as_markdown(metrics.summary(predictions, dataset)),
        summary.differences_as_markdown(significance.compare(predictions)),
        *_notes(run_dir, predictions, dataset),
    ]
    write_text(run_dir / "summary.md", "\n".join(table for table in tables if table))
    return predictions


def _config(run_dir: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((run_dir / "config.json").read_text(encoding="utf-8"))
    return config


def run_leak(run_dir: str | os.PathLike[str], predictions: pd.DataFrame, dataset: str) -> str:
    """Say that a run's split is leaky, as `mcc_zoo.experiment.summary.leak` does; "" where nothing says so."""
    config = _config(Path(run_dir))
    return summary.leak(predictions, dataset, config["split"], config.get("groups_on_both_sides", 0))


def _notes(run_dir: Path, predictions: pd.DataFrame, dataset: str) -> list[str]:
    """What a reader has to know before believing the tables, a paragraph each."""
    warnings = [f"Warning: {caution}" for caution in summary.cautions(predictions, _config(run_dir), dataset)]
    papers = summary.PAPERS_SPLIT if dataset in REPORTED else ""
    notes = (*warnings, summary.same_tracks(predictions), papers)
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
