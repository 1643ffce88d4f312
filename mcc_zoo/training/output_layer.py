"""The last layer of a model, fitted by logistic regression on a frozen descriptor.

One label a track: a softmax, by multinomial regression. Many labels: a sigmoid for each, by a regression of its own.
scikit-learn finds the optimum, so there is no learning rate and no number of epochs to choose, only the penalty on
large weights.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import log_expit, log_softmax

from mcc_zoo.extras import require
from mcc_zoo.tasks import Task

INVERSE_PENALTIES = tuple(10.0**power for power in range(-4, 2))  # scikit-learn's C, for standardised descriptors
ITERATIONS = 300  # of its solver
LEAST_SPREAD = 0.01  # least standard deviation of a value of the descriptor, as a share of the largest
Layer = list[np.ndarray]  # kernel (D, labels) and bias (labels,)


@dataclass(frozen=True)
class LayerInputs:
    """Inputs of the last layer with their targets; the weights of a track's samples sum to 1.

    Attributes:
        values: (samples, D) descriptors: with an LSTM the last step of each window, else each chunk.
        targets: (samples, labels) 1 for each label of the track, else 0.
        weights: (samples,) shares of the track.
        tracks: (samples,) numbers of the tracks.
    """

    values: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    tracks: np.ndarray

    def select(self, tracks: np.ndarray) -> LayerInputs:
        """Take the samples of the tracks with these numbers."""
        own = np.isin(self.tracks, tracks)
        return LayerInputs(*(getattr(self, field.name)[own] for field in fields(self)))


def fit_output_layer(inputs: LayerInputs, inverse_penalty: float, task: Task = "single-label") -> Layer:
    """Fit the last layer.

    Args:
        inputs: Training samples; with one label a track, of at least two labels.
        inverse_penalty: scikit-learn's C: smaller values keep weights smaller.
        task: What the layer answers.

    Returns:
        Kernel (D, labels) and bias (labels,).
    """
    values = inputs.values.astype(float)
    mean, std = values.mean(axis=0), values.std(axis=0)
    scale = np.maximum(std, LEAST_SPREAD * std.max() or 1.0)  # values that hardly vary are not scaled up
    scaled = (values - mean) / scale
    if task == "single-label":
        kernel, bias = _regress(scaled, inputs.targets.argmax(axis=1), inputs.weights, inverse_penalty)
        if len(bias) == 1:  # with two classes scikit-learn scores only the second
            kernel, bias = np.concatenate([-kernel, kernel]) / 2, np.concatenate([-bias, bias]) / 2
    else:
        of_labels = [_regress_label(scaled, target, inputs.weights, inverse_penalty) for target in inputs.targets.T]
        kernel, bias = (np.concatenate(parts) for parts in zip(*of_labels, strict=True))
    kernel = kernel / scale
    return [kernel.T, bias - kernel @ mean]


def _regress_label(
    values: np.ndarray, target: np.ndarray, weights: np.ndarray, inverse_penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the sigmoid of one label. If all tracks have the label, or none, it says so of any track."""
    if target.min() < target.max():
        return _regress(values, target > 0, weights, inverse_penalty)
    have, lack = weights[target > 0].sum(), weights[target <= 0].sum()
    return np.zeros((1, values.shape[1])), np.array([np.log((have + 0.5) / (lack + 0.5))])


def _regress(
    values: np.ndarray, classes: np.ndarray, weights: np.ndarray, inverse_penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    linear_model, exceptions = require("sklearn.linear_model", "train"), require("sklearn.exceptions", "train")
    regression = linear_model.LogisticRegression(C=inverse_penalty, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)  # stopping early acts as a little more penalty
        regression.fit(values, classes, sample_weight=weights)
    return regression.coef_, regression.intercept_


def compute_cross_entropy(layer: Layer, inputs: LayerInputs, task: Task = "single-label") -> float:
    """Compute the mean cross-entropy of a layer on samples, weighted; with many labels, the mean over labels."""
    kernel, bias = layer
    logits = inputs.values @ kernel + bias
    if task == "single-label":
        of_samples = -(inputs.targets * log_softmax(logits, axis=1)).sum(axis=1)
    else:
        likelihoods = inputs.targets * log_expit(logits) + (1 - inputs.targets) * log_expit(-logits)
        of_samples = -likelihoods.mean(axis=1)
    return float(np.average(of_samples, weights=inputs.weights))
