"""Fixtures that several test files share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

import mcc_zoo

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

# Two logical CPUs, so that mirrored training can be tested without GPUs; has to come before TensorFlow's first use.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


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
    return mcc_zoo.export_model(model, tmp_path_factory.mktemp("exports"), "tones", provenance)


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
