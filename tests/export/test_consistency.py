"""An edited or half-copied export: neither loaded nor called whole, whatever was edited."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from helpers.soak import Tally
from typer.testing import CliRunner

import mcc_zoo
from mcc_zoo.cli.main import app
from mcc_zoo.export.metadata import METADATA_FILE
from mcc_zoo.export.verify import find_differences

EDITS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "labels in another order": lambda facts: {"labels": facts["labels"][::-1]},
    "another label": lambda facts: {"labels": ["metal", *facts["labels"][1:]]},
    "a label less": lambda facts: {"labels": facts["labels"][1:]},
    "another rate": lambda facts: {"sample_rate": 22_050},
    "another front end": lambda facts: {"front_end": facts["front_end"] | {"sample_rate": 22_050}},
    "another level": lambda facts: {"front_end": facts["front_end"] | {"level": "chunk"}},
    "another system": lambda facts: {"architecture": "r3"},
    "another task": lambda facts: {"task": "multi-label"},
    "another mean": lambda facts: {"mean": facts["mean"] + 0.01},
    "other windows": lambda facts: {"training_chunks": 1},
    "a better score": lambda facts: {"scores": {**SCORES, "accuracy": 99.9}},
}
EVERY_DAY = ("labels in another order",)  # the others, all alike, wait for make test-all
SCORES = {"accuracy": 50.0, "std": 1.0, "balanced_accuracy": 50.0, "macro_f1": 50.0, "folds": 3, "split": "random"}


@pytest.fixture
def export(trained, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.folders["r0"], tmp_path / "tagger" / "1"))


def edit(folder: Path, change: dict[str, Any]) -> None:
    path = folder / METADATA_FILE
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")


@pytest.mark.slow
def test_a_whole_export_has_no_contradiction(export: Path) -> None:
    assert find_differences(export) == []
    edit(export, {})  # written anew, in another layout
    assert find_differences(export) == []
    assert mcc_zoo.load(export).architecture == "r0"


@pytest.mark.soak
@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[] if what in EVERY_DAY else pytest.mark.slow) for what in EDITS]
)
def test_an_edit_is_refused(export: Path, what: str, tally: Tally) -> None:
    facts = json.loads((export / METADATA_FILE).read_text(encoding="utf-8"))
    edit(export, EDITS[what](facts))
    with pytest.raises(mcc_zoo.ExportError, match=r"mcc_zoo\.json: .*: copy it again, or export it again"):
        mcc_zoo.load(export)
    (found, *_) = find_differences(export)
    assert found.startswith("mcc_zoo.json: ")
    done = CliRunner().invoke(app, ["verify", str(export)])
    assert (done.exit_code, done.stdout.startswith("mcc_zoo.json: ")) == (1, True)
    tally.add("an edited, cut or half-copied export", refused=1)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["model.weights.h5", "config.json", "metadata.json"])
@pytest.mark.parametrize("damage", ["cut", "empty", "missing", "text", "one byte"])
def test_a_half_copied_model_is_a_sentence(export: Path, tmp_path: Path, name: str, damage: str, tally: Tally) -> None:
    path = export / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        middle = len(content) // 2
        other_byte = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        damaged = {"cut": content[:middle], "empty": b"", "text": b"{}", "one byte": other_byte}
        path.write_bytes(damaged[damage])
    reason = r"cannot be read \(No such file or directory\)" if damage == "missing" else "not what was exported"
    with pytest.raises(mcc_zoo.ExportError, match=rf"tagger/1: {name}: {reason}: copy it again, or export it again"):
        mcc_zoo.load(export)
    done = CliRunner().invoke(app, ["tag", str(export), str(tmp_path / "no.wav")])
    assert done.exit_code == 2 and done.stderr.startswith("error: ") and "Traceback" not in done.stderr
    tally.add("an edited, cut or half-copied export", refused=1)


def test_a_whole_export_of_other_versions_is_a_sentence(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TypeError("Dense has no argument 'quantum'\nand much more")

    monkeypatch.setattr(keras.models, "load_model", fail)
    with pytest.raises(mcc_zoo.ExportError) as error:
        mcc_zoo.load(export)
    assert str(error.value) == (
        f"{export} cannot be loaded (TypeError: Dense has no argument 'quantum'): install the versions that its "
        "mcc_zoo.json names, or export it again"
    )
