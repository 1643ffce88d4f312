"""What a model's answers depend on travels with its weights, whatever its name and number type."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.systems import MARKED_SYSTEMS

import mcc_zoo
from mcc_zoo.features.chunking import samples_of
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.features.log_mel import mel_frames
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.recipes import RECIPES
from mcc_zoo.training.batches import TrainingBatches
from mcc_zoo.training.draws import EpochDraws
from mcc_zoo.training.fit import fit

LABELS = ["anger", "fear", "tenderness"]
FRONT_END = FRONT_ENDS["22k"]
POLICIES = ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64"]


def make_clips(seed: int, tracks: int = 2, chunks: int = 3) -> np.ndarray:
    samples = samples_of(chunks, FRONT_END) + 55
    return np.random.default_rng(seed).normal(scale=0.2, size=(tracks, samples)).astype(np.float32)


def change_all_weights(model: keras.Model) -> None:
    """Stand in for a training: no weight, and neither mean nor std, stays as `build` makes it."""
    rng = np.random.default_rng(1)
    model.set_weights([weight + rng.uniform(0.01, 0.1, weight.shape) for weight in model.get_weights()])


@pytest.mark.parametrize("architecture", MARKED_SYSTEMS)
def test_weights_loaded_into_a_fresh_build_give_the_same_tags(architecture, tmp_path):
    model = mcc_zoo.build(architecture, LABELS, front_end="22k", mean=0.4, std=0.6)
    change_all_weights(model)
    model.save_weights(tmp_path / "model.weights.h5")
    fresh, clips = mcc_zoo.build(architecture, LABELS, front_end="22k"), make_clips(2)
    assert np.abs(fresh(clips)["tags"] - model(clips)["tags"]).max() > 1e-3
    fresh.load_weights(tmp_path / "model.weights.h5")
    for name, values in model(clips).items():
        np.testing.assert_array_equal(fresh(clips)[name], values, err_msg=name)
    assert (Classifier(fresh).mean, Classifier(fresh).std) == (Classifier(model).mean, Classifier(model).std)
    assert 0.41 <= Classifier(fresh).mean <= 0.5 and 0.61 <= Classifier(fresh).std <= 0.7


@pytest.mark.parametrize("make", [list, tf.data.Dataset.from_tensor_slices], ids=["list", "dataset"])
def test_adapt_sets_numpys_mean_and_std(make):
    batches = np.stack([make_clips(3), 0.1 * make_clips(4)])
    model = mcc_zoo.build("r0", LABELS, front_end="22k")
    mcc_zoo.adapt(model, make(batches))
    energy = np.stack([mel_frames(batch, FRONT_END)[:, : 3 * FRONT_END.chunk_frames] for batch in batches])
    values = np.log10(1 + 10 * energy / energy.mean((2, 3), keepdims=True))  # (batches, tracks, frames, n_mels)
    assert Classifier(model).mean == pytest.approx(values.mean(dtype=np.float64), rel=1e-5)
    assert Classifier(model).std == pytest.approx(values.std(dtype=np.float64), rel=1e-5)
    chunks = np.concatenate([Classifier(model).front_end_network(batch) for batch in batches])
    assert (chunks.mean(), chunks.std()) == pytest.approx((0, 1), abs=1e-4)


def test_adapt_without_audio_is_refused():
    with pytest.raises(ValueError, match="adapt was given no audio"):
        mcc_zoo.adapt(mcc_zoo.build("r0", LABELS), [])


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["r2", "mcclstm"])
def test_a_model_of_another_name_trains_and_exports(architecture, tmp_path):
    built = mcc_zoo.build(architecture, LABELS, front_end="22k", mean=0.4, std=0.6)
    model = keras.Model(built.input, built.output, name="mine")
    before = [weight.copy() for weight in model.get_weights()]
    inputs = {"chunks": np.random.default_rng(5).random((6, 2, 40, 80)), "chunk_count": np.full(6, 2, np.int32)}
    inputs["chunks"] = inputs["chunks"].astype(np.float32)
    batches = tf.data.Dataset.from_tensor_slices((inputs, np.eye(3, dtype=np.float32)[np.arange(6) % 3])).batch(3)
    draws = EpochDraws(lambda: tf.data.Dataset.random(seed=0).batch(2).batch(2).take(1))
    fit(
        model,
        TrainingBatches(batches, "abcdef", draws, draws.dataset, lambda _: batches),
        None,
        RECIPES["tuned"],
        epochs=1,
    )
    changed = [bool((new != old).any()) for new, old in zip(model.get_weights(), before, strict=True)]
    assert sum(changed) == len(model.trainable_weights) > 0
    folder = mcc_zoo.export_model(model, tmp_path, "mine", max_seconds=30)
    clips = make_clips(6)
    loaded = tf.keras.models.load_model(folder)
    np.testing.assert_allclose(loaded(clips)["tags"], model(clips)["tags"], atol=1e-6)
    assert mcc_zoo.load(folder).architecture == architecture


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("architecture", ["r3", "mcclstm"])
def test_a_model_of_any_number_type_exports_in_float32(architecture, policy, tmp_path):
    keras.utils.set_random_seed(7)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = mcc_zoo.build(architecture, LABELS, front_end="22k", mean=0.4, std=0.6)
        kernel = Classifier(model).output_layer.kernel
        kernel.assign(4 * kernel)  # so that the labels do not get almost the same probability
        clips = make_clips(8)
        expected = model(clips)["tags"].numpy()
        folder = mcc_zoo.export_model(model, tmp_path, "typed", max_seconds=30)
    finally:
        keras.config.set_dtype_policy(before)
    assert Classifier(model).chunk_network.compute_dtype == policy.removeprefix("mixed_")
    loaded = tf.keras.models.load_model(folder)
    assert {layer.compute_dtype for layer in loaded._flatten_layers()} == {"float32"}
    assert {layer.variable_dtype for layer in loaded._flatten_layers()} == {"float32"}
    found = loaded(clips)["tags"].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5 if policy == "float64" else 0.02)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
