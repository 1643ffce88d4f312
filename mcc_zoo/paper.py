"""Every number of the paper, once, with its unit and where it comes from.

"The paper" is Chen and Wang, "High-level music descriptor extraction algorithm based on combination of
multi-channel CNNs and LSTM", ISMIR 2017. "P16" is its reference [16], Pons, Lidy and Serra, "Experimenting with
musically motivated convolutional neural networks", CBMI 2016: what P16's public code did fills what the paper
leaves open. "Ours" marks a choice of this project; BUILD_NOTES.md gives the reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pooling = Literal["last", "mean"]
Compression = Literal["log10_1p", "log"]


@dataclass(frozen=True)
class FrontEnd:
    """Parameters of the log-mel front end (Sec. 2.1 and 3).

    Attributes:
        sample_rate: Hz.
        window_length: Samples in one STFT frame.
        hop_length: Samples between the starts of two frames.
        n_mels: Mel bands, M in the paper.
        chunk_frames: STFT frames in one chunk, N in the paper.
        compression: `log10_1p` is log10(1 + 10000 x), `log` is ln(x + 1e-6), x being mel energy.
    """

    sample_rate: int = 44_100  # Sec. 3
    window_length: int = 2_048  # Sec. 3
    hop_length: int = 1_024  # Sec. 3
    n_mels: int = 40  # Sec. 2.1
    chunk_frames: int = 80  # Sec. 2.1
    compression: Compression = "log10_1p"  # "log-mel"; the form is P16's

    def __post_init__(self) -> None:
        """Refuse what no front end can mean."""
        for name in ("sample_rate", "window_length", "hop_length", "n_mels", "chunk_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)!r}: a front end needs a positive whole number here")
        if self.compression not in ("log10_1p", "log"):
            raise ValueError(f"compression={self.compression!r}: choose 'log10_1p' or 'log'")

    @property
    def chunk_samples(self) -> int:
        """Samples that one chunk spans: its last frame reaches past the last hop (82,944 by default)."""
        return (self.chunk_frames - 1) * self.hop_length + self.window_length

    @property
    def chunk_hop(self) -> int:
        """Samples between the starts of two chunks (81,920 by default)."""
        return self.chunk_frames * self.hop_length

    @property
    def chunk_seconds(self) -> float:
        """Seconds between the starts of two chunks (1.858 by default)."""
        return self.chunk_hop / self.sample_rate


FRONT_ENDS = {
    "44k": FrontEnd(),  # Sec. 2.1 to the letter: a chunk every 1.858 s
    "22k": FrontEnd(sample_rate=22_050),  # a chunk every 3.715 s, as "every 3.712 s" has it; GTZAN's native rate
}

LOG10_1P_SCALE = 10_000.0  # P16's extractor
LOG_OFFSET = 1e-6  # ours


@dataclass(frozen=True)
class Channel:
    """One column of Table 1; sizes are (frequency bands, frames)."""

    kernel: tuple[int, int]
    pool: tuple[int, int]


CHANNELS = {
    "P": Channel(kernel=(32, 1), pool=(1, 80)),  # Table 1: pitch and timbre
    "T": Channel(kernel=(1, 60), pool=(40, 1)),  # Table 1: tempo and rhythm
    "B": Channel(kernel=(13, 9), pool=(4, 4)),  # Table 1: bass and kick
}
BASS_AS_IN_THE_TEXT = Channel(kernel=(9, 13), pool=(4, 4))  # Sec. 2.2 speaks of m < n; an option to compare

FILTERS = 32  # not stated; P16's code
DROPOUT = 0.5  # not stated; P16's code


@dataclass(frozen=True)
class System:
    """One row of Table 2, or a baseline.

    Attributes:
        channels: Channels of Table 1 in the order in which they are concatenated; empty for the baselines.
        dense: Units of the fully connected fusion layer; None where the system has none.
        lstm: Units of the LSTM; None for the systems that average their chunks.
        title: The row's name in Tables 3 to 5.
        attention: Whether the LSTM's steps are weighed by attention, whatever the recipe's pooling.
    """

    title: str
    channels: str = ""
    dense: int | None = None
    lstm: int | None = None
    attention: bool = False


SYSTEMS = {
    "r0": System("R0: CNNs (T)", "T"),
    "r1": System("R1: LSTM on the spectrogram", lstm=200),  # size not stated; ours
    "r2": System("R2: CNNs (T+P)", "TP", dense=200),
    "r3": System("R3: CNNs (T+P+B)", "TPB", dense=400),
    "r4": System("R4: CNNs (T+P) + LSTM", "TP", dense=200, lstm=100),
    "mcclstm": System("MCCLSTM: CNNs (T+P+B) + LSTM", "TPB", dense=400, lstm=200),
    "cnns3": System("CNNs-3", dense=200),
    "mlp": System("MLP", dense=500),
    # Ours: the paper leaves other ways of fusing the channels to future work
    "mcclstm_fused": System("MCCLSTM fused: gates and attention", "TPB", dense=400, lstm=200, attention=True),
}
ARCHITECTURES = tuple(SYSTEMS)
WARM_STARTS = {"r4": "r2", "mcclstm": "r3", "mcclstm_fused": "r3"}  # the same channels without the LSTM
CLAIMS = (  # worse, better: what Tables 3 to 5 say of each step, and of the baselines; the last is ours
    ("r0", "r2"),
    ("r2", "r3"),
    ("r2", "r4"),
    ("r3", "mcclstm"),
    ("r4", "mcclstm"),
    ("r1", "mcclstm"),
    ("cnns3", "mcclstm"),
    ("mlp", "mcclstm"),
    ("mcclstm", "mcclstm_fused"),
)

CNNS3_KERNELS = ((5, 5), (3, 3))  # Sec. 3
CNNS3_POOL = (2, 2)  # Sec. 3
MLP_LAYERS = 3  # Sigtia and Dixon 2014


@dataclass(frozen=True)
class Accuracy:
    """An accuracy that the paper prints: mean and standard deviation over folds, in percent."""

    mean: float
    std: float | None = None


REPORTED: dict[str, dict[str, Accuracy]] = {
    "gtzan": {  # Table 3
        "hand-crafted": Accuracy(72.80),
        "mlp": Accuracy(83.00, 1.10),
        "cnns3": Accuracy(79.80, 1.70),
        "r0": Accuracy(51.70, 2.60),
        "r1": Accuracy(59.30, 2.20),
        "r2": Accuracy(78.40, 1.90),
        "r3": Accuracy(82.90, 2.11),
        "r4": Accuracy(83.70, 1.10),
        "mcclstm": Accuracy(84.69, 1.76),
    },
    "ballroom": {  # Table 4
        "hand-crafted": Accuracy(88.40),
        "cnns3": Accuracy(87.00, 1.32),
        "r0": Accuracy(81.79, 4.72),
        "r1": Accuracy(64.00, 1.50),
        "r2": Accuracy(87.68, 4.44),
        "r3": Accuracy(89.45, 2.18),
        "r4": Accuracy(90.32, 1.12),
        "mcclstm": Accuracy(91.90, 2.33),
    },
    "soundtracks": {  # Table 5
        "hand-crafted": Accuracy(57.40, 5.50),
        "cnns3": Accuracy(60.87, 3.76),
        "r0": Accuracy(52.00, 2.20),
        "r1": Accuracy(64.50, 2.00),
        "r2": Accuracy(57.28, 2.85),
        "r3": Accuracy(63.04, 2.16),
        "r4": Accuracy(73.70, 2.47),
        "mcclstm": Accuracy(74.35, 1.63),
    },
}


@dataclass(frozen=True)
class Recipe:
    """How a system is trained; never what it is trained on.

    Attributes:
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
        chunk_loss: Weight of a further loss of systems with an LSTM: a softmax on each chunk's fused descriptor, which
            is there in training only.
        warm_start: Whether a system with an LSTM starts from what the chunk network of the same system without one
            (`WARM_STARTS`) learnt on the same training tracks, if that tells validation tracks apart.
        warm_rate: Factor of the learning rate of such a second training.
        warm_frozen: Whether the channels stay as they are in such a second training, which then reads what they made
            of each chunk once: it changes nothing of the log-mel.
        lstm_dropout: Share of an LSTM's inputs that training drops, besides the dropout before the output.
        weight_decay: Of AdamW; None for optimisers without it.
        label_smoothing: Share of a target that is spread over all labels.
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


RECIPES = {
    "paper": Recipe(
        name="paper",
        initializer="normal",  # Sec. 3
        pooling="last",  # Sec. 2.3
        optimizer="sgd",  # Sec. 3; asynchronous there, synchronous here
        learning_rate=0.01,  # not stated; P16's code
        schedule="constant",  # not stated; P16's code
        clip_norm=None,
        batch_tracks=10,  # not stated; ours
        max_epochs=200,  # not stated; ours
        patience=20,  # not stated; ours
    ),
    "tuned": Recipe(  # ours; BUILD_NOTES.md has the trials
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
