"""Logistic regression on features of tracks, for `benchmarks.mfcc_svm`: one label a track or many.

With many labels a track, each label has a regression of its own. The validation tracks choose its penalty and the
thresholds, as they do for the systems; test tracks are used for the score alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, softmax
from sklearn.preprocessing import StandardScaler

from mcc_zoo.datasets import Track
from mcc_zoo.datasets.base import find_task
from mcc_zoo.datasets.splits import Split
from mcc_zoo.evaluation import auto_tagging, pooling
from mcc_zoo.evaluation.thresholds import choose_thresholds
from mcc_zoo.training.output_layer import INVERSE_PENALTIES, LayerInputs, compute_cross_entropy, fit_output_layer


def evaluate_fold(features: np.ndarray, tracks: Sequence[Track], split: Split) -> tuple[dict[str, Any], pd.DataFrame]:
    """Train, validate and test on one fold.

    Args:
        features: (tracks, D), of all tracks.
        tracks: All tracks.
        split: Those of the fold.

    Returns:
        What folds.csv has of it, and the rows of predictions.csv from path on.
    """
    task = find_task(tracks)
    labels = sorted({label for track in tracks for label in track.all_labels})
    targets = np.array([[label in track.all_labels for label in labels] for track in tracks], float)
    features = StandardScaler().fit(features[split.train]).transform(features)
    inputs = LayerInputs(features, targets, np.ones(len(tracks)), np.arange(len(tracks)))
    training, validation = inputs.select(split.train), inputs.select(split.validation)
    layers = {c: fit_output_layer(training, c, task) for c in INVERSE_PENALTIES}
    losses = {c: compute_cross_entropy(layer, validation, task) for c, layer in layers.items()}
    best = min(losses, key=losses.__getitem__)
    kernel, bias = layers[best]
    logits = features @ kernel + bias
    if task == "single-label":
        rows = [
            pooling.make_prediction_row([softmax(logits[i : i + 1], axis=1)], targets[i].argmax(), labels, False)
            for i in split.test
        ]
    else:
        probabilities = expit(logits)
        thresholds = choose_thresholds(targets[split.validation], probabilities[split.validation])
        rows = [
            auto_tagging.make_prediction_row(probabilities[i], 1, targets[i], thresholds, labels) for i in split.test
        ]
    named = [
        {"path": tracks[i].name, "group": tracks[i].group, **row}
        for i, row in zip(split.test.tolist(), rows, strict=True)
    ]
    return {"C": best, "validation_cross_entropy": losses[best]}, pd.DataFrame(named)
