"""Requests over a socket beside the bare model call, by number of clients, with and without batching.

The server is the fake of TF Serving, in this process: its batching is a simple queue, and its speed is not TF
Serving's. What carries over is the ratio of a batch of clips to as many single ones, and what JSON costs.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from benchmarks.interleaved import Peer, measure, summarise
from benchmarks.tagging import export_fresh_model, synthesise_music
from mcc_zoo.export import rest
from mcc_zoo.text import counted
from serving import grpc_client, rest_client
from serving.fake_tf_serving import Batching, FakeTFServing
from serving.options import Options

CLIENTS = (1, 4, 16)
SECONDS = 10
BARE = "bare model call"
TOLERANCE = 1e-4  # of tags: samples in JSON are rounded, and a batch adds in another order


def run(quick: bool) -> dict[str, pd.DataFrame]:
    """Ask for the tags of a clip of ten seconds 64 times a round; quick: of two seconds 16 times."""
    seconds, requests, rounds = (2, 16, 2) if quick else (SECONDS, 64, 7)
    with tempfile.TemporaryDirectory() as folder:
        export = export_fresh_model(Path(folder))
        model = export.parent.name
        _write_requests(Path(folder), model, synthesise_music(0, seconds, channels=1)[:, 0])
        config = text_format.Parse(
            f'model_config_list {{ config {{ name: "{model}" base_path: "{export.parent}" }} }}', ModelServerConfig()
        )
        with FakeTFServing(config) as single, FakeTFServing(config, Batching()) as batching:
            peers = [Peer(BARE, "serving_bare.py", (str(export), f"{folder}/grpc"))]
            for clients in map(str, CLIENTS):
                url = single.rest + rest.predict_path(model)
                peers += [
                    Peer(f"gRPC, {clients}", "serving_load.py", (single.grpc, f"{folder}/grpc", clients)),
                    Peer(f"gRPC, batched, {clients}", "serving_load.py", (batching.grpc, f"{folder}/grpc", clients)),
                    Peer(f"REST, {clients}", "serving_load.py", (url, f"{folder}/rest", clients)),
                ]
            times = measure(peers, {"requests": requests}, rounds=rounds, warm_up=1, title="serving")
    _check_tags(times)
    return {"serving": make_table(times, requests)}


def _write_requests(folder: Path, model: str, audio: np.ndarray) -> None:
    """Write the clients' requests for a clip (samples,) into files `rest` and `grpc`."""
    options = Options(model, files=[], server="")
    (folder / "rest").write_bytes(rest_client.encode(options, audio))
    (folder / "grpc").write_bytes(grpc_client.encode(options, audio).SerializeToString())


def make_table(times: pd.DataFrame, requests: int) -> pd.DataFrame:
    """Summarise the rounds.

    Args:
        times: As `measure` gives it; a value has `latencies`, seconds of each request. A peer's name ends with
            the number of its clients, the bare call's does not.
        requests: In a round.

    Returns:
        A row a peer, by number of clients, the bare call first. Rates are medians over rounds, percentiles those of the
        requests of all rounds.
    """
    found = summarise(times, BARE, requests).set_index("peer")
    latencies = {
        peer: 1_000 * np.concatenate([row["latencies"] for row in values])
        for peer, values in times.groupby("peer")["value"]
    }
    rows = []
    for peer in times["peer"].unique():
        name, _, clients = (peer, "", "1") if peer == BARE else peer.rpartition(", ")
        middle, slow = np.percentile(latencies[peer], [50, 99])
        rows.append(
            {
                "clients": counted(int(clients), "client"),
                "peer": name,
                "requests a second": round(found["rate"][peer], 1),
                "spread": round(found["spread"][peer], 3),
                "times the bare call's rate": round(1 / found["ratio"][peer], 3),
                "p50 ms": round(middle, 1),
                "p99 ms": round(slow, 1),
                "p50, times the bare call's": round(middle / np.percentile(latencies[BARE], 50), 2),
            }
        )
    return pd.DataFrame(rows)


def read_tags(answer: Mapping[str, str]) -> np.ndarray:
    """Read the tags (labels,) that a peer was given: a PredictResponse or REST's JSON, in base64."""
    raw = base64.b64decode(answer["answer"])
    if raw.startswith(b"{"):
        return np.array(rest.decode_answer(rest.OK, raw)["tags"][0])
    return tf.make_ndarray(predict_pb2.PredictResponse.FromString(raw).outputs["tags"])[0]


def _check_tags(times: pd.DataFrame) -> None:
    """Refuse times of other answers than the bare call's."""
    values = dict(zip(times["peer"], times["value"], strict=True))
    for peer, value in values.items():
        difference = np.max(np.abs(read_tags(value) - read_tags(values[BARE])))
        if not difference <= TOLERANCE:
            raise RuntimeError(f"tags of {peer} and of the {BARE} are {difference:.1e} apart")
