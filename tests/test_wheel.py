"""The wheel as its users meet it: what is in it, and how it tags in an empty environment, away from the repository.

To keep it affordable the environment takes the dependencies from that of the tests. With MCC_ZOO_EMPTY_ENVIRONMENT=1
they are installed anew, so that what is missing in setup.cfg is found out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

import mcc_zoo

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[1]
SOURCES = ("mcc_zoo", "exported_models", "setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE")
MODEL = "mcclstm_pretrained"
MOST_BYTES = 20_000_000
IS_EMPTY = os.environ.get("MCC_ZOO_EMPTY_ENVIRONMENT") == "1"


def call(*command: object, cwd: Path) -> str:
    """Run a command without the variables by which this checkout could be found, and return its standard output."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MCC_ZOO_MODELS")}
    run = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it from a copy, in which nothing is left of earlier builds."""
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    isolation = [] if IS_EMPTY else ["--no-build-isolation"]
    call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *isolation, "--wheel-dir", out, ".", cwd=copy)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it into an environment of its own, and return the folder of that environment's commands."""
    environment = tmp_path_factory.mktemp("environment")
    python = environment / "bin" / "python"
    call(sys.executable, "-m", "venv", *([] if IS_EMPTY else ["--without-pip"]), environment, cwd=environment)
    if IS_EMPTY:
        call(python, "-m", "pip", "install", "--quiet", wheel, cwd=environment)
    else:
        (packages,) = environment.glob("lib/python*/site-packages")
        # The path alone: the .pth file by which an editable install is found is not read there.
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
        call(*pip, "--ignore-installed", wheel, cwd=environment)
    return python.parent


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An empty folder but for a song."""
    time = np.arange(4 * 22_050) / 22_050
    soundfile.write(tmp_path / "song.wav", 0.3 * np.sin(2 * np.pi * 440 * time), 22_050)
    return tmp_path


def test_it_installs_one_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (top_level,) = (name for name in names if name.endswith(".dist-info/top_level.txt"))
        assert archive.read(top_level).decode().split() == ["mcc_zoo"]
    assert {name.split("/")[0] for name in names} == {"mcc_zoo", top_level.split("/")[0]}


def test_all_of_the_package_and_one_whole_model_are_in_it(wheel: Path) -> None:
    version = mcc_zoo.latest(REPOSITORY / "exported_models" / MODEL)
    files = {path for path in REPOSITORY.glob("mcc_zoo/**/*") if path.is_file() and "__pycache__" not in path.parts}
    expected = {path.relative_to(REPOSITORY).as_posix() for path in files if path.suffix not in (".pyc", ".png")}
    model = {path for path in version.rglob("*") if path.is_file()}
    expected |= {f"mcc_zoo/{path.relative_to(REPOSITORY).as_posix()}" for path in model}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if name.startswith("mcc_zoo/") and not name.endswith("/")}
        assert found == expected
        for path in model:
            assert archive.read(f"mcc_zoo/{path.relative_to(REPOSITORY).as_posix()}") == path.read_bytes()
    assert len(model) == 13
    assert wheel.stat().st_size < MOST_BYTES


def test_it_tags_away_from_the_repository(commands: Path, elsewhere: Path) -> None:
    (elsewhere / "script.py").write_text(
        "import mcc_zoo, soundfile, tensorflow as tf\n"
        f"tagger = mcc_zoo.load({MODEL!r})\n"
        "of_samples = tagger.tag_waveform(*soundfile.read('song.wav', dtype='int16'))\n"
        "print(mcc_zoo.__file__, tagger.folder, sep='\\n')\n"
        "print(tagger.tag('song.wav').top(1) == of_samples.top(1))\n"
        f"print(*sorted(tf.keras.models.load_model(mcc_zoo.latest({MODEL!r})).output))\n"
    )
    file, folder, same, outputs = call(commands / "python", "script.py", cwd=elsewhere).splitlines()
    assert Path(file).is_relative_to(commands.parent)
    assert Path(folder).is_relative_to(commands.parent)
    assert (same, outputs) == ("True", "chunk_descriptors descriptor taggram tags")


def test_its_command_tags(commands: Path, elsewhere: Path) -> None:
    command = commands / "mcc-zoo"
    assert call(command, "--version", cwd=elsewhere).split() == ["mcc-zoo", mcc_zoo.__version__]
    header, row = call(command, "tag", MODEL, "song.wav", cwd=elsewhere).splitlines()
    assert header.startswith("path,status,reason,tag,") and row.startswith("song.wav,ok,")
    assert f"# {MODEL}" in call(command, "show", MODEL, cwd=elsewhere)
    assert sorted(path.name for path in elsewhere.iterdir()) == ["song.wav"]
    assert MODEL in call(command, "models", cwd=elsewhere)
