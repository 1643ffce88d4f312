"""The configuration for TF Serving, and both clients, against a stand-in for it: real audio, faults, recordings.

With TF_SERVING_REST=http://HOST:8501 and TF_SERVING_GRPC=HOST:8500 the recorded requests go to a real server.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pandas as pd
import pytest
import requests
import tensorflow as tf
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from mcc_zoo.export import saved_model
from serving import grpc_client, rest_client
from serving.client import sentence
from serving.stand_in import Batching, StandIn

ROOT = Path(__file__).parents[2]
SERVING = ROOT / "serving"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "serving"
CLIENTS = {"rest": rest_client.main, "grpc": grpc_client.main}


class Loudness(tf.Module):
    """Stands in for an export's signature tag_wav, and differs by version: `order` is that of the labels."""

    def __init__(self, order: list[str]):
        super().__init__()
        self.order = tf.constant(order)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="wav_bytes")])
    def tag_wav(self, wav_bytes):
        def power(wav):
            return tf.reduce_mean(tf.square(tf.audio.decode_wav(wav)[0]))

        level = tf.map_fn(power, wav_bytes, fn_output_signature=tf.float32)
        labels = tf.tile(self.order[tf.newaxis], (tf.size(level), 1))
        tags = tf.stack([level / (1 + level), 1 / (1 + level)], axis=-1)
        return {"tags": tags, "descriptor": level[:, tf.newaxis], "labels": labels, "raw_bytes": wav_bytes}

    @tf.function(input_signature=[tf.TensorSpec((None, 2)), tf.TensorSpec((None,), tf.int32)])
    def two(self, pair, count):
        return {"sum": tf.reduce_sum(pair, axis=1) + tf.cast(count, tf.float32)}


@pytest.fixture(scope="module")
def models(exported, tmp_path_factory) -> Path:
    """The folder of models.config: my_tagger is an export, my_moods the small module; each in versions 1 and 2."""
    folder = tmp_path_factory.mktemp("models")
    for version, order in ((1, ["loud", "quiet"]), (2, ["laut", "leise ü"])):
        module = Loudness(order)
        signatures = {"tag_wav": module.tag_wav, "two": module.two}
        tf.saved_model.save(module, str(folder / f"my_moods/{version}"), signatures)
    (folder / "my_tagger").mkdir()
    (folder / "my_tagger/1").symlink_to(exported)
    return folder


def served(models: Path, **labels: int) -> ModelServerConfig:
    """serving/models.config with its folders below `models`, and my_moods in versions 1 and 2 with these labels."""
    config = text_format.Parse((SERVING / "models.config").read_text(), ModelServerConfig())
    for model in config.model_config_list.config:
        model.base_path = model.base_path.replace("/models", str(models), 1)
    moods = config.model_config_list.config[1]
    moods.model_version_policy.specific.versions.extend([1, 2])
    moods.version_labels.update(labels)
    return config


