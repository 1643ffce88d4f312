"""New labels on an export's descriptor: what stays, what is learnt, what the card says, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import write_tone
from helpers.untuned import in_one_batch
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

import mcc_zoo
from mcc_zoo import finetuning
from mcc_zoo.audio import reading
from mcc_zoo.cli import training
from mcc_zoo.cli.main import app
from mcc_zoo.experiment.subset import Subset
from mcc_zoo.export.metadata import ExportMetadata, Majority
from mcc_zoo.features import cache
from mcc_zoo.features.chunking import samples_of
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.progress import progress_bar
from mcc_zoo.recipes import FORMER_FIELDS, RECIPES
from mcc_zoo.text import counted
from mcc_zoo.training import output_layer

LABELS = ["high", "low", "middle"]
FRONT_END = FRONT_ENDS["22k"]
RECIPE = dataclasses.replace(RECIPES["tuned"], max_epochs=3, batch_tracks=4)


def weights(folder: Path) -> dict[str, list[np.ndarray]]:
    model = keras.models.load_model(folder, compile=False)
    over_track = model.get_layer("sequence_network")
    layers = [model.get_layer("chunk_network"), *over_track.layers]
    return {layer.name: layer.get_weights() for layer in layers if layer.get_weights()}


@pytest.fixture(scope="module")
def fine_tuned(exported, tones, tmp_path_factory) -> mcc_zoo.Tagger:
    folder = tmp_path_factory.mktemp("frozen")
    return mcc_zoo.finetune(tones, exported, folder, "pitch", folds=3, licence="CC0", quiet=True)


@pytest.fixture(scope="module")
def frozen(fine_tuned):
    """The export of the fixtures, with new labels: its folder."""
    return fine_tuned.folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An export without an LSTM, at another rate, that says by which recipe it was trained."""
    keras.utils.set_random_seed(2)
    model = mcc_zoo.build("r0", ["x", "y"], front_end=FRONT_END, mean=0.5, std=0.7)
    provenance = {"recipe": dataclasses.asdict(RECIPE), "training_chunks": 2}
    return mcc_zoo.export_model(model, tmp_path_factory.mktemp("small"), "small", provenance, max_seconds=30)


@pytest.mark.slow
def test_frozen_everything_but_the_softmax_stays(frozen, exported):
    before, after = weights(exported), weights(frozen)
    assert list(before) == list(after) == ["chunk_network", "lstm", "steps"]
    for name in ("chunk_network", "lstm"):
        for old, new in zip(before[name], after[name], strict=True):
            np.testing.assert_array_equal(new, old)
    assert [weight.shape for weight in after["steps"]] == [(200, 3), (3,)]
    old, new = (json.loads((folder / "mcc_zoo.json").read_text()) for folder in (exported, frozen))
    assert all(old[fact] == new[fact] for fact in ("mean", "std", "front_end", "architecture", "max_seconds"))
    assert new["labels"] == LABELS and old["labels"] != LABELS


@pytest.mark.slow
def test_the_new_labels_are_learnt(fine_tuned, frozen, exported, tones):
    tracks = [track for track in mcc_zoo.datasets.read_manifest(tones) if track.name != "damaged.wav"]
    results = list(fine_tuned.tag_files(track.path for track in tracks))
    assert fine_tuned.labels == LABELS and fine_tuned.folder == frozen
    assert [result.tag for result in results] == [track.label for track in tracks]
    before = mcc_zoo.load(exported).tag(tracks[1].path)
    np.testing.assert_allclose(results[1].descriptor, before.descriptor, atol=1e-6)


