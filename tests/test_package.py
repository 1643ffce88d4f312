"""What holds of the package as a whole: one way of imports, nothing half-finished, a decoder free of TensorFlow."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import mcc_zoo

PACKAGE = Path(mcc_zoo.__file__).parent
ORDER = [  # the way of the data; a room imports from rooms before it only
    "version", "wording", "paper", "decoders", "audio", "isolation", "chunks", "front_end", "channels", "architectures",
    "datasets", "demo_corpus", "folds", "pipeline", "augmentation", "training", "warm_start", "evaluation",
    "comparison", "progress", "results", "workers", "experiment", "report", "model_card", "graph_audio", "signatures",
    "verification", "export", "tagger", "conversion", "finetuning", "demo_page", "cli",
]  # fmt: skip


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mcc_zoo":
            parts = node.module.split(".")
            rooms |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return rooms


def test_imports_run_one_way():
    files = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    assert {room_of(path) for path in files} == set(ORDER)
    backwards = {
        f"{path.relative_to(PACKAGE)} imports {room}"
        for path in files
        for room in imported_rooms(path) - {room_of(path)}
        if ORDER.index(room) > ORDER.index(room_of(path))
    }
    assert not backwards


def test_the_decoder_needs_no_tensorflow():
    assert imported_rooms(PACKAGE / "audio.py") == {"decoders"}
    code = (
        "import runpy, sys; sys.stdin.close(); sys.stdin = open('/dev/null');"
        f"runpy.run_path({str(PACKAGE / 'isolation.py')!r}, run_name='__main__');"
        "print('tensorflow' in sys.modules, 'mcc_zoo.audio' in sys.modules, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr.split() == ["False", "True"]


def test_version_is_that_of_the_changelog():
    changelog = (PACKAGE.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+?),? ", changelog, re.MULTILINE).group(1) == mcc_zoo.__version__


def test_public_names_are_there_and_documented():
    for name in mcc_zoo.__all__:
        assert getattr(mcc_zoo, name).__doc__, name