@pytest.fixture(scope="module")
def running(models):
    with StandIn(served(models, stable=1, canary=2)) as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(running, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield running
    running.busy, running.delay = 0, 0.0


@pytest.fixture(params=CLIENTS)
def ask(request, stand_in, exported, capsys):
    """A client that talks to the stand-in: arguments to exit status, rows and standard error."""

    def call(*arguments: object, server: str = ""):
        address = server or getattr(stand_in, request.param)
        texts = [str(argument) for argument in arguments]
        if not any(text.startswith(("--wav", "--export")) for text in texts):
            texts += ["--export", str(exported)]
        status = CLIENTS[request.param]([*texts, "--server", address])
        written = capsys.readouterr()
        return status, [json.loads(line) for line in written.out.splitlines()], written.err

    call.protocol = request.param
    return call


def write_wav(path: Path, level: float = 0.5, seconds: float = 0.06) -> Path:
    """Write 16-bit mono at 8 kHz: a tone that is made of whole numbers, the same on every machine."""
    samples = np.resize(np.array([0, 1, 2, 1, 0, -1, -2, -1]) * round(level * 16_000), round(seconds * 8_000))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


# The configuration


# Messages of TF Serving that tensorflow-serving-api does not have, from their public definitions.
MESSAGES = """
name: "serving.proto" package: "serving" syntax: "proto3" dependency: "google/protobuf/wrappers.proto"
message_type {
  name: "PrometheusConfig"
  field { name: "enable" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "path" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
}
message_type {
  name: "MonitoringConfig"
  field { name: "prometheus_config" number: 1 type_name: ".serving.PrometheusConfig" label: LABEL_OPTIONAL }
}
message_type {
  name: "BatchingParameters"
  field { name: "max_batch_size" number: 1 type_name: ".google.protobuf.Int64Value" label: LABEL_OPTIONAL }
  field { name: "batch_timeout_micros" number: 2 type_name: ".google.protobuf.Int64Value" label: LABEL_OPTIONAL }
  field { name: "max_enqueued_batches" number: 3 type_name: ".google.protobuf.Int64Value" label: LABEL_OPTIONAL }
  field { name: "num_batch_threads" number: 4 type_name: ".google.protobuf.Int64Value" label: LABEL_OPTIONAL }
  field { name: "thread_pool_name" number: 5 type_name: ".google.protobuf.StringValue" label: LABEL_OPTIONAL }
  field { name: "allowed_batch_sizes" number: 6 type: TYPE_INT64 label: LABEL_REPEATED }
  field { name: "pad_variable_length_inputs" number: 7 type: TYPE_BOOL label: LABEL_OPTIONAL }
}
"""


def parsed(message: str, text: str):
    """Parse a text as a message of TF Serving, of which each field has to be known."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(text_format.Parse(MESSAGES, descriptor_pb2.FileDescriptorProto()).SerializeToString())
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"serving.{message}"))
    return text_format.Parse(text, kind())


@pytest.fixture(scope="module")
def service():
    return yaml.safe_load((SERVING / "compose.yaml").read_text())["services"]["serving"]


def test_models_config_has_two_models_and_labels_of_versions_that_are_served():
    config = text_format.Parse((SERVING / "models.config").read_text(), ModelServerConfig())
    tagger, moods = config.model_config_list.config
    assert set(tagger.version_labels) == {"stable", "canary"}
    assert set(tagger.version_labels.values()) <= set(tagger.model_version_policy.specific.versions)
    assert moods.model_version_policy.latest.num_versions == 1
    assert not moods.version_labels  # a label on a version that the policy drops would fail its requests
    for model in (tagger, moods):
        assert (model.base_path, model.model_platform) == (f"/models/{model.name}", "tensorflow")


def test_monitoring_and_batching_configuration_parse():
    prometheus = parsed("MonitoringConfig", (SERVING / "monitoring.config").read_text()).prometheus_config
    assert (prometheus.enable, prometheus.path) == (True, "/monitoring/prometheus/metrics")
    whole = parsed("BatchingParameters", (SERVING / "batching.config").read_text())
    assert whole.num_batch_threads.value >= 1
    assert not whole.HasField("max_batch_size")  # each version's own, which the server reads
    own = parsed("BatchingParameters", saved_model.BATCHING)
    assert own.max_batch_size.value >= 1 and own.max_enqueued_batches.value >= 1
    assert not own.pad_variable_length_inputs  # padding would be heard as audio


def test_compose_file_starts_the_public_image_with_files_that_are_there(service):
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", service["image"])
    assert [port.rpartition(":")[2] for port in service["ports"]] == ["8500", "8501"]
    mounted = {inside: outside for outside, inside, *_ in (volume.split(":") for volume in service["volumes"])}
    assert (SERVING / mounted["/models"]).resolve() == ROOT / "exported_models"
    flags = dict(flag.removeprefix("--").split("=") for flag in service["command"])
    assert {"model_config_file", "monitoring_config_file", "model_config_file_poll_wait_seconds"} <= flags.keys()
    assert "enable_batching" not in flags
    uncommented = yaml.safe_load((SERVING / "compose.yaml").read_text().replace("# - --", "- --"))
    batching = dict(flag.removeprefix("--").split("=") for flag in uncommented["services"]["serving"]["command"])
    assert batching.keys() - flags.keys() == {
        "enable_batching",
        "enable_per_model_batching_parameters",
        "batching_parameters_file",
    }
    for path in (value for value in batching.values() if value.startswith("/")):
        assert (SERVING / mounted["/config"] / Path(path).relative_to("/config")).is_file()


@pytest.mark.skipif(shutil.which("bash") is None, reason="the health check of the image is written for its bash")
def test_health_check_tells_a_server_with_the_model_from_one_without(service, stand_in):
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD" and "my_tagger" in command[-1]

    def status(port: str, model: str = "my_tagger") -> int:
        script = command[-1].replace("8501", port).replace("my_tagger", model)
        return subprocess.run([*command[:-1], script], stderr=subprocess.DEVNULL, timeout=20).returncode

    port = stand_in.rest.rpartition(":")[2]
    assert status(port) == 0
    assert status(port, "nobody") != 0
    assert status(str(unused_port())) != 0


def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


# The clients


def test_a_client_gives_the_taggers_answers_for_real_files(ask, tagger, music):
    files = [music / "half chunk.ogg", music / "sub/stück.mp3", music / "corrupt.flac", music / "short.wav"]
    status, rows, said = ask("my_tagger", *files, "--descriptors")
    assert status == 1 and "1 of 4 files refused" in said
    assert [row["path"] for row in rows] == [str(file) for file in files]
    for row, file in zip(rows, files, strict=True):
        (expected,) = tagger.tag_files([file])
        assert (row["status"], row["tag"]) == (expected.status, expected.tag)
        assert row["tags"] == pytest.approx(expected.tags, abs=1e-5)
        assert row["reason"] == expected.reason
        assert row.get("descriptor", []) == pytest.approx(expected.descriptor.tolist(), abs=1e-4)


def test_wav_files_are_sent_as_they_are(ask, tmp_path):
    quiet, loud = write_wav(tmp_path / "quiet.wav", 0.1), write_wav(tmp_path / "loud.wav", 0.9)
    status, rows, _ = ask("my_moods", quiet, loud, "--wav", "--version", "2")
    assert status == 0
    assert [list(row["tags"]) for row in rows] == [["laut", "leise ü"]] * 2
    assert rows[0]["tags"]["laut"] < rows[1]["tags"]["laut"]
    assert "descriptor" not in rows[0]


@pytest.mark.parametrize(
    ("which", "label"),
    [([], "laut"), (["--version=1"], "loud"), (["--label=stable"], "loud"), (["--label=canary"], "laut")],
)
def test_versions_and_labels_reach_the_server(ask, tmp_path, which, label):
    status, rows, _ = ask("my_moods", write_wav(tmp_path / "a.wav"), "--wav", *which)
    assert status == 0 and label in rows[0]["tags"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody", "--wav"], "model 'nobody'"),
        (["my_moods", "--wav", "--version=7"], "Servable not found for request: Specific(my_moods, 7)"),
        (["my_moods", "--wav", "--label=best"], "Unrecognized servable version label: best"),
        (["my_moods"], 'signature name: "serving_default" not found'),
        (["my_tagger", "--export=nowhere"], "give --export=FOLDER, or --wav"),
    ],
)
def test_what_no_file_can_get_past_ends_the_command(ask, tmp_path, arguments, words):
    model, *options = arguments
    status, rows, said = ask(model, write_wav(tmp_path / "a.wav"), tmp_path / "b.wav", *options)
    assert (status, rows) == (2, [])
    assert words in said and len(said.splitlines()) == 1


def test_an_export_with_other_labels_is_found_out(ask, tmp_path, exported):
    facts = json.loads((exported / "mcc_zoo.json").read_text(encoding="utf-8"))
    (tmp_path / "mcc_zoo.json").write_text(json.dumps(facts | {"labels": ["one", "two"]}))
    status, rows, said = ask("my_tagger", write_wav(tmp_path / "a.wav"), "--export", tmp_path)
    assert (status, rows) == (2, [])
    assert "does not fit" in said and str(tmp_path) in said


def test_each_bad_file_has_its_row_and_reason(ask, tmp_path):
    (tmp_path / "text.wav").write_text("no audio")
    os.mkfifo(tmp_path / "pipe.wav")
    good = write_wav(tmp_path / "good.wav")
    files = [tmp_path / "text.wav", tmp_path / "missing.wav", tmp_path / "pipe.wav", tmp_path, good]
    status, rows, said = ask("my_moods", *files, "--wav")
    assert status == 1 and "4 of 5 files refused" in said
    assert [row["status"] for row in rows] == ["refused"] * 4 + ["ok"]
    assert all(row["path"] in row["reason"] and "\n" not in row["reason"] for row in rows[:4])
    assert "RIFF" in rows[0]["reason"]
    assert all("no regular file" in row["reason"] for row in rows[1:4])


def test_what_the_graph_refuses_is_one_plain_sentence(ask, tmp_path):
    status, rows, _ = ask("my_tagger", write_wav(tmp_path / "blink.wav", seconds=0.01), write_wav(tmp_path / "a.wav"))
    assert status == 1
    assert [row["status"] for row in rows] == ["refused", "ok"]
    assert re.fullmatch(
        re.escape(f"{tmp_path}/blink.wav: audio has too few samples: at least one window of 2048 samples")
        + r" \(46 ms at 44100 Hz\) is needed; it has 441",
        rows[0]["reason"],
    )


def test_too_long_files_are_not_sent(ask, music):
    status, rows, _ = ask("my_tagger", music / "short.wav", "--max-seconds=7")
    assert status == 1
    assert "longer than --max-seconds=7" in rows[0]["reason"]


def test_a_server_that_is_busy_is_asked_again(ask, stand_in, tmp_path):
    stand_in.busy = 2
    status, rows, _ = ask("my_moods", write_wav(tmp_path / "a.wav"), "--wav")
    assert (status, rows[0]["status"]) == (0, "ok")
    assert stand_in.busy == 0


def test_a_server_that_stays_busy_is_said(ask, stand_in, tmp_path):
    stand_in.busy = 99
    status, rows, said = ask("my_moods", write_wav(tmp_path / "a.wav"), "--wav")
    assert (status, rows) == (2, [])
    assert "queue" in said and "full" in said
    assert stand_in.busy == 99 - 4  # asked once, and three times again


def test_a_slow_answer_is_not_waited_for(ask, stand_in, tmp_path):
    stand_in.delay = 0.5
    status, rows, _ = ask("my_moods", write_wav(tmp_path / "a.wav"), "--wav", "--timeout=0.1")
    assert status == 1
    assert "no answer within --timeout=0.1 s" in rows[0]["reason"]


def test_no_server_is_said_with_what_to_do(ask, tmp_path):
    scheme = "http://" if ask.protocol == "rest" else ""
    server = f"{scheme}127.0.0.1:{unused_port()}"
    status, rows, said = ask("my_moods", write_wav(tmp_path / "a.wav"), "--wav", server=server)
    assert (status, rows) == (2, [])
    assert server in said and "serving/README.md" in said


def test_something_else_at_the_address_is_said(stand_in, tmp_path, capsys):
    arguments = ["my_moods", str(write_wav(tmp_path / "a.wav")), "--wav", "--server"]
    assert rest_client.main([*arguments, f"{stand_in.rest}/elsewhere"]) == 2
    assert "Malformed request" in capsys.readouterr().err
    assert grpc_client.main([*arguments, stand_in.rest.removeprefix("http://")]) == 2
    assert "did not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("client", "arguments", "words"),
    [
        ("rest", ["m", "a.wav", "--server=localhost:8501"], "give a URL, such as http://localhost:8501"),
        ("grpc", ["m", "a.wav", "--server=http://localhost:8500"], "give HOST:PORT, such as localhost:8500"),
        ("rest", ["m", "a.wav", "--version=new"], "'new' is no version: give a whole number"),
        ("rest", ["m", "a.wav", "--version=1", "--label=stable"], "not allowed with argument --version"),
        ("grpc", ["m", "a.wav", "--timeout=0"], "'0': give a positive number of seconds"),
        ("grpc", ["m", "a.wav", "--max-seconds=nan"], "'nan': give a positive number of seconds"),
        ("rest", ["m"], "the following arguments are required: FILE"),
    ],
)
def test_impossible_arguments_are_refused(client, arguments, words, capsys):
    with pytest.raises(SystemExit) as error:
        CLIENTS[client](arguments)
    assert error.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_help_teaches(client, capsys):
    with pytest.raises(SystemExit) as error:
        CLIENTS[client](["--help"])
    assert error.value.code == 0
    said = capsys.readouterr().out
    assert all(words in said for words in ("Example: python -m serving", "Exit status", "tag_wav", "models.config"))


def test_the_rest_client_starts_without_tensorflow():
    code = "import sys; from serving import rest_client; print({'tensorflow', 'mcc_zoo', 'numpy'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("assertion failed: [one sentence] [7] \n\t [[{{node a/b}}]]", "one sentence 7"),
        ("Graph execution error: assertion failed: [x] [[{{node a}}]] [Op:__inference_1]", "x"),
        ("{{function_node __inference_f_1}} No header:\n no RIFF [[{{node DecodeWav}}]]", "No header: no RIFF"),
        ("Servable not found for request: Latest(a)", "Servable not found for request: Latest(a)"),
        ("", ""),
    ],
)
def test_messages_of_servers_become_sentences(message, kept):
    assert sentence(message) == kept


# The recorded requests


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("model", "option"), [("my_tagger", ""), ("my_moods", "--wav")])
def test_clients_still_send_what_was_recorded(stand_in, exported, client, model, option, tmp_path):
    """To record anew, after a change that is meant: README.md beside the recordings."""
    how = [option] if option else ["--export", str(exported)]
    arguments = [model, str(FIXTURES / "clip.wav"), *how, "--record", str(tmp_path)]
    assert CLIENTS[client]([*arguments, "--server", getattr(stand_in, client)]) == 0
    (recorded,) = tmp_path.iterdir()
    before, now = (FIXTURES / recorded.name).read_bytes(), recorded.read_bytes()
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
    assert write_wav(tmp_path / "clip.wav").read_bytes() == (FIXTURES / "clip.wav").read_bytes()


def recorded_rest() -> list:
    return [("my_tagger", "clip.wav.serving_default.json"), ("my_moods", "clip.wav.tag_wav.json")]


@pytest.mark.parametrize(("model", "name"), recorded_rest())
def test_recorded_rest_requests_are_answered(stand_in, model, name):
    server = os.environ.get("TF_SERVING_REST") or stand_in.rest
    response = requests.post(f"{server}/v1/models/{model}:predict", data=(FIXTURES / name).read_bytes(), timeout=60)
    assert response.status_code == 200, response.text
    check_outputs({output: np.array(values) for output, values in response.json()["outputs"].items()})


@pytest.mark.parametrize("name", ["clip.wav.serving_default.pb", "clip.wav.tag_wav.pb"])
def test_recorded_grpc_requests_are_answered(stand_in, name):
    request = predict_pb2.PredictRequest.FromString((FIXTURES / name).read_bytes())
    with grpc.insecure_channel(os.environ.get("TF_SERVING_GRPC") or stand_in.grpc) as channel:
        response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=60)
    assert response.model_spec.name == request.model_spec.name
    assert response.model_spec.version.value >= 1
    check_outputs({output: tf.make_ndarray(values) for output, values in response.outputs.items()})


def check_outputs(outputs: dict[str, np.ndarray]) -> None:
    assert {"tags", "descriptor"} <= outputs.keys()
    assert outputs["tags"].shape[0] == outputs["descriptor"].shape[0] == 1
    assert outputs["tags"].sum() == pytest.approx(1, abs=1e-5)
    assert np.isfinite(outputs["descriptor"]).all()


# The stand-in


def post(stand_in: StandIn, body: object, model: str = "my_moods") -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(f"{stand_in.rest}/v1/models/{model}:predict", data=data, timeout=60)


def test_rows_and_columns_say_the_same(stand_in, tmp_path):
    one, two = (write_wav(tmp_path / f"{level}.wav", level).read_bytes() for level in (0.2, 0.7))
    coded = [{"b64": base64.b64encode(wav).decode()} for wav in (one, two)]
    asked = {"signature_name": "tag_wav"}
    columns = post(stand_in, asked | {"inputs": {"wav_bytes": coded}}).json()["outputs"]
    assert post(stand_in, asked | {"inputs": coded}).json() == {"outputs": columns}
    rows = [{name: values[i] for name, values in columns.items()} for i in range(2)]
    assert post(stand_in, asked | {"instances": coded}).json() == {"predictions": rows}
    assert post(stand_in, asked | {"instances": [{"wav_bytes": wav} for wav in coded]}).json() == {"predictions": rows}
    assert rows[0]["labels"] == ["laut", "leise ü"]
    assert rows[1]["raw_bytes"] == coded[1]  # base64 where a name ends in _bytes
    expected = tf.saved_model.load(str(stand_in_folder(stand_in, 2))).signatures["tag_wav"](tf.constant([one, two]))
    np.testing.assert_allclose(columns["tags"], expected["tags"], rtol=1e-6)


def stand_in_folder(stand_in: StandIn, version: int) -> Path:
    return Path(stand_in.config.model_config_list.config[1].base_path) / str(version)


def test_several_inputs_and_one_output_have_their_own_forms(stand_in):
    asked = {"signature_name": "two"}
    rows = [{"pair": [1, 2.5], "count": 3}, {"pair": [0, 0], "count": 4}]
    assert post(stand_in, asked | {"instances": rows}).json() == {"predictions": [6.5, 4.0]}
    columns = {"pair": [[1, 2.5], [0, 0]], "count": [3, 4]}
    assert post(stand_in, asked | {"inputs": columns}).json() == {"outputs": [6.5, 4.0]}


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
def test_bad_rest_requests_are_errors_in_the_specified_shape(stand_in, body, words):
    response = post(stand_in, body)
    assert response.status_code == 400
    assert list(response.json()) == ["error"] and words in response.json()["error"]


def test_status_and_metadata_of_models(stand_in):
    root = f"{stand_in.rest}/v1/models"
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
    """The hot swap and rollback of serving/README.md, as the stand-in plays them."""
    shutil.copytree(models / "my_moods/1", tmp_path / "my_moods/1")
    with StandIn(text_format.Parse((SERVING / "models.config").read_text(), ModelServerConfig())) as stand_in:
        stand_in.config.model_config_list.config[1].base_path = str(tmp_path / "my_moods")

        def live() -> list[str]:
            rows = requests.get(f"{stand_in.rest}/v1/models/my_moods", timeout=9).json()["model_version_status"]
            return [row["version"] for row in rows]

        assert live() == ["1"]
        shutil.copytree(models / "my_moods/2", tmp_path / "my_moods/.part")
        assert live() == ["1"]
        (tmp_path / "my_moods/.part").rename(tmp_path / "my_moods/2")
        assert live() == ["2"]
        (tmp_path / "my_moods/2").rename(tmp_path / "my_moods/.withdrawn-2")
        assert live() == ["1"]


def test_joined_requests_get_their_own_answers(models, monkeypatch):
    """Sixteen clients at once, clips of two lengths: each gets what it would get alone."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    rng = np.random.default_rng(0)
    pairs = [rng.normal(size=(rows, 2)).round(3).tolist() for rows in (1, 2) * 8]
    with StandIn(served(models), Batching(rows=8, seconds=0.05)) as stand_in, ThreadPoolExecutor(16) as pool:
        bodies = [{"signature_name": "two", "inputs": {"pair": pair, "count": [7] * len(pair)}} for pair in pairs]
        answers = list(pool.map(lambda body: post(stand_in, body).json()["outputs"], bodies))
        assert post(stand_in, {"signature_name": "tag_wav", "inputs": ["no audio"]}).status_code == 400
    for pair, answer in zip(pairs, answers, strict=True):
        np.testing.assert_allclose(answer, np.sum(pair, axis=1) + 7, rtol=1e-6)


# The benchmark


def test_the_benchmarks_load_is_answered_over_both_protocols(models, tmp_path, monkeypatch):
    from benchmarks import interleaved

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(interleaved, "ENVIRONMENTS", tmp_path / "logs")
    with StandIn(served(models)) as stand_in:
        url = f"{stand_in.rest}/v1/models/my_moods:predict"
        peers = [
            interleaved.Peer("gRPC, 2", "serving_load.py", (stand_in.grpc, str(FIXTURES / "clip.wav.tag_wav.pb"), "2")),
            interleaved.Peer("REST, 2", "serving_load.py", (url, str(FIXTURES / "clip.wav.tag_wav.json"), "2")),
        ]
        times = interleaved.measure(peers, {"requests": 6}, rounds=1, warm_up=0)
    from benchmarks.serving import tags

    assert [len(value["latencies"]) for value in times["value"]] == [6, 6]
    np.testing.assert_allclose(*(tags(value) for value in times["value"]), rtol=1e-6)


def test_the_benchmarks_table_has_ratios_to_the_bare_call():
    from benchmarks.serving import table

    times = pd.DataFrame(
        {
            "peer": ["bare model call", "gRPC, batched, 16"] * 2,
            "round": [0, 0, 1, 1],
            "seconds": [1.0, 0.5, 2.0, 1.0],
            "value": [{"latencies": latencies} for latencies in ([0.1, 0.1], [0.3, 0.3], [0.1, 0.1], [0.3, 0.5])],
        }
    )
    bare, batched = table(times, requests=4).to_dict("records")
    assert (bare["clients"], bare["peer"], bare["times the bare call's rate"]) == ("1 client", "bare model call", 1.0)
    assert (batched["clients"], batched["peer"]) == ("16 clients", "gRPC, batched")
    assert batched["requests a second"] == 6.0  # 8 and 4
    assert batched["times the bare call's rate"] == 2.0
    assert (batched["p50 ms"], batched["p99 ms"]) == (300.0, 494.0)
    assert batched["p50, times the bare call's"] == 3.0


def test_the_benchmark_has_its_place_in_the_readme():
    from benchmarks.__main__ import BENCHMARKS, in_section

    assert "serving" in BENCHMARKS
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    assert "| a table |" in in_section(readme, "serving", "| a table |")
