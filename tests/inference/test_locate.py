"""Exports are found by folder and by name, without TensorFlow, and what is not there is answered with the nearest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mcc_zoo
from mcc_zoo.export.metadata import METADATA_FILE, ExportError
from mcc_zoo.export.versions import choose_next_version
from mcc_zoo.inference import locate

REPOSITORY = Path(__file__).parents[2]


def make_versions(folder: Path, *versions: str) -> None:
    for version in versions:
        (folder / version).mkdir(parents=True)
        (folder / version / METADATA_FILE).touch()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, away from the checkout and without shipped models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MCC_ZOO_MODELS", raising=False)
    monkeypatch.setattr(locate, "SHIPPED", (tmp_path / "shipped",))
    return tmp_path


def test_the_newest_version_of_a_folder(elsewhere: Path) -> None:
    model = elsewhere / "model"
    make_versions(model, "9", "10", "old", ".part-11")
    (model / "11").mkdir()  # of which mcc_zoo.json has not been written
    assert mcc_zoo.latest(model) == mcc_zoo.latest(str(model)) == model / "10"
    assert mcc_zoo.latest(model / "9") == model / "9"


def test_names_are_looked_up_in_order(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_versions(elsewhere / "shipped/genre", "3")
    assert mcc_zoo.latest("genre") == elsewhere / "shipped/genre/3"
    make_versions(elsewhere / "exported_models/genre", "1", "2")
    assert mcc_zoo.latest("genre") == Path("exported_models/genre/2")
    assert mcc_zoo.latest("genre/1") == Path("exported_models/genre/1")
    make_versions(elsewhere / "mine/genre", "1")
    monkeypatch.setenv("MCC_ZOO_MODELS", str(elsewhere / "mine"))
    assert mcc_zoo.latest("genre") == elsewhere / "mine/genre/1"
    (elsewhere / "genre").mkdir()  # that is no export
    assert mcc_zoo.latest("genre") == elsewhere / "mine/genre/1"
    make_versions(elsewhere / "genre", "7")
    assert mcc_zoo.latest("genre") == Path("genre/7")


def test_all_models_are_listed_once(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mcc_zoo.find_exports() == []
    make_versions(elsewhere / "shipped/genre", "3")
    make_versions(elsewhere / "exported_models/genre", "9", "10")
    make_versions(elsewhere / "exported_models/.hidden", "1")
    make_versions(elsewhere / "mine/emotion", "1")
    (elsewhere / "mine/notes.txt").touch()
    monkeypatch.setenv("MCC_ZOO_MODELS", str(elsewhere / "mine"))
    assert mcc_zoo.find_exports() == [elsewhere / "mine/emotion/1", Path("exported_models/genre/10")]
    monkeypatch.setenv("MCC_ZOO_MODELS", str(elsewhere / "nowhere"))
    assert mcc_zoo.find_exports() == [Path("exported_models/genre/10")]


def test_the_shipped_models_are_found_from_anywhere_without_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys, mcc_zoo; print(*[path.parent.name for path in mcc_zoo.find_exports()]);"
        "from mcc_zoo.export.metadata import ExportMetadata;"
        "print(ExportMetadata.read(mcc_zoo.latest('mcclstm_emotify_genre')).name);"
        "print(*({'tensorflow', 'keras', 'pandas'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": ""}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    names, name, heavy = run.stdout.split("\n")[:3]
    assert {"mcclstm_emotify_genre", "mcclstm_emotify_moods", "mcclstm_pretrained"} <= set(names.split())
    assert (name, heavy) == ("mcclstm_emotify_genre", "")


def suggestion(asked: str) -> str:
    with pytest.raises(ExportError) as refused:
        mcc_zoo.latest(asked)
    return str(refused.value).partition(f" of its {METADATA_FILE}")[2]


def test_what_is_no_export_is_answered_with_the_nearest(elsewhere: Path) -> None:
    assert suggestion("genre") == ""  # nothing is there to choose
    make_versions(elsewhere / "exported_models", "a_1/1", "a_2/1", "a_2/2", "a_2/.part-3", ".hidden/1")
    assert suggestion("exported_models") == "; choose exported_models/a_2 or exported_models/a_1"
    assert suggestion("exported_models/a_11") == "; choose exported_models/a_1 or exported_models/a_2"
    assert suggestion("exported_models/a_2/3") == "; choose exported_models/a_2/2 or exported_models/a_2/1"
    assert suggestion("a_11") == suggestion("nowhere/a_1") == "; choose a_1 or a_2"
    make_versions(elsewhere / "exported_models", *(f"{name}/1" for name in "bcdefg"))
    assert suggestion("exported_models/a_3").startswith("; choose exported_models/a_2 or exported_models/a_1 or ")
    assert suggestion("exported_models/a_3").endswith(" (the nearest of 8)")


@pytest.mark.parametrize("asked", ["", "..", "x" * 5_000, "a\0b"])
def test_odd_names_get_a_sentence(elsewhere: Path, asked: str) -> None:
    with pytest.raises(ExportError, match="is no export"):
        mcc_zoo.latest(asked)


@pytest.mark.parametrize("name", ["007", "0", "1e3", "-1", "8.0", "٣", "99999999999999999999"])
def test_what_is_written_like_a_number_is_no_version(elsewhere: Path, name: str) -> None:
    """Neither loaded nor converted or verified, and its number is not given again."""
    make_versions(elsewhere / "tagger", "1", name)
    assert mcc_zoo.latest(elsewhere / "tagger").name == "1"
    names = [path.name for path in (elsewhere / "tagger").iterdir()]
    assert choose_next_version(names) == (8 if name == "007" else 2)


def test_a_link_to_a_version_is_that_version(elsewhere: Path) -> None:
    make_versions(elsewhere / "store", "build-17")
    (elsewhere / "tagger").mkdir()
    (elsewhere / "tagger" / "2").symlink_to(elsewhere / "store" / "build-17")
    assert mcc_zoo.latest(elsewhere / "tagger") == elsewhere / "tagger" / "2"
