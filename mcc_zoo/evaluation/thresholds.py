"""Thresholds above which a label is given to a track, chosen on validation tracks by F1."""

from __future__ import annotations

import numpy as np


def choose_thresholds(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Choose for each label the threshold with the highest F1.

    A label that no track or every track has gets the threshold that is best for all labels together.

    Args:
        targets: (tracks, labels) 1 for each label that a track has, else 0.
        probabilities: (tracks, labels).

    Returns:
        (labels,) thresholds in float64: a label is given where its probability is not below.

    >>> choose_thresholds(np.array([[0], [1], [1]]), np.array([[0.2], [0.6], [0.9]])).tolist()
    [0.4]
    """
    of_all = _choose_threshold(targets.ravel(), probabilities.ravel())
    tells = (targets.max(axis=0) > 0) & (targets.min(axis=0) < 1)
    own = zip(targets.T, probabilities.T, tells, strict=True)
    return np.array([_choose_threshold(truth, values) if told else of_all for truth, values, told in own])


def _choose_threshold(truth: np.ndarray, values: np.ndarray) -> float:
    """Choose among the middles between values that follow each other; of equal F1 the one with the fewest tracks."""
    order = np.argsort(-values, kind="stable")
    values, right = values[order].astype(np.float64), np.cumsum(truth[order] > 0)
    f1 = 2 * right / (np.arange(1, len(values) + 1) + max(1, right[-1]))
    f1[:-1][values[:-1] == values[1:]] = -1.0  # no threshold is between equal values
    best = int(np.argmax(f1))
    below = values[best + 1] if best + 1 < len(values) else 0.0
    return float((values[best] + below) / 2)
