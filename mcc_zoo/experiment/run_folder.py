"""The folder of a run, results/DATASET/RUN: its configuration, its finished folds and its tables."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mcc_zoo.atomic import PART, make_folder, write_text
from mcc_zoo.evaluation import metrics, scoring, significance
from mcc_zoo.experiment import summary
from mcc_zoo.experiment.identity import OPTIONAL
from mcc_zoo.experiment.provenance import command_line
from mcc_zoo.paper import ARCHITECTURES, REPORTED
from mcc_zoo.recipes import drop_former_fields
from mcc_zoo.version import library_versions

FOLDS_DIR = "units"  # in the folder of a run; it holds one folder per seed, fold and system
MODEL_FILE = "model.keras"  # in the folder of a fold, where the split is fixed


def fold_dir(run_dir: Path, seed: int, fold: int, architecture: str) -> Path:
    """Return the folder of the results of one system on one fold."""
    return run_dir / FOLDS_DIR / f"seed{seed}-fold{fold}-{architecture}"


def find_fold_files(run_dir: Path, name: str, architecture: str = "*") -> list[Path]:
    """Find the file of this name in each finished fold that has it, sorted; of one system if one is given."""
    found = run_dir.glob(f"{FOLDS_DIR}/*-{architecture}/{name}")
    return sorted(path for path in found if path.parent.suffix != PART)


def find_damage(folder: Path, tracks: int) -> str:
    """Say what is wrong with the folder of a finished fold, which a crash of the machine may leave empty or cut.

    Args:
        folder: As `fold_dir` names it; it has to be there.
        tracks: How many tracks its predictions have to hold.

    Returns:
        The file and its fault; "" if the folder is whole.
    """
    try:
        json.loads((folder / "fold.json").read_text(encoding="utf-8"))
        path = folder / "predictions.csv"
        text = path.read_text(encoding="utf-8", errors="replace")  # its end is what is looked at
    except ValueError as error:
        return f"{folder / 'fold.json'} is damaged ({error})"
    except OSError as error:
        return f"{error.filename} cannot be read ({error.strerror})"
    rows = text.count("\n") - 1
    return "" if rows >= tracks and text.endswith("\n") else f"{path} is cut: it has {max(rows, 0)} of {tracks} tracks"


def write_config(run_dir: Path, identity: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Write config.json. If the folder holds a run already, check that it is the same one.

    Args:
        run_dir: The folder of the run; it is made if it does not exist.
        identity: All that decides the run's figures. It may not change when a run is resumed.
        extra: What else to record.

    Raises:
        ValueError: The folder holds a run of another identity.
    """
    path = run_dir / "config.json"
    identity = json.loads(json.dumps(identity))
    started = []
    if path.exists():
        old = _read_old_config(path)
        before, now = _flat(old), _flat(identity)
        changed = [
            f"{name} was {before.get(name)!r}, is {now.get(name)!r}"
            for name in dict.fromkeys([*now, *OPTIONAL])
            if before.get(name) != now.get(name)
        ]
        changed += [
            f"{name} was {value!r}, which recipes no longer have"
            for name, value in drop_former_fields(old["recipe"]).items()
            if name not in identity["recipe"]
        ]
        if changed:
            raise ValueError(
                f"{run_dir} holds a run with other settings ({changed[0]}): give another --run, or remove that folder"
            )
        started = old["started"]
    make_folder(run_dir)
    now = {"versions": library_versions()}
    start = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "command": command_line(), **now}
    config = {**identity, **extra, **now, "started": [*started, start]}
    write_text(path, json.dumps(config, indent=1, ensure_ascii=False))


