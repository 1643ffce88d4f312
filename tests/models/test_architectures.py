"""All systems from one table: shapes of Tables 1 and 2, the contract of the outputs, padding, saving."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import Lazy
from helpers.systems import MARKED_SYSTEMS, SYSTEMS_BY_KIND
from helpers.untuned import in_one_batch

import mcc_zoo
from mcc_zoo.features.chunking import samples_of
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.features.log_mel import mel_frames, split_into_chunks
from mcc_zoo.models import architectures, channels
from mcc_zoo.models.layers import LSTM, MeanSoFar
from mcc_zoo.paper import SYSTEMS
from mcc_zoo.recipes import RECIPES
from mcc_zoo.training.objective import Objective

LABELS = ["anger", "fear", "tenderness"]
FRONT_END = FRONT_ENDS["44k"]

P = [(32, 1, 1, 32), (32,)]  # Table 1; 9 x 1 x 32 features
T = [(1, 60, 1, 32), (32,)]  # 1 x 21 x 32 features
B = [(13, 9, 1, 32), (32,)]  # 7 x 18 x 32 features
TP, TPB = 21 * 32 + 9 * 32, 21 * 32 + 9 * 32 + 7 * 18 * 32


def dense(inputs: int, units: int) -> list[tuple[int, ...]]:
    return [(inputs, units), (units,)]


def lstm(inputs: int, units: int) -> list[tuple[int, ...]]:
    return [(inputs, 4 * units), (units, 4 * units), (4 * units,)]


TABLE = {  # architecture: F, D, shapes of the chunk network's weights, of the sequence network's before the softmax
    "r0": (672, 672, T, []),
    "r1": (3200, 200, [], lstm(3200, 200)),
    "r2": (200, 200, T + P + dense(TP, 200), []),
    "r3": (400, 400, T + P + B + dense(TPB, 400), []),
    "r4": (200, 100, T + P + dense(TP, 200), lstm(200, 100)),
    "mcclstm": (400, 200, T + P + B + dense(TPB, 400), lstm(400, 200)),
    "cnns3": (200, 200, [(5, 5, 1, 32), (32,), (3, 3, 32, 32), (32,), *dense(8 * 18 * 32, 200)], []),
    "mlp": (500, 500, dense(3200, 500) + dense(500, 500) + dense(500, 500), []),
    "mcclstm_fused": (
        400,
        200,
        T + P + B + dense(672, 400) + dense(288, 400) + dense(4032, 400) + dense(1200, 3),
        lstm(400, 200) + dense(200, 1),
    ),
}
every_system = pytest.mark.parametrize("architecture", SYSTEMS_BY_KIND)
every_lstm = pytest.mark.parametrize("architecture", [name for name in SYSTEMS if SYSTEMS[name].lstm])


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    """Fresh models of all systems, with a mean and std that are not 0 and 1."""

    def build(name: str) -> keras.Model:
        keras.utils.set_random_seed(1)
        return mcc_zoo.build(name, LABELS, mean=0.4, std=0.6)

    return Lazy(build)


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    """Three tracks of five chunks and a bit, so that batch and chunks differ."""
    return np.random.default_rng(2).normal(scale=0.2, size=(3, samples_of(5, FRONT_END) + 77)).astype(np.float32)


def shapes(model: keras.Model) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in model.trainable_weights]


def test_the_table_has_every_system():
    assert tuple(TABLE) == mcc_zoo.ARCHITECTURES


@every_system
def test_weights_are_those_of_tables_1_and_2(models, architecture):
    size, descriptor, chunk_weights, sequence_weights = TABLE[architecture]
    model = models[architecture]
    assert shapes(model.get_layer("chunk_network")) == chunk_weights
    assert shapes(model.get_layer("sequence_network")) == sequence_weights + dense(descriptor, len(LABELS))
    assert shapes(model.get_layer("front_end")) == []
    assert model.output["chunk_descriptors"].shape == (None, None, size)
    assert model.output["descriptor"].shape == (None, descriptor)


@every_system
def test_outputs_keep_the_contract(models, audio, architecture):
    size, descriptor, *_ = TABLE[architecture]
    model = models[architecture]
    assert [tensor.name for tensor in model.inputs] == ["audio"]
    outputs = {name: value.numpy() for name, value in model(audio).items()}
    assert {name: value.shape for name, value in outputs.items()} == {
        "tags": (3, 3),
        "descriptor": (3, descriptor),
        "taggram": (3, 5, 3),
        "chunk_descriptors": (3, 5, size),
    }
    np.testing.assert_allclose(outputs["tags"].sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(outputs["taggram"].sum(axis=2), 1, atol=1e-6)
    if SYSTEMS[architecture].lstm:
        np.testing.assert_allclose(outputs["tags"], outputs["taggram"][:, -1], atol=1e-6)
    else:
        np.testing.assert_allclose(outputs["tags"], outputs["taggram"].mean(axis=1), atol=1e-6)
        np.testing.assert_allclose(outputs["descriptor"], outputs["chunk_descriptors"].mean(axis=1), atol=1e-4)
    predicted = model.predict(in_one_batch(audio), verbose=0)
    for name, value in outputs.items():
        np.testing.assert_allclose(predicted[name], value, atol=1e-5, rtol=1e-5)


@every_system
def test_a_track_alone_is_a_track_in_a_batch(models, audio, architecture):
    together = models[architecture](audio)
    for row in range(3):
        alone = models[architecture](audio[row : row + 1])
        for name in together:
            np.testing.assert_allclose(alone[name][0], together[name][row], atol=1e-5, rtol=1e-5)


@every_system
@pytest.mark.parametrize("gain_db", [-40, -23, 12])
def test_the_volume_changes_nothing(models, audio, architecture, gain_db):
    """Tags, descriptor and taggram; and padding does not count for the level."""
    model, gain = models[architecture], np.float32(10 ** (gain_db / 20))
    before, after = model(audio), model(gain * audio)
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, atol=1e-4, rtol=1e-4, err_msg=name)


@every_system
@pytest.mark.parametrize("chunks", [1, 3])
def test_training_network_on_padded_log_mel_gives_the_models_tags(models, audio, architecture, chunks):
    """The composition of front end, chunk and sequence network is the model; padding chunks change nothing."""
    samples = samples_of(chunks, FRONT_END)
    mel_chunks = split_into_chunks(mel_frames(audio, FRONT_END), FRONT_END).numpy()  # (3, 5, 40, 80)
    mel_chunks[1, chunks:] = 1e3  # row 1 is shorter, and its padding is not even zeros
    scored = Objective(models[architecture], RECIPES["tuned"]).make_training_model()
    found = scored({"chunks": mel_chunks, "chunk_count": np.array([5, chunks, 5], np.int32)})
    short = models[architecture](audio[1:2, :samples])
    np.testing.assert_allclose(found["tags"][1], short["tags"][0], atol=1e-5)
    np.testing.assert_allclose(tf.nn.softmax(found["steps"])[1, :chunks], short["taggram"][0], atol=1e-5)
    np.testing.assert_allclose(found["tags"][::2], models[architecture](audio)["tags"][::2], atol=1e-5)


@every_system
def test_padding_rows_of_the_sequence_network_are_zero_and_change_nothing(models, architecture):
    network = models[architecture].get_layer("sequence_network")
    size = TABLE[architecture][0]
    rng = np.random.default_rng(3)
    short = rng.normal(size=(1, 2, size)).astype(np.float32)
    padded = np.concatenate([short, 100 * rng.normal(size=(1, 5, size)).astype(np.float32)], axis=1)
    exact = network({"chunk_descriptors": short, "chunk_count": np.array([2])})
    masked = network({"chunk_descriptors": padded, "chunk_count": np.array([2])})
    assert np.all(masked["taggram"][0, 2:] == 0)
    np.testing.assert_allclose(masked["taggram"][:, :2], exact["taggram"], atol=1e-5)
    for name in ("tags", "descriptor"):
        np.testing.assert_allclose(masked[name], exact[name], atol=1e-5)


@every_lstm
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_last_chunk_moves_the_descriptor(audio, architecture, recipe):
    keras.utils.set_random_seed(4)
    model = mcc_zoo.build(architecture, LABELS, recipe=recipe, front_end="paper")
    # With a level a chunk changes how loud the others are heard; without one the LSTM looks back only.
    changed = audio.copy()
    changed[:, samples_of(4, FRONT_END) :] = 0.0
    before, after = model(audio), model(changed)
    assert np.abs(after["descriptor"] - before["descriptor"]).max() > 1e-3
    np.testing.assert_allclose(after["taggram"][:, :4], before["taggram"][:, :4], atol=1e-5)


@every_lstm
def test_descriptor_is_the_last_step_or_what_all_attend_to(audio, architecture):
    model = mcc_zoo.build(architecture, LABELS)
    outputs = model(audio)
    network = model.get_layer("sequence_network")
    steps = network.get_layer("lstm")(outputs["chunk_descriptors"]).numpy()
    expected = steps[:, -1]
    if SYSTEMS[architecture].attention:
        weights = np.exp(4 * network.get_layer("attention")(steps).numpy())
        expected = (steps * weights).sum(axis=1) / weights.sum(axis=1)
    np.testing.assert_allclose(outputs["descriptor"], expected, atol=1e-5)


def test_a_model_of_before_that_takes_the_mean_over_steps_can_be_loaded(audio, tmp_path, monkeypatch):
    def make_lstm(units, recipe, own=architectures.make_lstm):
        return lambda x: MeanSoFar(name="mean_so_far")(own(units, recipe)(x))

    monkeypatch.setattr(architectures, "make_lstm", make_lstm)
    model = mcc_zoo.build("r4", LABELS)
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    outputs = loaded(audio)
    steps = loaded.get_layer("sequence_network").get_layer("lstm")(outputs["chunk_descriptors"]).numpy()
    np.testing.assert_allclose(outputs["descriptor"], steps.mean(axis=1), atol=1e-5)
    np.testing.assert_array_equal(outputs["tags"], model(audio)["tags"])


@pytest.mark.parametrize("architecture", MARKED_SYSTEMS)
def test_saved_and_loaded_model_answers_the_same(models, audio, architecture, tmp_path):
    models[architecture].save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    for name, value in models[architecture](audio).items():
        np.testing.assert_array_equal(loaded(audio)[name], value)
    assert mcc_zoo.labels_of(loaded) == LABELS
    assert mcc_zoo.front_end_of(loaded) == FRONT_END
    assert loaded.name == architecture


def test_standardising_subtracts_the_mean_and_divides_by_the_std(audio):
    model = mcc_zoo.build("r0", LABELS, front_end="paper", mean=0.4, std=0.6)
    plain = split_into_chunks(mel_frames(audio, FRONT_ENDS["paper"]), FRONT_ENDS["paper"])
    np.testing.assert_allclose(model.get_layer("front_end")(audio), (plain - 0.4) / 0.6, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "pool"),
    [
        ((1, 60), (40, 1)),
        ((1, 1), (40, 1)),
        ((1, 79), (4, 1)),
        ((1, 80), (3, 1)),
        ((32, 1), (1, 80)),
        ((13, 9), (4, 4)),
    ],
)
def test_pooled_convolution_is_keras_convolution_relu_and_pooling(kernel, pool, rng):
    """The naive form is the oracle, for the numbers and for the gradients."""
    chunk = rng.normal(size=(3, 40, 80, 1)).astype(np.float32)
    convolution = keras.layers.Conv2D(5, kernel, activation="relu", bias_initializer="normal")
    naive = keras.Sequential([convolution, keras.layers.MaxPooling2D(pool)])
    expected = naive(chunk)
    fast = channels.PooledConv2D(5, kernel, pool)
    assert fast.compute_output_shape(chunk.shape) == expected.shape
    fast.build(chunk.shape)
    fast.set_weights(naive.get_weights())
    np.testing.assert_allclose(fast(chunk), expected, atol=1e-5)
    gradients = []
    for layer in (naive, fast):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(layer(chunk) ** 2)
        gradients.append(tape.gradient(loss, layer.trainable_weights))
    for theirs, ours in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("steps", "dropout"), [(1, 0.0), (7, 0.0), (7, 0.5)])
def test_lstm_is_keras_lstm(steps, dropout, rng):
    sequences = tf.constant(rng.normal(size=(3, steps, 11)), tf.float32)
    layers = [layer(5, return_sequences=True, dropout=dropout, seed=1) for layer in (keras.layers.LSTM, LSTM)]
    found = []
    for layer in layers:
        layer.build(sequences.shape)
        layer.set_weights(layers[0].get_weights())
        with tf.GradientTape() as tape:
            tape.watch(sequences)
            states = layer(sequences, training=True)
            loss = tf.reduce_mean(states**2)
        found.append([states, *tape.gradient(loss, [sequences, *layer.trainable_weights])])
    for theirs, ours in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_allclose(layers[1](sequences), layers[0](sequences), atol=1e-6)


def naive_tags(model: keras.Model, chunks: np.ndarray) -> np.ndarray:
    """What a system says of standardised chunks (batch, chunks, 40, 80), by TensorFlow alone: (batch, labels)."""
    weights = {layer.name: layer.get_weights() for part in model.layers[1:] for layer in getattr(part, "layers", [])}
    pools = {"P": (1, 80), "T": (40, 1), "B": (4, 4), "convolution_1": (2, 2), "convolution_2": (2, 2)}

    def convolved(x, name):
        kernel, bias = weights[name]
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "VALID") + bias)
        return tf.nn.max_pool2d(x, pools[name], pools[name], "VALID")

    def flat(x):
        return tf.reshape(x, (len(chunks) * chunks.shape[1], -1))

    image = tf.reshape(chunks, (-1, 40, 80, 1))

    def hidden(x, name):
        return tf.nn.relu(x @ weights[name][0] + weights[name][1])

    if model.name == "mcclstm_fused":
        parts = [hidden(flat(convolved(image, name)), f"{name}_fusion") for name in "TPB"]
        gates = tf.nn.softmax(tf.concat(parts, 1) @ weights["gates"][0] + weights["gates"][1])
        x = sum(gates[:, i : i + 1] * part for i, part in enumerate(parts))
    elif model.name == "cnns3":
        x = flat(convolved(convolved(image, "convolution_1"), "convolution_2"))
    elif system_channels := SYSTEMS[model.name].channels:
        x = tf.concat([flat(convolved(image, name)) for name in system_channels], 1)
    else:
        x = flat(image)
    for name in ("hidden_1", "hidden_2", "hidden_3", "fusion"):
        if weights.get(name):
            x = hidden(x, name)
    x = tf.reshape(x, (*chunks.shape[:2], -1))
    if "lstm" in weights:
        kernel, recurrent, bias = weights["lstm"]
        state = memory = tf.zeros((len(chunks), recurrent.shape[0]))
        states = []
        for step in range(chunks.shape[1]):
            gates = tf.split(x[:, step] @ kernel + state @ recurrent + bias, 4, axis=1)
            keep_in, forget, out = (tf.sigmoid(gates[i]) for i in (0, 1, 3))
            memory = forget * memory + keep_in * tf.tanh(gates[2])
            state = out * tf.tanh(memory)
            states.append(state)
        x = tf.stack(states, 1)
        if "attention" in weights:
            share = tf.exp(4 * tf.tanh(x @ weights["attention"][0] + weights["attention"][1]))
            x = tf.reduce_sum(x * share, axis=1, keepdims=True) / tf.reduce_sum(share, axis=1, keepdims=True)
        else:
            x = x[:, -1:]
    steps = x @ weights["steps"][0] + weights["steps"][1]
    return tf.reduce_mean(tf.nn.softmax(steps), axis=1).numpy()


@every_system
def test_fast_forms_give_the_numbers_of_the_naive_ones(models, audio, architecture):
    chunks = models[architecture].get_layer("front_end")(audio).numpy()
    expected = naive_tags(models[architecture], chunks)
    np.testing.assert_allclose(models[architecture](audio)["tags"], expected, atol=1e-5)


def test_recipes_draw_their_initial_weights():
    keras.utils.set_random_seed(5)
    literal = mcc_zoo.build("mcclstm", LABELS, recipe="paper")
    kernels = [w for w in literal.trainable_weights if w.path[0] in "PTB" or "lstm_cell" in w.path]
    for weight in kernels:
        if weight.path.endswith("bias"):
            assert not np.any(weight)
        else:
            assert np.std(weight) == pytest.approx(1.0, abs=0.05)
    assert len(kernels) == 9  # kernel and bias of three channels; kernel, recurrent kernel and bias of the LSTM
    fusion = literal.get_layer("chunk_network").get_layer("fusion").kernel
    assert np.abs(fusion).max() <= np.sqrt(6 / (TPB + 400)) + 1e-6  # Glorot's bound


def test_front_end_at_the_other_rate_gives_chunks_twice_as_long():
    model = mcc_zoo.build("r2", LABELS, front_end="22k")
    thirty_seconds = np.zeros((1, 30 * 22_050), np.float32)
    assert model(thirty_seconds)["taggram"].shape == (1, 8, 3)
    assert FRONT_ENDS["22k"].chunk_seconds == pytest.approx(3.715, abs=1e-3)
    assert FRONT_END.chunk_seconds == pytest.approx(1.858, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "r9"}, "architecture='r9' is not known: choose one of r0, r1"),
        ({"labels": ["one"]}, r"labels=\['one'\]: at least two different"),
        ({"labels": ["a", "a"]}, "at least two different"),
        ({"labels": ["a", " "]}, "non-empty"),
        ({"labels": "rock"}, "labels='rock' is one string"),
        ({"front_end": "48k"}, "front_end='48k' is not known: choose one of 44k, 22k"),
        ({"recipe": "best"}, "recipe='best' is not known: choose one of paper, tuned"),
        ({"std": 0.0}, r"std=0\.0: the standard deviation"),
    ],
)
def test_build_refuses_with_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        mcc_zoo.build(**{"architecture": "r2", "labels": LABELS, **arguments})
