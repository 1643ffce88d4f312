"""How a system is trained: initial weights, optimiser, schedule, losses and augmentation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Pooling = Literal["last", "mean"]
WARM_STARTS = {"r4": "r2", "mcclstm": "r3", "mcclstm_fused": "r3"}  # the same channels without the LSTM


@dataclass(frozen=True)
class Recipe:
    """How a system is trained; never what it is trained on.

    Attributes:
        name: Of the recipe.
        initializer: `normal` draws convolution and LSTM kernels from N(0, 1) (Sec. 3); `glorot` is Keras's
            default: Glorot uniform, orthogonal for recurrent kernels.
        pooling: What the track's tags read of an LSTM: its `last` valid step, or the `mean` over all valid steps.
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
        chunk_loss: Weight of a further loss of systems with an LSTM: an output layer on each chunk's fused descriptor,
            which is there in training only.
        warm_start: Whether a system with an LSTM starts from what the chunk network of the same system without one
            (`WARM_STARTS`) learnt on the same training tracks, if that tells validation tracks apart.
        warm_rate: Factor of the learning rate of such a second training.
        warm_frozen: Whether the channels stay as they are in such a second training, which then reads what they made
            of each chunk once: it changes nothing of the log-mel.
        lstm_dropout: Share of an LSTM's inputs that training drops, besides the dropout before the output.
        weight_decay: Of AdamW; None for optimisers without it.
        label_smoothing: Share of a target that is spread over all labels.
        positive_weight: With many labels a track, how many times as much a label that a track has counts as one that
            it has not; above 1 it helps rare labels.
        mixup: Parameter of the Beta distribution that mixes pairs of tracks (Zhang and others 2018); 0 mixes none.
        random_offset: Whether an excerpt of a track starts at any frame, which costs a chunk, or at whole chunks.
        shortest_excerpt: Share of a track that an excerpt has at least; its length is drawn up to the whole track.
        gain_db: Loudness is changed by up to so many dB, up or down, track by track.
        masked_bands: Up to so many mel bands next to each other are masked, track by track (Park and others 2019).
        masked_frames: Up to so many frames of each chunk likewise.
        average: Momentum of an average over the steps' weights that replaces them in the end; None keeps the weights.
    """

    name: str
    initializer: Literal["normal", "glorot"]
    pooling: Pooling
    optimizer: str
    learning_rate: float
    schedule: Literal["constant", "cosine"]
    clip_norm: float | None
    batch_tracks: int
    max_epochs: int
    patience: int
    max_chunks: int = 32  # ours: covers the 30 s excerpts of the paper's datasets at either rate
    steps_loss: Literal["last", "every"] = "last"
    chunk_loss: float = 0.0
    warm_start: bool = False
    warm_rate: float = 1.0
    warm_frozen: bool = False
    lstm_dropout: float = 0.0
    weight_decay: float | None = None
    label_smoothing: float = 0.0
    mixup: float = 0.0
    random_offset: bool = False
    shortest_excerpt: float = 1.0
    gain_db: float = 0.0
    masked_bands: int = 0
    masked_frames: int = 0
    average: float | None = None
    positive_weight: float = 1.0


RECIPES = {
    "paper": Recipe(
        name="paper",
        initializer="normal",  # Sec. 3
        pooling="last",  # Sec. 2.3
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
        pooling="last",
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
