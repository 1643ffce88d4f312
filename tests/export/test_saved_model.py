"""What an export's folder holds, and that it is written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import TRAINED_LABELS
from helpers.untuned import in_one_batch

import mcc_zoo
from mcc_zoo.export import saved_model
from mcc_zoo.export.metadata import ExportError, ExportMetadata, Scores
from mcc_zoo.export.model_card import write_card
from mcc_zoo.export.verify import hash_files
from mcc_zoo.features.front_end import FrontEnd

SMALL = FrontEnd(sample_rate=8_000, window_length=256, hop_length=128)

CONTENTS = {
    "saved_model.pb", "variables", "assets/labels.txt", "assets.extra/tf_serving_warmup_requests",
    "assets.extra/warmup_answers.npz",
    "batching_params.pbtxt", "config.json", "metadata.json", "model.weights.h5", "mcc_zoo.json", "MODEL_CARD.md",
}  # fmt: skip


def test_folder_is_that_of_the_contract(trained):
    folder = trained.folders["r0"]
    assert folder.name == "1" and folder.parent.name == "r0"
    assert all((folder / name).exists() for name in CONTENTS)
    assert (folder / "assets/labels.txt").read_text(encoding="utf-8") == "blues\nhip hop\nschlager ü\n"
    facts = json.loads((folder / "mcc_zoo.json").read_text(encoding="utf-8"))
    assert facts["labels"] == TRAINED_LABELS
    assert facts["sample_rate"] == 44_100
    assert (facts["fused_descriptor_size"], facts["descriptor_size"]) == (672, 672)
    assert (facts["mean"], facts["std"]) == pytest.approx((0.5, 0.8))
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {"mcc_zoo.json"}
    assert set(facts["files"]) == files
    for name, digest in facts["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 25e6


def test_card_says_what_a_user_has_to_know(trained):
    card = (trained.folders["r0"] / "MODEL_CARD.md").read_text(encoding="utf-8")
    for words in ("44100 Hz", "blues, hip hop, schlager ü", "CC0", "noise, 4 tracks, 2 epochs", "Not measured"):
        assert words in card


@pytest.mark.parametrize(
    ("folds", "std", "words"),
    [
        (10, 2.04, "**71.2 ± 2.0 %** (mean and standard deviation over 10 folds; split: grouped)"),
        (1, None, "**71.2 %** (on the test tracks of one fixed split; split: grouped)"),
    ],
)
def test_card_gives_the_score_and_the_limits(trained, folds, std, words):
    metadata = ExportMetadata.read(trained.folders["r0"])
    scores = Scores(accuracy=71.24, std=std, balanced_accuracy=70, macro_f1=69, folds=folds, split="grouped")
    card = write_card(replace(metadata, scores=scores, limits=("the split is leaky.",)))
    assert f"Cross-validated accuracy {words}, balanced accuracy 70.0 %" in card
    assert "- the split is leaky." in card


@pytest.mark.parametrize(
    ("trained_on", "words"), [(None, "a refit on all tracks"), ("training tracks", "figures of the exported weights,")]
)
def test_card_says_whose_score_it_is(trained, trained_on, words):
    metadata = ExportMetadata.read(trained.folders["r0"])
    scores = Scores(accuracy=71.24, std=None, balanced_accuracy=70, macro_f1=69, folds=1, split="lists")
    assert words in write_card(replace(metadata, scores=scores, trained_on=trained_on))


def test_card_says_how_long_channels_were_trained_before(trained):
    metadata = ExportMetadata.read(trained.folders["r0"])
    card = write_card(replace(metadata, architecture="mcclstm", epochs=1, channels_epochs=14))
    assert "14 epochs of R3 for its channels, then 1 epoch, recipe" in card


@pytest.mark.slow
@pytest.mark.parametrize("order", ["import mcc_zoo, tensorflow as tf", "import tensorflow as tf, mcc_zoo"])
def test_a_new_process_loads_it_after_importing_mcc_zoo(trained, order):
    code = (
        f"{order}; import numpy as np; m = tf.keras.models.load_model({str(trained.folders['r4'])!r});"
        "print(m(np.full((1, 90_000), 0.1, np.float32))['tags'].numpy()[0].tolist())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = trained.models["r4"](np.full((1, 90_000), 0.1, np.float32))["tags"][0]
    np.testing.assert_allclose(json.loads(run.stdout.strip().splitlines()[-1]), expected, atol=1e-5)


@pytest.mark.slow
def test_the_exported_model_can_be_trained_further(trained):
    model = tf.keras.models.load_model(str(trained.folders["r2"]))
    model.compile("adam", loss={"tags": "sparse_categorical_crossentropy"})
    audio = np.random.default_rng(1).normal(scale=0.2, size=(4, 90_000)).astype(np.float32)
    before = model.get_weights()
    model.fit(in_one_batch(audio, {"tags": np.array([0, 1, 2, 0])}), verbose=0)
    assert any(np.abs(one - two).max() > 0 for one, two in zip(before, model.get_weights(), strict=True))


@pytest.mark.slow
def test_exports_to_one_name_get_numbers_of_their_own(trained, tmp_path):
    first = mcc_zoo.export_model(trained.models["r0"], tmp_path, "tagger")
    (tmp_path / "tagger" / "7").mkdir()
    assert first.name == "1"
    assert json.loads((first / "mcc_zoo.json").read_text(encoding="utf-8"))["max_seconds"] == 600  # by default
    assert mcc_zoo.export_model(trained.models["r0"], tmp_path, "tagger").name == "8"


@pytest.mark.slow
def test_a_withdrawn_number_is_not_given_again(trained, tmp_path):
    first = mcc_zoo.export_model(trained.models["r0"], tmp_path, "tagger")
    first.rename(first.with_name(".withdrawn-1"))
    assert mcc_zoo.export_model(trained.models["r0"], tmp_path, "tagger").name == "2"


def test_racing_exporters_lose_nothing(tmp_path):
    """Eight publishers rename at once; a folder with a file stands in for an export."""
    parent = tmp_path / "tagger"
    sources = []
    for i in range(8):
        source = parent / f".part-{i}"
        source.mkdir(parents=True)
        (source / "who").write_text(str(i))
        sources.append(source)
    threads = [threading.Thread(target=saved_model._publish, args=(source, parent)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(path.name) for path in parent.iterdir()) == list(range(1, 9))
    assert sorted((path / "who").read_text() for path in parent.iterdir()) == [str(i) for i in range(8)]


def test_an_exporter_that_loses_the_race_takes_the_next_number(tmp_path, monkeypatch):
    """Others publish between its look at the numbers and its rename, twice."""
    parent = tmp_path / "tagger"
    source = parent / ".part-mine"
    source.mkdir(parents=True)
    (source / "who").write_text("mine")
    others, rename = [1, 2], Path.rename

    def late(path: Path, target: Path) -> Path:
        if others:
            (parent / str(others[0])).mkdir()
            (parent / str(others[0]) / "who").write_text(f"other {others.pop(0)}")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    assert saved_model._publish(source, parent) == parent / "3"
    assert {path.name: (path / "who").read_text() for path in parent.iterdir()} == {
        "1": "other 1",
        "2": "other 2",
        "3": "mine",
    }


@pytest.mark.slow
def test_where_a_gpu_is_visible_an_export_runs_without_one(tmp_path, monkeypatch):
    """Keras would take cuDNN's LSTM, which no CPU has."""
    model = mcc_zoo.build("r4", ["a", "b"], front_end=SMALL)
    lstm = model.get_layer("sequence_network").get_layer("lstm")
    before, listed = lstm.use_cudnn, tf.config.list_logical_devices
    gpu = tf.config.LogicalDevice("/device:GPU:0", "GPU")
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: [gpu] if kind == "GPU" else listed(kind))
    monkeypatch.setattr(saved_model, "verify_export", lambda folder: None)  # it runs the Keras model too, on that GPU
    folder = mcc_zoo.export_model(model, tmp_path, "tagger")
    assert b"Cudnn" not in (folder / "saved_model.pb").read_bytes()
    assert lstm.use_cudnn == before and before  # training goes on with it


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["verify_export", "write_requests", "sync"])
def test_an_export_that_fails_leaves_nothing_and_harms_nothing(trained, tmp_path, monkeypatch, broken):
    good = Path(shutil.copytree(trained.folders["r0"], tmp_path / "tagger" / "1"))
    before = hash_files(good)

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(saved_model, broken, fail)
    with pytest.raises((OSError, ExportError), match="no space left"):
        mcc_zoo.export_model(trained.models["r0"], tmp_path, "tagger")
    assert [path.name for path in (tmp_path / "tagger").iterdir()] == ["1"]
    assert hash_files(good) == before


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "..", "/tmp"])
def test_impossible_names_are_refused(trained, tmp_path, name):
    with pytest.raises(ValueError, match="an export's name is that of one folder"):
        mcc_zoo.export_model(trained.models["r0"], tmp_path, name)


