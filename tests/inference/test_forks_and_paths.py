"""Taggers in other processes than their own, and files that are named in bytes."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mcc_zoo
from mcc_zoo import forking
from mcc_zoo.inference.tagger import Tagger

SAID = "RuntimeError: this process was forked after TensorFlow had started"
FORK_THEN_LOAD = """
import os, sys
import mcc_zoo, tensorflow as tf  # imported, and not used
tf.config.list_physical_devices()
child = os.fork()
tagger = mcc_zoo.load(sys.argv[1])  # in both
status = tagger.tag(sys.argv[2]).status
if child:
    assert os.waitpid(child, 0)[1] == 0
    print(status)
"""
FORK_TWICE = """
import os, sys
import mcc_zoo

tagger = mcc_zoo.load(sys.argv[1])
assert tagger.tag(sys.argv[2]).status == "ok"
for _ in range(2):
    if child := os.fork():
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    tagger.tag(sys.argv[2])
except RuntimeError as error:
    print(f"RuntimeError: {error}"[:57], flush=True)
"""
SPAWN = """
import multiprocessing, sys
import mcc_zoo

def start() -> None:
    global tagger
    tagger = mcc_zoo.load(sys.argv[1])

def tag(path: str) -> str:
    return tagger.tag(path).status

if __name__ == "__main__":
    start()
    with multiprocessing.get_context("spawn").Pool(1, initializer=start) as pool:
        print(tag(sys.argv[2]), *pool.map(tag, [sys.argv[2]]))
"""


def in_a_fork(function: Callable[[], object]) -> str:
    """What a function says in a fork of this process: its result, or its error; "hangs" after a while."""
    ours, its = os.pipe()
    child = os.fork()
    if not child:
        try:
            said = str(function())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(its, said.encode())
        os._exit(0)
    try:
        return os.read(ours, 65_536).decode() if select.select([ours], [], [], 30)[0] else "hangs"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ours)
        os.close(its)


@pytest.mark.parametrize("use", ["tag", "tag_files", "tag_waveform", "load"])
def test_a_tagger_says_so_in_a_fork(use: str, tagger: Tagger, exported: Path, music: Path) -> None:
    assert tagger.tag(music / "short.wav").status == "ok"  # TensorFlow has started, and a decoder waits
    uses: dict[str, Callable[[], object]] = {
        "tag": lambda: tagger.tag(music / "short.wav"),
        "tag_files": lambda: list(tagger.tag_files([music / "short.wav"])),
        "tag_waveform": lambda: tagger.tag_waveform(np.zeros(100_000), 44_100),
        "load": lambda: mcc_zoo.load(exported),
    }
    assert in_a_fork(uses[use]).startswith(SAID)
    assert tagger.tag(music / "short.wav").status == "ok"


def test_only_what_has_started_cannot_be_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert forking._has_started()
    monkeypatch.setattr(sys.modules["tensorflow.python.eager.context"], "_context", None)
    assert not forking._has_started()
    monkeypatch.delitem(sys.modules, "tensorflow.python.eager.context")
    assert forking._has_started()  # nobody knows
    monkeypatch.delitem(sys.modules, "tensorflow")
    assert not forking._has_started()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "said"), [(FORK_THEN_LOAD, "ok\n"), (SPAWN, "ok ok\n"), (FORK_TWICE, SAID[:57] + "\n")]
)
def test_what_a_child_may_do_and_not_do(program: str, said: str, exported: Path, music: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py", exported, music / "short.wav"],
        env=os.environ | {"PYTHONPATH": str(Path(mcc_zoo.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.stdout, done.returncode) == (said, 0), done.stderr


def test_files_may_be_named_in_bytes(tagger: Tagger, music: Path, tmp_path: Path) -> None:
    named = [os.fsencode(tmp_path) + name for name in (b"/caf\xe9.wav", b"/missing\xff.wav")]
    shutil.copy(music / "short.wav", named[0])
    results = list(tagger.tag_files(named))
    assert [result.status for result in results] == ["ok", "refused"]
    assert [os.fsencode(result.path) for result in results] == named
    assert results[1].reason.endswith("no such file; check the path")
    assert tagger.tag(named[0]).tags == results[0].tags
    with pytest.raises(mcc_zoo.AudioError, match=r"^'/.*missing"):
        tagger.tag(named[1])
