"""Scores of tracks that have many labels each, computed from the rows of predictions.csv.

The field reads such scores in two ways: over labels (how well are tracks ranked by a label?) and over tracks (how well
are the labels of a track ranked?). Label by label, a fold in which no test track has a label, or every one, says
nothing of it: the label is left out of that fold's mean. So is a track with no label, or with all, of the mean over
tracks.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mcc_zoo.evaluation.metrics import KEYS
from mcc_zoo.extras import require
from mcc_zoo.tasks import SEPARATOR

FIXED = ("seed", "fold", "architecture", "path", "group", "truth", "prediction", "chunks")  # the others are labels
RANKINGS = ["roc_auc", "average_precision"]
SCORES = ("roc_auc", "average_precision", "roc_auc_of_tracks", "average_precision_of_tracks", "f1")


def list_labels(predictions: pd.DataFrame) -> list[str]:
    """List the labels, in the order of their columns."""
    return [column for column in predictions.columns if column not in FIXED]


def make_prediction_row(
    probabilities: np.ndarray, chunks: int, targets: np.ndarray, thresholds: np.ndarray, labels: list[str]
) -> dict[str, str | int | float]:
    """Make the columns of predictions.csv that tell what a system says of a track.

    Args:
        probabilities: (labels,) of the track.
        chunks: Number of chunks of the track.
        targets: (labels,) 1 for each label that it has, else 0.
        thresholds: (labels,) as `mcc_zoo.evaluation.thresholds.choose_thresholds` gives them.
        labels: Their names.

    Returns:
        truth and prediction, the names of labels separated by "|"; chunks; and one probability for each label.
    """
    return {
        "truth": join_labels(labels, targets > 0),
        "prediction": join_labels(labels, probabilities >= thresholds),
        "chunks": chunks,
        **dict(zip(labels, probabilities.tolist(), strict=True)),
    }


def join_labels(labels: list[str], given: np.ndarray) -> str:
    """Join the names of some labels, as a cell of a table has them.

    >>> join_labels(["calm", "sad", "tense"], np.array([True, False, True]))
    'calm|tense'
    """
    return SEPARATOR.join(label for label, is_given in zip(labels, given, strict=True) if is_given)


def read_targets(cells: pd.Series, labels: list[str]) -> np.ndarray:
    """Read cells of `join_labels`: (tracks, labels) bool."""
    names = [set(cell.split(SEPARATOR)) for cell in cells]
    return np.array([[label in own for label in labels] for own in names]).reshape(len(names), len(labels))


def score_folds(predictions: pd.DataFrame) -> pd.DataFrame:
    """Score each fold of each system.

    Args:
        predictions: The rows of predictions.csv.

    Returns:
        One row per architecture, seed and fold, with `SCORES` as shares of 1: roc_auc, average_precision and f1 are
        means over labels (macro).
    """
    labels = list_labels(predictions)
    scores = [
        {**dict(zip(KEYS, key, strict=True)), **_score(own, labels)}
        for key, own in predictions.groupby(KEYS, sort=True)
    ]
    return pd.DataFrame(scores, columns=[*KEYS, *SCORES])


def _score(predictions: pd.DataFrame, labels: list[str]) -> dict[str, float]:
    of_labels = score_labels(predictions, labels)[["roc_auc", "average_precision", "f1"]].mean()
    of_tracks = score_tracks(predictions, labels).mean().rename(lambda name: f"{name}_of_tracks")
    return {str(name): float(mean) for name, mean in (*of_labels.items(), *of_tracks.items())}


def score_tracks(predictions: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Score how well the labels of each track are ranked.

    Args:
        predictions: Rows of predictions.csv, of one system.
        labels: Their names.

    Returns:
        One row per track with the columns roc_auc and average_precision, as shares of 1; NaN for a track that has no
        label, or all.
    """
    truth, values = read_targets(predictions["truth"], labels), predictions[labels].to_numpy()
    return pd.DataFrame([_score_ranking(*track) for track in zip(truth, values, strict=True)], columns=RANKINGS)


def score_labels(predictions: pd.DataFrame, labels: list[str] | None = None) -> pd.DataFrame:
    """Score each label over some tracks.

    Args:
        predictions: Rows of predictions.csv, of one system.
        labels: Their names; None for all.

    Returns:
        One row per label, in their order, with the columns tracks (how many have it), roc_auc, average_precision,
        precision, recall and f1, as shares of 1. Where no track has the label or every one, they are NaN. Precision
        is NaN too where the label was never given.
    """
    labels = labels or list_labels(predictions)
    truth, given = (read_targets(predictions[name], labels) for name in ("truth", "prediction"))
    values = predictions[labels].to_numpy()
    columns = zip(truth.T, values.T, given.T, strict=True)
    return pd.DataFrame([_score_label(*column) for column in columns], index=pd.Index(labels, name="label"))


def _score_ranking(truth: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Score how well values rank what is true above what is not: ROC-AUC and average precision."""
    if not truth.any() or truth.all():
        return dict.fromkeys(RANKINGS, np.nan)
    metrics = require("sklearn.metrics", "train")
    return {
        "roc_auc": float(metrics.roc_auc_score(truth, values)),
        "average_precision": float(metrics.average_precision_score(truth, values)),
    }


def _score_label(truth: np.ndarray, values: np.ndarray, given: np.ndarray) -> dict[str, float]:
    scores = dict.fromkeys(("precision", "recall", "f1"), np.nan)
    if truth.any() and not truth.all():
        right = int((truth & given).sum())
        scores = {
            "precision": right / given.sum() if given.any() else np.nan,
            "recall": right / truth.sum(),
            "f1": 2 * right / (truth.sum() + given.sum()),
        }
    return {"tracks": int(truth.sum()), **_score_ranking(truth, values), **scores}


def count_untested_labels(predictions: pd.DataFrame) -> dict[str, int]:
    """Count for each label the folds in which no test track has it, or every one; only labels with such folds.

    Args:
        predictions: The rows of predictions.csv.
    """
    labels = list_labels(predictions)
    tracks = predictions.drop_duplicates(["seed", "fold", "path"])  # each system has a row for each track
    tells = [
        (truth := read_targets(own["truth"], labels)).any(axis=0) & ~truth.all(axis=0)
        for _, own in tracks.groupby(["seed", "fold"])
    ]
    silent = (~np.array(tells)).sum(axis=0)
    return {label: int(count) for label, count in zip(labels, silent, strict=True) if count}


def count_pairs(predictions: pd.DataFrame, column: str = "truth") -> pd.DataFrame:
    """Count the tracks that have both of two labels (labels, labels); on the diagonal those that have the label.

    Args:
        predictions: Rows of predictions.csv, one for each track.
        column: `truth` or `prediction`.
    """
    labels = list_labels(predictions)
    given = read_targets(predictions[column], labels).astype(int)
    return pd.DataFrame(given.T @ given, index=labels, columns=labels)


def compute_chance(predictions: pd.DataFrame) -> dict[str, float]:
    """Compute what guessing gives: average_precision is the labels' mean share of the tracks, roc_auc one half.

    f1 is that of giving every label to every track.
    """
    labels = list_labels(predictions)
    tracks = predictions.drop_duplicates(["seed", "fold", "path"])
    shares = read_targets(tracks["truth"], labels).mean(axis=0)
    return {
        "roc_auc": 0.5,
        "average_precision": float(shares.mean()),
        "f1": float(np.mean(2 * shares / (1 + shares))),
    }
