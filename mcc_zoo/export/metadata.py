"""What mcc_zoo.json says about an export: one frozen dataclass, read and written as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.tasks import Task

METADATA_FILE = "mcc_zoo.json"


class ExportError(RuntimeError):
    """An export does not answer as its model does, or cannot be read."""


@dataclass(frozen=True)
class Signature:
    """What a signature takes and gives: type and shape of each tensor by name, such as `float32 (batch, samples)`."""

    inputs: dict[str, str]
    outputs: dict[str, str]


@dataclass(frozen=True)
class Scores:
    """How well models of this architecture did on tracks that they were not trained on.

    Attributes:
        accuracy: Percent, mean over the folds.
        std: Its standard deviation over the folds in percentage points; None for one fixed split.
        balanced_accuracy: Percent, the mean of the labels' recalls.
        macro_f1: Percent, the mean of the labels' F1.
        folds: Number of fold results.
        split: How tracks were assigned to folds: `grouped`, `random`, or the name of a file.
        seeds: Number of times that the folds were drawn; None where it was not recorded.
    """

    accuracy: float
    std: float | None
    balanced_accuracy: float
    macro_f1: float
    folds: int
    split: str
    seeds: int | None = None


@dataclass(frozen=True)
class TaggingScores:
    """How well models of this architecture did on tracks with many labels that they were not trained on.

    Attributes:
        roc_auc: Percent, mean over labels and folds, as the next two.
        std: Its standard deviation over the folds in percentage points; None for one fixed split.
        average_precision: Percent.
        f1: Percent, at thresholds that validation tracks chose.
        roc_auc_of_tracks: Percent, mean over tracks and folds.
        average_precision_of_tracks: Percent, mean over tracks and folds.
        folds: Number of fold results.
        split: As in `Scores`.
        chance: What guessing gives, as shares of 1: `roc_auc`, `average_precision`, and `f1` of giving every label.
        seeds: As in `Scores`.
    """

    roc_auc: float
    std: float | None
    average_precision: float
    f1: float
    roc_auc_of_tracks: float
    average_precision_of_tracks: float
    folds: int
    split: str
    chance: dict[str, float]
    seeds: int | None = None


@dataclass(frozen=True)
class Majority:
    """The most frequent label of the training tracks, and its share of them in percent."""

    label: str
    percent: float


@dataclass(frozen=True)
class Origin:
    """The export that a model was fine-tuned from; `sha256` is the hash of its mcc_zoo.json."""

    name: str
    version: str
    sha256: str
    dataset: str
    licence: str


@dataclass(frozen=True, kw_only=True)
class ExportMetadata:
    """The content of mcc_zoo.json.

    Attributes:
        name: Name of the model: that of the folder which holds its versions.
        architecture: One of `mcc_zoo.ARCHITECTURES`.
        labels: Class names in the order of the outputs.
        sample_rate: Hz.
        front_end: Parameters of the front end.
        mean: Subtracted from the log-mel values.
        std: Log-mel values are divided by it.
        chunk_seconds: Seconds between the starts of two chunks.
        training_chunks: Length of the longest training sequence; the tagger reads longer tracks in such windows.
        fused_descriptor_size: F, values of a chunk's fused descriptor.
        descriptor_size: D, values of a track's descriptor.
        parameters: Number of weights.
        signatures: What a server can be asked, by name.
        max_seconds: Longest clip that the signatures accept.
        exported: Date and time, ISO 8601, UTC.
        versions: Versions of Python and the libraries, by name.
        recipe: The training recipe's values by name, as they were then.
        dataset: Name of the training music.
        licence: Licence of the training music.
        tracks: Number of training tracks.
        trained_on: Whether these are all tracks of the dataset, or those that a fixed split trains on, so that the
            scores are those of the exported weights. None in exports of earlier versions: all.
        set_aside: Number of tracks that could not be read.
        epochs: Epochs of training; 0 where only an output layer was fitted.
        channels_epochs: Epochs of the system without an LSTM whose channels this one started from; 0 for none.
        scores: Cross-validated scores, where tracks have one label each.
        tagging_scores: Those where they have many.
        majority: The most frequent label, where tracks have one label each.
        task: Whether the model gives each track one of the labels, or any number of them.
        thresholds: For each label the probability from which on it is given, where tracks have many.
        finetuned_from: The export that this one started from.
        command: The command that made it.
        limits: Sentences for the model card.
        files: SHA-256 of the other files of the folder, by relative path.
        sha256: Hash of all other facts, which shows an edit of mcc_zoo.json; None in exports of earlier versions.
    """

    name: str
    architecture: str
    labels: tuple[str, ...]
    sample_rate: int
    front_end: FrontEnd
    mean: float
    std: float
    chunk_seconds: float
    training_chunks: int
    fused_descriptor_size: int
    descriptor_size: int
    parameters: int
    signatures: dict[str, Signature]
    max_seconds: float
    exported: str
    versions: dict[str, str]
    recipe: dict[str, Any] | None = None
    dataset: str | None = None
    licence: str | None = None
    tracks: int | None = None
    trained_on: Literal["all tracks", "training tracks"] | None = None
    set_aside: int | None = None
    epochs: int | None = None
    channels_epochs: int | None = None
    scores: Scores | None = None
    tagging_scores: TaggingScores | None = None
    majority: Majority | None = None
    task: Task = "single-label"
    thresholds: dict[str, float] | None = None
    finetuned_from: Origin | None = None
    command: str | None = None
    limits: tuple[str, ...] = ()
    files: dict[str, str]
    sha256: str | None = None

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> ExportMetadata:
        """Read the mcc_zoo.json of a version's folder.

        Raises:
            ExportError: It cannot be read, or a key is missing or has a value of the wrong type; the message names it.
        """
        path = Path(folder) / METADATA_FILE
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except ExportError as error:
            raise ExportError(f"{path} cannot be read ({error}): is the folder whole?") from error
        except (OSError, ValueError, RecursionError) as error:
            raise ExportError(f"{path} cannot be read ({error!r}): is the folder whole?") from error

    @classmethod
    def from_json(cls, content: Any) -> ExportMetadata:
        """Check and convert a parsed mcc_zoo.json.

        Raises:
            ExportError: A key is missing or not known, or has a value of the wrong type; the message names it.
        """
        return _read_object(cls, content, "")

    def to_json(self) -> dict[str, Any]:
        """Return what mcc_zoo.json holds; keys without a value are left out."""
        content = asdict(self)
        if self.scores and self.scores.seeds is None:
            del content["scores"]["seeds"]
        if self.front_end.level == "none":  # a key that older exports lack, and that older readers do not know
            del content["front_end"]["level"]
        if self.task == "single-label":  # likewise
            del content["task"]
        return {name: value for name, value in content.items() if value is not None and value != ()}

    def hash_facts(self) -> str:
        """Compute the SHA-256 of all facts but the hash itself."""
        content = {name: value for name, value in self.to_json().items() if name != "sha256"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write mcc_zoo.json into a folder."""
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        (Path(folder) / METADATA_FILE).write_text(text, encoding="utf-8")