def _read_old_config(path: Path) -> dict[str, Any]:
    try:
        old: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return old | {"started": old["started"], "recipe": dict(old["recipe"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}), so nobody knows what the folds in {path.parent} were trained with: remove "
            "that folder, or give another --run"
        ) from error


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten recipe and front end, so that a message can name the setting that changed in them."""
    inner = {name: value for part in settings.values() if isinstance(part, dict) for name, value in part.items()}
    return {**inner, **{name: value for name, value in settings.items() if not isinstance(value, dict)}}


def collect(run_dir: str | os.PathLike[str], dataset: str) -> pd.DataFrame:
    """Gather the finished folds of a run into folds.csv, predictions.csv and summary.md.

    Args:
        run_dir: The folder of the run.
        dataset: The dataset's name.

    Returns:
        The rows of predictions.csv, in order of architecture, seed and fold.
    """
    run_dir = Path(run_dir)
    folds = find_fold_files(run_dir, "fold.json")
    scores = pd.DataFrame([json.loads(path.read_text(encoding="utf-8")) for path in folds])
    scores = scores.drop(columns="thresholds", errors="ignore")  # lists, which `find_thresholds` reads
    predictions = pd.concat([metrics.read_predictions(path.with_name("predictions.csv")) for path in folds])
    for table in (scores, predictions):
        table["architecture"] = pd.Categorical(table["architecture"], ARCHITECTURES, ordered=True)
    scores = scores.sort_values(["architecture", "seed", "fold"])
    predictions = predictions.sort_values(["architecture", "seed", "fold"], kind="stable").reset_index(drop=True)
    predictions["architecture"] = predictions["architecture"].astype(str)
    write_text(run_dir / "folds.csv", scores.to_csv(index=False))
    write_text(run_dir / "predictions.csv", predictions.to_csv(index=False))
    tables = [
        f"# {dataset}: run {run_dir.absolute().name}\n",
        *(f"{paragraph}\n" for paragraph in summary.describe_run(predictions, read_config(run_dir))),
        summary.format_scores(scoring.summarise(predictions, dataset)),
        summary.format_differences(significance.compare_systems(predictions)),
        *_list_notes(run_dir, predictions, dataset),
    ]
    write_text(run_dir / "summary.md", "\n".join(table for table in tables if table))
    return predictions


def read_config(run_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """Read config.json."""
    config: dict[str, Any] = json.loads((Path(run_dir) / "config.json").read_text(encoding="utf-8"))
    return config


def _list_notes(run_dir: Path, predictions: pd.DataFrame, dataset: str) -> list[str]:
    """List what a reader has to know before trusting the tables, one paragraph each."""
    cautions = summary.list_cautions(predictions, read_config(run_dir), dataset)
    papers = summary.PAPERS_SPLIT if dataset in REPORTED else ""
    notes = (*(f"Warning: {caution}" for caution in cautions), summary.explain_fixed_split(predictions), papers)
    return [f"{note}\n" for note in notes if note]


def find_tested_model(run_dir: str | os.PathLike[str], architecture: str) -> tuple[Path, dict[str, Any]]:
    """Find the model of a run on a fixed split: of several seeds the one with the best validation score.

    Returns:
        Its file, and the content of its fold.json.
    """
    folds = {
        path.with_name(MODEL_FILE): json.loads(path.read_text(encoding="utf-8"))
        for path in find_fold_files(Path(run_dir), "fold.json", architecture)
    }
    return min(folds.items(), key=lambda item: item[1]["validation_cross_entropy"])


def find_best_epochs(run_dir: str | os.PathLike[str], architecture: str) -> tuple[int, int]:
    """Find the median over a run's folds of the epoch with the best validation score.

    Folds without a warm start need many more epochs than those with one. Only the more numerous of the two kinds count.

    Returns:
        The median for the system, and that for the channels of its warm start: 0 if it had none.
    """
    table = pd.read_csv(Path(run_dir) / "folds.csv")
    own = table.loc[table["architecture"] == architecture]
    warm = own["channels_best_epoch"] > 0
    own = own[warm == (warm.mean() > 0.5)]
    return int(own["best_epoch"].median()), int(own["channels_best_epoch"].median())


def find_thresholds(run_dir: str | os.PathLike[str], architecture: str) -> list[float] | None:
    """Average over a run's folds the thresholds of the labels; None where each track has one label."""
    folds = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in find_fold_files(Path(run_dir), "fold.json", architecture)
    ]
    found = [fold["thresholds"] for fold in folds if "thresholds" in fold]
    return np.mean(found, axis=0).tolist() if found else None
