"""The benchmark of serving: its load over both protocols, its table, its place in the README."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.served_models import RECORDINGS, ROOT, configure

from serving.fake_tf_serving import FakeTFServing

pytest_plugins = ["helpers.serving_fixtures"]


@pytest.mark.slow
def test_the_benchmarks_load_is_answered_over_both_protocols(models, tmp_path, monkeypatch):
    from benchmarks import interleaved

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(interleaved, "ENVIRONMENTS", tmp_path / "logs")
    with FakeTFServing(configure(models)) as fake_server:
        url, request = f"{fake_server.rest}/v1/models/my_moods:predict", str(RECORDINGS / "clip.wav.tag_wav")
        peers = [
            interleaved.Peer("gRPC, 2", "serving_load.py", (fake_server.grpc, f"{request}.pb", "2")),
            interleaved.Peer("REST, 2", "serving_load.py", (url, f"{request}.json", "2")),
        ]
        times = interleaved.measure(peers, {"requests": 6}, rounds=1, warm_up=0)
    from benchmarks.serving import read_tags

    assert [len(value["latencies"]) for value in times["value"]] == [6, 6]
    np.testing.assert_allclose(*(read_tags(value) for value in times["value"]), rtol=1e-6)


def test_the_benchmarks_table_has_ratios_to_the_bare_call():
    from benchmarks.serving import make_table

    times = pd.DataFrame(
        {
            "peer": ["bare model call", "gRPC, batched, 16"] * 2,
            "round": [0, 0, 1, 1],
            "seconds": [1.0, 0.5, 2.0, 1.0],
            "value": [{"latencies": latencies} for latencies in ([0.1, 0.1], [0.3, 0.3], [0.1, 0.1], [0.3, 0.5])],
        }
    )
    bare, batched = make_table(times, requests=4).to_dict("records")
    assert (bare["clients"], bare["peer"], bare["times the bare call's rate"]) == ("1 client", "bare model call", 1.0)
    assert (batched["clients"], batched["peer"]) == ("16 clients", "gRPC, batched")
    assert batched["requests a second"] == 6.0  # 8 and 4
    assert batched["times the bare call's rate"] == 2.0
    assert (batched["p50 ms"], batched["p99 ms"]) == (300.0, 494.0)
    assert batched["p50, times the bare call's"] == 3.0


def test_the_benchmark_has_its_place_in_the_readme():
    from benchmarks.__main__ import BENCHMARKS, replace_section

    assert "serving" in BENCHMARKS
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    assert "| a table |" in replace_section(readme, "serving", "| a table |")
