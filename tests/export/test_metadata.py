"""mcc_zoo.json as a dataclass: published files are read and written back unchanged, and a fault is named by its key."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

import mcc_zoo
from mcc_zoo.export.metadata import METADATA_FILE, ExportError, ExportMetadata
from mcc_zoo.export.model_card import describe_score
from mcc_zoo.features.front_end import FRONT_ENDS

EXPORTS = Path(__file__).parents[2] / "exported_models"
SHIPPED = [EXPORTS / name for name in ("mcclstm_emotify_genre/4", "mcclstm_emotify_moods/1", "mcclstm_pretrained/1")]
GENRE = SHIPPED[0]


@pytest.fixture
def content() -> dict[str, Any]:
    return json.loads((GENRE / METADATA_FILE).read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.parent.name)
def test_published_files_are_written_back_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    ExportMetadata.read(folder).write(tmp_path)
    assert (tmp_path / METADATA_FILE).read_bytes() == (folder / METADATA_FILE).read_bytes()


def test_values_are_typed() -> None:
    metadata = ExportMetadata.read(GENRE)
    assert metadata.labels == ("classical", "electronic", "pop", "rock")
    assert metadata.front_end == FRONT_ENDS["44k"]
    assert metadata.scores is not None and metadata.scores.folds == 30
    assert metadata.majority is not None and metadata.majority.label == "classical"
    assert metadata.signatures["tag_wav"].inputs == {"wav_bytes": "string (batch,)"}
    assert (metadata.finetuned_from, metadata.set_aside, metadata.limits) == (None, None, ())
    with pytest.raises(FrozenInstanceError):
        metadata.name = "other"  # type: ignore[misc]
    score = "accuracy 63.4 ± 11.3 %, where guessing one of 4 labels gives 25.0 %, and always saying classical 25.0 %"
    assert describe_score(metadata) == score


def test_an_export_of_before_volumes_were_levelled_has_no_level(content: dict[str, Any]) -> None:
    assert content["front_end"].pop("level") == "window"
    assert ExportMetadata.from_json(content).front_end == FRONT_ENDS["paper"]


def refusal(content: Any) -> str:
    with pytest.raises(ExportError) as refused:
        ExportMetadata.from_json(content)
    return str(refused.value)


def test_each_missing_key_is_named(content: dict[str, Any]) -> None:
    optional = {"recipe", "dataset", "licence", "tracks", "epochs", "channels_epochs", "scores", "majority", "command"}
    optional |= {"sha256"}  # of exports that are made now
    assert optional < set(content)
    for key in content:
        rest = {name: value for name, value in content.items() if name != key}
        if key in optional:
            assert ExportMetadata.from_json(rest).name == "mcclstm_emotify_genre"
        else:
            assert refusal(rest) == f"the key '{key}' is missing"
    del content["scores"]["folds"]
    assert refusal(content) == "the key 'scores.folds' is missing"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": "rock"}, "the key 'labels' is 'rock', and a list is needed"),
        ({"labels": ["rock", 3]}, "the key 'labels[1]' is 3, and a text is needed"),
        ({"training_chunks": 16.5}, "the key 'training_chunks' is 16.5, and a whole number is needed"),
        ({"tracks": True}, "the key 'tracks' is True, and a whole number is needed"),
        ({"mean": None}, "the key 'mean' is None, and a number is needed"),
        ({"front_end": []}, "the key 'front_end' is [], and an object is needed"),
        ({"files": None}, "the key 'files' is None, and an object is needed"),
        ({"versions": {"keras": 3}}, "the key 'versions.keras' is 3, and a text is needed"),
        ({"scores": {"accuracy": "x" * 99}}, "the key 'scores.accuracy' is str, and a number is needed"),
    ],
)
def test_wrong_types_are_named(content: dict[str, Any], change: dict[str, Any], words: str) -> None:
    assert refusal(content | change) == words


def test_an_impossible_or_unknown_front_end_is_refused(content: dict[str, Any]) -> None:
    front_end = content["front_end"]
    assert "hop_length=0" in refusal(content | {"front_end": front_end | {"hop_length": 0}})
    assert "compression='sqrt'" in refusal(content | {"front_end": front_end | {"compression": "sqrt"}})
    assert refusal(content | {"front_end": front_end | {"centre": True}}).startswith(
        "the key 'front_end.centre' is not known"
    )


def test_keys_of_later_versions_are_refused(content: dict[str, Any]) -> None:
    """What they mean may change the tags."""
    assert refusal(content | {"mood": 1}).startswith("the key 'mood' is not known: a newer mcc_zoo wrote it, or")
    assert refusal(content | {"scores": content["scores"] | {"x": 1}}).startswith("the key 'scores.x' is not known")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "{}", "[" * 100_000])
def test_the_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / METADATA_FILE).write_text(text)
    with pytest.raises(ExportError) as refused:
        ExportMetadata.read(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / METADATA_FILE} cannot be read (")
    with pytest.raises(ExportError, match="No such file"):
        ExportMetadata.read(tmp_path / "nowhere")


def test_provenance_is_checked_before_anything_is_written(trained, tmp_path: Path) -> None:
    model = trained.models["r0"]
    with pytest.raises(ValueError, match="provenance has the key 'license': choose from training_chunks, recipe, "):
        mcc_zoo.export_model(model, tmp_path, "tagger", {"license": "CC0"})
    with pytest.raises(ExportError, match="the key 'tracks' is 'four', and a whole number is needed"):
        mcc_zoo.export_model(model, tmp_path, "tagger", {"tracks": "four"})
    assert list(tmp_path.iterdir()) == []


def test_it_needs_neither_tensorflow_nor_pandas() -> None:
    code = (
        "import sys, mcc_zoo.export.metadata, mcc_zoo.export.model_card;"
        "print(sorted({'tensorflow', 'keras', 'pandas'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
