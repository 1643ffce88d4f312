"""`mcc-zoo models`, `show` and `validate`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from helpers.command_rows import Run, read_csv
from helpers.dataset_folders import jamendo_folder, magnatagatune_folder

MAJORITY = {"label": "bop", "percent": 62.5}
SCORE = "accuracy 71.2 ± 3.0 %, where guessing one of 2 labels gives 50.0 %, and always saying bop 62.5 %"


@pytest.fixture
def models(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two models, one of them in two versions, and what is none; nothing is found elsewhere."""
    whole = json.loads((exported / "mcc_zoo.json").read_text(encoding="utf-8"))
    scores = {**whole["scores"], "accuracy": 71.25, "std": 3.04}
    for version, changes in {
        "jazz/2": {"architecture": "r1", "labels": ["bop", "cool"]},
        "jazz/10": {
            "labels": ["bop", "swing, big"],
            "scores": scores,
            "majority": MAJORITY,
        },
        "moods/1": {"architecture": "r4", "labels": ["sad", "glad", "mad", "bad"], "scores": None, "majority": None},
    }.items():
        (tmp_path / version).mkdir(parents=True)
        facts = {name: value for name, value in {**whole, **changes}.items() if value is not None}
        (tmp_path / version / "mcc_zoo.json").write_text(json.dumps(facts), encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("MCC_ZOO_MODELS", str(tmp_path))
    monkeypatch.setattr("mcc_zoo.inference.locate.SHIPPED", ())
    return tmp_path


def test_models_lists_the_newest_versions(run: Run, models: Path) -> None:
    result = run("models")
    assert (result.exit_code, result.stderr) == (0, "")
    assert read_csv(result.stdout) == [
        {
            "name": "jazz",
            "version": "10",
            "architecture": "mcclstm",
            "task": "single-label",
            "labels": "bop, swing, big",
            "score": SCORE,
            "folder": f"{models}/jazz/10",
        },
        {
            "name": "moods",
            "version": "1",
            "architecture": "r4",
            "task": "single-label",
            "labels": "sad, glad, mad, bad",
            "score": "accuracy not measured, where guessing one of 4 labels gives 25.0 %",
            "folder": f"{models}/moods/1",
        },
    ]


def test_models_on_a_terminal_is_for_people(run: Run, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcc_zoo.cli.models.sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    jazz, moods = run("models").stdout.split("\n\n")
    lines = [re.split(r"  +", line.strip(), maxsplit=1) for line in jazz.splitlines()]
    assert lines == [
        ["jazz"],
        ["version", "10"],
        ["architecture", "mcclstm"],
        ["task", "single-label"],
        ["labels", "bop, swing, big"],
        ["score", SCORE],
        ["folder", f"{models}/jazz/10"],
    ]
    assert moods.startswith("moods\n")


def test_models_says_what_cannot_be_read_and_where_nothing_is(
    run: Run, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (models / "moods/1/mcc_zoo.json").write_text("{")
    result = run("models")
    assert result.exit_code == 1
    assert [row["name"] for row in read_csv(result.stdout)] == ["jazz"]
    assert f"{models}/moods/1/mcc_zoo.json" in result.stderr
    monkeypatch.setenv("MCC_ZOO_MODELS", str(models / "empty"))
    result = run("models")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "MCC_ZOO_MODELS" in result.stderr


def test_show(run: Run, exported: Path, tmp_path: Path) -> None:
    result = run("show", exported.parent)
    score = "accuracy 71.2 ± 2.0 %, where guessing one of 3 labels gives 33.3 %"
    assert (result.exit_code, result.stderr) == (0, f"{exported}: {score}\n")
    assert result.stdout == (exported / "MODEL_CARD.md").read_text(encoding="utf-8")
    result = run("show", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {tmp_path} is no export, and no name of one in $MCC_ZOO_MODELS")
    (tmp_path / "mcc_zoo.json").touch()
    result = run("show", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such file or directory" in result.stderr
    assert f"{tmp_path}/MODEL_CARD.md" in result.stderr
    (tmp_path / "MODEL_CARD.md").write_text("a card")
    result = run("show", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{tmp_path}/mcc_zoo.json cannot be read (JSONDecodeError(" in result.stderr
    facts = json.loads((exported / "mcc_zoo.json").read_text(encoding="utf-8")) | {"labels": ["a", "b"]}
    del facts["scores"]
    (tmp_path / "mcc_zoo.json").write_text(json.dumps({**facts, "majority": {"label": "b", "percent": 62.5}}))
    result = run("show", tmp_path)
    assert (result.exit_code, result.stdout) == (0, "a card")
    assert result.stderr == (
        f"{tmp_path}: accuracy not measured, where guessing one of 2 labels gives 50.0 %, and always saying b 62.5 %\n"
    )


def test_validate_a_manifest(run: Run, music: Path, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(f"path,label\n{music}/short.wav,a\n{music}/half chunk.ogg,b\n")
    result = run("validate", "manifest", table)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"{table}: 2 tracks, 2 of them decode to the end",
        "  a: 1 track",
        "  b: 1 track",
        "no track has a group: a column group (artist, album) keeps tracks of one together in a split",
    ]
    broken = music / "corrupt.flac"
    table.write_text(f"path,label\n{music}/short.wav,a\n{broken},b\n{music}/missing.wav,b\n")
    result = run("validate", "manifest", table)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == f"{table}: 2 tracks, 1 of them decode to the end"
    assert lines[4:6] == ["missing (1):", f"  {music}/missing.wav"]
    assert "corrupt.flac" in lines[7]


def test_validate_a_manifest_of_many_labels(run: Run, music: Path, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(f"path,labels,group\n{music}/short.wav,slow|sad,Ann\n{music}/half chunk.ogg,,Bob\n")
    result = run("validate", "manifest", table, "--headers-only")
    assert (result.exit_code, result.stdout.splitlines()[1:]) == (
        0,
        ["  sad: 1 track, 1 group", "  slow: 1 track, 1 group", "1 track without a label", "2 groups in all"],
    )
    table.write_text(f"path,slow,sad\n{music}/short.wav,1,0\n{music}/half chunk.ogg,0,1\n")
    result = run("validate", "manifest", table, "--headers-only", "--label-columns=slow,sad")
    assert (result.exit_code, result.stdout.splitlines()[1:3]) == (0, ["  sad: 1 track", "  slow: 1 track"])
    result = run("validate", "manifest", table, "--label-columns=slow,mad")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {table}: lacks mad ")
    result = run("validate", "gtzan", tmp_path, "--label-columns=slow,sad")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--label-columns=slow,sad: the labels of gtzan are known" in result.stderr


def test_validate_a_dataset(run: Run, tmp_path: Path) -> None:
    wave = np.zeros(400, np.float32)
    wave[399] = np.nan  # which only decoding shows
    (tmp_path / "genres/pop").mkdir(parents=True)
    soundfile.write(tmp_path / "genres/pop/pop.00000.wav", wave, 22_050, subtype="FLOAT")
    result = run("validate", "gtzan", tmp_path)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == "GTZAN: 1 of 1000 tracks, 0 of them decode to the end"
    assert "  country: 0 tracks, a complete copy has 100" in result.stdout.splitlines()
    result = run("validate", "gtzan", tmp_path, "--headers-only")
    assert result.exit_code == 1
    assert "1 of them have a readable header (nothing was decoded)" in result.stdout.splitlines()[0]


def test_validate_datasets_of_auto_tagging(run: Run, tmp_path: Path) -> None:
    result = run("validate", "magnatagatune", magnatagatune_folder(tmp_path / "mtt", rare=50), "--headers-only")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("MagnaTagATune: 7 of 25863 tracks, 0 of them ")  # the files are empty
    assert "  guitar: 4 tracks, 3 groups" in lines
    assert "unreadable or silent (7):" in lines
    result = run("validate", "mtg_jamendo", jamendo_folder(tmp_path / "jamendo"), "--headers-only")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith("MTG-Jamendo: 5 of 55609 tracks, 0 of them ")
    assert "  mood/theme---happy: 2 tracks, 2 groups" in result.stdout.splitlines()


def test_validate_refusals(run: Run, tmp_path: Path) -> None:
    result = run("validate", "million", tmp_path)
    assert result.exit_code == 2
    assert result.stderr == (
        "error: DATASET='million' is not known: choose one of gtzan, ballroom, soundtracks, emotify, magnatagatune, "
        "mtg_jamendo, manifest\n"
    )
    result = run("validate", "gtzan", tmp_path / "nowhere")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert str(tmp_path / "nowhere") in result.stderr
