"""Model to a servable folder: written under a temporary name, verified by loading it anew, then renamed.

A folder exported_models/NAME/VERSION is at once what TF Serving serves (SavedModel with signatures, warm-up records,
batching parameters), what `tf.keras.models.load_model` loads after `import mcc_zoo`, and what `mcc_zoo.load` tags with.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mcc_zoo.atomic import make_folder, sync
from mcc_zoo.disk import WriteError, explained
from mcc_zoo.export.metadata import ExportError, ExportMetadata, check_provenance
from mcc_zoo.export.model_card import write_card
from mcc_zoo.export.signatures import LONGEST_SECONDS, MAX_SECONDS, Functions, describe_signatures, make_signatures
from mcc_zoo.export.verify import full_precision, hash_files, verify_export
from mcc_zoo.export.versions import choose_next_version
from mcc_zoo.export.warm_up import (
    ANSWERS_FILE,
    REQUESTS_FILE,
    ask,
    make_probe_audio,
    make_requests,
    require_serving,
    write_requests,
)
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.locks import InUseError, hold
from mcc_zoo.models.classifier import Classifier, front_end_of
from mcc_zoo.version import library_versions

PART_PREFIX = ".part-"  # no number: a server passes it by
LABELS_FILE = "assets/labels.txt"
CARD_FILE = "MODEL_CARD.md"
BATCHING_FILE = "batching_params.pbtxt"
TRAINING_CHUNKS = 16  # where the provenance does not say: an excerpt of 30 s
BATCHING = """\
max_batch_size { value: 16 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 64 }
num_batch_threads { value: 2 }
pad_variable_length_inputs: false
"""


def export_model(
    model: keras.Model,
    exports_dir: str | os.PathLike[str],
    name: str,
    provenance: Mapping[str, Any] | None = None,
    max_seconds: float = MAX_SECONDS,
) -> Path:
    """Write the next version of a model, whole or not at all.

    Args:
        model: As `mcc_zoo.build` gives it, trained.
        exports_dir: Folder of all exports, `exported_models` say.
        name: Of the model; its versions are folders 1, 2, ... below exports_dir/name.
        provenance: What the card and mcc_zoo.json should say: any of `recipe`, `dataset`, `licence`, `tracks`,
            `epochs`, `training_chunks`, `scores`, `tagging_scores`, `thresholds`, `majority`, `finetuned_from`,
            `command`, `limits`; JSON values.
        max_seconds: Of one clip; the signatures refuse longer ones.

    Returns:
        The version's folder.

    Raises:
        ValueError: The name is no plain folder name, max_seconds is no time in which a clip fits, or the provenance has
            a key that is not known.
        ExportError: The folder cannot be written, what was written does not answer as the model does, or the
            provenance has a value of the wrong type. Nothing is left behind.
        mcc_zoo.extras.MissingExtraError: tensorflow-serving-api is not installed.
    """
    check_arguments(name, max_seconds, front_end_of(model))
    check_provenance(provenance or {})
    parent = Path(exports_dir) / name
    try:
        with explained(parent, "the export", "name another folder", any_fault=True):
            make_folder(parent)
            return _write_next_version(model, parent, provenance or {}, max_seconds)
    except BaseException as error:
        with contextlib.suppress(OSError):  # it has other versions
            parent.rmdir()
        if isinstance(error, WriteError):
            raise ExportError(str(error)) from error
        raise


def _write_next_version(model: keras.Model, parent: Path, provenance: Mapping[str, Any], max_seconds: float) -> Path:
    with _open_part(parent) as temporary:
        with _float32_policy():
            model = Classifier(model).in_float32()
            _write_version(model, parent.name, temporary, provenance, max_seconds)
            verify_export(temporary)
        for path in [*temporary.rglob("*"), temporary]:  # before the rename makes them public
            sync(path)
        temporary.chmod(0o755)
        return _publish(temporary, parent)


@contextlib.contextmanager
def _open_part(parent: Path) -> Iterator[Path]:
    """Make a folder under a temporary name and hold it; what killed exports left behind is removed before."""
    for left in parent.glob(f"{PART_PREFIX}*"):
        with contextlib.suppress(InUseError, OSError), hold(left):
            shutil.rmtree(left, ignore_errors=True)
    temporary = parent / f"{PART_PREFIX}{secrets.token_hex(4)}"
    with hold(temporary):
        try:
            temporary.mkdir()
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)  # it has another name by now, unless something went wrong


@contextlib.contextmanager
def _float32_policy() -> Iterator[None]:
    """Set Keras's policy for new layers to float32: the parts of a loaded model take the policy of the moment."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def check_arguments(name: str, max_seconds: float, front_end: FrontEnd) -> None:
    """Refuse what `export_model` would refuse, before any training.

    Raises:
        ValueError: The name is no plain folder name, or max_seconds is no time in which a clip fits.
        mcc_zoo.extras.MissingExtraError: tensorflow-serving-api is not installed.
    """
    require_serving()
    if not name or name.startswith(".") or Path(name).name != name:
        raise ValueError(f"name={name!r}: an export's name is that of one folder, such as 'mcclstm_genre'")
    least = make_probe_audio(front_end).shape[1] / front_end.sample_rate
    if not least <= max_seconds <= LONGEST_SECONDS:
        raise ValueError(
            f"max_seconds={max_seconds!r}: give {least:.2f}, which the question to each export lasts, to "
            f"{LONGEST_SECONDS:g}"
        )


