"""A run folder: what the report reads in it, and writes into it."""

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

from mcc_zoo.atomic import write_bytes
from mcc_zoo.evaluation import metrics
from mcc_zoo.experiment.fold_details import FILTERS, TAGGRAMS, TrackTaggram, read_filters, read_taggrams
from mcc_zoo.features.front_end import FrontEnd


@dataclass(frozen=True)
class Run:
    """What lies in a run folder.

    Attributes:
        folder: The run folder.
        dataset: Its dataset's name.
        config: config.json.
        seconds: Of training and testing, all folds together (folds.csv).
        predictions: predictions.csv.
        refused: refused.csv: path and reason of each track that was set aside.
    """

    folder: Path
    dataset: str
    config: dict[str, Any]
    seconds: float
    predictions: pd.DataFrame
    refused: pd.DataFrame

    @cached_property
    def summary(self) -> pd.DataFrame:
        """As `mcc_zoo.evaluation.metrics.summary` gives it."""
        return metrics.summary(self.predictions, self.dataset)

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
        """What the systems were trained on."""
        return FrontEnd(**self.config["front_end"])

    @property
    def folds(self) -> int:
        """How many folds were tested, over all seeds, by at least one system."""
        return len(self.predictions[["seed", "fold"]].drop_duplicates())

    @property
    def labels(self) -> list[str]:
        """The labels that occur or are predicted, sorted."""
        return list(metrics.confusion(self.predictions).index)

    def rows(self, architecture: str) -> pd.DataFrame:
        """Return a system's predictions over all its folds and seeds."""
        return self.predictions[self.predictions["architecture"] == architecture]

    def histories(self, architecture: str) -> list[pd.DataFrame]:
        """Return a system's training histories, epochs as rows, of the folds whose folders are still there."""
        return [_read(path, pd.read_csv) for path in self._of_units(architecture, "history.csv")]

    def taggrams(self, architecture: str) -> list[tuple[str, TrackTaggram]]:
        """Return the surest right and the surest wrong track of a system, of all folds that kept theirs.

        Each stands behind the name of its fold, as "seed 0, fold 3"; what no fold has is left out.
        """
        paths = self._of_units(architecture, TAGGRAMS)
        kept = [(_fold_name(path), track) for path in paths for track in _read(path, read_taggrams)]
        sides = ([named for named in kept if named[1].is_right == right] for right in (True, False))
        return [max(side, key=lambda named: named[1].probability) for side in sides if side]

    def filters(self, architecture: str) -> tuple[str, dict[str, np.ndarray]]:
        """Return the name of a system's first fold that kept its filters, and the filters; none, where none did."""
        for path in self._of_units(architecture, FILTERS):
            return _fold_name(path), _read(path, read_filters)
        return "", {}

    def _of_units(self, architecture: str, name: str) -> list[Path]:
        """List a file of the system's folds, of those whose folders are still there and hold it."""
        return sorted(self.folder.glob(f"units/*-{architecture}/{name}"))

    def write(self, name: str, content: bytes) -> Path:
        """Replace a file of the folder, whole or not at all, and return its path."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, content)
        return path


def read_run(run_dir: str | os.PathLike[str], dataset: str) -> Run:
    """Read a run folder.

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


def _fold_name(path: Path) -> str:
    """Tell a fold by the name of its folder: seed0-fold3-r0 is "seed 0, fold 3"."""
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
