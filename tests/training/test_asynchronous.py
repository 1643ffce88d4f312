"""Training with parameter servers: its arithmetic here, its cluster in processes of their own on loopback."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from helpers.clusters import HIGH, RECIPE, train_in_process
from helpers.tone_folds import make_fold, prepare_tones

from mcc_zoo.experiment.corpus import Corpus
from mcc_zoo.training.asynchronous import MOST_STALE, STALENESS, build_metrics, compute_gradients
from mcc_zoo.training.objective import Objective


@pytest.fixture(scope="module")
def tones(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tones")


@pytest.fixture(scope="module")
def corpus(tones) -> Corpus:
    return prepare_tones(tones, HIGH)


@pytest.mark.parametrize("architecture", ["r2", pytest.param("mcclstm", marks=pytest.mark.slow)])
def test_gradients_and_metrics_of_a_step_are_those_of_keras(corpus, tmp_path, architecture):
    """Computed from values of the variables, and with the same dropout."""
    fold = make_fold(corpus, tmp_path, architecture, optimizer="sgd", clip_norm=None)
    keras.utils.set_random_seed(2)
    objective = Objective(fold.training.build_model(architecture, fold.strategy), fold.settings.recipe)
    training = fold.training.make_training_batches(0, fold.strategy)
    model = objective.compile_training_model(1, training.steps)
    model.optimizer = keras.optimizers.SGD(1.0)  # changes the weights by the gradients
    model.optimizer.build(model.trainable_variables)
    batch = next(iter(objective.add_targets(training.dataset)))
    build_metrics(model, batch)
    before = [tf.identity(v.value) for v in model.trainable_variables]
    others = [tf.identity(v.value) for v in model.non_trainable_variables]

    gradients, loss, metrics = compute_gradients(model, before, others, batch)
    for variable, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)

    logs = model.train_on_batch(*batch, return_dict=True)
    for variable, value, gradient in zip(model.trainable_variables, before, gradients, strict=True):
        np.testing.assert_allclose(value - variable.value, gradient, atol=1e-6, err_msg=variable.path)
    assert float(loss) == pytest.approx(logs["loss"], rel=1e-5)
    for variable, value in zip(model.metrics_variables, metrics, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-5, err_msg=variable.path)


def test_windows_that_a_worker_reads_are_the_batches_of_fit(corpus, tmp_path):
    training = make_fold(corpus, tmp_path, "r2").training.make_training_batches(0, tf.distribute.get_strategy())
    read = tf.function(lambda rows: training.read(rows).get_single_element(), autograph=False)
    for epoch in range(2):
        training.begin_epoch(epoch)
        pairs = list(zip(training.plan, training.dataset, strict=True))
        assert len(pairs) == training.steps
        for rows, (inputs, targets, tracks) in pairs:
            found_inputs, found_targets, found_tracks = read(rows)
            np.testing.assert_array_equal(found_inputs["chunks"], inputs["chunks"])
            np.testing.assert_array_equal(found_inputs["chunk_count"], inputs["chunk_count"])
            np.testing.assert_array_equal(found_targets, targets)
            np.testing.assert_array_equal(found_tracks, tracks)


@pytest.mark.slow
def test_one_worker_trains_as_fit_does(tones, corpus):
    """In a cluster of two processes; with dropout, and with the optimiser, seeds and metrics of `fit`."""
    status, answer, errors = train_in_process(tones, "r4", 1, 3, "sgd")
    assert status == 0, errors
    history = pd.read_csv(Path(answer["folder"]) / "history.csv")
    assert (history[MOST_STALE] == 0).all()  # nobody else updates
    fold = make_fold(corpus, tones / "alone", "r4", **{**RECIPE, "optimizer": "sgd", "max_epochs": 3})
    fold.run()
    expected = pd.read_csv(fold.folder / "history.csv")
    assert len(expected) == 3
    np.testing.assert_allclose(history[expected.columns], expected, atol=1e-5)


@pytest.mark.slow
def test_two_workers_learn_and_one_of_them_may_be_killed(tones):
    """The killed one is started again. Every epoch has a staleness, and some steps are not of the latest weights."""
    status, answer, errors = train_in_process(tones, "r2", 2, 20, "adam", "worker")
    assert status == 0, errors
    assert "worker 0 has died (status -9) and is started again" in errors
    history = pd.read_csv(Path(answer["folder"]) / "history.csv")
    assert len(history) == 20
    assert history["val_tags_cross_entropy"].min() < 0.35  # chance is 0.69
    assert history["tags_accuracy"].iloc[-5:].mean() > 0.8
    assert (history[STALENESS] >= 0).all()
    assert history[MOST_STALE].max() >= 1


@pytest.mark.slow
def test_a_lost_server_is_a_sentence_and_the_training_goes_on_from_a_checkpoint(tmp_path):
    status, _, errors = train_in_process(tmp_path, "r2", 2, 6, "sgd", "ps")
    assert status == 1
    sentence = errors.strip().splitlines()[-1]
    assert sentence.startswith("error: parameter server 0 at 127.0.0.1:")
    assert sentence.endswith(
        "start the cluster again and run the same command, which goes on after the last whole epoch"
    )
    (checkpoint,) = tmp_path.glob("run/units/*/r2.checkpoint")
    with np.load(checkpoint) as arrays:
        assert '"epochs": 2' in str(arrays["facts"])
    status, answer, errors = train_in_process(tmp_path, "r2", 2, 6, "sgd")
    assert status == 0, errors
    assert answer["epochs"] == 6
    assert not checkpoint.exists()
