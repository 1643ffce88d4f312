"""Fixtures that several test files share."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from absl import app
from helpers import soak
from helpers.systems import MANY
from helpers.untuned import in_one_batch
from hypothesis import HealthCheck, settings

import mcc_zoo
from mcc_zoo.features.chunking import samples_of
from mcc_zoo.features.front_end import FRONT_ENDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Value = TypeVar("Value")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

# Tests of properties try a few inputs, always the same; in `make soak` thousands, and others each time.
usual = settings(deadline=None, suppress_health_check=list(HealthCheck))  # no test depends on how fast a machine is
settings.register_profile("short", usual, max_examples=25, derandomize=True)
settings.register_profile("soak", usual, max_examples=2_000, print_blob=True)
settings.load_profile("soak" if soak.IS_SOAK else "short")

app.define_help_flags()  # before a test saves the flags and takes away those of a script: absl defines them once

# Two logical CPUs, so that mirrored training can be tested without GPUs; has to come before TensorFlow's first use.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

gc.freeze()  # what the libraries have made at their import is not searched for garbage again and again


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tally", metavar="FILE", help="write what the tests tried between the markers in this page")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.soak)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and (count := soak.count_inputs(item)):
        soak.Tally(report.user_properties).add(soak.INPUTS, held=count)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    from benchmarks.__main__ import describe_run, format_table, replace_section

    table = soak.make_table(terminalreporter.stats.get("passed", []))
    if page := config.getoption("--tally"):
        path, text = Path(page), f"{format_table(table)}\n{describe_run('make soak')}\n"
        path.write_text(replace_section(path.read_text(encoding="utf-8"), "soak", text), encoding="utf-8")


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> soak.Tally:
    """Takes down what a test tried."""
    return soak.Tally(request.node.user_properties)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20170)


def write_tone(path: Path, hertz: float, seconds: float, sample_rate: int = 22_050, seed: int = 0) -> Path:
    """Write a tone in a little noise; the suffix says in which format."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    noise = np.random.default_rng(seed).normal(scale=0.02, size=len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.4 * np.sin(2 * np.pi * hertz * time) + noise, sample_rate)
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium: that of MCC_ZOO_BROWSER, of the system, or Playwright's own."""
    from playwright.sync_api import sync_playwright  # the other tests do without

    with sync_playwright() as playwright:
        usual = (path for path in map(shutil.which, BROWSERS) if path)
        path = os.environ.get("MCC_ZOO_BROWSER") or next(usual, playwright.chromium.executable_path)
        if not os.path.exists(path):
            reason = (
                f"no browser: {path} is not there. Install Chromium, or run `python -m playwright install chromium`, "
                "or give a path in MCC_ZOO_BROWSER"
            )
            if os.environ.get("MCC_ZOO_REQUIRE_BROWSER"):
                pytest.fail(reason)
            pytest.skip(reason)
        opened = playwright.chromium.launch(executable_path=path)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported version with fresh weights, and labels that could be mistaken for columns and separators."""
    folder = shared_folder(tmp_path_factory) / "exports"
    return made_once(folder / "tones" / "1", lambda: export_tones(folder))


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of this run of pytest have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def made_once(path: Path, make: Callable[[], Path]) -> Path:
    """Make a folder in the first worker that needs it; the others wait for it."""
    with path.parents[1].with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return path if path.exists() else make()


def export_tones(folder: Path) -> Path:
    keras.utils.set_random_seed(1)
    model = mcc_zoo.build("mcclstm", ["path", "slow, sad", "Übermut"], mean=0.4, std=0.6)
    steps = model.get_layer("sequence_network").get_layer("steps")
    steps.kernel.assign(30 * steps.kernel)  # so that two sounds do not get almost the same tags
    provenance = {
        "recipe": {"name": "tuned"},
        "dataset": "tones",
        "licence": "CC0",
        "tracks": 7,
        "epochs": 3,
        "scores": {"accuracy": 71.25, "std": 2, "balanced_accuracy": 70, "macro_f1": 69, "folds": 5, "split": "random"},
        "command": "python -m experiments.manifest",
    }
    return mcc_zoo.export_model(model, folder, "tones", provenance)


TRAINED_LABELS = ["blues", "hip hop", "schlager ü"]
TRAINED_SECONDS = 40.0  # the longest clip that the exports of all systems take


class Lazy(dict[str, Value]):
    """A value for each key, made when it is first asked for."""

    def __init__(self, make: Callable[[str], Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: str) -> Value:
        self[key] = self._make(key)
        return self[key]


class Trained:
    """Systems, trained a little, and their exports, by architecture; each is made when it is first asked for.

    Those whose name ends with `MANY` give a track many labels.

    The first worker that needs one makes it, others wait and read it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.models: Lazy[keras.Model] = Lazy(lambda name: self._make(name)[0])
        self.folders: Lazy[Path] = Lazy(lambda name: self._make(name)[1])

    def _make(self, name: str) -> tuple[keras.Model, Path]:
        weights, version = self._folder / f"{name}.weights.h5", self._folder / name / "1"
        with (self._folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if version.exists():
                model = built(name)
                model.load_weights(weights)
            else:
                model = trained_on_noise(name)
                model.save_weights(weights)
                provenance = {"dataset": "noise", "licence": "CC0", "tracks": 4, "epochs": 2, "training_chunks": 2}
                mcc_zoo.export_model(model, self._folder, name, provenance, max_seconds=TRAINED_SECONDS)
        self.models.setdefault(name, model)
        self.folders.setdefault(name, version)
        return self.models[name], version


def built(name: str) -> keras.Model:
    architecture, many, _ = name.partition(MANY)
    task = "multi-label" if many else "single-label"
    return mcc_zoo.build(architecture, TRAINED_LABELS, task=task, mean=0.5, std=0.8)


def trained_on_noise(name: str) -> keras.Model:
    """Train a system for a few steps on noise, so that no weight is as it was made."""
    keras.utils.set_random_seed(7)
    model = built(name)
    loss, targets = "sparse_categorical_crossentropy", np.array([0, 1, 2, 0])
    if name.endswith(MANY):
        loss, targets = "binary_crossentropy", np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    model.compile("sgd", loss={"tags": loss}, jit_compile=False)
    audio = np.random.default_rng(0).normal(scale=0.2, size=(4, samples_of(2, FRONT_ENDS["44k"]))).astype(np.float32)
    model.fit(in_one_batch(audio, {"tags": targets}), epochs=2, verbose=0)
    return model


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = shared_folder(tmp_path_factory) / "trained"
    folder.mkdir(exist_ok=True)
    return Trained(folder)


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 15 tracks of two or three chunks, of three labels and in five groups, and of a damaged one."""
    folder = tmp_path_factory.mktemp("tones")
    rows = ["path,label,group"]
    for i in range(15):
        label, hertz = (("low", 150), ("middle", 1_200), ("high", 6_000))[i % 3]
        write_tone(folder / f"{label} {i}.wav", hertz * (1 + i / 200), 3.8 + 1.9 * (i % 2), 44_100, seed=i)
        rows.append(f"{label} {i}.wav,{label},band {i // 3}")
    (folder / "damaged.wav").write_bytes(b"RIFF but no more")
    (folder / "tones.csv").write_text("\n".join([*rows, "damaged.wav,low,"]))
    return folder / "tones.csv"


@pytest.fixture(scope="session")
def tagger(exported: Path) -> mcc_zoo.Tagger:
    return mcc_zoo.load(exported)


@pytest.fixture(scope="session")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Audio of several formats, rates and lengths, one track over 16 chunks, and two files that are no audio."""
    folder = tmp_path_factory.mktemp("music")
    write_tone(folder / "half chunk.ogg", 200, 0.9, 48_000)
    write_tone(folder / "sub/stück.mp3", 1_000, 6.1, 22_050)
    time = np.arange(round(35.3 * 44_100)) / 44_100  # 18 whole chunks
    rising = 0.4 * np.sin(2 * np.pi * (60 + 40 * time) * time)
    soundfile.write(folder / "long.wav", rising, 44_100, subtype="FLOAT")
    soundfile.write(folder / "short.wav", rising[: 4 * 81_920], 44_100, subtype="FLOAT")
    (folder / "corrupt.flac").write_bytes(b"fLaC and nothing that a decoder knows")
    (folder / "sub/empty.mp3").touch()
    (folder / "notes.txt").write_text("no audio, and not asked for")
    return folder
