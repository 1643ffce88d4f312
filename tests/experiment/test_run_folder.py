"""Folders of runs that are not finished, damaged or of another recipe are refused with a sentence."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from helpers.run_folders import small

from mcc_zoo.experiment import report, run_folder
from mcc_zoo.experiment.report import figures
from mcc_zoo.recipes import FORMER_FIELDS, RECIPES

IDENTITY = {"seed": 0, "recipe": dataclasses.asdict(RECIPES["tuned"])}


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not drawn, which is what takes the time."""
    monkeypatch.setattr(figures, "encode_png", lambda figure: b"PNG")


@pytest.mark.parametrize("name", ["predictions.csv", "folds.csv", "config.json", "refused.csv"])
def test_a_folder_without_its_files_is_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    folder = small().write(tmp_path / "run")
    (folder / name).unlink()
    with pytest.raises(ValueError, match=rf"run holds no {name}: give the folder of a finished run \(results/DATASET"):
        report.write_report(folder, "demo")
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", r"config\.json: Expecting property name"),
        ("folds.csv", b"architecture,seed,fold\nr3,0,0\n", r"folds\.csv: .*not found: \['seconds'\]"),
        ("folds.csv", b"", r"folds\.csv: No columns to parse from file"),
        ("predictions.csv", b"path\n\xff\n", r"predictions\.csv: 'utf-8' codec can't decode"),
        ("refused.csv", b'path,reason\n"x', r"refused\.csv: .*EOF inside string"),
        ("units/seed0-fold1-r3/taggrams.json", b"[{}]", r"taggrams\.json: does not hold tracks \(KeyError"),
        ("units/seed0-fold1-r3/taggrams.json", b"[", r"taggrams\.json: Expecting value"),
        ("units/seed0-fold0-r3/filters.npz", b"PK\3\4", r"filters\.npz: does not hold filters \(BadZipFile"),
        ("units/seed0-fold0-r3/filters.npz", b"", r"filters\.npz: does not hold filters \(EOFError"),
        ("units/seed0-fold0-r3/history.csv", b"", r"fold0-r3/history\.csv: No columns to parse from file"),
    ],
)
def test_damaged_files_are_refused_with_a_sentence(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    folder = small(epochs=(3, 5, 4)).write(tmp_path / "run")
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=message + ".*: remove it and start the experiment again with the same --run"):
        report.write_report(folder, "demo")
    assert not (folder / "report.html").exists()


def write_config_of_before(folder: Path, **values: Any) -> None:
    """As it was when recipes still had more fields."""
    recipe = {**IDENTITY["recipe"], **FORMER_FIELDS, **values}
    run_folder.write_config(folder, {**IDENTITY, "recipe": recipe}, {})


def test_a_run_goes_on_whose_recipe_had_more_fields_that_did_nothing(tmp_path: Path) -> None:
    write_config_of_before(tmp_path)
    run_folder.write_config(tmp_path, IDENTITY, {})
    config = run_folder.read_config(tmp_path)
    assert config["recipe"] == IDENTITY["recipe"] and len(config["started"]) == 2


@pytest.mark.parametrize(
    ("name", "value"), [("mixup", 0.4), ("pooling", "mean"), ("average", 0.99), ("random_offset", True)]
)
def test_a_run_is_refused_whose_recipe_had_a_field_that_did_something(tmp_path: Path, name: str, value: Any) -> None:
    write_config_of_before(tmp_path, **{name: value})
    before = (tmp_path / "config.json").read_bytes()
    said = rf"run with other settings \({name} was {value!r}, which recipes no longer have\): give another --run"
    with pytest.raises(ValueError, match=said):
        run_folder.write_config(tmp_path, IDENTITY, {})
    assert (tmp_path / "config.json").read_bytes() == before


@pytest.mark.parametrize(("name", "value"), [("start_from", "exports/one/1"), ("workers", 2), ("taught_sha256", "00")])
def test_a_run_is_refused_with_or_without_a_setting_that_need_not_be_there(
    tmp_path: Path, name: str, value: Any
) -> None:
    run_folder.write_config(tmp_path / "with", {**IDENTITY, name: value}, {})
    with pytest.raises(ValueError, match=rf"run with other settings \({name} was {value!r}, is None\)"):
        run_folder.write_config(tmp_path / "with", IDENTITY, {})
    run_folder.write_config(tmp_path / "without", IDENTITY, {})
    with pytest.raises(ValueError, match=rf"run with other settings \({name} was None, is {value!r}\)"):
        run_folder.write_config(tmp_path / "without", {**IDENTITY, name: value}, {})
