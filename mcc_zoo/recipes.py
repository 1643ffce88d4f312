"""How a system is trained: initial weights, optimiser, schedule and loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

WARM_STARTS = {"r4": "r2", "mcclstm": "r3", "mcclstm_fused": "r3"}  # the same channels without the LSTM


@dataclass(frozen=True)
class Recipe:
    """How a system is trained; never what it is trained on.

    Attributes:
        name: Of the recipe.
        initializer: `normal` draws convolution and LSTM kernels from N(0, 1) (Sec. 3); `glorot` is Keras's
            default: Glorot uniform, orthogonal for recurrent kernels.
        optimizer: A Keras optimizer's name.
        learning_rate: Of that optimizer.
        schedule: `constant`, or `cosine`: one epoch of warm-up, then down to 0 at max_epochs.
        clip_norm: Global gradient norm above which gradients are scaled down; None leaves them alone.
        batch_tracks: Tracks in one step.
        max_epochs: Passes over the training tracks at most.
        patience: Epochs without a better validation loss after which training stops.
        max_chunks: Longest training sequence, in chunks. Of a longer track each epoch reads another excerpt, and
            evaluation averages windows of this length.
        steps_loss: Which steps of an LSTM the loss reads: the `last` valid one, or `every` one.
        warm_start: Whether a system with an LSTM starts from what the chunk network of the same system without one
            (`WARM_STARTS`) learnt on the same training tracks, if that tells validation tracks apart.
        warm_rate: Factor of the learning rate of such a second training.
        warm_frozen: Whether the channels stay as they are in such a second training, for which they read each
            chunk once.
    """

    name: str
    initializer: Literal["normal", "glorot"]
    optimizer: str
    learning_rate: float
    schedule: Literal["constant", "cosine"]
    clip_norm: float | None
    batch_tracks: int
    max_epochs: int
    patience: int
    max_chunks: int = 32  # ours: covers the 30 s excerpts of the paper's datasets at either rate
    steps_loss: Literal["last", "every"] = "last"
    warm_start: bool = False
    warm_rate: float = 1.0
    warm_frozen: bool = False


RECIPES = {
    "paper": Recipe(
        name="paper",
        initializer="normal",  # Sec. 3
        optimizer="sgd",  # Sec. 3; asynchronous there, and here with --strategy=parameter_server
        learning_rate=0.01,  # not stated; P16's code
        schedule="constant",  # not stated; P16's code
        clip_norm=None,
        batch_tracks=10,  # not stated; ours
        max_epochs=200,  # not stated; ours
        patience=20,  # not stated; ours
    ),
    "tuned": Recipe(  # ours; docs/results.md has the trials
        name="tuned",
        initializer="glorot",
        optimizer="adam",
        learning_rate=1e-3,
        schedule="cosine",
        clip_norm=1.0,
        batch_tracks=16,
        max_epochs=20,
        patience=20,  # the schedule ends the training, the best epoch's weights are kept
        warm_start=True,
        warm_frozen=True,
        warm_rate=0.3,
    ),
}
RECIPES["pretraining"] = replace(  # ours: what is said of a few seconds has to be right too, whatever comes after
    RECIPES["tuned"], name="pretraining", steps_loss="every"
)

# What recipes had besides, with the values that changed nothing. Exports, runs and checkpoints of then name them.
FORMER_FIELDS: dict[str, Any] = {
    "pooling": "last",
    "chunk_loss": 0.0,
    "lstm_dropout": 0.0,
    "weight_decay": None,
    "label_smoothing": 0.0,
    "mixup": 0.0,
    "random_offset": False,
    "shortest_excerpt": 1.0,
    "gain_db": 0.0,
    "masked_bands": 0,
    "masked_frames": 0,
    "average": None,
    "positive_weight": 1.0,
}


def drop_former_fields(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Drop from a recipe's values by name the former fields that changed nothing; one that did something stays.

    >>> drop_former_fields({"name": "mine", "mixup": 0.4, "gain_db": 0.0})
    {'name': 'mine', 'mixup': 0.4}
    """
    return {name: it for name, it in recipe.items() if name not in FORMER_FIELDS or it != FORMER_FIELDS[name]}