def _write_version(
    model: keras.Model, name: str, folder: Path, provenance: Mapping[str, Any], max_seconds: float
) -> None:
    """Write all files of a version; mcc_zoo.json last, because it holds the hashes of the others."""
    functions, requests = make_signatures(model, max_seconds), make_requests(front_end_of(model))
    with _without_cudnn(model), full_precision():  # the functions are traced here
        metadata = _describe_model(model, name, functions, max_seconds, provenance)
        _save_for_keras(model, folder)  # first: Keras refuses a folder that is not empty of a SavedModel
        archive = keras.export.ExportArchive()
        for signature, function in functions.items():
            archive.add_endpoint(signature, function)
        archive.write_out(str(folder), verbose=False)
        answers = ask(functions, requests)
    for part in (LABELS_FILE, REQUESTS_FILE):
        (folder / part).parent.mkdir(exist_ok=True)
    (folder / LABELS_FILE).write_text("".join(f"{label}\n" for label in metadata.labels), encoding="utf-8")
    (folder / BATCHING_FILE).write_text(BATCHING)
    write_requests(folder / REQUESTS_FILE, name, requests)
    np.savez(folder / ANSWERS_FILE, **answers)
    (folder / CARD_FILE).write_text(write_card(metadata), encoding="utf-8")
    metadata = replace(metadata, files=hash_files(folder))
    replace(metadata, sha256=metadata.hash_facts()).write(folder)


def _save_for_keras(model: keras.Model, folder: Path) -> None:
    """Write Keras's files, by way of a ZIP file: its weights Keras writes to memory first.

    Written to a disk that is full, HDF5 can end the process.
    """
    packed = folder / "model.keras"
    model.save(packed)
    with zipfile.ZipFile(packed) as files:
        files.extractall(folder)
    packed.unlink()


def _describe_model(
    model: keras.Model, name: str, functions: Functions, max_seconds: float, provenance: Mapping[str, Any]
) -> ExportMetadata:
    """Collect what mcc_zoo.json says, but for the hashes of the files."""
    classifier = Classifier(model)
    front_end = classifier.front_end
    described = ExportMetadata(
        name=name,
        architecture=classifier.architecture,
        labels=tuple(classifier.labels),
        task=classifier.task,
        sample_rate=front_end.sample_rate,
        front_end=front_end,
        mean=classifier.mean,
        std=classifier.std,
        chunk_seconds=front_end.chunk_seconds,
        training_chunks=TRAINING_CHUNKS,
        fused_descriptor_size=classifier.fused_descriptor_size,
        descriptor_size=model.output["descriptor"].shape[-1],
        parameters=classifier.chunk_network.count_params() + classifier.sequence_network.count_params(),
        signatures=describe_signatures(functions),
        max_seconds=max_seconds,
        exported=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=library_versions(),
        files={},
    )
    return ExportMetadata.from_json(described.to_json() | dict(provenance))


@contextlib.contextmanager
def _without_cudnn(model: keras.Model) -> Iterator[None]:
    """Trace LSTMs as plain loops: where a GPU is visible an export could else hold cuDNN's alone, and fail on a CPU."""
    layers = Classifier(model).lstms
    before = [layer.use_cudnn for layer in layers]
    for layer in layers:
        layer.use_cudnn = False
    try:
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.use_cudnn = value


def _publish(temporary: Path, parent: Path) -> Path:
    """Rename to the next number; where another exporter takes it first, to the one after."""
    while True:
        target = parent / str(choose_next_version([path.name for path in parent.iterdir()]))
        try:
            temporary.rename(target)
        except OSError:
            if not target.exists():
                raise
            continue
        sync(parent)
        return target
