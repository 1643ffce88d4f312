"""Training on small real files: it learns, it is deterministic, and a taggram follows a splice."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import write_tone
from helpers.systems import MARKED_SYSTEMS
from helpers.untuned import in_one_batch
from scipy.special import log_expit

import mcc_zoo
from mcc_zoo.audio import reading
from mcc_zoo.datasets import Track
from mcc_zoo.evaluation import pooling
from mcc_zoo.experiment import refit
from mcc_zoo.experiment.corpus import Corpus, prepare
from mcc_zoo.experiment.refit import train
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.experiment.subset import Subset
from mcc_zoo.features import cache
from mcc_zoo.features.chunking import samples_of
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.paper import SYSTEMS
from mcc_zoo.recipes import RECIPES, WARM_STARTS
from mcc_zoo.training import devices, objective
from mcc_zoo.training.asynchronous import build_metrics
from mcc_zoo.training.batches import make_evaluation_batches
from mcc_zoo.training.devices import Distribution, choose_precision, make_strategy
from mcc_zoo.training.fit import MONITOR, fit
from mcc_zoo.training.objective import Objective
from mcc_zoo.training.warm_start import WarmStart

FRONT_END = FRONT_ENDS["22k"]
RECIPE = dataclasses.replace(RECIPES["tuned"], max_epochs=12, patience=12, batch_tracks=4, warm_start=False)
SETTINGS = Settings("tones", recipe=RECIPE, front_end=FRONT_END)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    """Low and high tones, eight tracks each, of 2 and 3 chunks."""
    folder = tmp_path_factory.mktemp("tones")
    tracks = []
    for i in range(16):
        label, hertz = ("high", 2_000 + 50 * i) if i % 2 else ("low", 200 + 10 * i)
        path = write_tone(folder / f"{i}.wav", hertz, 7.5 if i % 4 < 2 else 11.3, seed=i)
        tracks.append(Track(path, path.name, label))
    return prepare(tracks, cache.FeatureCache(folder / "cache", FRONT_END), quiet=True)


@pytest.fixture(scope="module")
def fitted(corpus) -> Callable[[str], keras.Model]:
    return functools.cache(lambda name: train(corpus, SETTINGS, name, 12, device="cpu", quiet=True))


def everything(corpus: Corpus, settings: Settings = SETTINGS) -> Subset:
    return Subset(corpus, np.arange(len(corpus.tracks)), settings)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["r2", "r3", "mcclstm"])
def test_trained_models_tell_low_from_high(corpus, fitted, architecture):
    rows = everything(corpus).predict(fitted(architecture))
    assert [row["prediction"] for row in rows] == [track.label for track in corpus.tracks]
    assert [row["chunks"] for row in rows] == [feature.chunks for feature in corpus.features]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["r2", "r3", "mcclstm"])
def test_predictions_from_the_cache_are_the_models_own(corpus, fitted, architecture):
    rows = everything(corpus).predict(fitted(architecture))
    for track, row in zip(corpus.tracks, rows, strict=True):
        tags = fitted(architecture)(reading.read(track.path, 22_050)[np.newaxis])["tags"][0]
        np.testing.assert_allclose([row[label] for label in corpus.labels], tags, atol=1e-5)


@pytest.mark.slow
def test_taggram_changes_at_the_splice(fitted):
    time = np.arange(samples_of(6, FRONT_END)) / 22_050
    low, high = (0.4 * np.sin(2 * np.pi * hertz * time) for hertz in (260, 2_300))
    splice = 3 * FRONT_END.chunk_hop + FRONT_END.window_length
    noise = np.random.default_rng(0).normal(scale=0.02, size=len(time))
    track = np.where(np.arange(len(time)) < splice, low, high) + noise
    taggram = fitted("r2")(track[np.newaxis].astype(np.float32))["taggram"][0].numpy()
    is_high = taggram[:, 0]  # labels are sorted: high, low
    assert (is_high[:3] < 0.3).all()
    assert (is_high[3:] > 0.7).all()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(corpus):
    def weights(seed):
        settings = dataclasses.replace(SETTINGS, seed=seed)
        return train(corpus, settings, "r4", 2, device="cpu", quiet=True).get_weights()

    first, again, other = weights(3), weights(3), weights(4)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)
    assert max(np.abs(one - two).max() for one, two in zip(first, other, strict=True)) > 1e-2


def test_no_stream_of_a_training_is_tuned(corpus, monkeypatch):
    """Whoever frees one that is waits for TensorFlow's tuning thread, which may sleep for half a minute."""
    make_iterator, tuned = tf.data.Dataset.__iter__, []

    def note(dataset):
        tuned.append(dataset.options().autotune.enabled)
        return make_iterator(dataset)

    monkeypatch.setattr(tf.data.Dataset, "__iter__", note)
    model = mcc_zoo.build("r0", corpus.labels, front_end=FRONT_END, mean=0.4, std=0.5)
    tracks = everything(corpus)
    fit(
        model, tracks.make_training_batches(0, make_strategy("cpu")), tracks.make_evaluation_batches(), RECIPE, epochs=2
    )
    assert len(tracks.predict(model)) == len(corpus.tracks)
    assert len(tuned) > 4 and set(tuned) == {False}


