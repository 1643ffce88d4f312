"""The same networks of Keras's own layers, as one writes them from the paper, with `fit` on tracks in memory.

Arguments: architecture, tracks, validation tracks.
"""

import sys

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from serve import serve
from tracks import BANDS, BATCH, CHUNKS, FRAMES, LABELS, make_tracks

architecture, counts = sys.argv[1], list(map(int, sys.argv[2:4]))


def network() -> keras.Model:
    """(tracks, CHUNKS, BANDS, FRAMES) to probabilities: of each chunk, or of the track where there is an LSTM."""
    chunks = keras.Input((CHUNKS, BANDS, FRAMES))
    image = keras.ops.reshape(chunks, (-1, BANDS, FRAMES, 1))
    features = []
    for kernel, pool in (((1, 60), (40, 1)), ((32, 1), (1, 80)), ((13, 9), (4, 4))):
        x = layers.Conv2D(32, kernel, activation="relu")(image)
        features.append(layers.Flatten()(layers.MaxPooling2D(pool)(x)))
    x = layers.Dropout(0.5)(layers.Concatenate()(features))
    x = keras.ops.reshape(layers.Dense(400, activation="relu")(x), (-1, CHUNKS, 400))
    if architecture == "mcclstm":
        x = layers.LSTM(200)(x)
    return keras.Model(chunks, layers.Dense(LABELS, activation="softmax")(layers.Dropout(0.5)(x)))


def stream(count: int, seed: int) -> tf.data.Dataset:
    """Make tracks and what their scores are compared with, in shuffled batches.

    `fit` on the bare arrays would wait at the end of an epoch for the thread that tunes tf.data, up to as long again.
    """
    chunks, labels = make_tracks(count, seed)
    compared = labels if architecture == "mcclstm" else np.repeat(labels[:, np.newaxis], CHUNKS, axis=1)
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.from_tensor_slices((chunks, compared)).shuffle(count).batch(BATCH).with_options(options)


model = network()
model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
own, others = stream(counts[0], 0), stream(counts[1], 1) if counts[1] else None


def work() -> dict[str, float]:
    """Train for an epoch."""
    history = model.fit(own, validation_data=others, epochs=1, verbose=0).history
    return {"parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights), "loss": history["loss"][-1]}


serve(work)
