"""Standard output on a full disk, without a reader and closed: one sentence and status 2, whatever writes there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import mcc_zoo
from mcc_zoo.cli import main, tagging
from mcc_zoo.export import verify
from mcc_zoo.inference.tagger import Tagger

SAID = {
    "full": "error: standard output cannot be written (No space left on device): make room on its disk",
    "unread": "error: standard output cannot be written (Broken pipe): let the program that reads it read to the end",
    "closed": "error: standard output cannot be written (Bad file descriptor): it is closed, leave it open",
}
REDIRECTIONS = [(">/dev/full", "full"), ("| (exec 0<&-; sleep 1)", "unread"), (">&-", "closed")]


def start(*arguments: str | Path, shell: str = "") -> subprocess.CompletedProcess[str]:
    """Run mcc-zoo in a process of its own, with redirections of a shell."""
    return start_python("-c", "from mcc_zoo.cli import main; main()", *arguments, shell=shell)


def start_python(*arguments: str | Path, shell: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, with redirections of a shell."""
    command = [sys.executable, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(Path(mcc_zoo.__file__).parents[1])}
    return subprocess.run(
        ["bash", "-c", f'"$@" {shell}; exit ${{PIPESTATUS[0]}}', "bash", *command],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.fixture
def manifest(music: Path, tmp_path: Path) -> Path:
    table = tmp_path / "m.csv"
    table.write_text(f"path,label\n{music}/short.wav,a\n{music}/half chunk.ogg,b\n")
    return table


@pytest.mark.parametrize(("shell", "fault"), REDIRECTIONS)
@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        pytest.param(["show"], marks=pytest.mark.slow),
        pytest.param(["validate", "manifest"], marks=pytest.mark.slow),
    ],
)
def test_what_cannot_be_printed_is_a_sentence(
    command: list[str], shell: str, fault: str, exported: Path, manifest: Path
) -> None:
    last = {"show": [exported], "validate": [manifest]}.get(command[0], [])
    done = start(*command, *last, shell=shell)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, SAID[fault])
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("shell", "fault"), REDIRECTIONS)
def test_the_help_of_an_experiment_that_cannot_be_printed_is_a_sentence(shell: str, fault: str) -> None:
    done = start_python("-m", "experiments.structure", "--help", shell=shell)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, SAID[fault])
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it looks into /proc, which Linux has")
def test_no_file_of_an_experiments_libraries_takes_the_place_of_a_closed_stream() -> None:
    code = "import os, sys, experiments; print(*map(os.readlink, sys.argv[1:]), file=sys.stderr)"
    done = start_python("-c", code, "/proc/self/fd/0", "/proc/self/fd/1", shell="<&- >&-")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "/dev/null /dev/null")


def test_closed_streams_do_not_matter_to_what_does_not_use_them(exported: Path) -> None:
    """And no file takes their place: `show` writes to a pipe with number 1, and opens the card before."""
    done = start("show", exported, shell="<&- 2>&- | grep -q label")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["models", "tag", "tag on a terminal", "verify", "finetune"])
def test_no_command_ends_otherwise(
    command: str,
    exported: Path,
    music: Path,
    tagger: Tagger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In this process, which has the model already."""
    arguments = {"models": [], "finetune": ["music.csv", "--start-from", exported], "verify": [exported]}
    if command == "tag on a terminal":
        monkeypatch.setattr(tagging, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    monkeypatch.setattr("mcc_zoo.inference.tagger.load", lambda folder, decoder: tagger)
    monkeypatch.setattr("mcc_zoo.finetuning.finetune", lambda *_, **__: tagger)
    monkeypatch.setattr("mcc_zoo.cli.training._report", lambda folder: print(folder))
    monkeypatch.setattr(verify, "find_differences", lambda folder: [])
    line = ["mcc-zoo", command.split()[0], *arguments.get(command, [exported, music / "short.wav"])]
    monkeypatch.setattr(sys, "argv", [str(part) for part in line])
    with Path("/dev/full").open("w") as full, pytest.raises(SystemExit) as end:
        monkeypatch.setattr(sys, "stdout", full)
        main()
    monkeypatch.undo()
    assert end.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == SAID["full"]


def test_a_full_disk_that_no_command_expects_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse() -> None:
        raise OSError(28, "No space left on device", "/cache/x")

    monkeypatch.setattr(sys.modules["mcc_zoo.cli.main"], "app", refuse)
    monkeypatch.setattr(sys, "stdout", (tmp_path / "out").open("w"))
    with pytest.raises(SystemExit) as end:
        main()
    monkeypatch.undo()
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        "error: /cache/x cannot be written (No space left on device): make room on its disk and try again\n"
    )