@pytest.mark.slow
def test_fewer_epochs_are_the_first_of_the_recipes_schedule(corpus):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    weights = []
    for epochs, callbacks in ((2, []), (RECIPE.max_epochs, [Stop()])):
        keras.utils.set_random_seed(0)
        model = mcc_zoo.build("r0", corpus.labels, front_end=FRONT_END, mean=0.4, std=0.5)
        batches = everything(corpus).make_training_batches(0, make_strategy("cpu"))
        fit(model, batches, None, RECIPE, epochs=epochs, callbacks=callbacks)
        weights.append(model.get_weights())
    for one, two in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_early_stopping_keeps_the_best_weights(corpus):
    recipe = dataclasses.replace(RECIPE, learning_rate=0.05, max_epochs=8, patience=3)
    settings = dataclasses.replace(SETTINGS, recipe=recipe)
    keras.utils.set_random_seed(0)
    mean, std = cache.mean_and_std(corpus.features, FRONT_END, RECIPE.max_chunks)
    model = mcc_zoo.build("r2", corpus.labels, front_end=FRONT_END, recipe=recipe, mean=mean, std=std)
    tracks = everything(corpus, settings)
    training = tracks.make_training_batches(0, make_strategy("cpu"))
    fitted = fit(model, training, tracks.make_evaluation_batches(), recipe)
    best = fitted.history[MONITOR]
    assert best.iloc[fitted.best_epoch - 1] == best.min()
    rows = tracks.predict(model)
    found = -np.mean([np.log(row[row["truth"]]) for row in rows])
    assert found == pytest.approx(best.min(), abs=1e-4)


@pytest.mark.parametrize("architecture", MARKED_SYSTEMS)
def test_loss_is_that_of_the_contract(corpus, architecture):
    """Without an LSTM the mean over a track's chunks, then over tracks; with one its last step: by hand."""
    has_lstm = SYSTEMS[architecture].lstm is not None
    model = mcc_zoo.build(architecture, corpus.labels, front_end=FRONT_END)
    batches = make_evaluation_batches(corpus.features[:3], corpus.targets[:3], batch_tracks=3, max_chunks=8)
    inputs, targets, weights = next(iter(Objective(model, RECIPES["tuned"]).add_targets(batches)))
    trained = Objective(model, RECIPES["tuned"]).make_training_model()
    trained.compile(loss={"steps": keras.losses.CategoricalCrossentropy(from_logits=True)})
    losses = []
    for i in range(3):
        steps = trained({name: value[i : i + 1] for name, value in inputs.items()})["steps"][0].numpy()
        steps = steps[: inputs["chunk_count"][i]]
        log_scores = tf.nn.log_softmax(steps).numpy()[:, corpus.classes[i]]
        losses.append(-log_scores[-1] if has_lstm else -log_scores.mean())
    assert inputs["chunk_count"].numpy().tolist() == [2, 2, 3]
    found = trained.evaluate(in_one_batch(inputs, {"steps": targets["steps"]}, {"steps": weights["steps"]}), verbose=0)
    assert found == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("architecture", ["r2", "mcclstm"])
