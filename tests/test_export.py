"""Exports of all systems, read by what reads them in production, interrupted, damaged and raced."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

import mcc_zoo
from mcc_zoo import export as exporting
from mcc_zoo.chunks import samples_of
from mcc_zoo.model_card import model_card
from mcc_zoo.paper import FRONT_ENDS

LABELS = ["blues", "hip hop", "schlager ü"]
FRONT_END = FRONT_ENDS["44k"]
CONTENTS = {
    "saved_model.pb", "variables", "assets/labels.txt", "assets.extra/tf_serving_warmup_requests",
    "batching_params.pbtxt", "config.json", "metadata.json", "model.weights.h5", "mcc_zoo.json", "MODEL_CARD.md",
}  # fmt: skip
NOT_CORE = ("CudnnRNN", "PyFunc", "EagerPyFunc", "XlaLaunch", "_MklFused", "IO>")


def trained(architecture: str) -> keras.Model:
    """Train a system for a few steps on noise, so that no weight is as it was made."""
    keras.utils.set_random_seed(7)
    model = mcc_zoo.build(architecture, LABELS, mean=0.5, std=0.8)
    model.compile("sgd", loss={"tags": "sparse_categorical_crossentropy"})
    audio = np.random.default_rng(0).normal(scale=0.2, size=(4, samples_of(2, FRONT_END))).astype(np.float32)
    model.fit(audio, {"tags": np.array([0, 1, 2, 0])}, epochs=2, verbose=0)
    return model


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported_models")
    models = {name: trained(name) for name in mcc_zoo.ARCHITECTURES}
    facts = {"dataset": "noise", "licence": "CC0", "tracks": 4, "epochs": 2, "training_chunks": 2}
    return models, {name: mcc_zoo.export_model(model, folder, name, facts) for name, model in models.items()}


@pytest.mark.parametrize("architecture", mcc_zoo.ARCHITECTURES)
@pytest.mark.parametrize(("batch", "chunks", "extra"), [(1, 1, -1), (2, 5, 0), (3, 2, 1)])
def test_every_reader_gives_the_models_answers(exports, architecture, batch, chunks, extra):
    models, folders = exports
    rng = np.random.default_rng(batch)
    audio = rng.normal(scale=0.2, size=(batch, samples_of(chunks, FRONT_END) + extra)).astype(np.float32)
    expected = models[architecture](audio)
    folder = str(folders[architecture])
    signatures = tf.saved_model.load(folder).signatures
    serving_default = signatures["serving_default"](audio=tf.constant(audio))
    taggram = signatures["taggram"](audio=tf.constant(audio))
    assert set(serving_default) == {"tags", "descriptor"}
    assert set(taggram) == {"taggram", "chunk_descriptors"}
    layer = keras.layers.TFSMLayer(folder, call_endpoint="serving_default")
    for found in (serving_default, taggram, tf.keras.models.load_model(folder)(audio), layer(tf.constant(audio))):
        for name, values in found.items():
            np.testing.assert_allclose(values, expected[name], atol=1e-5, rtol=1e-5)
            if name == "tags":
                np.testing.assert_allclose(np.log(values), np.log(expected[name]), atol=1e-4)


@pytest.mark.parametrize("architecture", mcc_zoo.ARCHITECTURES)
def test_graph_holds_core_operations_only(exports, architecture):
    graph = tf.saved_model.load(str(exports[1][architecture])).signatures["serving_default"].graph.as_graph_def()
    operations = {node.op for node in graph.node}
    operations |= {node.op for function in graph.library.function for node in function.node_def}
    assert "RFFT" in operations
    assert not [op for op in operations if op.startswith(NOT_CORE)]


def test_folder_is_that_of_the_contract(exports):
    folder = exports[1]["mcclstm"]
    assert folder.name == "1" and folder.parent.name == "mcclstm"
    assert all((folder / name).exists() for name in CONTENTS)
    assert (folder / "assets/labels.txt").read_text(encoding="utf-8") == "blues\nhip hop\nschlager ü\n"
    facts = json.loads((folder / "mcc_zoo.json").read_text(encoding="utf-8"))
    assert facts["labels"] == LABELS
    assert facts["sample_rate"] == 44_100
    assert (facts["fused_descriptor_size"], facts["descriptor_size"]) == (400, 200)
    assert (facts["mean"], facts["std"]) == pytest.approx((0.5, 0.8))
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {"mcc_zoo.json"}
    assert set(facts["files"]) == files
    for name, digest in facts["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 22e6


def test_card_says_what_a_user_has_to_know(exports):
    card = (exports[1]["mcclstm"] / "MODEL_CARD.md").read_text(encoding="utf-8")
    for words in ("44100 Hz", "blues, hip hop, schlager ü", "CC0", "noise, 4 tracks, 2 epochs", "Not measured"):
        assert words in card


@pytest.mark.parametrize(
    ("folds", "std", "words"),
    [
        (10, 2.04, "**71.2 ± 2.0 %** (mean and standard deviation over 10 folds; split: grouped)"),
        (1, None, "**71.2 %** (on the test tracks of one fixed split; split: grouped)"),
    ],
)
def test_card_gives_the_score_and_the_limits(exports, folds, std, words):
    facts = json.loads((exports[1]["mcclstm"] / "mcc_zoo.json").read_text(encoding="utf-8"))
    scores = {
        "accuracy": 71.24,
        "std": std,
        "balanced_accuracy": 70,
        "macro_f1": 69,
        "folds": folds,
        "split": "grouped",
    }
    card = model_card({**facts, "scores": scores, "limits": ["the split is leaky."]})
    assert f"Cross-validated accuracy {words}, balanced accuracy 70.0 %" in card
    assert "- the split is leaky." in card


@pytest.mark.parametrize("architecture", ["r3", "mcclstm"])
def test_warm_up_requests_run(exports, architecture):
    folder = exports[1][architecture]
    signatures = tf.saved_model.load(str(folder)).signatures
    records = tf.data.TFRecordDataset(str(folder / "assets.extra/tf_serving_warmup_requests"))
    asked = []
    for record in records:
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        asked.append(request.model_spec.signature_name)
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        assert request.model_spec.name == architecture
        assert np.isfinite(next(iter(signatures[asked[-1]](**inputs).values()))).all()
    assert asked == ["serving_default", "taggram"]


@pytest.mark.parametrize("order", ["import mcc_zoo, tensorflow as tf", "import tensorflow as tf, mcc_zoo"])
def test_a_new_process_loads_it_after_importing_mcc_zoo(exports, order):
    models, folders = exports
    code = (
        f"{order}; import numpy as np; m = tf.keras.models.load_model({str(folders['r4'])!r});"
        "print(m(np.full((1, 90_000), 0.1, np.float32))['tags'].numpy()[0].tolist())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = models["r4"](np.full((1, 90_000), 0.1, np.float32))["tags"][0]
    np.testing.assert_allclose(json.loads(run.stdout.strip().splitlines()[-1]), expected, atol=1e-5)


def test_bad_requests_are_refused_with_a_sentence(exports):
    signature = tf.saved_model.load(str(exports[1]["mcclstm"])).signatures["serving_default"]
    for audio, words in [
        (np.zeros((1, 0), np.float32), "at least one window"),
        (np.zeros((2, 2_047), np.float32), "at least one window"),
        (np.full((1, 90_000), np.nan, np.float32), "not finite"),
        (np.full((1, 90_000), np.inf, np.float32), "not finite"),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            signature(audio=tf.constant(audio))


def test_the_exported_model_can_be_trained_further(exports):
    model = tf.keras.models.load_model(str(exports[1]["r2"]))
    model.compile("adam", loss={"tags": "sparse_categorical_crossentropy"})
    audio = np.random.default_rng(1).normal(scale=0.2, size=(4, 90_000)).astype(np.float32)
    before = model.get_weights()
    model.fit(audio, {"tags": np.array([0, 1, 2, 0])}, verbose=0)
    assert any(np.abs(one - two).max() > 0 for one, two in zip(before, model.get_weights(), strict=True))


def test_exports_to_one_name_get_numbers_of_their_own(exports, tmp_path):
    model = exports[0]["r0"]
    first = mcc_zoo.export_model(model, tmp_path, "tagger")
    (tmp_path / "tagger" / "7").mkdir()
    assert first.name == "1"
    assert mcc_zoo.export_model(model, tmp_path, "tagger").name == "8"


def test_racing_exporters_lose_nothing(tmp_path):
    """Eight publishers rename at once; a folder with a file stands in for an export."""
    parent = tmp_path / "tagger"
    sources = []
    for i in range(8):
        source = parent / f".part-{i}"
        source.mkdir(parents=True)
        (source / "who").write_text(str(i))
        sources.append(source)
    threads = [threading.Thread(target=exporting._publish, args=(source, parent)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(path.name) for path in parent.iterdir()) == list(range(1, 9))
    assert sorted((path / "who").read_text() for path in parent.iterdir()) == [str(i) for i in range(8)]


@pytest.mark.parametrize("broken", ["verify", "_write_warm_up", "_sync"])
def test_an_export_that_fails_leaves_nothing_and_harms_nothing(exports, tmp_path, monkeypatch, broken):
    model = exports[0]["r0"]
    good = mcc_zoo.export_model(model, tmp_path, "tagger")
    before = exporting.file_hashes(good)

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(exporting, broken, fail)
    with pytest.raises(OSError, match="no space left"):
        mcc_zoo.export_model(model, tmp_path, "tagger")
    assert [path.name for path in (tmp_path / "tagger").iterdir()] == ["1"]
    assert exporting.file_hashes(good) == before


def test_verification_finds_other_weights(exports, tmp_path):
    shutil.copytree(exports[1]["r2"], tmp_path / "copy")
    exporting.verify(tmp_path / "copy", exports[0]["r2"])
    other = mcc_zoo.build("r2", LABELS, mean=0.5, std=0.8)
    with pytest.raises(mcc_zoo.ExportError, match="away from the model's"):
        exporting.verify(tmp_path / "copy", other)


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "..", "/tmp"])
def test_impossible_names_are_refused(exports, tmp_path, name):
    with pytest.raises(ValueError, match="an export's name is that of one folder"):
        mcc_zoo.export_model(exports[0]["r0"], tmp_path, name)
