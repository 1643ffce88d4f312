"""Whether an export is what was written: the hashes of its files, and its answers to the questions that it carries."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mcc_zoo.export.consistency import list_contradictions
from mcc_zoo.export.metadata import METADATA_FILE, ExportError, ExportMetadata
from mcc_zoo.export.warm_up import ANSWERS_FILE, REQUESTS_FILE, ask, read_requests, require_serving

TOLERANCE = 1e-5  # absolute below 1, relative above; of a probability in its logarithm
OTHER_MACHINE_TOLERANCE = 1e-4  # where another processor or TensorFlow rounds differently


def verify_export(folder: Path) -> None:
    """Load a folder anew, as a SavedModel and as a Keras model, and compare the answers with the model's.

    Raises:
        ExportError: It does not answer as the model that was exported.
    """
    if found := find_differences(folder, TOLERANCE):
        raise ExportError(f"{folder}: {'; '.join(found)}")


def find_differences(folder: Path, tolerance: float = OTHER_MACHINE_TOLERANCE) -> list[str]:
    """Compare an export with what was written: first its files, then, if they are the same, its answers.

    Args:
        folder: A version's folder.
        tolerance: Of an answer: absolute below 1, relative above; probabilities count by their logarithms.

    Returns:
        A sentence for each difference; none where it is whole.

    Raises:
        mcc_zoo.extras.MissingExtraError: tensorflow-serving-api, which reads the questions, is not installed.
    """
    try:
        metadata = ExportMetadata.read(folder)
    except ExportError as error:
        return [str(error)]
    # A damaged graph can end the process that loads it, and a changed one can do anything: neither is loaded.
    return _compare_files(folder, metadata.files) or _compare_answers(folder, metadata, tolerance)


def hash_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by relative path; mcc_zoo.json, which holds them, left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != METADATA_FILE)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def measure_difference(name: str, found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference of two answers: absolute below 1, relative above.

    Args:
        name: Of the output; the probabilities of `.../tags` and `.../taggram` count by their logarithms.
        found: What was answered.
        expected: What should have been; text and truth values have to be the same, and so has the shape.
    """
    if found.shape != expected.shape:
        return float("inf")
    if expected.dtype.kind in "Ub":
        return 0.0 if np.array_equal(found, expected) else float("inf")
    if name.endswith(("/tags", "/taggram")):
        found, expected = np.log(found + 1e-6), np.log(expected + 1e-6)
    return float(np.max(np.abs(found - expected) / np.maximum(1.0, np.abs(expected))))


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Compute without TF32, which a GPU would use for products and convolutions, and which is off by 1e-3."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def _compare_files(folder: Path, written: dict[str, str]) -> list[str]:
    there = hash_files(folder)
    return [
        *(f"{name}: missing" for name in written if name not in there),
        *(f"{name}: not part of the export" for name in there if name not in written),
        *(f"{name}: not what was exported" for name in written if there.get(name, written[name]) != written[name]),
    ]


def _compare_answers(folder: Path, metadata: ExportMetadata, tolerance: float) -> list[str]:
    require_serving()
    try:
        with np.load(folder / ANSWERS_FILE) as stored:
            expected = dict(stored)
        requests = read_requests(folder / REQUESTS_FILE)
        with full_precision():
            by_signature = ask(tf.saved_model.load(str(folder)).signatures, requests)
            model = keras.models.load_model(folder, compile=False)
            of_audio = {name: inputs for name, inputs in requests.items() if set(inputs) == {"audio"}}
            by_keras = ask(dict.fromkeys(of_audio, lambda audio: model(audio, training=False)), of_audio)
    except Exception as error:  # of any kind: it does not answer
        return [f"cannot be asked ({type(error).__name__}: {error})"]
    of_keras = {
        name: values
        for name, values in expected.items()
        if name.split("/")[0] in of_audio
        and name.rpartition("/")[2] in model.output  # is_silent is a signature's alone
    }
    return [
        *list_contradictions(metadata, model),
        *_compare("signature", by_signature, expected, tolerance),
        *_compare("load_model", by_keras, of_keras, tolerance),
    ]


def _compare(reader: str, found: dict[str, np.ndarray], expected: dict[str, np.ndarray], tolerance: float) -> list[str]:
    sentences = []
    for name, values in expected.items():
        away = measure_difference(name, found[name], values) if name in found else float("inf")
        if not away <= tolerance:
            sentences.append(f"{reader} {name}: {away:.1e} away from the answer when it was exported")
    return sentences