def hash_metadata(folder: str | os.PathLike[str]) -> str:
    """Compute the SHA-256 of an export's mcc_zoo.json, which names the export: it holds the hashes of the others."""
    return hashlib.sha256((Path(folder) / METADATA_FILE).read_bytes()).hexdigest()


PROVENANCE = tuple(  # what `export_model` cannot read off a model
    field.name
    for field in fields(ExportMetadata)
    if (field.default is not MISSING or field.name == "training_chunks") and field.name not in ("task", "sha256")
)
_WANTED = {str: "a text", int: "a whole number", float: "a number", tuple: "a list", dict: "an object"}


def check_provenance(provenance: Mapping[str, Any]) -> None:
    """Refuse what mcc_zoo.json has no place for.

    Raises:
        ValueError: A key is not known.
    """
    for key in provenance:
        if key not in PROVENANCE:
            raise ValueError(f"provenance has the key {key!r}: choose from {', '.join(PROVENANCE)}")


def _read_object(cls: type, value: Any, key: str) -> Any:
    """Make a dataclass of a JSON object."""
    if not isinstance(value, Mapping):
        raise _wrong_type(key, value, "an object")
    hints, arguments = get_type_hints(cls), {}
    for field in fields(cls):
        path = f"{key}.{field.name}" if key else field.name
        if field.name in value:
            arguments[field.name] = _read_value(hints[field.name], value[field.name], path)
        elif field.default is MISSING:
            raise ExportError(f"the key {path!r} is missing")
    if unknown := sorted(set(value) - set(arguments)):
        named = f"{key}.{unknown[0]}" if key else unknown[0]
        raise ExportError(f"the key {named!r} is not known: a newer mcc_zoo wrote it, or somebody edited it")
    try:
        return cls(**arguments)
    except ValueError as error:
        raise ExportError(f"the key {key!r} holds what cannot be: {error}") from error


def _read_value(hint: Any, value: Any, key: str) -> Any:
    """Check a JSON value against a type: a text, a number, a list, an object, a dataclass, or one of these or null."""
    kind: Any = get_origin(hint) or hint
    parts = get_args(hint)
    if hint is Any:
        return value
    if kind in (Union, types.UnionType):
        return None if value is None else _read_value(parts[0], value, key)
    if isinstance(kind, type) and is_dataclass(kind):
        return _read_object(kind, value, key)
    if kind is tuple and isinstance(value, (list, tuple)):
        return tuple(_read_value(parts[0], item, f"{key}[{i}]") for i, item in enumerate(value))
    if kind is dict and isinstance(value, Mapping):
        return {name: _read_value(parts[1], item, f"{key}.{name}") for name, item in value.items()}
    kind = str if kind is Literal else kind
    allowed: Any = {str: str, int: int, float: (int, float)}.get(kind, ())
    if not isinstance(value, allowed) or isinstance(value, bool):
        raise _wrong_type(key, value, _WANTED[kind])
    return value


def _wrong_type(key: str, value: Any, wanted: str) -> ExportError:
    shown = repr(value) if len(repr(value)) < 80 else type(value).__name__
    return ExportError(f"the key {key!r} is {shown}, and {wanted} is needed" if key else f"it is no object but {shown}")
