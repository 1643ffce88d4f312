"""Our training: the zoo's model on a `tf.data` stream, compiled as `mcc_zoo.training.fit` does.

Arguments: architecture, tracks, validation tracks, and a folder if the tracks are to come from the feature cache in it.
The environment variable PRECISION names a Keras dtype policy; float32 by default.
"""

import dataclasses
import os
import sys
from pathlib import Path

import keras
import numpy as np
import soundfile
import tensorflow as tf
from serve import serve
from tracks import BATCH, CHUNKS, LABELS, make_tracks

import mcc_zoo
from mcc_zoo.features.cache import Features
from mcc_zoo.features.chunking import samples_of
from mcc_zoo.training.batches import make_evaluation_batches, make_training_batches
from mcc_zoo.training.objective import Objective

FRONT_END, ONE_HOT = mcc_zoo.FrontEnd(), np.eye(LABELS, dtype=np.float32)
architecture, counts, folder = sys.argv[1], list(map(int, sys.argv[2:4])), "".join(sys.argv[4:])


def in_memory(count: int, seed: int) -> tf.data.Dataset:
    """Stream shuffled batches of tracks that are in memory."""
    chunks, labels = make_tracks(count, seed)
    inputs = {"chunks": chunks, "chunk_count": np.full(count, CHUNKS, np.int32)}
    return tf.data.Dataset.from_tensor_slices((inputs, ONE_HOT[labels])).shuffle(count).batch(BATCH)


def cached(count: int, seed: int) -> tuple[list[Features], np.ndarray]:
    """Fill the feature cache from files of noise, which need not stay."""
    cache, random, file = mcc_zoo.FeatureCache(folder, FRONT_END), np.random.default_rng(seed), Path(folder, "one.wav")
    features = []
    for _ in range(count):
        samples = random.integers(-9_999, 9_999, samples_of(CHUNKS, FRONT_END), np.int16)
        soundfile.write(file, samples, FRONT_END.sample_rate)
        features.append(cache.features(file))
    os.unlink(file)
    return features, ONE_HOT[make_tracks(count, seed)[1]]


keras.config.set_dtype_policy(os.environ.get("PRECISION", "float32"))
recipe = dataclasses.replace(mcc_zoo.RECIPES["tuned"], schedule="constant", clip_norm=None)
model = mcc_zoo.build(architecture, [str(label) for label in range(LABELS)], recipe=recipe)
objective = Objective(model, recipe)
trained = objective.compile_training_model(epochs=1, steps=1)
limits = {"batch_tracks": BATCH, "max_chunks": recipe.max_chunks}
if folder:
    own = make_training_batches(*cached(counts[0], 0), seed=0, **limits).dataset
    others = make_evaluation_batches(*cached(counts[1], 1), **limits)
else:
    own, others = in_memory(counts[0], 0), in_memory(counts[1], 1) if counts[1] else None
own = objective.add_targets(own)
others = None if others is None else objective.add_targets(others)


def work() -> dict[str, float]:
    """Train for an epoch."""
    history = trained.fit(own, validation_data=others, epochs=1, shuffle=False, verbose=0).history
    return {"parameters": sum(int(np.prod(w.shape)) for w in trained.trainable_weights), "loss": history["loss"][-1]}


serve(work)
