"""Scores of folds, from the rows of predictions.csv."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd

from mcc_zoo.paper import REPORTED, SYSTEMS

KEYS = ["architecture", "seed", "fold"]
TEXT = ["architecture", "path", "group", "truth", "prediction", "majority_vote"]


def read_predictions(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a predictions.csv; labels and groups that look like numbers, or like "NA", stay text."""
    return pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False)


def fold_scores(predictions: pd.DataFrame) -> pd.DataFrame:
    """Score every fold: a row an architecture, seed and fold, all as shares of 1.

    Columns: accuracy, majority_vote and chunk_accuracy; balanced_accuracy (mean recall of the classes that occur);
    macro_f1 (mean over the classes that occur or are predicted).
    """
    scored = predictions.assign(
        accuracy=predictions["truth"] == predictions["prediction"],
        majority_vote=predictions["truth"] == predictions["majority_vote"],
    )
    grouped = scored.groupby(KEYS, sort=True)
    means = grouped[["accuracy", "majority_vote"]].mean()
    sums = grouped[["chunks_right", "chunks"]].sum()
    means["chunk_accuracy"] = sums["chunks_right"] / sums["chunks"]
    by_class = grouped[["truth", "prediction"]].apply(_class_scores)
    return means.join(by_class).reset_index()


def _class_scores(rows: pd.DataFrame) -> pd.Series:
    table = confusion(rows)
    right = np.diag(table)
    true, predicted = table.sum(axis=1).to_numpy(), table.sum(axis=0).to_numpy()
    recall = right[true > 0] / true[true > 0]
    return pd.Series({"balanced_accuracy": recall.mean(), "macro_f1": (2 * right / (true + predicted)).mean()})


def groups_in_several_folds(predictions: pd.DataFrame) -> tuple[int, int]:
    """Count the groups that one seed's folds tear apart, and all groups that are known.

    A group that stands in several folds is trained on and tested: its artist or album can be what is recognised.

    >>> rows = {"seed": [0, 0, 0, 0], "fold": [0, 1, 0, 0], "group": ["torn", "torn", "whole", ""]}
    >>> groups_in_several_folds(pd.DataFrame(rows))
    (1, 2)
    """
    known = predictions[predictions["group"] != ""]
    folds_of_each = known.groupby(["group", "seed"])["fold"].nunique()
    torn = folds_of_each[folds_of_each > 1].index.get_level_values("group")
    return torn.nunique(), known["group"].nunique()


def most_frequent(predictions: pd.DataFrame) -> tuple[str, float]:
    """Return the label that most tested tracks have, and their share in percent, which needs no ear.

    >>> rows = {"seed": 0, "fold": 0, "path": ["a", "b", "c", "a"], "truth": ["rock", "pop", "rock", "rock"]}
    >>> label, percent = most_frequent(pd.DataFrame(rows))
    >>> label, round(percent, 1)
    ('rock', 66.7)
    """
    tracks = predictions.drop_duplicates(["seed", "fold", "path"])  # each system has a row of each
    shares = tracks["truth"].value_counts(normalize=True).sort_index()  # of equals the first by name
    return str(shares.idxmax()), 100 * float(shares.max())


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count tracks by truth (rows) and prediction (columns), over the labels that occur in either."""
    labels = sorted(set(predictions["truth"]) | set(predictions["prediction"]))
    counts = pd.crosstab(predictions["truth"], predictions["prediction"])
    return counts.reindex(index=labels, columns=labels, fill_value=0)


def summary(predictions: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Summarise the folds: a row an architecture, in percent, mean and std over folds (ddof 1), and the paper's.

    Systems come in the order of `SYSTEMS`; what is none of them, a reference say, comes last under its own name.
    Columns: system, folds, accuracy, std, majority_vote, balanced_accuracy, macro_f1, paper, paper_std.
    """
    scores = fold_scores(predictions)
    reported = REPORTED.get(dataset, {})
    rows = []
    found = set(scores["architecture"])
    for architecture in [name for name in SYSTEMS if name in found] + sorted(found - set(SYSTEMS)):
        own = scores[scores["architecture"] == architecture]
        paper = reported.get(architecture)
        rows.append(
            {
                "architecture": architecture,
                "system": SYSTEMS[architecture].title if architecture in SYSTEMS else architecture,
                "folds": len(own),
                "accuracy": 100 * own["accuracy"].mean(),
                "std": 100 * own["accuracy"].std(ddof=1),
                **{name: 100 * own[name].mean() for name in ("majority_vote", "balanced_accuracy", "macro_f1")},
                "paper": paper.mean if paper else None,
                "paper_std": paper.std if paper else None,
            }
        )
    return pd.DataFrame(rows)


def export_scores(predictions: pd.DataFrame, dataset: str, architecture: str) -> dict[str, float | int | None]:
    """Summarise one system for the card of its export: accuracy, std, balanced_accuracy, macro_f1 in percent; folds."""
    (found,) = summary(predictions[predictions["architecture"] == architecture], dataset).to_dict("records")
    figures = {name: found[name] for name in ("accuracy", "std", "balanced_accuracy", "macro_f1", "folds")}
    return {name: None if pd.isna(value) else value for name, value in figures.items()}  # one fold has no std
