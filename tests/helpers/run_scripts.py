"""A fixture that runs an experiment script."""

from __future__ import annotations

import runpy
import sys
from dataclasses import dataclass

import pytest
from absl.testing import flagsaver


@dataclass(frozen=True)
class Run:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run_script(monkeypatch, capsys, tmp_path):
    """Run a script in this process as `python -m` does, in the folder tmp_path."""

    def run(name: str, *flags: str) -> Run:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *flags])
        capsys.readouterr()
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as ended:  # takes the script's own flags away again
            runpy.run_module(f"experiments.{name}", run_name="__main__", alter_sys=True)
        printed, code = capsys.readouterr(), ended.value.code
        message = f"{code}\n" if isinstance(code, str) else ""  # Python prints it and exits with 1
        return Run(1 if message else code or 0, printed.out, printed.err + message)

    return run
