"""What `mcc-zoo` refuses, its help, its exit statuses, and TensorFlow's silence."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.command_rows import Run, left_behind
from typer.testing import CliRunner

import mcc_zoo
from mcc_zoo.cli.main import app
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Tagger
from mcc_zoo.tensorflow_start import import_tensorflow, quiet

COMMANDS = ("tag", "describe", "taggram", "models", "show", "verify", "demo-page", "convert", "validate", "finetune")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tag", "--output", "{}/tags.txt"], "--output={}/tags.txt has the suffix '.txt': choose one of .csv, .json,"),
        (["tag", "--output", "{}/tags"], "--output={}/tags has the suffix '': choose one of .csv, .json, .parquet"),
        (["tag", "--output", "{}/file/tags.csv"], "--output={}/file cannot be written (File exists): see that"),
        (["describe", "--output", "{}/d.csv"], "--output={}/d.csv has the suffix '.csv': choose one of .parquet, .npz"),
        (["describe", "--output", "{}/file/d.npz"], "--output={}/file cannot be written (File exists): see that"),
        (["taggram", "--output", "{}/a.jpg"], "--output={}/a.jpg has the suffix '.jpg': name a .png file, or a folder"),
        (["taggram", "--output", "{}/a.png"], "--output={}/a.png holds the figure of one input and 6 were given: name"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    arguments: list[str],
    message: str,
    run: Run,
    exported: Path,
    music: Path,
    tagger: Tagger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def too_early(paths: list[str], sequence: str) -> Iterator[Result]:
        raise AssertionError("files were read although nothing could be written")

    monkeypatch.setattr(tagger, "tag_files", too_early)
    (tmp_path / "file").touch()
    command, *options = (part.format(tmp_path) for part in arguments)
    result = run(command, exported, music, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {message.format(tmp_path)}")
    assert left_behind(tmp_path) == ["file"]


@pytest.mark.parametrize("command", [["tag"], ["describe", "--output", "d.npz"], ["taggram", "--output", "t.png"]])
def test_what_is_no_export_is_refused(
    command: list[str], music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [command[0], "nowhere", str(music / "short.wav"), *command[1:]])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: nowhere is no export, and no name of one")
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["tag", "{}", "song.wav"],
        ["describe", "{}", "song.wav", "--output", "d.npz"],
        ["taggram", "{}", "song.wav", "--output", "t.png"],
        ["show", "{}"],
        ["verify", "{}"],
        ["demo-page", "{}"],
        ["convert", "{}", "a.onnx"],
        ["finetune", "music.csv", "--start-from", "{}"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_misspelt_export_is_answered_with_those_that_there_are(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("jazz_genre", "rock_genre"):
        (tmp_path / "models" / name / "1").mkdir(parents=True)
        (tmp_path / "models" / name / "1/mcc_zoo.json").touch()
    result = CliRunner().invoke(app, [part.format("models/rock_gnre") for part in arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == (
        "error: models/rock_gnre is no export, and no name of one in $MCC_ZOO_MODELS, "
        "./exported_models or the package: give the folder of its mcc_zoo.json; choose "
        "models/rock_genre or models/jazz_genre"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["tag", "x", "y", "--sequence=all"],
        ["tag", "x", "y", "--top=0"],
        ["tag", "x"],
        ["describe", "x", "y"],
        ["tag", "x", "y", "--output=folder.csv"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_example(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for option in ("--help", "-h"):
        result = CliRunner().invoke(app, [command, option])
        assert result.exit_code == 0
        assert re.search(rf"Example: +mcc-zoo {command} ", result.stdout)
    assert command in CliRunner().invoke(app, ["--help"]).stdout


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"mcc-zoo {mcc_zoo.__version__}\n")


@pytest.mark.slow
def test_programs_start_without_a_word_of_tensorflow() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment["PYTHONPATH"] = str(Path(mcc_zoo.__file__).parents[1])
    for arguments, words in {
        (Path(sys.executable).with_name("mcc-zoo"), "--version"): f"mcc-zoo {mcc_zoo.__version__}\n",
        (sys.executable, "-m", "experiments.manifest", "--help"): "--manifest: CSV file",
    }.items():
        result = subprocess.run(arguments, env=environment, capture_output=True, text=True)
        assert result.stderr == ""
        assert words in result.stdout


def test_a_full_disk_does_not_keep_quiet_from_its_work(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise FileNotFoundError("No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with quiet():
        os.write(2, b"failed call to cuInit\n")
    assert capfd.readouterr().err == "failed call to cuInit\n"


@pytest.mark.parametrize(
    ("level", "fails", "heard"),
    [("2", False, ""), ("2", True, "failed call to cuInit\n"), ("0", False, "failed call to cuInit\n")],
)
def test_quiet_drops_words_unless_the_work_fails(
    level: str, fails: bool, heard: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    with contextlib.suppress(ZeroDivisionError), quiet():
        os.write(2, b"failed call to cuInit\n")
        if fails:
            raise ZeroDivisionError
    os.write(2, b"later\n")
    assert capfd.readouterr().err == f"{heard}later\n"


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("0", "0")])
def test_programs_switch_onednn_on_and_leave_a_users_setting(
    monkeypatch: pytest.MonkeyPatch, before: str | None, after: str
) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", before or "")
    if before is None:
        monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    import_tensorflow()
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == after
