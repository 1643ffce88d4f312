"""Every export answers as its Keras model does, whatever reads it: readers that are not ours, and those that are."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import openvino
import pytest
import tensorflow as tf
from conftest import Trained
from helpers.c_library import ask, operations_of_the_library
from helpers.systems import EXPORTS as ALL_EXPORTS
from helpers.systems import SOME_EXPORTS
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.tools import saved_model_cli
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

import mcc_zoo
from mcc_zoo.export.warm_up import REQUESTS_FILE, read_requests
from mcc_zoo.features.chunking import samples_of
from mcc_zoo.features.front_end import FRONT_ENDS

CASES = [  # batch, chunks, samples more; batch and chunks differ, and lengths lie around a chunk's end
    (1, 1, -1), (1, 1, 0), (1, 1, 1), (1, 16, 0), (2, 5, -1), (2, 5, 0), (3, 2, 0), (3, 2, 1),
]  # fmt: skip
EXPORTS = Path(__file__).parents[2] / "exported_models"
OUTPUTS = {
    "serving_default": ("tags", "descriptor", "is_silent"),
    "taggram": ("taggram", "chunk_descriptors", "is_silent"),
}
BANNED = (  # what a stock server lacks, refuses by default, or has for one kind of device only
    "PyFunc", "EagerPyFunc", "NumPyFunc", "Cudnn", "Xla", "_Xla", "Mkl", "_Mkl", "TPU", "TRTEngine", "IO>", "Addons>",
    "ReadFile", "WriteFile", "MatchingFiles",
)  # fmt: skip

SHIPPED = {name: mcc_zoo.latest(EXPORTS / name) for name in ("mcclstm_emotify_genre", "mcclstm_emotify_moods")}

Answers = dict[str, np.ndarray]


def audio_of(case: tuple[int, int, int]) -> np.ndarray:
    batch, chunks, more = case
    samples = samples_of(chunks, FRONT_ENDS["44k"]) + more
    return np.random.default_rng(samples).normal(scale=0.2, size=(batch, samples)).astype(np.float32)


AUDIO = {case: audio_of(case) for case in CASES}


def assert_same(found: Answers, expected: Answers) -> None:
    """Descriptors within 1e-5, probabilities by their logarithms: a softmax's logits, up to a constant."""
    assert set(found) <= set(expected)
    for name, values in found.items():
        wanted = expected[name]
        if name in ("tags", "taggram"):
            values, wanted = np.log(values), np.log(wanted)
        np.testing.assert_allclose(values, wanted, rtol=0, atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def expected(trained: Trained) -> Callable[[str, tuple[int, int, int]], Answers]:
    """What the Keras models say, which were never saved."""

    @functools.cache
    def ask_model(name: str, case: tuple[int, int, int]) -> Answers:
        found = trained.models[name](AUDIO[case], training=False)
        return {output: values.numpy() for output, values in found.items()} | {"is_silent": np.zeros(case[0], bool)}

    return ask_model


@pytest.mark.parametrize("architecture", SOME_EXPORTS)
def test_weights_are_trained(trained, architecture):
    """An export of weights as they were made would hide zeros that stay zeros, biases say."""
    biases = [weight.numpy() for weight in trained.models[architecture].trainable_weights if "bias" in weight.path]
    assert biases
    assert all(np.ptp(bias) > 0 if bias.size > 1 else bias.any() for bias in biases)  # attention's is one number


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ALL_EXPORTS)
def test_tensorflows_own_loaders(trained, expected, architecture):
    folder = str(trained.folders[architecture])
    signatures = tf.saved_model.load(folder).signatures
    assert set(signatures) == {"serving_default", "taggram", "tag_padded", "tag_wav"}
    layer = keras.layers.TFSMLayer(folder, call_endpoint="serving_default")
    model = tf.keras.models.load_model(folder)
    for case, audio in AUDIO.items():
        wanted, tensor = expected(architecture, case), tf.constant(audio)
        answers = {name: signatures[name](audio=tensor) for name in OUTPUTS}
        assert {name: tuple(sorted(found)) for name, found in answers.items()} == {
            name: tuple(sorted(outputs)) for name, outputs in OUTPUTS.items()
        }
        lengths = tf.fill([len(audio)], audio.shape[1])
        answers["tag_padded"] = dict(signatures["tag_padded"](audio=tensor, length=lengths))
        assert not any(answers["tag_padded"].pop("error").numpy())
        for found in (*answers.values(), layer(tensor), model(audio)):
            assert_same({name: values.numpy() for name, values in found.items()}, wanted)


