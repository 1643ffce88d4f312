"""The frame of the benchmarks, with tiny peers, and the benchmark of the signatures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mcc_zoo
from benchmarks import processor
from mcc_zoo.training import processor as training_processor

ROOT = Path(__file__).parents[2]
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
    found = interleaved.summarise(times, "ours", work=8.0).set_index("peer")
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


# The signatures


@pytest.mark.slow
def test_a_signature_is_timed_and_its_memory_read(exported, tmp_path, monkeypatch):
    from benchmarks import interleaved, signatures

    monkeypatch.setattr(interleaved, "ENVIRONMENTS", tmp_path / "logs")
    monkeypatch.setattr(signatures, "SHORT", 1)
    asked = [("serving_default", "serving_default", 0), ("tag_wav, 44,100 Hz", "tag_wav", 44_100)]
    peers = [signatures._make_peer(tmp_path, exported, *request, 4) for request in asked]
    times = interleaved.measure(peers, {"calls": 2}, rounds=1, warm_up=0)
    signatures.check_tags(times)
    tagger = mcc_zoo.load(exported)
    expected = list(tagger.tag(tmp_path / "4 s.44100.wav").tags.values())
    for value in times["value"]:
        np.testing.assert_allclose(value["tags"], expected, atol=1e-4)
        assert 2**28 < value["before"] < 2**32  # TensorFlow alone takes half a gibibyte
        assert 0 <= value["more"] < 2**28


def test_memory_of_a_process_is_its_own_peak(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "peers"))
    from memory import read_memory

    before = read_memory("VmRSS")
    block = np.ones(2**26, np.uint8)
    held = read_memory("VmRSS")
    del block
    assert held - before > 0.9 * 2**26
    assert read_memory("VmHWM") >= held - 2**22  # the kernel counts pages in batches


def timed(tags: dict[str, list[float]]) -> pd.DataFrame:
    """What `measure` gives of two rounds of four calls, by peer; the first is twice as fast as the others."""
    rows = [
        {"peer": peer, "round": count, "seconds": (1 + count) * (0.5 if i == 0 else 1.0), "value": {"tags": values}}
        for count in range(2)
        for i, (peer, values) in enumerate(tags.items())
    ]
    return pd.DataFrame(rows)


def test_signatures_have_ratios_to_the_bare_call():
    from benchmarks import signatures

    times = timed({"serving_default": [0.4, 0.6], "tag_padded": [0.4, 0.6]})
    bare, padded = signatures.make_table(times, calls=4).to_dict("records")
    assert (bare["request"], bare["ms"], bare["times serving_default"]) == ("serving_default", 166.7, 1.0)
    assert (padded["request"], padded["ms"], padded["times serving_default"]) == ("tag_padded", 333.3, 2.0)
    used = [{"clip": "30 s", "request": "tag_wav", "before": 3 * 2**20, "more": 2**19}]
    assert signatures.make_memory_table(used).to_dict("records") == [
        {"clip": "30 s", "request": "tag_wav", "MiB more at the peak": 0.5, "MiB before": 3.0}
    ]


@pytest.mark.parametrize(
    ("peer", "away", "fine"),
    [
        ("tag_padded", 5e-5, True),
        ("tag_padded", 5e-3, False),
        ("tag_wav, 44,100 Hz", 5e-3, False),
        ("tag_wav, 96,000 Hz", 5e-3, True),
        ("tag_wav, 96,000 Hz", 5e-2, False),
        ("taggram", float("nan"), False),
    ],
)
def test_times_of_other_answers_are_refused(peer, away, fine):
    from benchmarks import signatures

    times = timed({"serving_default": [0.4, 0.6], peer: [0.4 + away, 0.6 - away]})
    if fine:
        return signatures.check_tags(times)
    with pytest.raises(RuntimeError, match=f"tags of {peer} and of serving_default are .* apart"):
        signatures.check_tags(times)


def test_its_tables_have_their_place_in_the_readme():
    from benchmarks.__main__ import BENCHMARKS, replace_section

    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    assert "signatures" in BENCHMARKS
    for table in ("signatures", "memory of a request"):
        assert "| a table |" in replace_section(readme, table, "| a table |")


@pytest.mark.parametrize(
    ("flags", "said", "has"),
    [
        ("sse2 avx2 fma", "Some CPU with AVX2", False),
        ("avx2 avx512f avx512bw", "Some CPU with AVX512F", False),
        ("avx2 avx512f avx512_bf16", "Some CPU with AVX512_BF16", True),
        ("avx2 avx512f avx512_bf16 amx_bf16", "Some CPU with AMX_BF16", True),
        ("sse2", "Some CPU", False),
    ],
)
def test_a_processor_is_named_with_its_widest_instructions(monkeypatch, flags, said, has):
    core = f"model name\t: Some CPU\nflags\t\t: fpu {flags} lm\n\n"
    text = f"processor\t: 0\n{core}processor\t: 1\n{core}"
    monkeypatch.setattr(processor, "read_description", lambda: text)
    monkeypatch.setattr(training_processor, "read_description", lambda: text)
    assert processor.describe_processor() == said
    assert training_processor.has_bfloat16() is has


def test_a_system_without_a_list_of_processors_has_a_name_all_the_same(monkeypatch):
    monkeypatch.setattr(training_processor, "Path", lambda path: Path("/nowhere"))
    assert processor.describe_processor() and not training_processor.has_bfloat16()
