"""Folders of runs that are not finished or are damaged are refused with a sentence, before a report is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.run_folders import small

from mcc_zoo.experiment import report
from mcc_zoo.experiment.report import figures


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
