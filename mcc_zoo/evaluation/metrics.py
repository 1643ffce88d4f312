"""Scores of tracks that have one label each, of labels and of folds, computed from the rows of predictions.csv."""

from __future__ import annotations

import os

import pandas as pd

KEYS = ["architecture", "seed", "fold"]
TEXT = ["architecture", "path", "group", "truth", "prediction", "majority_vote"]


def read_predictions(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a predictions.csv. Labels and groups that look like numbers, or like "NA", stay text."""
    return pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False)


def score_folds(predictions: pd.DataFrame) -> pd.DataFrame:
    """Score each fold of each system.

    Args:
        predictions: The rows of predictions.csv.

    Returns:
        One row per architecture, seed and fold. The scores are shares of 1: accuracy, majority_vote, chunk_accuracy,
        balanced_accuracy (mean recall of the labels that occur) and macro_f1 (mean over the labels that occur or are
        predicted).
    """
    scored = predictions.assign(
        accuracy=predictions["truth"] == predictions["prediction"],
        majority_vote=predictions["truth"] == predictions["majority_vote"],
    )
    grouped = scored.groupby(KEYS, sort=True)
    means = grouped[["accuracy", "majority_vote"]].mean()
    sums = grouped[["chunks_right", "chunks"]].sum()
    means["chunk_accuracy"] = sums["chunks_right"] / sums["chunks"]
    by_label = grouped[["truth", "prediction"]].apply(_average_over_labels)
    return means.join(by_label).reset_index()


def _average_over_labels(predictions: pd.DataFrame) -> pd.Series:
    scores = score_labels(predictions)
    return pd.Series({"balanced_accuracy": scores["recall"].mean(), "macro_f1": scores["f1"].mean()})


def score_labels(predictions: pd.DataFrame) -> pd.DataFrame:
    """Score each label that occurs or is predicted.

    Args:
        predictions: The rows of predictions.csv.

    Returns:
        One row per label, sorted, with the columns tracks (how many have it), precision, recall and f1, as shares of
        1; NaN where the denominator is 0.
    """
    labels = list_labels(predictions)
    is_right = predictions["truth"] == predictions["prediction"]
    true, predicted, right = (
        column.value_counts().reindex(labels, fill_value=0)
        for column in (predictions["truth"], predictions["prediction"], predictions.loc[is_right, "truth"])
    )
    return pd.DataFrame(
        {
            "tracks": true,
            "precision": right / predicted.where(predicted > 0),
            "recall": right / true.where(true > 0),
            "f1": 2 * right / (true + predicted),
        }
    )


def list_labels(predictions: pd.DataFrame) -> list[str]:
    """List the labels that occur or are predicted, sorted."""
    return sorted(set(predictions["truth"]) | set(predictions["prediction"]))


def find_confused_pairs(predictions: pd.DataFrame, most: int) -> pd.DataFrame:
    """Find the pairs of truth and prediction that differ most often.

    Args:
        predictions: The rows of predictions.csv.
        most: How many at most.

    Returns:
        One row per pair, the most frequent first, with the columns truth, prediction and tracks.
    """
    wrong = predictions[predictions["truth"] != predictions["prediction"]]
    counts = wrong.groupby(["truth", "prediction"], sort=True).size().sort_values(ascending=False, kind="stable")
    return counts.head(most).rename("tracks").reset_index()


def count_confusions(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count tracks by truth (rows) and prediction (columns), over the sorted labels that occur in either."""
    labels = list_labels(predictions)
    counts = pd.crosstab(predictions["truth"], predictions["prediction"])
    return counts.reindex(index=labels, columns=labels, fill_value=0)


def count_split_groups(predictions: pd.DataFrame) -> tuple[int, int]:
    """Count the groups whose tracks stand in several folds of one seed, and all groups that are known.

    A system is trained and tested on such a group, so it can recognise the artist or album instead of the label.

    >>> columns = {"seed": [0, 0, 0, 0], "fold": [0, 1, 0, 0], "group": ["split", "split", "whole", ""]}
    >>> count_split_groups(pd.DataFrame(columns))
    (1, 2)
    """
    known = predictions[predictions["group"] != ""]
    folds_of_each = known.groupby(["group", "seed"])["fold"].nunique()
    split = folds_of_each[folds_of_each > 1].index.get_level_values("group")
    return split.nunique(), known["group"].nunique()


def find_most_frequent_label(predictions: pd.DataFrame) -> tuple[str, float]:
    """Return the label that most tested tracks have, and their share in percent: the accuracy of always guessing it.

    >>> columns = {"seed": 0, "fold": 0, "path": ["a", "b", "c", "a"], "truth": ["rock", "pop", "rock", "rock"]}
    >>> label, percent = find_most_frequent_label(pd.DataFrame(columns))
    >>> label, round(percent, 1)
    ('rock', 66.7)
    """
    tracks = predictions.drop_duplicates(["seed", "fold", "path"])  # each system has a row for each track
    shares = tracks["truth"].value_counts(normalize=True).sort_index()  # of equal shares the first label by name
    return str(shares.idxmax()), 100 * float(shares.max())
