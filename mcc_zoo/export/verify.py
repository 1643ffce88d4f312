"""Whether an export is what was written: the hashes of its files, and its answers to the questions stored in it.

The questions are the warm-up requests that a server asks too; what the model answered when it was exported is stored
beside them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from mcc_zoo.export.metadata import FACTS
from mcc_zoo.export.signatures import answers

WARM_UP = "assets.extra/tf_serving_warmup_requests"
ANSWERS = "assets.extra/warmup_answers.npz"
TOLERANCE = 1e-5  # of a value as it is, of a probability in its logarithm
ELSEWHERE = 1e-4  # the same where another processor or TensorFlow rounds otherwise
Requests = dict[str, dict[str, np.ndarray]]


def differences(folder: Path, tolerance: float = ELSEWHERE) -> list[str]:
    """Compare an export with what was written: first its files, then, if they are the same, its answers.

    Args:
        folder: A version's folder.
        tolerance: Of an answer: absolute below 1, relative above; probabilities count by their logarithms.

    Returns:
        A sentence for each difference; none where it is whole.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        written: dict[str, str] = dict(facts["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{FACTS}: cannot be read ({error!r})"]
    # A damaged graph can end the process that loads it, and a changed one can do anything: neither is loaded.
    return _changed_files(folder, written) or _changed_answers(folder, tolerance)


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by relative path; mcc_zoo.json, which holds them, left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != FACTS)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def write_warm_up(path: Path, name: str, requests: Requests) -> None:
    """Write one request a signature: a server that cannot answer them does not put the version on line."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests.items():
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name=name, signature_name=signature),
                inputs={key: tf.make_tensor_proto(value) for key, value in inputs.items()},
            )
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


def read_warm_up(path: Path) -> Requests:
    """Read the requests back: inputs by signature and name."""
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in _records(path)]
    return {
        log.predict_log.request.model_spec.signature_name: {
            key: tf.make_ndarray(value) for key, value in log.predict_log.request.inputs.items()
        }
        for log in logs
    }


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Compute without TF32, which a GPU would use for products and convolutions, and which is off by 1e-3."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def _records(path: Path) -> Iterator[bytes]:
    return tf.data.TFRecordDataset(str(path)).as_numpy_iterator()


def _changed_files(folder: Path, written: dict[str, str]) -> list[str]:
    there = file_hashes(folder)
    return [
        *(f"{name}: missing" for name in written if name not in there),
        *(f"{name}: not part of the export" for name in there if name not in written),
        *(f"{name}: not what was exported" for name in written if there.get(name, written[name]) != written[name]),
    ]


def _changed_answers(folder: Path, tolerance: float) -> list[str]:
    try:
        with np.load(folder / ANSWERS) as stored:
            expected = dict(stored)
        requests = read_warm_up(folder / WARM_UP)
        with full_precision():
            by_signature = answers(tf.saved_model.load(str(folder)).signatures, requests)
            model = keras.models.load_model(folder, compile=False)
            of_audio = {name: inputs for name, inputs in requests.items() if set(inputs) == {"audio"}}
            by_keras = answers(dict.fromkeys(of_audio, lambda audio: model(audio, training=False)), of_audio)
    except Exception as error:  # whatever it is, it is no answer
        return [f"cannot be asked ({type(error).__name__}: {error})"]
    of_keras = {name: values for name, values in expected.items() if name.split("/")[0] in of_audio}
    return [
        *_compared("signature", by_signature, expected, tolerance),
        *_compared("load_model", by_keras, of_keras, tolerance),
    ]


def _compared(
    reader: str, found: dict[str, np.ndarray], expected: dict[str, np.ndarray], tolerance: float
) -> list[str]:
    sentences = []
    for name, values in expected.items():
        away = difference(name, found[name], values) if name in found else float("inf")
        if not away <= tolerance:
            sentences.append(f"{reader} {name}: {away:.1e} away from the answer when it was exported")
    return sentences


def difference(name: str, found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference of two answers: absolute below 1, relative above.

    Args:
        name: Of the output; the probabilities of `.../tags` and `.../taggram` count by their logarithms.
        found: What was answered.
        expected: What should have been; text has to be the same, and so has the shape.
    """
    if found.shape != expected.shape:
        return float("inf")
    if expected.dtype.kind == "U":
        return 0.0 if np.array_equal(found, expected) else float("inf")
    if name.endswith(("/tags", "/taggram")):
        found, expected = np.log(found + 1e-6), np.log(expected + 1e-6)
    return float(np.max(np.abs(found - expected) / np.maximum(1.0, np.abs(expected))))
