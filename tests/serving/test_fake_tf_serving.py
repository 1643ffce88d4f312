"""The fake of TF Serving: its REST forms, errors, status, versions that come and go, joined requests."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests
import tensorflow as tf
from google.protobuf import text_format
from helpers.served_models import SERVING, configure, write_wav
from helpers.soak import amount
from helpers.wav_files import integers, wav
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.fake_tf_serving import Batching, FakeTFServing

pytest_plugins = ["helpers.serving_fixtures"]


def post(fake_server: FakeTFServing, body: object, model: str = "my_moods") -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(f"{fake_server.rest}/v1/models/{model}:predict", data=data, timeout=60)


def test_rows_and_columns_say_the_same(fake_server, tmp_path):
    one, two = (write_wav(tmp_path / f"{level}.wav", level).read_bytes() for level in (0.2, 0.7))
    coded = [{"b64": base64.b64encode(wav).decode()} for wav in (one, two)]
    asked = {"signature_name": "tag_wav"}
    columns = post(fake_server, asked | {"inputs": {"wav_bytes": coded}}).json()["outputs"]
    assert post(fake_server, asked | {"inputs": coded}).json() == {"outputs": columns}
    rows = [{name: values[i] for name, values in columns.items()} for i in range(2)]
    assert post(fake_server, asked | {"instances": coded}).json() == {"predictions": rows}
    assert post(fake_server, asked | {"instances": [{"wav_bytes": wav} for wav in coded]}).json() == {
        "predictions": rows
    }
    assert rows[0]["labels"] == ["laut", "leise ü"]
    assert rows[1]["raw_bytes"] == coded[1]  # base64 where a name ends in _bytes
    expected = tf.saved_model.load(str(version_folder(fake_server, 2))).signatures["tag_wav"](tf.constant([one, two]))
    np.testing.assert_allclose(columns["tags"], expected["tags"], rtol=1e-6)


def version_folder(fake_server: FakeTFServing, version: int) -> Path:
    return Path(fake_server.models.config.model_config_list.config[1].base_path) / str(version)


def test_several_inputs_and_one_output_have_their_own_forms(fake_server):
    asked = {"signature_name": "two"}
    rows = [{"pair": [1, 2.5], "count": 3}, {"pair": [0, 0], "count": 4}]
    assert post(fake_server, asked | {"instances": rows}).json() == {"predictions": [6.5, 4.0]}
    columns = {"pair": [[1, 2.5], [0, 0]], "count": [3, 4]}
    assert post(fake_server, asked | {"inputs": columns}).json() == {"outputs": [6.5, 4.0]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "JSON Parse error"),
        ([], "'instances' or 'inputs'"),
        ({"instances": [1], "inputs": [1]}, "not both"),
        ({"inputs": [[1, 2]]}, "serving_default"),
        ({"signature_name": "two", "inputs": [[1, 2]]}, "inputs must be named"),
        ({"signature_name": "two", "inputs": {"pair": [[1, 2]]}}, "does not match signature"),
        ({"signature_name": "two", "inputs": {"pair": [[1, 2, 3]], "count": [1]}}, "expected (None, 2)"),
        ({"signature_name": "two", "inputs": {"pair": [["a", "b"]], "count": [1]}}, "no float32 tensor"),
        ({"signature_name": "two", "inputs": {"pair": [[1, 2], [1]], "count": [1]}}, "no float32 tensor"),
        ({"signature_name": "two", "instances": []}, "not empty"),
        ({"signature_name": "two", "instances": [{"pair": [1, 2]}, {"count": 1}]}, "same inputs"),
        ({"signature_name": "tag_wav", "inputs": [{"b64": "not base64!"}]}, "no string tensor"),
        ({"signature_name": "tag_wav", "inputs": [1]}, "no string tensor"),
    ],
)
def test_bad_rest_requests_are_errors_in_the_specified_shape(fake_server, body, words):
    response = post(fake_server, body)
    assert response.status_code == 400
    assert list(response.json()) == ["error"] and words in response.json()["error"]


def test_status_and_metadata_of_models(fake_server):
    root = f"{fake_server.rest}/v1/models"
    status = requests.get(f"{root}/my_moods", timeout=9).json()["model_version_status"]
    assert [(row["version"], row["state"], row["status"]["error_code"]) for row in status] == [
        ("2", "AVAILABLE", "OK"),
        ("1", "AVAILABLE", "OK"),
    ]
    status = requests.get(f"{root}/my_moods/labels/stable", timeout=9).json()["model_version_status"]
    assert [row["version"] for row in status] == ["1"]
    metadata = requests.get(f"{root}/my_tagger/metadata", timeout=9).json()
    assert metadata["model_spec"] == {"name": "my_tagger", "signature_name": "", "version": "1"}
    audio = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]["audio"]
    assert audio["dtype"] == "DT_FLOAT"
    assert requests.get(f"{root}/nobody", timeout=9).status_code == 404
    assert requests.get(f"{root}/my_moods:predict", timeout=9).status_code == 400


def test_a_new_version_goes_live_and_a_withdrawn_one_goes(models, tmp_path):
    """The hot swap and rollback of serving/README.md, as the fake server plays them."""
    shutil.copytree(models / "my_moods/1", tmp_path / "my_moods/1")
    with FakeTFServing(text_format.Parse((SERVING / "models.config").read_text(), ModelServerConfig())) as fake_server:
        moods = fake_server.models.config.model_config_list.config[1]
        moods.name, moods.base_path = "my_moods", str(tmp_path / "my_moods")

        def live() -> list[str]:
            rows = requests.get(f"{fake_server.rest}/v1/models/my_moods", timeout=9).json()["model_version_status"]
            return [row["version"] for row in rows]

        assert live() == ["1"]
        shutil.copytree(models / "my_moods/2", tmp_path / "my_moods/.part")
        assert live() == ["1"]
        (tmp_path / "my_moods/.part").rename(tmp_path / "my_moods/2")
        assert live() == ["2"]
        (tmp_path / "my_moods/2").rename(tmp_path / "my_moods/.withdrawn-2")
        assert live() == ["1"]


def test_joined_requests_get_their_own_answers(models, monkeypatch):
    """Sixteen clients at once, with one and two rows: each gets what it would get alone."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    rng = np.random.default_rng(0)
    pairs = [rng.normal(size=(rows, 2)).round(3).tolist() for rows in (1, 2) * 8]
    with (
        FakeTFServing(configure(models), Batching(rows=8, seconds=0.05)) as fake_server,
        ThreadPoolExecutor(16) as pool,
    ):
        bodies = [{"signature_name": "two", "inputs": {"pair": pair, "count": [7] * len(pair)}} for pair in pairs]
        answers = list(pool.map(lambda body: post(fake_server, body).json()["outputs"], bodies))
        assert post(fake_server, {"signature_name": "tag_wav", "inputs": ["no audio"]}).status_code == 400
    for pair, answer in zip(pairs, answers, strict=True):
        np.testing.assert_allclose(answer, np.sum(pair, axis=1) + 7, rtol=1e-6)


