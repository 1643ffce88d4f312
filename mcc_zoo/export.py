"""Model to a servable folder: written under a temporary name, verified by loading it anew, then renamed.

A folder exported_models/NAME/VERSION is at once what TF Serving serves (SavedModel with signatures, warm-up records,
batching parameters), what `tf.keras.models.load_model` loads after `import mcc_zoo`, and what `mcc_zoo.load` tags with.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from mcc_zoo.architectures import front_end_of, labels_of
from mcc_zoo.chunks import samples_of
from mcc_zoo.model_card import model_card
from mcc_zoo.paper import FrontEnd
from mcc_zoo.results import versions

FACTS = "mcc_zoo.json"
LABELS = "assets/labels.txt"
WARM_UP = "assets.extra/tf_serving_warmup_requests"
TOLERANCE = 1e-5
BATCHING = """\
max_batch_size { value: 16 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 64 }
num_batch_threads { value: 2 }
pad_variable_length_inputs: false
"""


class ExportError(RuntimeError):
    """An export that was written does not answer as the model does, or cannot be read."""


def export_model(
    model: keras.Model,
    exports_dir: str | os.PathLike[str],
    name: str,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write the next version of a model, whole or not at all.

    Args:
        model: As `mcc_zoo.build` gives it, trained.
        exports_dir: Folder of all exports, `exported_models` say.
        name: Of the model; its versions are folders 1, 2, ... below exports_dir/name.
        provenance: What the card and mcc_zoo.json should say: any of `recipe`, `dataset`, `licence`, `tracks`,
            `epochs`, `training_chunks`, `scores`, `command`, `limits`; JSON values.

    Returns:
        The version's folder.

    Raises:
        ValueError: The name is no plain folder name.
        ExportError: What was written does not answer as the model does. Nothing is left behind.
    """
    if not name or name.startswith(".") or Path(name).name != name:
        raise ValueError(f"name={name!r}: an export's name is that of one folder, such as 'mcclstm_genre'")
    parent = Path(exports_dir) / name
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".part-", dir=parent))  # no number: a server passes it by
    try:
        _write(model, name, temporary, dict(provenance or {}))
        verify(temporary, model)
        _sync(temporary)
        temporary.chmod(0o755)
        return _publish(temporary, parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(OSError):  # it has other versions
            parent.rmdir()
        raise


def signatures(model: keras.Model) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """Make the functions that a server offers, by signature name."""
    audio = tf.TensorSpec((None, None), tf.float32, name="audio")

    def of(*outputs: str) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        def answer(audio: tf.Tensor) -> dict[str, tf.Tensor]:
            found = model(audio, training=False)
            return {output: found[output] for output in outputs}

        return tf.function(answer, input_signature=[audio])

    return {
        "serving_default": of("tags", "descriptor"),
        "taggram": of("taggram", "chunk_descriptors"),
    }


def probe_audio(front_end: FrontEnd) -> np.ndarray:
    """Make the audio that an export is asked about: (2, samples) of two chunks and a bit, a chord in noise."""
    samples = samples_of(2, front_end) + 100
    time = np.arange(samples) / front_end.sample_rate
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.2, 329.6)) / 6
    noise = np.random.default_rng(0).normal(scale=0.05, size=samples)
    return np.stack([chord * (time % 0.5 < 0.25) + noise, noise]).astype(np.float32)


def verify(folder: Path, model: keras.Model) -> None:
    """Load a folder anew, as a SavedModel and as a Keras model, and compare the answers with the model's.

    Raises:
        ExportError: They differ, in tags (as logarithms, so small ones count too) or descriptors, by more than 1e-5.
    """
    audio = probe_audio(front_end_of(model))
    expected = model(audio, training=False)
    loaded = tf.saved_model.load(str(folder))
    answers = {f"signature {name}": loaded.signatures[name](audio=tf.constant(audio)) for name in signatures(model)}
    answers["load_model"] = keras.models.load_model(folder)(audio, training=False)
    for reader, found in answers.items():
        for output, values in found.items():
            difference = _difference(output, values.numpy(), expected[output].numpy())
            if not difference <= TOLERANCE:
                raise ExportError(f"{folder}: {reader} gives {output} {difference:.1e} away from the model's")


def _difference(output: str, found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape:
        return float("inf")
    if output in ("tags", "taggram"):
        found, expected = np.log(found + 1e-6), np.log(expected + 1e-6)
    return float(np.max(np.abs(found - expected) / np.maximum(1.0, np.abs(expected))))


def _write(model: keras.Model, name: str, folder: Path, provenance: dict[str, Any]) -> None:
    with _without_cudnn(model):
        model.save(folder, zipped=False)  # first: Keras refuses a folder that is not empty of a SavedModel
        archive = keras.export.ExportArchive()
        for signature, function in signatures(model).items():
            archive.add_endpoint(signature, function)
        archive.write_out(str(folder), verbose=False)
    labels = labels_of(model)
    for part in (LABELS, WARM_UP):
        (folder / part).parent.mkdir(exist_ok=True)
    (folder / LABELS).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    (folder / "batching_params.pbtxt").write_text(BATCHING)
    _write_warm_up(folder / WARM_UP, front_end_of(model), name, list(signatures(model)))
    front_end = front_end_of(model)
    facts = {
        "name": name,
        "architecture": model.name,
        "labels": labels,
        "sample_rate": front_end.sample_rate,
        "front_end": asdict(front_end),
        "mean": float(model.get_layer("front_end").get_layer("standardise").mean.numpy().item()),
        "std": float(np.sqrt(model.get_layer("front_end").get_layer("standardise").variance.numpy()).item()),
        "chunk_seconds": front_end.chunk_seconds,
        "training_chunks": provenance.pop("training_chunks", 16),
        "fused_descriptor_size": model.output["chunk_descriptors"].shape[-1],
        "descriptor_size": model.output["descriptor"].shape[-1],
        "parameters": model.count_params(),
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        **provenance,
    }
    (folder / "MODEL_CARD.md").write_text(model_card(facts), encoding="utf-8")
    facts["files"] = file_hashes(folder)
    (folder / FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by relative path; mcc_zoo.json, which holds them, left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != FACTS)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _write_warm_up(path: Path, front_end: FrontEnd, name: str, signature_names: list[str]) -> None:
    """Write one request a signature: a server that cannot answer them does not put the version on line."""
    audio = tf.make_tensor_proto(probe_audio(front_end)[:1, : front_end.chunk_samples])
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature in signature_names:
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name=name, signature_name=signature), inputs={"audio": audio}
            )
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


@contextlib.contextmanager
def _without_cudnn(model: keras.Model) -> Iterator[None]:
    """Trace LSTMs as plain loops: where a GPU is visible an export could else hold cuDNN's alone, and fail on a CPU."""
    layers = [layer for layer in model.get_layer("sequence_network").layers if isinstance(layer, keras.layers.LSTM)]
    before = [layer.use_cudnn for layer in layers]
    for layer in layers:
        layer.use_cudnn = False
    try:
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.use_cudnn = value


def _sync(folder: Path) -> None:
    """Force files and folders to the disk before the rename makes them public."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _publish(temporary: Path, parent: Path) -> Path:
    """Rename to the next free number; where another exporter takes it first, to the one after."""
    while True:
        taken = [int(path.name) for path in parent.iterdir() if path.name.isdecimal()]
        target = parent / str(max(taken, default=0) + 1)
        try:
            temporary.rename(target)
        except OSError:
            if not target.exists():
                raise
            continue
        _sync_folder(parent)
        return target


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
