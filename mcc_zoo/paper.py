"""Every number of the paper, once, with its unit and where it comes from.

"The paper" is Chen and Wang, "High-level music descriptor extraction algorithm based on combination of
multi-channel CNNs and LSTM", ISMIR 2017. "P16" is its reference [16], Pons, Lidy and Serra, "Experimenting with
musically motivated convolutional neural networks", CBMI 2016: what P16's public code did fills what the paper
leaves open. "Ours" marks a choice of this project; BUILD_NOTES.md gives the reasons.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE = 44_100  # Hz; Sec. 3
WINDOW_LENGTH = 2_048  # samples; Sec. 3
HOP_LENGTH = 1_024  # samples; Sec. 3
N_MELS = 40  # Sec. 2.1
CHUNK_FRAMES = 80  # Sec. 2.1


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
        attention: Whether the LSTM's steps are weighed by attention.
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


def short_name(system: str) -> str:
    """Return a system's title up to its colon; what is none of `SYSTEMS` keeps its name."""
    return SYSTEMS[system].title.split(":")[0] if system in SYSTEMS else system
