"""The package imports where Python has no POSIX-only modules, as on Windows."""

from __future__ import annotations

import json
import subprocess
import sys

LIGHT = (
    "mcc_zoo",
    "mcc_zoo.atomic",
    "mcc_zoo.audio",
    "mcc_zoo.audio.reading",
    "mcc_zoo.audio.subprocess_decoder",
    "mcc_zoo.datasets",
    "mcc_zoo.datasets.splits",
    "mcc_zoo.datasets.synthetic",
    "mcc_zoo.features.framing",
    "mcc_zoo.features.front_end",
    "mcc_zoo.paper",
    "mcc_zoo.progress",
    "mcc_zoo.recipes",
    "mcc_zoo.text",
    "mcc_zoo.version",
)
PROGRAM = """
import importlib, importlib.abc, json, sys

HIDDEN = {"fcntl", "resource", "pwd", "termios", "grp"}


class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


for name in HIDDEN:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hide())
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
import mcc_zoo.audio

mcc_zoo.audio.IsolatedDecoder
print(sorted(HIDDEN & sys.modules.keys()), mcc_zoo.audio.subprocess_decoder.fcntl)
"""


def test_import_without_posix_modules() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM, json.dumps(LIGHT)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[] None"
