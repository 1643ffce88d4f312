"""One label a track or many: the same systems with another last layer and another loss."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import Lazy
from helpers.systems import MARKED_SYSTEMS, SYSTEMS_BY_KIND
from scipy.special import expit, log_expit

import mcc_zoo
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.paper import SYSTEMS
from mcc_zoo.recipes import RECIPES
from mcc_zoo.training.objective import Objective

LABELS = ["guitar", "slow", "female voice", "loud"]
COUNTS = np.array([5, 1, 3], np.int32)
every_system = pytest.mark.parametrize("architecture", SYSTEMS_BY_KIND)


@pytest.fixture(scope="module")
def models() -> dict[str, tuple[keras.Model, keras.Model]]:
    """Every system for one label and for many, with the same weights."""

    def build(name: str) -> tuple[keras.Model, keras.Model]:
        one, many = (mcc_zoo.build(name, LABELS, task=task) for task in ("single-label", "multi-label"))
        many.set_weights(one.get_weights())
        return one, many

    return Lazy(build)


def read_sequences(model: keras.Model, architecture: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Outputs of the sequence network for padded tracks, and the logits of every step."""
    parts = Classifier(model)
    descriptors = np.random.default_rng(3).normal(size=(3, 5, parts.fused_descriptor_size)).astype(np.float32)
    inputs = {"chunk_descriptors": descriptors, "chunk_count": COUNTS}
    logits = keras.Model(parts.sequence_network.input, parts.output_layer.output)
    outputs = parts.sequence_network(inputs, training=False)
    return {name: value.numpy() for name, value in outputs.items()}, logits(inputs, training=False).numpy()


@every_system
def test_probabilities_are_sigmoids_of_the_same_logits(models, architecture):
    one, many = models[architecture]
    (of_one, logits), (of_many, same) = (read_sequences(model, architecture) for model in (one, many))
    np.testing.assert_array_equal(same, logits)
    np.testing.assert_array_equal(of_many["descriptor"], of_one["descriptor"])
    expected = expit(logits.astype(np.float64))
    for track, count in enumerate(COUNTS):
        own = expected[track, :count]
        np.testing.assert_allclose(of_many["taggram"][track, :count], own, atol=1e-6)
        assert not of_many["taggram"][track, count:].any()
        tags = own[-1] if SYSTEMS[architecture].lstm else own.mean(axis=0)
        np.testing.assert_allclose(of_many["tags"][track], tags, atol=1e-6)
    np.testing.assert_allclose(of_one["tags"].sum(axis=1), 1, atol=1e-6)
    assert np.abs(of_many["tags"].sum(axis=1) - 1).min() > 0.1  # they are no shares of a whole


@every_system
def test_a_model_says_its_task_and_keeps_it(models, architecture, tmp_path):
    one, many = models[architecture]
    assert (Classifier(one).task, Classifier(many).task) == ("single-label", "multi-label")
    assert Classifier(Classifier(one).with_labels(LABELS, "multi-label")).task == "multi-label"
    assert Classifier(Classifier(many).with_labels(LABELS)).task == "single-label"
    many.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert Classifier(loaded).task == "multi-label"
    audio = np.random.default_rng(4).normal(scale=0.1, size=(2, 90_000)).astype(np.float32)
    np.testing.assert_allclose(loaded(audio)["tags"], many(audio)["tags"], atol=1e-6)


def test_the_loss_is_binary_cross_entropy(models):
    loss = Objective(models["r0"][1], RECIPES["tuned"]).make_loss()
    logits = np.random.default_rng(5).normal(scale=3, size=(2, 3, 4))
    targets = np.random.default_rng(6).integers(0, 2, size=(2, 3, 4)).astype(float)
    expected = -(targets * log_expit(logits) + (1 - targets) * log_expit(-logits)).mean(axis=-1)
    found = loss(tf.constant(targets, tf.float32), tf.constant(logits, tf.float32)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    own = keras.losses.BinaryCrossentropy(from_logits=True, reduction=None)  # Keras's
    np.testing.assert_allclose(found, own(targets, logits), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("architecture", ["r3", "mcclstm"])
def test_probabilities_near_one_have_a_finite_cross_entropy_in_half_precision(architecture, policy):
    """In bfloat16 0.9991 would be 1, and its cross-entropy with anything below infinite."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = mcc_zoo.build(architecture, ["low", "high"], task="multi-label", front_end=FRONT_ENDS["22k"])
    finally:
        keras.config.set_dtype_policy(before)
    assert {name: model.output[name].dtype for name in ("tags", "taggram")} == {"tags": "float32", "taggram": "float32"}
    layer = Classifier(model).output_layer
    layer.set_weights([np.zeros_like(layer.get_weights()[0]), np.float32([7, -7])])
    objective = Objective(model, RECIPES["tuned"])
    inputs = {"chunks": np.zeros((2, 3, 40, 80), np.float32), "chunk_count": np.array([3, 2], np.int32)}
    targets = np.float32([[0.3, 0], [1, 0.2]])
    batches = tf.data.Dataset.from_tensors((inputs, targets))
    found = objective.compile_training_model(1, 1).evaluate(objective.add_targets(batches), verbose=0, return_dict=True)
    logits = np.array([7.0, -7.0])
    expected = -(targets * log_expit(logits) + (1 - targets) * log_expit(-logits)).mean()
    assert found["tags_cross_entropy"] == pytest.approx(expected, rel=1e-3)
    assert found["tags_accuracy"] == 0.75  # in three of four both say likely, or both unlikely


@pytest.mark.parametrize("architecture", MARKED_SYSTEMS)
def test_every_system_learns_many_labels(architecture):
    """Two labels that tracks have alone, together or not at all."""
    keras.utils.set_random_seed(7)
    front_end = FRONT_ENDS["22k"]
    model = mcc_zoo.build(architecture, ["low", "high"], task="multi-label", front_end=front_end, mean=1.0)
    objective = Objective(model, dataclasses.replace(RECIPES["tuned"], schedule="constant", learning_rate=1e-3))
    chunks = np.zeros((4, 3, front_end.n_mels, front_end.chunk_frames), np.float32)
    targets = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32)
    chunks[targets[:, 0] > 0, :, :5] = chunks[targets[:, 1] > 0, :, -5:] = 1.0
    counts = np.array([3, 2, 3, 1], np.int32)
    batches = tf.data.Dataset.from_tensors(({"chunks": chunks, "chunk_count": counts}, targets))
    training_model = objective.compile_training_model(60, 1)
    training_model.fit(objective.add_targets(batches.repeat(60)), shuffle=False, verbose=0)
    tags = training_model.predict(objective.add_targets(batches), verbose=0)["tags"]
    assert ((tags > 0.5) == (targets > 0.5)).mean() >= 0.75


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match="task='many' is not known: choose one of single-label, multi-label"):
        mcc_zoo.build("r0", LABELS, task="many")  # type: ignore[arg-type]
