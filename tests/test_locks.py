"""What a process writes is refused to others, and free again however that process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcc_zoo.locks import InUseError, hold

HOLD = """
import sys, pathlib
from mcc_zoo.locks import hold
with hold(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_with_the_id_of_the_first(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    for _ in range(2):  # and asking changes nothing
        with (
            pytest.raises(InUseError, match=rf"run is being written by process {holder.pid}: wait"),
            hold(tmp_path / "run"),
        ):
            pytest.fail("it was held twice")
    with hold(tmp_path / "other"):
        pass
    assert holder.stdin is not None
    holder.stdin.close()
    assert holder.wait() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_is_killed_holds_nothing(
    tmp_path: Path, holder: subprocess.Popen[str], how: signal.Signals
) -> None:
    holder.send_signal(how)
    holder.wait()
    with hold(tmp_path / "run"):
        assert (tmp_path / ".run.lock").read_text() == str(os.getpid())
    assert list(tmp_path.iterdir()) == []


def test_a_process_does_not_hold_a_file_twice(tmp_path: Path) -> None:
    with (
        hold(tmp_path / "run"),
        pytest.raises(InUseError, match=str(os.getpid())),
        hold(tmp_path / "run"),
    ):
        pytest.fail("it was held twice")


def test_a_lock_file_that_somebody_removed_counts_for_nothing(tmp_path: Path) -> None:
    with hold(tmp_path / "run"):
        (tmp_path / ".run.lock").unlink()
        with hold(tmp_path / "run"):
            pass
    assert list(tmp_path.iterdir()) == []
