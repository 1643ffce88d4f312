"""Benchmarks of several peers, at their small size, with the peers that need no environment of their own."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from mcc_zoo.training.processor import has_bfloat16

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "peers"),
    [
        ("front_end", {"mcc_zoo", "Keras MelSpectrogram", "librosa", "librosa, a thread a core", "scipy.fft"}),
        (
            "training",
            {"mcc_zoo", "plain Keras", "mcc_zoo, feature cache", "mcc_zoo, in memory", "plain Keras, in memory"},
        ),
        (
            "tagging",
            {"mcc_zoo", "mcc_zoo, --level=none", "decoding alone", "decoding alone, not mixed", "librosa, plain Keras"},
        ),
    ],
)
def test_peers_of_our_own_environment_give_a_table(name, peers, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import interleaved

    benchmark = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr(interleaved, "ENVIRONMENTS", tmp_path)  # the logs go there
    monkeypatch.setattr(benchmark, "ARCHITECTURES", ["mcclstm"], raising=False)  # one is enough

    def measure_own(asked, *arguments, **named):
        return interleaved.measure([peer for peer in asked if not peer.environment], *arguments, **named)

    monkeypatch.setattr(benchmark, "measure", measure_own)
    tables = benchmark.run(quick=True)
    if name == "training" and has_bfloat16():
        peers = peers | {"mcc_zoo, bfloat16"}
    assert {peer for table in tables.values() for peer in table.peer} == peers
    for table in tables.values():
        assert not table.drop(columns="differs", errors="ignore").isna().any(axis=None)
