"""Whether an export's model is what was exported, and mcc_zoo.json says of it what it says of itself.

mcc_zoo.json is the one part of an export that no hash in it can cover. Labels, rate and sizes are in the model too; a
hash of the rest shows any other edit.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import keras

from mcc_zoo.export.metadata import ExportError, ExportMetadata
from mcc_zoo.models.classifier import Classifier

LONGEST_REASON = 300  # characters of what Keras says
MEND = "copy it again, or export it again"
KERAS_FILES = ("config.json", "metadata.json", "model.weights.h5")  # what Keras loads


def load_whole_model(folder: Path, metadata: ExportMetadata) -> keras.Model:
    """Load the model of an export.

    Args:
        folder: Of one version.
        metadata: What its mcc_zoo.json says.

    Raises:
        ExportError: It is not as it was written, or Keras cannot load it; the message says what differs.
    """
    if changed := list_changed_files(folder, metadata):
        raise ExportError(f"{folder}: {'; '.join(changed)}: {MEND}")
    try:
        model = keras.models.load_model(folder, compile=False)
        contradictions = list_contradictions(metadata, model)
    except Exception as error:  # Keras raises errors of any kind
        reason = str(error).partition("\n")[0][:LONGEST_REASON]
        raise ExportError(
            f"{folder} cannot be loaded ({type(error).__name__}: {reason}): install the versions that its "
            "mcc_zoo.json names, or export it again"
        ) from error
    if contradictions:
        raise ExportError(f"{folder}: {'; '.join(contradictions)}: {MEND}")
    return model


def list_changed_files(folder: Path, metadata: ExportMetadata) -> list[str]:
    """Compare the files that Keras loads with the hashes in mcc_zoo.json: a sentence for each that differs."""
    found = []
    for name in KERAS_FILES:
        try:
            with open(folder / name, "rb") as file:
                is_same = hashlib.file_digest(file, "sha256").hexdigest() == metadata.files.get(name)
        except OSError as error:
            found.append(f"{name}: cannot be read ({error.strerror})")
        else:
            found += [] if is_same else [f"{name}: not what was exported"]
    return found


def list_contradictions(metadata: ExportMetadata, model: keras.Model) -> list[str]:
    """Compare mcc_zoo.json with its model and with the hash that it carries of itself.

    Returns:
        A sentence for each fact that differs; none where the file is as it was written.
    """
    classifier = Classifier(model)
    facts: dict[str, Any] = {
        "labels": tuple(classifier.labels),
        "task": classifier.task,
        "architecture": classifier.architecture,
        "front_end": classifier.front_end,
        "sample_rate": classifier.front_end.sample_rate,
        "chunk_seconds": classifier.front_end.chunk_seconds,
        "mean": classifier.mean,
        "std": classifier.std,
        "descriptor_size": model.output["descriptor"].shape[-1],
        "fused_descriptor_size": classifier.fused_descriptor_size,
    }
    found = [
        f"mcc_zoo.json: {name} is {_show(stated)}, and the model's is {_show(own)}"
        for name, own in facts.items()
        if not _equal(stated := getattr(metadata, name), own)
    ]
    if not found and metadata.sha256 is not None and metadata.sha256 != metadata.hash_facts():
        found.append("mcc_zoo.json: not what was exported, for it does not have the hash that it states of itself")
    return found


def _equal(stated: Any, own: Any) -> bool:
    if isinstance(own, float):
        return math.isclose(stated, own, rel_tol=1e-6, abs_tol=1e-9)
    return bool(stated == own)


def _show(value: Any) -> str:
    return repr(list(value)) if isinstance(value, tuple) else repr(value)