@pytest.fixture(scope="module")
def c_answers(trained) -> Callable[[str], dict[tuple[Any, ...], Any]]:
    """What TensorFlow's C library says, in a process without Python TensorFlow, as a server of another language."""

    @functools.cache
    def ask_library(name: str) -> dict[tuple[Any, ...], Any]:
        folder = trained.folders[name]
        asked: dict[tuple[Any, ...], Any] = {
            (signature, case): {"audio": AUDIO[case]} for signature in OUTPUTS for case in CASES
        }
        warm_up = read_requests(folder / REQUESTS_FILE)
        asked |= {(signature, "warm-up"): inputs for signature, inputs in warm_up.items()}
        answers = ask([(folder, signature, inputs) for (signature, _), inputs in asked.items()])
        return dict(zip(asked, answers, strict=True))

    return ask_library


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ALL_EXPORTS)
def test_the_c_library(c_answers, expected, architecture):
    for signature, outputs in OUTPUTS.items():
        for case in CASES:
            found = c_answers(architecture)[signature, case]
            assert isinstance(found, dict), found
            assert set(found) == set(outputs)
            assert_same(found, expected(architecture, case))


@pytest.mark.parametrize("architecture", SOME_EXPORTS)
def test_openvino(trained, expected, architecture):
    """OpenVINO translates the default signature into a graph of its own."""
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(trained.folders[architecture]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    names = {
        name: i for i, port in enumerate(compiled.outputs) for name in port.get_names() & {*OUTPUTS["serving_default"]}
    }
    assert set(names) == set(OUTPUTS["serving_default"])
    for case, audio in AUDIO.items():
        found = compiled([audio])
        assert_same({name: found[i] for name, i in names.items()}, expected(architecture, case))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SOME_EXPORTS)
def test_saved_model_cli(trained, expected, architecture, tmp_path):
    """What `saved_model_cli run` does, without a start of TensorFlow for each."""
    for case, audio in AUDIO.items():
        out = tmp_path / str(case)
        saved_model_cli.run_saved_model_with_feed_dict(
            str(trained.folders[architecture]), "serve", "serving_default", {"audio": audio}, str(out), False
        )
        found = {path.stem: np.load(path) for path in out.iterdir()}
        assert set(found) == set(OUTPUTS["serving_default"])
        assert_same(found, expected(architecture, case))


@pytest.mark.slow
def test_saved_model_cli_as_a_command(trained, expected, tmp_path):
    np.save(tmp_path / "audio.npy", AUDIO[3, 2, 1])
    command = [Path(sys.executable).with_name("saved_model_cli"), "run", "--dir", trained.folders["mcclstm"]]
    options = ["--tag_set=serve", "--signature_def=taggram", f"--inputs=audio={tmp_path}/audio.npy"]
    subprocess.run([*command, *options, "--outdir", tmp_path / "out"], capture_output=True, check=True)
    found = {path.stem: np.load(path) for path in (tmp_path / "out").iterdir()}
    assert set(found) == set(OUTPUTS["taggram"])
    assert_same(found, expected("mcclstm", (3, 2, 1)))


@pytest.mark.parametrize("name", [*SOME_EXPORTS, *SHIPPED])
def test_graph_holds_only_what_a_stock_server_has(trained, core_operations, name):
    folder = SHIPPED.get(name) or trained.folders[name]
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (graph,) = saved.meta_graphs
    functions = graph.graph_def.library.function
    operations = {node.op for node in graph.graph_def.node}
    operations |= {node.op for function in functions for node in function.node_def}
    named = {function.signature.name for function in functions}
    assert {"RFFT", "IRFFT", "Assert", "DecodeRaw"} <= operations
    assert operations - named <= core_operations
    assert not [name for name in operations if name.startswith(BANNED)]
    assert not any(function.attr["_XlaMustCompile"].b for function in functions)
    assert not graph.asset_file_def  # a path that a server would look for


@pytest.fixture(scope="module")
def core_operations() -> set[str]:
    return operations_of_the_library()


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SOME_EXPORTS)
def test_warm_up_requests_parse_and_run(trained, c_answers, architecture):
    requests = prediction_logs(trained.folders[architecture] / REQUESTS_FILE)
    assert [(log.model_spec.name, log.model_spec.signature_name) for log in requests] == [
        (architecture, signature) for signature in ("serving_default", "taggram", "tag_padded", "tag_wav")
    ]
    for log in requests:
        found = c_answers(architecture)[log.model_spec.signature_name, "warm-up"]
        assert isinstance(found, dict), found
        assert all(values.dtype == object or np.isfinite(values).all() for values in found.values())


def prediction_logs(path: Path) -> list[predict_pb2.PredictRequest]:
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record).predict_log.request for record in records]
