"""Limits of the process that are too low: a sentence with the limit, whatever meets it."""

from __future__ import annotations

import errno
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mcc_zoo
from mcc_zoo.process_limits import SPACE_OF_TENSORFLOW, caution_of_address_space, explain_limit

ROOT = Path(mcc_zoo.__file__).parents[1]
TAG = "from mcc_zoo.cli import main; main()"


def run(limit: Callable[[], None], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run mcc-zoo in a process of its own under a limit."""
    return subprocess.run(
        [sys.executable, "-c", TAG, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.EMFILE, "Too many open files"),
            r"\(Too many open files\): allow more .* \(ulimit -n, which is \d+",
        ),
        (
            BlockingIOError(errno.EAGAIN, "no"),
            r"\(Resource temporarily unavailable\): allow more processes .*ulimit -u",
        ),
        (MemoryError(), r"\(Cannot allocate memory\): free memory, or allow .*ulimit -v"),
        (RuntimeError("can't start new thread"), r"allow more processes and threads"),
    ],
)
def test_a_limit_is_a_sentence(error: Exception, words: str) -> None:
    said = explain_limit(error)
    assert said.startswith("this process lacks what it needs (")
    assert re.search(words, said)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "No such file"), OSError("?"), ValueError(), RuntimeError("x")]
)
def test_other_errors_are_none(error: Exception) -> None:
    assert explain_limit(error) == ""


@pytest.mark.parametrize("more", [-1, 0])
def test_a_small_address_space_is_said(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (SPACE_OF_TENSORFLOW + more, resource.RLIM_INFINITY))
    assert bool(caution_of_address_space()) == (more < 0)


@pytest.mark.slow
@pytest.mark.parametrize("files", [7, 9, 10])
def test_too_few_open_files(files: int, exported: Path, music: Path) -> None:
    done = run(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)), "tag", exported, music)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last == (
        "error: this process lacks what it needs (Too many open files): allow more open files (ulimit -n, which is "
        f"{files} now)"
    )


@pytest.mark.slow
@pytest.mark.parametrize("gib", [1, 2])
def test_too_little_address_space(gib: int, exported: Path, music: Path) -> None:
    done = run(lambda: resource.setrlimit(resource.RLIMIT_AS, (gib << 30, gib << 30)), "tag", exported, music)
    assert done.returncode
    assert f"ulimit -v allows this process {gib}.0 GiB" in done.stderr or "Cannot allocate memory" in done.stderr
