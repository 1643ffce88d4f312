"""What the tests of serving share: a small module to serve, the configuration of the fake server, and WAV files."""

from __future__ import annotations

import socket
import wave
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving import grpc_client, rest_client

ROOT = Path(__file__).parents[2]
SERVING = ROOT / "serving"
RECORDINGS = ROOT / "tests" / "fixtures" / "serving"
CLIENTS = {"rest": rest_client.main, "grpc": grpc_client.main}


class Loudness(tf.Module):
    """A small module with an export's signature tag_wav; versions differ by the order of their labels."""

    def __init__(self, order: list[str]):
        super().__init__()
        self.order = tf.constant(order)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="wav_bytes")])
    def tag_wav(self, wav_bytes):
        def power(wav):
            return tf.reduce_mean(tf.square(tf.audio.decode_wav(wav)[0]))

        level = tf.map_fn(power, wav_bytes, fn_output_signature=tf.float32)
        labels = tf.tile(self.order[tf.newaxis], (tf.size(level), 1))
        tags = tf.stack([level / (1 + level), 1 / (1 + level)], axis=-1)
        return {"tags": tags, "descriptor": level[:, tf.newaxis], "labels": labels, "raw_bytes": wav_bytes}

    @tf.function(input_signature=[tf.TensorSpec((None, 2)), tf.TensorSpec((None,), tf.int32)])
    def two(self, pair, count):
        return {"sum": tf.reduce_sum(pair, axis=1) + tf.cast(count, tf.float32)}


def configure(models: Path, **labels: int) -> ModelServerConfig:
    """serving/models.config with models of the tests: my_tagger, and my_moods in versions 1 and 2 with these labels."""
    config = text_format.Parse((SERVING / "models.config").read_text(), ModelServerConfig())
    tagger, moods = config.model_config_list.config
    for model, name in ((tagger, "my_tagger"), (moods, "my_moods")):
        model.name, model.base_path = name, f"{models}/{name}"
    tagger.model_version_policy.specific.versions[:] = [1]
    tagger.version_labels.update(dict.fromkeys(tagger.version_labels, 1))
    moods.model_version_policy.specific.versions.extend([1, 2])
    moods.version_labels.update(labels)
    return config


def write_wav(path: Path, level: float = 0.5, seconds: float = 0.06) -> Path:
    """Write 16-bit mono at 8 kHz: a tone that is made of whole numbers, the same on every machine."""
    samples = np.resize(np.array([0, 1, 2, 1, 0, -1, -2, -1]) * round(level * 16_000), round(seconds * 8_000))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
