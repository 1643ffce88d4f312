"""Folders of runs, made by hand as experiments leave them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mcc_zoo.experiment import fold_details
from mcc_zoo.paper import CHANNELS, FILTERS

A, B, C = LABELS = ('<rock&"', "Forró", r"$\pop{$ 5")
MISTAKES = {"r3": (0, 1, 2), "mcclstm": (0, 0, 1)}  # by fold: that many of the first tracks are labelled wrongly


@dataclass
class Experiment:
    """A run folder to be, with settings to bend."""

    mistakes: dict[str, Sequence[int]] = field(default_factory=lambda: dict(MISTAKES))
    seeds: int = 2
    split: str = "grouped"
    groups: str = "kept"
    epochs: Sequence[int] = (3, 5, 4)
    pictures: bool = True
    labels: Sequence[str] = LABELS
    config: dict[str, Any] = field(default_factory=dict)
    refused: Sequence[tuple[str, str]] = ()

    def group(self, fold: int, place: int) -> str:
        """An artist's name: all of a fold's tracks are theirs, or a track in every fold, or nobody knows."""
        return {"kept": f"artist {fold}", "torn": f"artist {place}", "unknown": ""}[self.groups]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of predictions.csv, four tracks a fold; the majority vote is always the first label's."""
        first, second, third = self.labels
        truths, wrong = (first, first, second, third), {0: second, 1: third}
        rows: list[dict[str, Any]] = [
            {
                "seed": seed,
                "fold": fold,
                "architecture": architecture,
                "path": f"{fold}/{place}.wav",
                "group": self.group(fold, place),
                "truth": truth,
                "prediction": wrong[place] if place < mistakes else truth,
                "majority_vote": first,
                "chunks": 8,
                "chunks_right": 8 if place >= mistakes else 3,
                **dict.fromkeys(self.labels, 0.2),
            }
            for architecture, folds in self.mistakes.items()
            for seed in range(self.seeds)
            for fold, mistakes in enumerate(folds)
            for place, truth in enumerate(truths)
        ]
        for row in rows:  # later folds and tracks are surer
            row[row["prediction"]] = 0.4 + 0.05 * sum(map(int, row["path"].removesuffix(".wav").split("/")))
        return rows

    def write(self, folder: Path) -> Path:
        """Write the run's files as an experiment leaves them."""
        folder.mkdir()
        predictions = pd.DataFrame(self.rows())
        predictions.to_csv(folder / "predictions.csv", index=False)
        units = predictions[["seed", "fold", "architecture"]].drop_duplicates()
        units.assign(best_epoch=2, seconds=700.5).to_csv(folder / "folds.csv", index=False)
        for seed, fold, architecture in units.to_numpy().tolist() if self.epochs else ():
            own = folder / "units" / f"seed{seed}-fold{fold}-{architecture}"
            own.mkdir(parents=True)
            history(self.epochs[fold]).to_csv(own / "history.csv", index=False)
            if self.pictures:
                rows = predictions.query("seed == @seed and fold == @fold and architecture == @architecture")
                windows = [taggrams(len(self.labels))] * len(rows)
                fold_details.write_taggrams(own, rows.to_dict("records"), windows, self.labels)
                np.savez_compressed(own / fold_details.FILTERS, **filters())
        pd.DataFrame(self.refused, columns=["path", "reason"]).to_csv(folder / "refused.csv", index=False)
        config = {
            "split": self.split,
            "shuffle_labels": False,
            "recipe": {"name": "tuned", "learning_rate": 0.001},
            "front_end": {"sample_rate": 44_100},
            "tracks": 12,
            "versions": {"mcc_zoo": "0.1.0", "keras": "3.99.1"},
            "started": [
                {"date": "2031-02-03T04:05:06+00:00", "command": "python -m experiments.demo --folds=3"},
                {"date": "2031-02-04T04:05:06+00:00", "command": 'python -m experiments.demo --note="<b>"'},
            ],
            **self.config,
        }
        (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
        return folder


def history(epochs: int) -> pd.DataFrame:
    """A history.csv."""
    steps = np.arange(1.0, epochs + 1)
    return pd.DataFrame(
        {
            "loss": 2 / steps,
            "tags_accuracy": 1 - 1 / (1 + steps),
            "tags_cross_entropy": 1 / steps,
            "val_tags_accuracy": 1 - 1 / (2 + steps),
            "val_tags_cross_entropy": 1.5 / steps,
        }
    )


def taggrams(labels: int) -> list[np.ndarray]:
    """Two windows of a track, of eight chunks in all."""
    chunks = np.random.default_rng(0).dirichlet(np.ones(labels), size=8)
    return [chunks[:5], chunks[5:]]


def filters() -> dict[str, np.ndarray]:
    """The filters of Table 1's channels."""
    draw = np.random.default_rng(0).normal
    return {name: draw(size=(*channel.kernel, FILTERS)).astype(np.float16) for name, channel in CHANNELS.items()}


def small(**settings: Any) -> Experiment:
    """One system without histories, so that few figures are drawn."""
    return Experiment(**{"mistakes": {"r3": MISTAKES["r3"]}, "epochs": (), **settings})


def example() -> Experiment:
    """Two systems on three folds of two seeds, with all that a page can show, two refused tracks too."""
    refused = [("bad/<one>.wav", 'bad/<one>.wav: is empty: "replace" it'), ("bad/two.wav", "bad/two.wav: 2 bytes")]
    return Experiment(refused=refused)
