"""A softmax layer fitted by multinomial logistic regression on a frozen descriptor.

scikit-learn finds the optimum, so there is no learning rate and no number of epochs to choose, only the penalty on
large weights.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import log_softmax

from mcc_zoo.extras import require

INVERSE_PENALTIES = tuple(10.0**power for power in range(-4, 2))  # scikit-learn's C, for standardised descriptors
ITERATIONS = 300  # of its solver
LEAST_SPREAD = 0.01  # least standard deviation of a value of the descriptor, as a share of the largest


@dataclass(frozen=True)
class SoftmaxInputs:
    """Inputs of a softmax with their targets; the weights of a track's samples sum to 1.

    Attributes:
        values: (samples, D) descriptors: with an LSTM the last step of each window, else each chunk.
        classes: (samples,) numbers of the tracks' labels.
        weights: (samples,) shares of the track.
        tracks: (samples,) numbers of the tracks.
    """

    values: np.ndarray
    classes: np.ndarray
    weights: np.ndarray
    tracks: np.ndarray

    def select(self, tracks: np.ndarray) -> SoftmaxInputs:
        """Take the samples of the tracks with these numbers."""
        own = np.isin(self.tracks, tracks)
        return SoftmaxInputs(*(getattr(self, field.name)[own] for field in fields(self)))


def fit_softmax(inputs: SoftmaxInputs, inverse_penalty: float) -> list[np.ndarray]:
    """Fit a softmax layer.

    Args:
        inputs: Training samples, of at least two classes.
        inverse_penalty: scikit-learn's C: smaller values keep weights smaller.

    Returns:
        Kernel (D, labels) and bias (labels,).
    """
    values = inputs.values.astype(float)
    mean, std = values.mean(axis=0), values.std(axis=0)
    scale = np.maximum(std, LEAST_SPREAD * std.max() or 1.0)  # values that hardly vary are not scaled up
    linear_model, exceptions = require("sklearn.linear_model", "train"), require("sklearn.exceptions", "train")
    regression = linear_model.LogisticRegression(C=inverse_penalty, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)  # stopping early acts as a little more penalty
        regression.fit((values - mean) / scale, inputs.classes, sample_weight=inputs.weights)
    kernel, bias = regression.coef_, regression.intercept_
    if len(bias) == 1:  # with two classes scikit-learn scores only the second
        kernel, bias = np.concatenate([-kernel, kernel]) / 2, np.concatenate([-bias, bias]) / 2
    kernel = kernel / scale
    return [kernel.T, bias - kernel @ mean]


def compute_cross_entropy(softmax: list[np.ndarray], inputs: SoftmaxInputs) -> float:
    """Compute the mean cross-entropy of a softmax layer (kernel, bias) on samples, weighted."""
    kernel, bias = softmax
    scores = log_softmax(inputs.values @ kernel + bias, axis=1)
    return -float(np.average(scores[np.arange(len(scores)), inputs.classes], weights=inputs.weights))
