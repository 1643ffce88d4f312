"""The questions that an export carries: TF Serving warms up with them, and verification asks them again.

They are stored as TF Serving's records of requests; what the model answered when it was exported lies beside them.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from mcc_zoo.audio.limits import MIN_SAMPLE_RATE
from mcc_zoo.extras import require
from mcc_zoo.features.chunking import samples_of
from mcc_zoo.features.front_end import FrontEnd

REQUESTS_FILE = "assets.extra/tf_serving_warmup_requests"
ANSWERS_FILE = "assets.extra/warmup_answers.npz"
Requests = dict[str, dict[str, np.ndarray]]


def require_serving() -> tuple[Any, Any, Any]:
    """Import TF Serving's messages: model_pb2, predict_pb2 and prediction_log_pb2.

    Raises:
        mcc_zoo.extras.MissingExtraError: tensorflow-serving-api is not installed.
    """
    model, predict, log = (
        require(f"tensorflow_serving.apis.{name}", "export")
        for name in ("model_pb2", "predict_pb2", "prediction_log_pb2")
    )
    return model, predict, log


def make_requests(front_end: FrontEnd) -> Requests:
    """Make an example request for each signature: inputs by name.

    Two hold two chunks and a bit, because the first step of an LSTM does not show its recurrent weights; the others are
    short, because an export carries them and noise does not compress. Batches are of clips that differ in length and
    rate, where that is allowed.
    """
    audio = make_probe_audio(front_end)
    window = front_end.window_length
    short = audio[:, : max(window + 1, front_end.chunk_samples // 8)]
    step = max(1, min(5, front_end.sample_rate // MIN_SAMPLE_RATE))
    slower = encode_wav(audio[0, ::step], front_end.sample_rate // step)
    return {
        "serving_default": {"audio": audio[:1]},
        "taggram": {"audio": short[:1]},
        "tag_padded": {"audio": short, "length": np.array([short.shape[1], window + 1], np.int32)},
        "tag_wav": {"wav_bytes": np.array([slower, encode_wav(short[1], front_end.sample_rate)], object)},
    }


def make_probe_audio(front_end: FrontEnd) -> np.ndarray:
    """Make the audio of the questions: (2, samples) float32 of two chunks and a bit, a chord in noise and noise."""
    samples = samples_of(2, front_end) + 100
    time = np.arange(samples) / front_end.sample_rate
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.2, 329.6)) / 6
    noise = np.random.default_rng(0).normal(scale=0.05, size=samples)
    return np.stack([chord * (time % 0.5 < 0.25) + noise, noise]).astype(np.float32)


def encode_wav(samples: np.ndarray, sample_rate: int) -> bytes:
    """Write mono samples (samples,), full scale 1, as a WAV file of 16-bit PCM."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(sample_rate)
        wav.writeframes(np.rint(np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def ask(functions: Mapping[str, Callable[..., Any]], requests: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Ask each function its request: outputs by SIGNATURE/OUTPUT, text as arrays of `str`."""
    return {
        f"{name}/{output}": _decode_text(values.numpy())
        for name, inputs in requests.items()
        for output, values in functions[name](**{key: tf.constant(value) for key, value in inputs.items()}).items()
    }


def write_requests(path: Path, name: str, requests: Requests) -> None:
    """Write one request for each signature: a server that cannot answer them does not serve the version.

    Raises:
        mcc_zoo.extras.MissingExtraError: tensorflow-serving-api is not installed.
    """
    model_pb2, predict_pb2, prediction_log_pb2 = require_serving()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests.items():
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name=name, signature_name=signature),
                inputs={key: tf.make_tensor_proto(value) for key, value in inputs.items()},
            )
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


def read_requests(path: Path) -> Requests:
    """Read the requests back: inputs by signature and name.

    Raises:
        mcc_zoo.extras.MissingExtraError: tensorflow-serving-api is not installed.
    """
    _, _, prediction_log_pb2 = require_serving()
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    requests = [prediction_log_pb2.PredictionLog.FromString(record).predict_log.request for record in records]
    return {
        request.model_spec.signature_name: {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        for request in requests
    }


def _decode_text(values: np.ndarray) -> np.ndarray:
    """Decode bytes objects, which NumPy would store with pickle."""
    return np.char.decode(values.astype(bytes), "utf-8") if values.dtype == object else values
