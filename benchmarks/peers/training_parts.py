"""The parts of a training step of MCCLSTM, each alone: forward and backward on 16 tracks of 16 chunks.

Answers the milliseconds of each part, a median over repeats.
"""

import time

import keras
import numpy as np
import tensorflow as tf
from serve import serve
from tracks import BATCH, CHUNKS

import mcc_zoo
from mcc_zoo.models.classifier import Classifier

REPEATS = 10
model = mcc_zoo.build("mcclstm", [str(label) for label in range(10)])
networks = Classifier(model).chunk_network, Classifier(model).sequence_network
layers = {layer.name: layer for network in networks for layer in network.layers}


def trained(name, reads_chunk=False):
    """Return a function that runs a layer and its gradients, that of its input too unless it reads the chunk."""
    layer = layers[name]
    shape = (BATCH, CHUNKS) if name == "lstm" else (BATCH * CHUNKS,)
    inputs = tf.random.stateless_normal((*shape, *filter(None, layer.input.shape[1:])), [1, 2])

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.square(layer(inputs, training=True)))
        return tape.gradient(loss, [*layer.trainable_weights, *([] if reads_chunk else [inputs])])[0]

    return run


def update():
    """Return a function that applies gradients to all weights."""
    optimizer, weights = keras.optimizers.Adam(1e-3), [tf.Variable(weight) for weight in model.get_weights()]
    weights = [weight for weight in weights if weight.dtype == tf.float32 and weight.shape.rank]
    optimizer.build(weights)
    gradients = [tf.ones_like(weight) for weight in weights]

    @tf.function
    def run():
        optimizer.apply(gradients, weights)
        return weights[0][..., 0]

    return run


parts = {
    **{name: trained(name, reads_chunk=True) for name in ("P", "T", "B")},
    **{name: trained(name) for name in ("fusion_dropout", "fusion", "lstm", "steps")},
    "Adam": update(),
}


def milliseconds(run):
    """Time one part."""
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run().numpy()
        found.append(time.perf_counter() - start)
    return 1e3 * float(np.median(found))


serve(lambda: {name: milliseconds(run) for name, run in parts.items()})