@pytest.mark.slow
def test_card_says_what_it_comes_from_and_how_well_it_does(frozen, exported):
    facts = json.loads((frozen / "mcc_zoo.json").read_text(encoding="utf-8"))
    sha256 = hashlib.sha256((exported / "mcc_zoo.json").read_bytes()).hexdigest()
    origin = {"name": "tones", "version": "1", "sha256": sha256, "dataset": "tones", "licence": "CC0"}
    assert facts["finetuned_from"] == origin
    assert (facts["tracks"], facts["set_aside"], facts["epochs"]) == (15, 1, 0)
    assert facts["training_chunks"] == 3  # its longest track
    assert facts["scores"]["folds"] == 3 and facts["scores"]["accuracy"] > 80
    assert facts["majority"]["percent"] == pytest.approx(100 / 3)
    card = (frozen / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| trained on | tones, 15 tracks, the last layer alone, by logistic regression |" in card
    assert "| fine-tuned from | tones, version 1, trained on tones (licence of that music: CC0)" in card
    assert sha256 in card
    assert "one of 3 labels. Always saying high, the most frequent one, is right for 33.3 %." in card
    assert 'learnt on "tones". If the tracks of "tones", or others of their artists, were among that music, its' in card


@pytest.mark.slow
def test_command_trains_all_weights_and_prints_folder_and_score(small, tones, tmp_path):
    options = ["--unfreeze", "--epochs=2", "--folds=3", f"--export-dir={tmp_path}", f"--cache-dir={tmp_path / 'cache'}"]
    result = CliRunner().invoke(app, ["finetune", str(tones), f"--start-from={small.parent}", *options])
    folder = tmp_path / "small_tones" / "1"
    assert (result.exit_code, result.stdout) == (1, f"{folder}\n")
    lines = result.stderr.splitlines()
    assert lines[0].startswith("set aside: ") and "damaged.wav" in lines[0]
    assert re.fullmatch(
        r"accuracy [\d.]+ ± [\d.]+ %, cross-validated on 15 tracks; always saying high would give 33\.3 %", lines[1]
    )
    assert lines[2].startswith('Its descriptor was learnt on music that is not stated. If the tracks of "tones", or')
    assert lines[3] == "1 track was set aside, see the reason above"
    assert len(list((tmp_path / "cache").iterdir())) == 15
    before, after = weights(small), weights(folder)
    assert list(before) == list(after) == ["chunk_network", "steps"]
    for old, new in zip(before["chunk_network"], after["chunk_network"], strict=True):
        assert 0 < np.abs(new - old).max() < 0.05  # a rate of 1e-4 is low
    facts = json.loads((folder / "mcc_zoo.json").read_text(encoding="utf-8"))
    assert facts["epochs"] in (1, 2) and facts["training_chunks"] == 1  # 5.7 s are one chunk at this rate
    assert facts["max_seconds"] == 30
    assert facts["recipe"] == dataclasses.asdict(
        dataclasses.replace(RECIPE, max_epochs=2, max_chunks=2, warm_rate=finetuning.UNFROZEN_RATE, warm_frozen=False)
    )
    assert f"{counted(facts['epochs'], 'epoch')}, recipe tuned |" in (folder / "MODEL_CARD.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.slow
def test_all_weights_of_a_system_with_an_lstm_are_trained(exported, tones, tmp_path):
    tagger = mcc_zoo.finetune(tones, exported, tmp_path, "all", unfreeze=True, epochs=1, folds=3, quiet=True)
    before, after = weights(exported), weights(tagger.folder)
    assert list(before) == list(after) == ["chunk_network", "lstm", "steps"]
    for name in ("chunk_network", "lstm"):
        for old, new in zip(before[name], after[name], strict=True):
            assert 0 < np.abs(new - old).max() < 0.05


def test_a_person_is_told_where_the_export_is(exported, tmp_path, monkeypatch):
    written = ExportMetadata.read(exported)
    dataclasses.replace(
        written,
        scores=dataclasses.replace(written.scores, accuracy=76.71, std=None),
        tracks=15,
        majority=Majority("high", 40),
        limits=("It has limits.",),
        set_aside=0,
    ).write(tmp_path)
    monkeypatch.setattr(finetuning, "finetune", lambda *_, **__: SimpleNamespace(folder=tmp_path))
    monkeypatch.setattr(training, "find_export", lambda export: export)
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(training, "sys", SimpleNamespace(stdout=terminal, stderr=terminal))
    result = CliRunner().invoke(app, ["finetune", "music.csv", "--start-from=export"])
    assert (result.exit_code, result.stdout) == (0, f"exported to {tmp_path}\n")
    assert result.stderr.startswith("accuracy 76.7 %, cross-validated on 15 tracks; always saying high would give 40.0")


@pytest.mark.parametrize("labels", [pytest.param(2, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize(
    ("architecture", "rows"), [pytest.param("r4", "descriptor", marks=pytest.mark.slow), ("r0", "chunk_descriptors")]
)
def test_softmax_is_that_of_a_logistic_regression_on_descriptors(architecture, rows, labels, tmp_path, monkeypatch):
    """The oracle reads whole waveforms through the model, and standardises by hand."""
    keras.utils.set_random_seed(labels)
    model = mcc_zoo.build(architecture, ["x", "y"], front_end=FRONT_END, mean=0.5, std=0.7)
    tracks = []
    for i, chunks in enumerate((1, 3, 2, 2, 1)):
        seconds = samples_of(chunks, FRONT_END) / FRONT_END.sample_rate
        path = write_tone(tmp_path / f"{i}.wav", 200 + 900 * i, seconds, seed=i)
        tracks.append(mcc_zoo.Track(path, path.name, f"label {i % labels}"))
    corpus = mcc_zoo.prepare(tracks, mcc_zoo.FeatureCache(tmp_path / "cache", FRONT_END), quiet=True)
    settings = mcc_zoo.Settings("tones", recipe=dataclasses.replace(RECIPE, max_chunks=2), front_end=FRONT_END)

    expected, classes, shares = [], [], []
    audio = [reading.read(track.path, FRONT_END.sample_rate) for track in tracks]
    hop, span = FRONT_END.chunk_hop, samples_of(2, FRONT_END)
    for i, samples in enumerate(audio):
        chunks = corpus.features[i].chunks
        for first in range(0, chunks, 2):  # windows of two chunks
            outputs = model(samples[first * hop : first * hop + span][None])
            found = outputs[rows].numpy().reshape(-1, model.output[rows].shape[-1])
            expected.append(found)
            shares += [outputs["taggram"].shape[1] / len(found) / chunks] * len(found)
            classes += [i % labels] * len(found)
    values = np.concatenate(expected).astype(float)

    with progress_bar(quiet=True) as bar:
        tuning = finetuning.FineTuning(SimpleNamespace(model=model), corpus, settings, False, bar)
        inputs = tuning.compute_layer_inputs(Subset(corpus, np.arange(len(tracks)), settings))
    np.testing.assert_allclose(inputs.values, values, atol=1e-5)
    np.testing.assert_allclose(inputs.weights, shares)
    assert inputs.targets.argmax(axis=1).tolist() == classes

    monkeypatch.setattr(output_layer, "ITERATIONS", 10_000)
    new = tuning.replace_layer(inputs, 0.5)
    mean, std = values.mean(axis=0), values.std(axis=0)
    standardised = (values - mean) / np.maximum(std, std.max() / 100)
    oracle = LogisticRegression(C=0.5, max_iter=10_000).fit(standardised, classes, sample_weight=shares)
    first = oracle.predict_proba(standardised)[: len(expected[0])].mean(axis=0)
    tags = new(audio[0][None])["tags"].numpy()[0]
    np.testing.assert_allclose(tags, first, atol=1e-3)
    assert mcc_zoo.labels_of(new) == corpus.labels and mcc_zoo.labels_of(model) == ["x", "y"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "mine"),
        (FORMER_FIELDS, "mine"),  # which did nothing
        ({**FORMER_FIELDS, "mixup": 0.4}, "tuned"),
        ({"yet_to_come": 1}, "tuned"),
    ],
)
def test_an_export_of_before_is_fine_tuned_by_its_own_recipe_if_that_is_known(fields, name):
    own = {**dataclasses.asdict(RECIPE), "name": "mine", **fields}
    metadata = SimpleNamespace(recipe=own, training_chunks=7)
    recipe = finetuning._choose_recipe(metadata, None, unfreeze=False)
    expected = RECIPE if name == "mine" else RECIPES[name]
    changes = {"name": name, "max_chunks": 7, "warm_rate": finetuning.UNFROZEN_RATE, "warm_frozen": False}
    assert recipe == dataclasses.replace(expected, **changes)


def test_descriptors_that_do_not_differ_give_the_shares_of_the_labels():
    alike = output_layer.LayerInputs(
        np.full((4, 3), 0.3, np.float32), np.eye(2)[[0, 1, 1, 1]], np.ones(4), np.arange(4)
    )
    kernel, bias = output_layer.fit_output_layer(alike, 10.0)
    np.testing.assert_allclose(np.exp(bias) / np.exp(bias).sum(), [0.25, 0.75], atol=1e-3)
    np.testing.assert_allclose(kernel, 0, atol=1e-6)


def rewritten(tones: Path, keep: list[int], folder: Path) -> Path:
    """A manifest of some of the tones, by their rows."""
    table = pd.read_csv(tones, keep_default_na=False).iloc[keep]
    table["path"] = [str(tones.parent / path) for path in table["path"]]
    table.to_csv(folder / "some.csv", index=False)
    return folder / "some.csv"


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([0, 3, 6], {}, r"some.csv: 3 rows with the labels \['low'\]; a tagger needs at least two labels"),
        ([*range(12), 12], {"folds": 6}, "folds=6: there are 5 groups of tracks, .*: use at most 5 folds"),
        ([0, 3, 6, 9, 1, 4], {"folds": 3}, "label 'middle' has 2 tracks: at least 3 are needed"),
        ([0, 3, 6, 1, 4, 7], {"folds": 2}, "folds=2: at least 3 are needed"),
        ([0, 3, 6, 1, 4, 7], {"epochs": 3, "folds": 3}, "epochs=3: give 1 or more, with unfreeze"),
        ([0, 3, 6, 1, 4, 7], {"epochs": 0, "unfreeze": True, "folds": 3}, "epochs=0: give 1 or more"),
        ([0, 3, 6, 1, 4, 7], {"name": "a/b", "folds": 3}, "name='a/b': an export's name is that of one folder"),
        ([0, 3, 6, 1, 4, 7], {"split": "nowhere.csv"}, "split=nowhere.csv: no such file"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_decoding(
    exported, tones, tmp_path, monkeypatch, rows, options, message
):
    monkeypatch.setattr(cache.FeatureCache, "prepare", lambda *_: pytest.fail("a track was decoded"))
    with pytest.raises(ValueError, match=message):
        mcc_zoo.finetune(rewritten(tones, rows, tmp_path), exported, tmp_path / "exports", **options)
    assert not (tmp_path / "exports").exists()


def test_a_label_that_no_readable_track_has_is_refused(exported, tones, tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    table = pd.read_csv(tones, keep_default_na=False).iloc[[0, 3, 6, 1, 4, 7]]
    table["path"] = [str(tones.parent / path) for path in table["path"]]
    for i in range(3):
        (folder / f"{i}.wav").write_bytes(b"RIFF but no more")
        table.loc[100 + i] = [str(folder / f"{i}.wav"), "silence", ""]
    table.to_csv(folder / "some.csv", index=False)
    with pytest.raises(ValueError, match=r"some.csv: no track labelled 'silence' could be read \(.*0\.wav.*\): repl"):
        mcc_zoo.finetune(folder / "some.csv", exported, tmp_path / "exports", folds=3, quiet=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tones}", "--start-from=nowhere"], "error: nowhere is no export, and no name of one"),
        (["nowhere.csv"], "error: nowhere.csv"),
        (["{tones}", "--start-from={small}", "--epochs=4"], "error: epochs=4: give 1 or more, with unfreeze"),
    ],
)
def test_command_says_what_cannot_be_done(arguments, message, exported, tones):
    filled = [part.format(small=exported, tones=tones) for part in arguments]
    result = CliRunner().invoke(app, ["finetune", *filled])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(message)


@pytest.mark.slow
def test_keras_trains_a_loaded_export_further(exported, tones):
    model = tf.keras.models.load_model(exported)
    before = [weight.numpy() for weight in model.trainable_weights]
    names = ("low 0.wav", "middle 1.wav", "high 2.wav")
    audio = np.stack([reading.read(tones.parent / name, 44_100)[:166_000] for name in names])  # two chunks
    batch = in_one_batch(audio, {"tags": np.array([2, 0, 1])})
    model.compile(tf.keras.optimizers.Adam(1e-4), loss={"tags": "sparse_categorical_crossentropy"})
    loss = model.evaluate(batch, verbose=0)
    model.fit(batch, epochs=1, verbose=0)
    changed = [bool((new.numpy() != old).any()) for new, old in zip(model.trainable_weights, before, strict=True)]
    assert all(changed) and len(changed) == 13
    model.fit(batch, epochs=9, verbose=0)
    assert model.evaluate(batch, verbose=0) < 0.8 * loss
