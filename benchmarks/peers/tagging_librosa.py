"""What one writes without the package: librosa's log-mel, then plain Keras layers, one file after the other.

The network is the export's with the export's weights. librosa's mel triangles are linear in Hz, TensorFlow's in mel,
so the tags agree nearly, not exactly.
"""

import sys

import keras
import librosa
import numpy as np
import tensorflow as tf
from keras import layers
from serve import serve

import mcc_zoo
from mcc_zoo.features.level import MEAN_ENERGY
from mcc_zoo.models.classifier import Classifier

SHAPES = {"T": ((1, 60), (40, 1)), "P": ((32, 1), (1, 80)), "B": ((13, 9), (4, 4))}  # kernel, pool

chunk = keras.Input((40, 80, 1))
convolved = [(layers.Conv2D(32, kernel, activation="relu")(chunk), pool) for kernel, pool in SHAPES.values()]
channels = layers.Concatenate()([layers.Flatten()(layers.MaxPooling2D(pool)(x)) for x, pool in convolved])
per_chunk = keras.Model(chunk, layers.Dense(400, activation="relu")(channels))
sequence = keras.Input((None, 400))
last = layers.LSTM(200)(sequence)
over_track = keras.Model(sequence, layers.Dense(8, activation="softmax")(last))
tagger = mcc_zoo.load(sys.argv[1])
parts = Classifier(tagger.model)
per_chunk.set_weights(parts.chunk_network.get_weights())
over_track.set_weights(parts.sequence_network.get_weights())


@tf.function(input_signature=[tf.TensorSpec((None, 40, 80, 1))])
def predict(chunks):
    """Chunks of a track to its tags."""
    return over_track(per_chunk(chunks)[tf.newaxis])[0]


def tag(path):
    """File to tags."""
    samples, rate = librosa.load(path, sr=44100)
    energy = librosa.feature.melspectrogram(
        y=samples,
        sr=rate,
        n_fft=2048,
        hop_length=1024,
        window="blackmanharris",
        center=False,
        n_mels=40,
        htk=True,
        norm=1,
    )
    energy = energy[:, : energy.shape[1] // 80 * 80]  # of whole chunks
    energy *= MEAN_ENERGY / energy.mean()
    frames = (np.log10(1 + 10_000 * energy).T - tagger.metadata.mean) / tagger.metadata.std  # (frames, bands)
    chunks = frames.reshape(-1, 80, 40, 1).transpose(0, 2, 1, 3)
    return predict(chunks.astype(np.float32)).numpy()


def work(paths, files=int(sys.argv[2])):
    """Tag the first `files` files."""
    tags = np.array([tag(path) for path in paths[:files]])
    return {"files": len(tags), "ok": int(np.isfinite(tags).all(axis=1).sum()), "first": tags[0].tolist()}


serve(work)
