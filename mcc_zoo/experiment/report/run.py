"""The folder of a run: what the report reads from it and writes to it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mcc_zoo.atomic import make_folder, write_bytes
from mcc_zoo.evaluation import auto_tagging, metrics, scoring
from mcc_zoo.experiment.fold_details import FILTERS, TAGGRAMS, TrackTaggram, read_filters, read_taggrams
from mcc_zoo.experiment.run_folder import find_fold_files
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.tasks import Task


@dataclass(frozen=True)
class Run:
    """The content of a run's folder.

    Attributes:
        folder: The folder.
        dataset: The dataset's name.
        config: The content of config.json.
        seconds: Time of training and testing, summed over all folds (folds.csv).
        predictions: The rows of predictions.csv.
        refused: The rows of refused.csv: path and reason of each track that was set aside.
    """

    folder: Path
    dataset: str
    config: dict[str, Any]
    seconds: float
    predictions: pd.DataFrame
    refused: pd.DataFrame

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per system, as `mcc_zoo.evaluation.scoring.summarise` gives it."""
        return scoring.summarise(self.predictions, self.dataset)

    @property
    def task(self) -> Task:
        """Whether each track has one label or many."""
        return scoring.find_task(self.predictions)

    @property
    def main_score(self) -> str:
        """The score by which systems are compared, a column of `summary`."""
        return scoring.find_main_score(self.predictions)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.absolute().name

    @property
    def systems(self) -> dict[str, str]:
        """The systems that were tested and their titles, in the order of `mcc_zoo.ARCHITECTURES`."""
        return dict(zip(self.summary["architecture"], self.summary["system"], strict=True))

    @property
    def front_end(self) -> FrontEnd:
        """The front end of all systems of the run."""
        return FrontEnd(**self.config["front_end"])

    @property
    def folds(self) -> int:
        """Number of folds, over all seeds, that at least one system was tested on."""
        return len(self.predictions[["seed", "fold"]].drop_duplicates())

    @property
    def labels(self) -> list[str]:
        """The labels that occur or are predicted, sorted; with many labels a track, those that have a column."""
        if self.task == "multi-label":
            return auto_tagging.list_labels(self.predictions)
        return metrics.list_labels(self.predictions)

    def select_predictions(self, architecture: str) -> pd.DataFrame:
        """Select the predictions of one system, over all its folds and seeds."""
        return self.predictions[self.predictions["architecture"] == architecture]

    def read_histories(self, architecture: str) -> list[pd.DataFrame]:
        """Read the training histories of one system, epochs as rows; folds whose folders are gone have none."""
        return [_read(path, pd.read_csv) for path in find_fold_files(self.folder, "history.csv", architecture)]

    def read_surest_taggrams(self, architecture: str) -> list[tuple[str, TrackTaggram]]:
        """Read the taggrams of the right and of the wrong prediction of the highest probability of one system.

        With many labels a track, those of the tracks of the highest and of the lowest average precision.

        Returns:
            The name of the fold, such as "seed 0, fold 3", and the track; empty if no fold kept its taggrams.
        """
        paths = find_fold_files(self.folder, TAGGRAMS, architecture)
        kept = [(_name_fold(path), track) for path in paths for track in _read(path, read_taggrams)]
        sides = ([found for found in kept if found[1].is_right == is_right] for is_right in (True, False))
        return [max(side, key=lambda found: found[1].strength) for side in sides if side]

    def read_filters(self, architecture: str) -> tuple[str, dict[str, np.ndarray]]:
        """Read the filters of the first fold of one system that kept them.

        Returns:
            The name of the fold and for each channel (bands, frames, filters); "" and no channels if none kept them.
        """
        for path in find_fold_files(self.folder, FILTERS, architecture):
            return _name_fold(path), _read(path, read_filters)
        return "", {}

    def write(self, name: str, content: bytes) -> Path:
        """Replace a file of the folder, whole or not at all, and return its path."""
        path = self.folder / name
        make_folder(path.parent)
        write_bytes(path, content)
        return path


def read_run(run_dir: str | os.PathLike[str], dataset: str) -> Run:
    """Read the folder of a run.

    Args:
        run_dir: As for `write_report`.
        dataset: As for `write_report`.

    Raises:
        ValueError: A file is missing or damaged.
    """
    folder = Path(run_dir)
    return Run(
        folder,
        dataset,
        config=_read(folder / "config.json", lambda path: json.loads(path.read_text(encoding="utf-8"))),
        seconds=_read(folder / "folds.csv", lambda path: pd.read_csv(path, usecols=["seconds"])["seconds"].sum()),
        predictions=_read(folder / "predictions.csv", metrics.read_predictions),
        refused=_read(folder / "refused.csv", lambda path: pd.read_csv(path, dtype=str, keep_default_na=False)),
    )


def _name_fold(path: Path) -> str:
    """Name the fold that a file is of: that of seed0-fold3-r0/history.csv is "seed 0, fold 3"."""
    return re.sub(r"seed(.+)-fold(.+)-.+", r"seed \1, fold \2", path.parent.name)


def _read(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ValueError(
            f"{path.parent} holds no {path.name}: give the folder of a finished run (results/DATASET/RUN), "
            "or start the experiment again with the same --run to finish it"
        ) from error
    except ValueError as error:  # of JSON, of encoding and of pandas
        raise ValueError(f"{path}: {error}: remove it and start the experiment again with the same --run") from error
