"""Training steps and epochs: our layers and pipeline beside the same networks in plain Keras and in PyTorch."""

from __future__ import annotations

import tempfile

import pandas as pd

from benchmarks.interleaved import Peer, measure, summarise
from mcc_zoo.training.processor import has_bfloat16

OURS = "mcc_zoo"
ARCHITECTURES = ("r3", "mcclstm")
CHUNKS, BATCH = 16, 16  # as in peers/tracks.py


def run(quick: bool) -> dict[str, pd.DataFrame]:
    """Measure optimiser steps on tracks in memory, then whole epochs with validation."""
    tables = {"training": [measure_steps(name, quick) for name in ARCHITECTURES]}
    tables["training_epoch"] = [measure_epoch(name, quick) for name in ARCHITECTURES]
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


def measure_steps(architecture: str, quick: bool) -> pd.DataFrame:
    """Measure twenty steps a round; ours in bfloat16 too, where the processor has it."""
    tracks = BATCH * (2 if quick else 20)
    arguments = (architecture, str(tracks))
    bfloat16 = (("PRECISION", "mixed_bfloat16"),)
    in_bfloat16 = Peer(f"{OURS}, bfloat16", "training_mcc_zoo.py", (*arguments, "0"), variables=bfloat16)
    peers = [
        Peer(OURS, "training_mcc_zoo.py", (*arguments, "0")),
        *([in_bfloat16] if has_bfloat16() else []),
        Peer("plain Keras", "training_keras.py", (*arguments, "0")),
        Peer("PyTorch", "training_torch.py", (*arguments, "eager"), "torch"),
        Peer("PyTorch, compiled", "training_torch.py", (*arguments, "compile"), "torch"),
    ]
    times = measure(peers, {}, rounds=1 if quick else 9, title=f"{architecture} steps")
    return _make_table(times, architecture, tracks)


def measure_epoch(architecture: str, quick: bool) -> pd.DataFrame:
    """Measure an epoch of 320 tracks and its validation on 40, ours from the feature cache."""
    tracks, others = (32, 8) if quick else (320, 40)
    arguments = (architecture, str(tracks), str(others))
    with tempfile.TemporaryDirectory() as folder:
        peers = [
            Peer(f"{OURS}, feature cache", "training_mcc_zoo.py", (*arguments, folder)),
            Peer(f"{OURS}, in memory", "training_mcc_zoo.py", arguments),
            Peer("plain Keras, in memory", "training_keras.py", arguments),
        ]
        times = measure(peers, {}, rounds=1 if quick else 5, warm_up=1, title=f"{architecture} epoch")
    return _make_table(times, architecture, tracks + others)


def _make_table(times: pd.DataFrame, architecture: str, tracks: int) -> pd.DataFrame:
    values = pd.DataFrame(times.value.tolist(), index=times.peer)
    if values.parameters.nunique() > 1:
        raise RuntimeError(f"{architecture}: the peers trained networks of different sizes: {values.parameters}")
    table = summarise(times, times.peer[0], CHUNKS * tracks).rename(
        columns={"rate": "chunks a second", "ratio": "ratio to ours"}
    )
    last = values.groupby(level=0).last()
    table.insert(0, "architecture", architecture)
    return table.assign(parameters=table.peer.map(last.parameters), loss=table.peer.map(last.loss))
