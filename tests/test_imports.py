"""What is imported when, in fresh processes: TensorFlow by what needs it, and layers that Keras finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

import mcc_zoo

ROOT = Path(mcc_zoo.__file__).parents[1]
SHIPPED = sorted((ROOT / "exported_models").glob("*/[0-9]*"))
SLOW = {"tensorflow", "keras", "matplotlib", "sklearn", "scipy", "pandas"}
POSIX_ONLY = ("fcntl", "grp", "posix_ipc", "pwd", "readline", "resource", "termios", "tty")


def run_python(code: str) -> str:
    """Run code in a fresh process and return what it printed to standard output."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_command(arguments: list[str]) -> tuple[str, set[str]]:
    """Run `mcc-zoo` in a fresh process; return what it printed and which packages it imported."""
    code = (
        f"import sys; sys.argv = {['mcc-zoo', *arguments]}\n"
        "from mcc_zoo.cli import main\n"
        "try: main()\n"
        "except SystemExit as exit: assert not exit.code, exit.code\n"
        "print('imported', *{name.split('.')[0] for name in sys.modules})"
    )
    printed, _, imported = run_python(code).rpartition("imported ")
    return printed, set(imported.split())


def test_the_import_is_light() -> None:
    imported = json.loads(run_python("import sys, json, mcc_zoo; print(json.dumps(list(sys.modules)))"))
    assert "mcc_zoo" in imported
    assert not {name.split(".")[0] for name in imported} & {*SLOW, "numpy"}


def test_commands_that_need_no_tensorflow_import_none(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, [0.1, -0.1] * 2_000, 22_050)
    (tmp_path / "music.csv").write_text("path,label\na.wav,x\nb.wav,y\n")
    assert SHIPPED
    for arguments, words in (
        (["--version"], mcc_zoo.__version__),
        (["--help"], "demo-page"),
        (["tag", "--help"], "--sequence"),
        (["validate", "manifest", str(tmp_path / "music.csv")], "2 tracks, 2 of them decode to the end"),
        (["show", str(SHIPPED[0])], "## Limits"),
    ):
        printed, imported = run_command(arguments)
        assert words in printed
        assert "mcc_zoo" in imported and not imported & SLOW, arguments


def test_a_list_of_models_needs_no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCC_ZOO_MODELS", str(ROOT / "exported_models"))
    printed, imported = run_command(["models"])
    assert SHIPPED and all(folder.parent.name in printed for folder in SHIPPED)
    assert not imported & SLOW


@pytest.mark.slow
def test_programs_start_tensorflow_without_what_they_do_not_use(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", [0.1, -0.1] * 100_000, 44_100)
    printed, imported = run_command(["tag", "mcclstm_emotify_genre", str(tmp_path / "a.wav")])
    assert ",ok," in printed and "keras" in imported
    assert not imported & {"IPython", "matplotlib", "pandas", "sklearn"}
    printed = run_python(
        "import sys; from mcc_zoo.tensorflow_start import import_tensorflow; import_tensorflow()\n"
        "print('keras' in sys.modules, 'scipy.signal' in sys.modules)\n"
        "import matplotlib.pyplot, pandas, sklearn.linear_model  # as other commands do"
    )
    assert printed.split() == ["True", "False"]


@pytest.mark.slow
def test_each_module_may_be_the_first_that_is_imported() -> None:
    """A module with layers imports Keras, and Keras has the layers registered."""
    paths = [*(ROOT / "mcc_zoo/features").glob("*.py"), *(ROOT / "mcc_zoo/models").glob("*.py")]
    heavy = [path for path in paths if "\nimport keras\n" in path.read_text(encoding="utf-8")]
    assert len(heavy) >= 6
    for path in heavy:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        run_python(f"import {module}, keras; assert keras.saving.get_registered_object('mcc_zoo>Level')")


def test_decoding_needs_no_tensorflow(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", [0.1] * 4_000, 22_050)
    printed = run_python(
        "import sys; from mcc_zoo.audio import read; import mcc_zoo.audio.subprocess_decoder\n"
        f"print(len(read({str(tmp_path / 'a.wav')!r}, 44_100)), 'soxr' in sys.modules, 'tensorflow' in sys.modules)"
    )
    assert printed.split() == ["8000", "True", "False"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    [
        "import mcc_zoo, tensorflow as tf",
        "import tensorflow as tf, mcc_zoo",
        "import keras, mcc_zoo",
    ],
)
def test_keras_loads_an_export_whatever_is_imported_first(imports: str) -> None:
    assert SHIPPED
    printed = run_python(
        f"{imports}\nimport numpy as np, tensorflow as tf\n"
        f"model = tf.keras.models.load_model({str(SHIPPED[0])!r}, compile=False)\n"
        "print(*model(np.zeros((1, 90_000), np.float32))['tags'].shape)"
    )
    labels = json.loads((SHIPPED[0] / "mcc_zoo.json").read_text(encoding="utf-8"))["labels"]
    assert printed.split() == ["1", str(len(labels))]


@pytest.mark.slow
def test_the_import_works_without_modules_that_only_posix_has() -> None:
    printed = run_python(
        f"import sys; sys.modules.update(dict.fromkeys({POSIX_ONLY}))\n"  # None makes an import fail
        "import mcc_zoo, mcc_zoo.cli\nprint(len([getattr(mcc_zoo, name) for name in mcc_zoo.__all__]))"
    )
    assert int(printed) == len(mcc_zoo.__all__) > 10
