"""The recorded requests: the clients still send them, and the fake server answers them.

With TF_SERVING_REST=http://HOST:8501 and TF_SERVING_GRPC=HOST:8500 they go to a real server.
"""

from __future__ import annotations

import json
import os

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from helpers.served_models import CLIENTS, RECORDINGS, write_wav
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

pytest_plugins = ["helpers.serving_fixtures"]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("model", "option"), [("my_tagger", ""), ("my_moods", "--wav")])
def test_clients_still_send_what_was_recorded(fake_server, exported, client, model, option, tmp_path):
    """To record anew, after a change that is meant: README.md beside the recordings."""
    how = [option] if option else ["--export", str(exported)]
    arguments = [model, str(RECORDINGS / "clip.wav"), *how, "--record", str(tmp_path)]
    assert CLIENTS[client]([*arguments, "--server", getattr(fake_server, client)]) == 0
    (recorded,) = tmp_path.iterdir()
    before, now = (RECORDINGS / recorded.name).read_bytes(), recorded.read_bytes()
    if option:
        assert now == before
    elif client == "rest":
        before, now = json.loads(before), json.loads(now)
        np.testing.assert_allclose(now["inputs"].pop("audio"), before["inputs"].pop("audio"), atol=1e-4)
        assert now == before
    else:
        before, now = predict_pb2.PredictRequest.FromString(before), predict_pb2.PredictRequest.FromString(now)
        audio = [tf.make_ndarray(request.inputs.pop("audio")) for request in (now, before)]
        np.testing.assert_allclose(*audio, atol=1e-4)  # resampled, by another version of soxr perhaps
        assert now == before


def test_the_recorded_clip_is_the_one_that_this_file_makes(tmp_path):
    assert write_wav(tmp_path / "clip.wav").read_bytes() == (RECORDINGS / "clip.wav").read_bytes()


def recorded_rest() -> list:
    return [("my_tagger", "clip.wav.serving_default.json"), ("my_moods", "clip.wav.tag_wav.json")]


@pytest.mark.parametrize(("model", "name"), recorded_rest())
def test_recorded_rest_requests_are_answered(fake_server, model, name):
    server = os.environ.get("TF_SERVING_REST") or fake_server.rest
    response = requests.post(f"{server}/v1/models/{model}:predict", data=(RECORDINGS / name).read_bytes(), timeout=60)
    assert response.status_code == 200, response.text
    check_outputs({output: np.array(values) for output, values in response.json()["outputs"].items()})


@pytest.mark.parametrize("name", ["clip.wav.serving_default.pb", "clip.wav.tag_wav.pb"])
def test_recorded_grpc_requests_are_answered(fake_server, name):
    request = predict_pb2.PredictRequest.FromString((RECORDINGS / name).read_bytes())
    with grpc.insecure_channel(os.environ.get("TF_SERVING_GRPC") or fake_server.grpc) as channel:
        response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=60)
    assert response.model_spec.name == request.model_spec.name
    assert response.model_spec.version.value >= 1
    check_outputs({output: tf.make_ndarray(values) for output, values in response.outputs.items()})


def check_outputs(outputs: dict[str, np.ndarray]) -> None:
    assert {"tags", "descriptor"} <= outputs.keys()
    assert outputs["tags"].shape[0] == outputs["descriptor"].shape[0] == 1
    assert outputs["tags"].sum() == pytest.approx(1, abs=1e-5)
    assert np.isfinite(outputs["descriptor"]).all()
