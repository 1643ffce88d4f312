"""Logistic regression on statistics of MFCCs: the reference of `benchmarks.mfcc_svm` for tracks with many labels.

Each label has a regression of its own. The validation tracks choose its penalty and the thresholds, as they do for the
systems; test tracks are used for the score alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from mcc_zoo.datasets import Track
from mcc_zoo.datasets.splits import Split
from mcc_zoo.evaluation import auto_tagging
from mcc_zoo.evaluation.thresholds import choose_thresholds
from mcc_zoo.training.output_layer import INVERSE_PENALTIES, LayerInputs, compute_cross_entropy, fit_output_layer

NAME = "mfcc_logistic"


def evaluate_fold(features: np.ndarray, tracks: Sequence[Track], split: Split) -> tuple[dict[str, Any], pd.DataFrame]:
    """Train, validate and test on one fold.

    Args:
        features: (tracks, 57), of all tracks.
        tracks: All tracks.
        split: Those of the fold.

    Returns:
        What folds.csv has of it, and the rows of predictions.csv without seed and fold.
    """
    labels = sorted({label for track in tracks for label in track.all_labels})
    targets = np.array([[label in track.all_labels for label in labels] for track in tracks], float)
    numbers = np.arange(len(tracks))
    inputs = LayerInputs(features, targets, np.ones(len(tracks)), numbers)
    training, validation = inputs.select(split.train), inputs.select(split.validation)
    layers = {c: fit_output_layer(training, c, "multi-label") for c in INVERSE_PENALTIES}
    losses = {c: compute_cross_entropy(layer, validation, "multi-label") for c, layer in layers.items()}
    best = min(losses, key=losses.__getitem__)
    kernel, bias = layers[best]
    probabilities = expit(features @ kernel + bias)
    thresholds = choose_thresholds(targets[split.validation], probabilities[split.validation])
    rows = [
        {
            "architecture": NAME,
            "path": tracks[i].name,
            "group": tracks[i].group,
            **auto_tagging.make_prediction_row(probabilities[i], 1, targets[i], thresholds, labels),
        }
        for i in split.test.tolist()
    ]
    return {"C": best, "validation_cross_entropy": losses[best]}, pd.DataFrame(rows)