@pytest.mark.parametrize("seconds", [0, -1, 1.0, float("nan"), float("inf"), 3_601])
def test_impossible_limits_are_refused(trained, tmp_path, seconds):
    with pytest.raises(ValueError, match=rf"max_seconds={seconds!r}: give 3.74, which .* lasts, to 3600"):
        mcc_zoo.export_model(trained.models["r0"], tmp_path, "tagger", max_seconds=seconds)
    assert list(tmp_path.iterdir()) == []


def test_the_contract_of_the_signatures_is_written_down(trained):
    facts = json.loads((trained.folders["r0"] / "mcc_zoo.json").read_text(encoding="utf-8"))
    audio, tags, descriptor = "float32 (batch, samples)", "float32 (batch, 3)", "float32 (batch, 672)"
    is_silent = "bool (batch,)"
    of_a_track = {"tags": tags, "descriptor": descriptor, "is_silent": is_silent}
    assert facts["signatures"] == {
        "serving_default": {"inputs": {"audio": audio}, "outputs": of_a_track},
        "taggram": {
            "inputs": {"audio": audio},
            "outputs": {
                "taggram": "float32 (batch, chunks, 3)",
                "chunk_descriptors": "float32 (batch, chunks, 672)",
                "is_silent": is_silent,
            },
        },
        "tag_padded": {
            "inputs": {"audio": audio, "length": "int32 (batch,)"},
            "outputs": of_a_track | {"error": "string (batch,)"},
        },
        "tag_wav": {
            "inputs": {"wav_bytes": "string (batch,)"},
            "outputs": of_a_track | {"error": "string (batch,)", "labels": "string (batch, 3)"},
        },
    }
    assert facts["max_seconds"] == 40
    card = (trained.folders["r0"] / "MODEL_CARD.md").read_text(encoding="utf-8")
    outputs = ", ".join(f"`{name}` {kind}" for name, kind in facts["signatures"]["tag_padded"]["outputs"].items())
    assert f"| tag_padded | `audio` {audio}, `length` int32 (batch,) | {outputs} |" in card
    assert "Chance is 33.3 %, one of 3 labels." in card
    assert "lasts 40 s at most" in card
