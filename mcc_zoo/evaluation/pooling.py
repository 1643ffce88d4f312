"""Chunk scores to track scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def track_probabilities(taggrams: Sequence[np.ndarray], has_lstm: bool) -> np.ndarray:
    """Pool a track's windows into its tags, as the model's `tags` does within one window.

    Args:
        taggrams: For each window (chunks, labels) probabilities.
        has_lstm: With an LSTM a window's tags are its last step's, else the mean over its chunks.

    Returns:
        (labels,) probabilities: the mean of the windows' tags, each weighed by its chunks.
    """
    tags = [taggram[-1] if has_lstm else taggram.mean(axis=0) for taggram in taggrams]
    return np.average(tags, axis=0, weights=[len(taggram) for taggram in taggrams])


def majority_vote(taggram: np.ndarray) -> int:
    """Count the chunks' first choices; of classes with equal counts the one of higher mean probability wins.

    >>> majority_vote(np.array([[0.6, 0.4], [0.1, 0.9]]))
    1
    """
    votes = np.bincount(taggram.argmax(axis=1), minlength=taggram.shape[1])
    return int(np.lexsort((taggram.mean(axis=0), votes))[-1])


def prediction_row(taggrams: Sequence[np.ndarray], truth: int, labels: Sequence[str], has_lstm: bool) -> dict:
    """Make a track's columns of predictions.csv from its windows' taggrams."""
    probabilities = track_probabilities(taggrams, has_lstm)
    chunks = np.concatenate(taggrams)
    return {
        "truth": labels[truth],
        "prediction": labels[int(probabilities.argmax())],
        "majority_vote": labels[majority_vote(chunks)],
        "chunks": len(chunks),
        "chunks_right": int((chunks.argmax(axis=1) == truth).sum()),
        **dict(zip(labels, probabilities.tolist(), strict=True)),
    }
