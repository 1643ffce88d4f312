"""Chunk scores to track scores: windows averaged, chunks counted as votes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def average_windows(values: Sequence[np.ndarray], chunks: Sequence[int]) -> np.ndarray:
    """Average what a model says of the windows of a track, each window weighted by its number of chunks.

    Args:
        values: For each window an array of one shape: its tags (labels,), or its descriptor (D,).
        chunks: For each window its number of chunks.

    Returns:
        Float64 of that shape.

    >>> average_windows([np.array([0.9, 0.1]), np.array([0.1, 0.9])], chunks=[3, 1]).round(3).tolist()
    [0.7, 0.3]
    """
    return np.average(np.asarray(values, np.float64), axis=0, weights=chunks)


def pool_windows(windows: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Pool the model's outputs for the windows of a track into those of the track.

    Args:
        windows: For each window `tags` (labels,), `descriptor` (D,) and `taggram` (chunks, labels). All are 0 for a
            window without sound.

    Returns:
        `tags` and `descriptor`, the mean of the windows with sound weighted by chunks, in float64; `taggram` with all
        chunks in a row.

    Raises:
        KeyError: An output is missing.
        ValueError: The windows' outputs differ in shape.
    """
    taggrams = [window["taggram"] for window in windows]
    chunks = [len(window["taggram"]) * bool(np.any(window["tags"])) for window in windows]
    if not any(chunks):
        chunks = [1] * len(windows)
    averages = {name: average_windows([window[name] for window in windows], chunks) for name in ("tags", "descriptor")}
    return {**averages, "taggram": np.concatenate(taggrams)}


def pool_taggrams(taggrams: Sequence[np.ndarray], has_lstm: bool) -> np.ndarray:
    """Pool the taggrams of a track's windows into its tags, as the model does within one window.

    Args:
        taggrams: For each window (chunks, labels) probabilities.
        has_lstm: With an LSTM the tags of a window are those of its last step, else the mean over its chunks.

    Returns:
        (labels,) probabilities in float64.
    """
    tags = [taggram[-1] if has_lstm else taggram.mean(axis=0) for taggram in taggrams]
    return average_windows(tags, [len(taggram) for taggram in taggrams])


def take_majority_vote(taggram: np.ndarray) -> int:
    """Find the label that most chunks rank first; of labels with equal votes, the one of higher mean probability.

    Args:
        taggram: (chunks, labels) probabilities.

    Returns:
        The label's column.

    >>> take_majority_vote(np.array([[0.6, 0.4], [0.1, 0.9]]))
    1
    """
    votes = np.bincount(taggram.argmax(axis=1), minlength=taggram.shape[1])
    return int(np.lexsort((taggram.mean(axis=0), votes))[-1])


def make_prediction_row(
    taggrams: Sequence[np.ndarray], truth: int, labels: Sequence[str], has_lstm: bool
) -> dict[str, Any]:
    """Make the columns of predictions.csv that tell what a system says of a track.

    Args:
        taggrams: For each window of the track (chunks, labels) probabilities.
        truth: Number of the track's label.
        labels: Names of the taggrams' columns.
        has_lstm: As for `pool_taggrams`.

    Returns:
        truth, prediction, majority_vote, chunks, chunks_right and one probability for each label.
    """
    probabilities = pool_taggrams(taggrams, has_lstm)
    chunks = np.concatenate(taggrams)
    return {
        "truth": labels[truth],
        "prediction": labels[int(probabilities.argmax())],
        "majority_vote": labels[take_majority_vote(chunks)],
        "chunks": len(chunks),
        "chunks_right": int((chunks.argmax(axis=1) == truth).sum()),
        **dict(zip(labels, probabilities.tolist(), strict=True)),
    }
