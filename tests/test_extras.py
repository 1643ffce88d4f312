"""What tagging needs and what it does not: a fresh process in which the packages of the extras cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
HIDE = """
import sys
HIDDEN = {"tensorflow_serving", "tensorboard", "matplotlib", "sklearn", "jinja2", "werkzeug", "fsspec", "ray"}
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Finder())
import numpy as np, mcc_zoo
"""


def run_without_extras(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HIDE + code], cwd=folder, env=environment(), capture_output=True, text=True
    )


def environment() -> dict[str, str]:
    return {"PYTHONPATH": str(REPOSITORY), "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3", "HOME": "/tmp"}


@pytest.mark.slow
def test_a_tagger_needs_no_extra(tmp_path: Path, music: Path) -> None:
    run = run_without_extras(
        "tagger = mcc_zoo.load('mcclstm_emotify_genre');"
        "samples = np.int16(9_000 * np.sin(np.arange(200_000) / 9)).reshape(-1, 2);"
        "print(sum(tagger.tag_waveform(samples, 48_000).tags.values()) > 0.999);"
        f"print(tagger.tag({str(music / 'short.wav')!r}).status);"
        "print(sorted(HIDDEN & set(sys.modules)))",
        tmp_path,
    )
    assert run.stdout.splitlines() == ["True", "ok", "[]"], run.stderr


@pytest.mark.parametrize(
    ("code", "module", "extra"),
    [
        (
            "mcc_zoo.export_model(mcc_zoo.build('r0', ['a', 'b']), 'exports', 'tagger')",
            "tensorflow_serving.apis.model_pb2",
            "export",
        ),
        (
            "from mcc_zoo.export.verify import find_differences;"
            "find_differences(mcc_zoo.latest('mcclstm_emotify_genre'))",
            "tensorflow_serving.apis.model_pb2",
            "export",
        ),
        (
            "from mcc_zoo.datasets.splits import assign_folds;"
            "assign_folds([mcc_zoo.Track(str(i), str(i), 'ab'[i % 2]) for i in range(12)], 'random', 3)",
            "sklearn.model_selection",
            "train",
        ),
    ],
    ids=["export", "verify", "folds"],
)
@pytest.mark.slow
def test_what_needs_an_extra_names_it(tmp_path: Path, code: str, module: str, extra: str) -> None:
    run = run_without_extras(code, tmp_path)
    said = run.stderr.splitlines()[-1]
    assert said.startswith(f"mcc_zoo.extras.MissingExtraError: {module} is needed here (No module named '")
    assert said.endswith(f"): pip install 'mcc_zoo[{extra}]'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "module", "extra"), [("taggram", "matplotlib", "plot"), ("demo-page", "werkzeug", "page")]
)
def test_a_command_that_needs_an_extra_names_it(
    tmp_path: Path, music: Path, command: str, module: str, extra: str
) -> None:
    arguments = [
        command,
        "mcclstm_emotify_genre",
        *([str(music / "short.wav"), "--output=a.png"] if command == "taggram" else []),
    ]
    run = run_without_extras(f"sys.argv[1:] = {arguments}; import mcc_zoo.cli; mcc_zoo.cli.main()", tmp_path)
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1] == (
        f"error: {module} is needed here (No module named '{module}'): pip install 'mcc_zoo[{extra}]'"
    )