def test_a_teacher_is_learnt_chunk_by_chunk(corpus, architecture):
    """By hand: the tags of chunks, or of the track where a step has heard more, and squared errors of a layer."""
    has_lstm = SYSTEMS[architecture].lstm is not None
    model = mcc_zoo.build(architecture, corpus.labels, task="multi-label", front_end=FRONT_END)
    rng = np.random.default_rng(0)
    said = [rng.uniform(size=(features.chunks, 2 + 3)).astype(np.float32) for features in corpus.features[:3]]
    batches = make_evaluation_batches(corpus.features[:3], said, batch_tracks=3, max_chunks=8)
    recipe = RECIPES["pretraining"]
    taught_by = Objective(model, recipe, taught_size=3)
    trained = taught_by.compile_training_model(epochs=1, steps=1)
    inputs, targets, weights = next(iter(taught_by.add_targets(batches)))
    assert inputs["chunk_count"].numpy().tolist() == [2, 2, 3]
    losses = []
    for i, own in enumerate(said):
        outputs = trained({name: value[i : i + 1] for name, value in inputs.items()})
        np.testing.assert_allclose(targets["tags"][i], own[:, :2].mean(axis=0), rtol=1e-6)
        wanted = np.tile(own.mean(axis=0), (len(own), 1)) if has_lstm else own
        logits, taught = (outputs[name][0, : len(own)].numpy() for name in ("steps", "taught"))
        cross = -(wanted[:, :2] * log_expit(logits) + (1 - wanted[:, :2]) * log_expit(-logits)).mean()
        losses.append(cross + np.square(taught - wanted[:, 2:]).mean())
    found = trained.evaluate(in_one_batch(inputs, targets, weights), verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    own_names = {weight.path for weight in model.weights}
    assert {weight.path for weight in trained.weights} - own_names == {"taught/kernel", "taught/bias"}


WARM = dataclasses.replace(SETTINGS, recipe=dataclasses.replace(RECIPE, warm_start=True, warm_frozen=True))


def layers_of(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in model.get_layer("chunk_network").layers if layer.weights}


def most_moved(before: list[np.ndarray], after: list[np.ndarray]) -> float:
    return max(np.abs(one - two).max() for one, two in zip(before, after, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", list(WARM_STARTS))
def test_frozen_channels_are_those_that_the_warm_start_took(corpus, architecture):
    source = layers_of(train(corpus, WARM, WARM_STARTS[architecture], 2, device="cpu", quiet=True))
    after = train(corpus, WARM, architecture, 1, channels_epochs=2, device="cpu", quiet=True)
    channels = SYSTEMS[architecture].channels
    assert all(most_moved(source[name], layers_of(after)[name]) < 1e-6 for name in channels)
    if architecture != "mcclstm_fused":  # which fuses in its own way
        assert 1e-5 < most_moved(source["fusion"], layers_of(after)["fusion"]) < 0.1
    whole = len(after.get_layer("chunk_network").weights)
    assert len(after.get_layer("chunk_network").trainable_weights) == whole  # whoever trains it further can
    free = dataclasses.replace(WARM, recipe=dataclasses.replace(WARM.recipe, warm_frozen=False))
    other = train(corpus, free, architecture, 1, channels_epochs=2, device="cpu", quiet=True)
    assert all(most_moved(source[name], layers_of(other)[name]) > 1e-4 for name in channels)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", list(WARM_STARTS))
def test_training_behind_channels_is_training_through_frozen_ones(corpus, architecture):
    """The same numbers as Keras has with the channels in the graph, which makes them anew each epoch."""
    behind = train(corpus, WARM, architecture, 3, channels_epochs=2, device="cpu", quiet=True)

    source = train(corpus, WARM, WARM_STARTS[architecture], 2, device="cpu", quiet=True)
    keras.utils.set_random_seed(WARM.seed)
    mean, std = cache.mean_and_std(corpus.features, FRONT_END, RECIPE.max_chunks)
    model = mcc_zoo.build(architecture, corpus.labels, front_end=FRONT_END, recipe=WARM.recipe, mean=mean, std=std)
    WarmStart.from_network(source.get_layer("chunk_network"), 2).copy_to(model.get_layer("chunk_network"))
    for name in SYSTEMS[architecture].channels:
        model.get_layer("chunk_network").get_layer(name).trainable = False
    batches = everything(corpus, WARM).make_training_batches(WARM.seed, make_strategy("cpu"))
    through = Objective(model, WARM.recipe)
    trained = through.compile_training_model(WARM.recipe.max_epochs, batches.steps, WARM.recipe.warm_rate)
    begin = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.begin_epoch(epoch))
    trained.fit(through.add_targets(batches.dataset), epochs=3, shuffle=False, verbose=0, callbacks=[begin])

    for part in ("chunk_network", "sequence_network"):
        for one, two in zip(behind.get_layer(part).weights, model.get_layer(part).weights, strict=True):
            np.testing.assert_allclose(one, two, atol=2e-5, err_msg=one.path)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_a_model_that_computes_in_float32(corpus, precision):
    settings = dataclasses.replace(SETTINGS, precision=precision)
    trained_as = everything(corpus, settings).build_model("r4", make_strategy("cpu"))
    assert trained_as.get_layer("chunk_network").compute_dtype == precision.removeprefix("mixed_")
    assert trained_as.get_layer("front_end").get_layer("mel_chunks").compute_dtype == "float32"
    model = train(corpus, settings, "r4", 12, device="cpu", quiet=True)
    assert {layer.compute_dtype for layer in model._flatten_layers()} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    rows = everything(corpus, settings).predict(model)
    assert np.mean([row["prediction"] == row["truth"] for row in rows]) > 0.8


@pytest.mark.parametrize(
    ("asked", "device", "strategy", "gpus", "has_bfloat16", "expected"),
    [
        ("auto", "auto", "default", 0, False, "float32"),
        ("auto", "auto", "default", 0, True, "mixed_bfloat16"),
        ("auto", "auto", "mirrored", 0, True, "mixed_bfloat16"),
        ("auto", "auto", "mirrored", 1, True, "mixed_float16"),
        ("auto", "cpu", "default", 1, False, "float32"),
        ("auto", "cpu", "default", 1, True, "mixed_bfloat16"),
        ("auto", "gpu", "default", 1, False, "mixed_float16"),
        ("auto", "auto", "tpu", 0, False, "mixed_bfloat16"),
        ("auto", "auto", "parameter_server", 1, True, "float32"),
        ("float32", "auto", "default", 0, True, "float32"),
        ("float32", "gpu", "default", 1, False, "float32"),
        ("float32", "auto", "tpu", 0, False, "float32"),
    ],
)
def test_precision_follows_the_devices_unless_it_is_asked_for(
    asked, device, strategy, gpus, has_bfloat16, expected, monkeypatch
):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"] * gpus)
    monkeypatch.setattr(devices, "has_bfloat16", lambda: has_bfloat16)
    assert choose_precision(asked, device, strategy) == expected


def test_accelerators_run_several_steps_at_once_and_a_cpu_one(corpus, monkeypatch):
    model = mcc_zoo.build("r0", corpus.labels, front_end=FRONT_END)
    assert Objective(model, RECIPE).compile_training_model(epochs=2, steps=5).steps_per_execution == 1
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"])
    assert Objective(model, RECIPE).compile_training_model(epochs=2, steps=5).steps_per_execution == 5
    assert (
        Objective(model, RECIPE).compile_training_model(epochs=2, steps=50).steps_per_execution
        == objective.STEPS_PER_EXECUTION
    )


def test_every_steps_loss_weighs_all_real_steps_alike():
    weights = objective.weigh_steps(tf.constant([2, 3]), 4, last=False)
    np.testing.assert_allclose(weights, [[2, 2, 0, 0], [4 / 3, 4 / 3, 4 / 3, 0]], rtol=1e-6)
    np.testing.assert_allclose(objective.weigh_steps(tf.constant([2, 3]), 4, last=True), [[0, 4, 0, 0], [0, 0, 4, 0]])


@pytest.mark.slow
@pytest.mark.parametrize("architecture", mcc_zoo.ARCHITECTURES)
def test_training_step_under_xla_with_static_shapes_is_the_same(corpus, architecture):
    """A TPU compiles every step with XLA. It draws other dropout than TensorFlow, so numbers are compared without."""
    recipe = dataclasses.replace(RECIPE, optimizer="sgd", learning_rate=1e-4, schedule="constant")  # lets rounding be
    chunks = tf.random.stateless_uniform((2, 3, 40, 80), [1, 2])
    inputs = {"chunks": chunks, "chunk_count": tf.constant([3, 2])}
    batches = tf.data.Dataset.from_tensors((inputs, tf.constant([[1.0, 0.0], [0.0, 1.0]])))

    def train_steps(jit_compile, dropout=0.0):
        keras.utils.set_random_seed(0)
        objective = Objective(mcc_zoo.build(architecture, corpus.labels, front_end=FRONT_END), recipe)
        model = objective.compile_training_model(epochs=1, steps=3)
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = dropout
        batch = next(iter(objective.add_targets(batches)))
        build_metrics(model, batch)
        step = tf.function(lambda: model.train_step(batch), jit_compile=jit_compile, autograph=False)
        logs = [{name: float(value) for name, value in step().items()} for _ in range(3)]
        return logs, model.get_weights()

    (plain, weights), (compiled, compiled_weights) = train_steps(False), train_steps(True)
    assert np.isfinite([logs["loss"] for logs in train_steps(True, dropout=0.5)[0]]).all()
    assert len({logs["loss"] for logs in plain}) == 3
    for one, two in zip(plain, compiled, strict=True):
        assert two == pytest.approx(one, rel=1e-4)
    for one, two in zip(weights, compiled_weights, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_with_a_sentence(corpus):
    recipe = dataclasses.replace(RECIPE, optimizer="sgd", learning_rate=1e30, clip_norm=None)
    settings = dataclasses.replace(SETTINGS, recipe=recipe)
    with pytest.raises(FloatingPointError, match=r"r2: the loss was not finite in step \d+ of epoch"):
        train(corpus, settings, "r2", 5, device="cpu", quiet=True)


@pytest.mark.parametrize(
    ("device", "strategy", "message"),
    [
        ("gpu", "default", "TensorFlow sees no GPU"),
        ("abacus", "default", "device='abacus' is not known"),
        ("auto", "telepathy", "strategy='telepathy' is not known"),
        ("auto", "tpu", "strategy=tpu: no TPU answers at grpc://127.0.0.1:1 "),
        ("auto", "mirrored", "strategy=mirrored needs two devices of one kind or more, and TensorFlow sees none"),
    ],
)
def test_devices_that_are_not_there_are_refused(device, strategy, message, monkeypatch):
    def refuse(address):
        raise RuntimeError("nobody is there")

    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    monkeypatch.setattr(tf.distribute.cluster_resolver.TPUClusterResolver, "connect", refuse)
    address = "grpc://127.0.0.1:1" if strategy == "tpu" else ""
    with pytest.raises(ValueError, match=message):
        make_strategy(device, Distribution(strategy, address))


def test_windows_of_a_long_track_are_weighed_by_their_chunks():
    windows = [np.array([[0.8, 0.2], [0.6, 0.4]]), np.array([[0.1, 0.9]])]
    np.testing.assert_allclose(pooling.pool_taggrams(windows, has_lstm=False), [0.5, 0.5])
    np.testing.assert_allclose(pooling.pool_taggrams(windows, has_lstm=True), [1.3 / 3, 1.7 / 3])


def test_the_bar_says_from_what_a_system_starts(corpus, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(refit, "fit", lambda *_, **__: None)
    train(corpus, WARM, "mcclstm", 1, channels_epochs=2, device="cpu")
    said = capsys.readouterr().err
    assert said.index("r3 on all tracks ") < said.index("mcclstm on all tracks, from r3's channels ")
