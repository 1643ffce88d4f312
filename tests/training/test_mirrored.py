"""Mirrored training on two logical CPUs, which stand in for two GPUs: the losses of one device.

Nothing is dropped out, because each device draws its own masks.
"""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.tone_folds import make_fold, prepare_tones

from mcc_zoo.experiment.corpus import Corpus
from mcc_zoo.experiment.fold import FoldRun
from mcc_zoo.training.devices import Distribution, make_strategy
from mcc_zoo.training.fit import Fit, fit


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return prepare_tones(tmp_path_factory.mktemp("tones"))


def train(fold: FoldRun, strategy: tf.distribute.Strategy) -> tuple[keras.Model, Fit]:
    keras.utils.set_random_seed(3)
    model = fold.training.build_model(fold.architecture, strategy)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    batches = fold.training.make_training_batches(0, strategy)
    return model, fit(model, batches, fold.validation.make_evaluation_batches(), fold.settings.recipe)


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "optimizer"), [("r3", "adam"), ("mcclstm", "sgd")])
def test_two_devices_have_the_losses_of_one(corpus, tmp_path, architecture, optimizer):
    """Its gradients are clipped; the last batch of an epoch has one track, so that a device has none."""
    own = {"optimizer": optimizer, "max_epochs": 3, "learning_rate": 0.01 if optimizer == "sgd" else 1e-3}
    fold = make_fold(corpus, tmp_path, architecture, **own)
    fold = dataclasses.replace(fold, split=dataclasses.replace(fold.split, train=fold.split.train[1:]))
    sizes = [len(targets) for _, targets, _ in fold.training.make_training_batches(0, make_strategy("cpu")).dataset]
    assert sizes == [4, 4, 1]
    one, alone = train(fold, tf.distribute.get_strategy())
    mirrored = make_strategy("cpu", Distribution("mirrored"))
    assert mirrored.num_replicas_in_sync == 2
    two, together = train(fold, mirrored)
    assert list(alone.history) == list(together.history)
    assert alone.history["loss"].nunique() == 3
    np.testing.assert_allclose(together.history, alone.history, atol=1e-4)
    for mine, theirs in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_the_same_devices_have_one_strategy():
    """Reductions of a second one would have the numbers of the first's, and fail where their shapes differ."""
    mirrored = Distribution("mirrored")
    assert make_strategy("cpu", mirrored) is make_strategy("auto", mirrored)