@pytest.fixture
def batching(models, monkeypatch):
    """Start servers that wait for as many rows as they are told."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with contextlib.ExitStack() as stack:
        yield lambda rows: stack.enter_context(FakeTFServing(configure(models), Batching(rows=rows, seconds=60.0)))


@pytest.mark.soak
@pytest.mark.slow
def test_bad_clips_of_other_clients_refuse_no_good_ones(batching, exported, tally):
    """Twelve clients send good WAV files and six send bad ones, all in one batch: each gets the answer to its own."""
    good = [wav(integers(i, 3_000 + 700 * i)) for i in range(12)]
    bad = [b"", b"no audio", good[0][:-9], good[1][:30], wav(integers(0, 100)), wav(integers(0, 9_000), 0)]
    words = ["is empty", "is no WAV file", "is cut off", "has WAV coding", "is too short", "a sample rate of 0 Hz"]
    sent = [*good[:5], *bad, *good[5:]]
    server, rounds = batching(len(sent)), amount(1, 100)

    def ask(content: bytes) -> requests.Response:
        coded = [{"b64": base64.b64encode(content).decode()}]
        return post(server, {"signature_name": "tag_wav", "inputs": coded}, "my_tagger")

    with ThreadPoolExecutor(len(sent)) as pool:
        answered = [dict(zip(sent, pool.map(ask, sent), strict=True)) for _ in range(rounds)]
    alone = tf.saved_model.load(str(exported)).signatures["tag_wav"]
    expected = {content: alone(wav_bytes=tf.constant([content]))["tags"] for content in good}
    for answers in answered:
        assert {answer.status_code for answer in answers.values()} == {200}
        for content in good:
            outputs = answers[content].json()["outputs"]
            assert (outputs["error"], outputs["is_silent"]) == ([""], [False])
            np.testing.assert_allclose(outputs["tags"], expected[content], rtol=1e-5)
        for content, reason in zip(bad, words, strict=True):
            outputs = answers[content].json()["outputs"]
            (error,) = outputs["error"]
            assert error.startswith("wav_bytes ") and reason in error
            assert not np.any(outputs["tags"]) and not np.any(outputs["descriptor"])
    tally.add(
        "clips of 18 clients at once in one batch, on a stand-in of TF Serving",
        right_tags=rounds * len(good),
        own_error=rounds * len(bad),
    )


def test_bad_lengths_of_other_clients_refuse_no_good_clips(batching, exported, rng):
    audio = rng.normal(scale=0.2, size=(4, 90_000)).astype(np.float32)
    lengths = [90_000, 7, 50_000, 90_001]
    server = batching(len(lengths))

    def ask(i: int) -> requests.Response:
        inputs = {"audio": audio[i : i + 1].tolist(), "length": [lengths[i]]}
        return post(server, {"signature_name": "tag_padded", "inputs": inputs}, "my_tagger")

    with ThreadPoolExecutor(4) as pool:
        outputs = [answer.json()["outputs"] for answer in pool.map(ask, range(4))]
    assert [found["error"][0].partition(" samples a clip")[0].partition(":")[0] for found in outputs] == [
        "", "length is 7", "", "length is 90001 and audio has 90000",
    ]  # fmt: skip
    alone = tf.saved_model.load(str(exported)).signatures["serving_default"]
    for i in (0, 2):
        expected = alone(audio=tf.constant(audio[i : i + 1, : lengths[i]]))
        np.testing.assert_allclose(outputs[i]["tags"], expected["tags"], rtol=1e-4)
