"""The frame of the benchmarks, with tiny peers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
SLEEPER = """
import sys, time
from serve import serve
def work(seconds):
    print("no answer")
    time.sleep(seconds * float(sys.argv[1]))
    return sys.argv[1]
serve(work)
"""


@pytest.fixture
def interleaved(monkeypatch, tmp_path):
    """The module, with its peers and their logs below tmp_path."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import interleaved

    (tmp_path / "peers").mkdir()
    shutil.copy(interleaved.HERE / "peers" / "serve.py", tmp_path / "peers")
    monkeypatch.setattr(interleaved, "HERE", tmp_path)
    monkeypatch.setattr(interleaved, "ENVIRONMENTS", tmp_path / "environments")
    return interleaved


def peer(interleaved, name: str, code: str, *arguments: str):
    script = interleaved.HERE / "peers" / f"{name}.py"
    script.write_text(code)
    return interleaved.Peer(name, script.name, arguments)


def test_peers_are_asked_in_turn_and_warm_up_does_not_count(interleaved):
    peers = [peer(interleaved, "fast", SLEEPER, "1"), peer(interleaved, "slow", SLEEPER, "5")]
    times = interleaved.measure(peers, {"seconds": 0.01}, rounds=3, warm_up=1)
    assert list(zip(times["round"], times["peer"], times["value"], strict=True)) == [
        (count, name, value) for count in range(3) for name, value in (("fast", "1"), ("slow", "5"))
    ]
    assert (times["seconds"] >= [0.01, 0.05] * 3).all()
    assert (times["cpu_seconds"] < times["seconds"]).all()


def test_a_summary_has_medians_of_rates_and_ratios(interleaved):
    times = pd.DataFrame(
        {
            "peer": ["ours", "other"] * 3,
            "round": [0, 0, 1, 1, 2, 2],
            "seconds": [1.0, 0.5, 2.0, 1.0, 4.0, 8.0],
        }
    )
    found = interleaved.summary(times, "ours", work=8.0).set_index("peer")
    assert list(found.index) == ["other", "ours"]  # fastest first
    assert found.loc["ours"].to_dict() == {"rate": 4.0, "spread": 0.75, "ratio": 1.0}  # rates 8, 4, 2: quartiles 3, 6
    assert found.loc["other", ["rate", "ratio"]].to_dict() == {"rate": 8.0, "ratio": 0.5}


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit('no such model')",
        "from serve import serve\ndef work(seconds): raise ValueError('no such model')\nserve(work)",
        "print('{}', flush=True); input(); print('{}', flush=True); raise SystemExit('no such model')",
    ],
    ids=["at its start", "at a request", "between requests"],
)
def test_a_peer_that_dies_is_named_with_its_last_words(interleaved, code):
    peers = [peer(interleaved, "odd", code), peer(interleaved, "even", SLEEPER, "1")]
    with pytest.raises(RuntimeError, match=r"(?s)odd ended with 1: .*no such model"):
        interleaved.measure(peers, {"seconds": 0.1}, rounds=2, warm_up=0)


def test_a_missing_environment_is_said(interleaved):
    odd = interleaved.Peer("odd", "odd.py", environment="essentia")
    with pytest.raises(RuntimeError, match="odd needs the environment environments/essentia: run `make bench`"):
        interleaved.measure([odd], {})
