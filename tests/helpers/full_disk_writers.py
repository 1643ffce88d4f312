"""Everything that writes, as rows of a table: how it is run, and how little room makes it fail."""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from absl.testing import flagsaver
from helpers.music_package import build_package
from helpers.run_folders import Experiment
from werkzeug.test import Client

import mcc_zoo
from experiments import common  # noqa: F401 before the flags are saved: its own stay
from experiments.teachers import musicnn_tags
from mcc_zoo import atomic, conversion, finetuning  # noqa: F401 the last two before `load` is replaced for a test
from mcc_zoo.cli.main import main
from mcc_zoo.datasets import fixed_splits, synthetic
from mcc_zoo.datasets.synthetic import PlannedTrack
from mcc_zoo.demo_page import DemoPage, LoadedModel
from mcc_zoo.disk import WriteError
from mcc_zoo.experiment import report
from mcc_zoo.features.cache import FeatureCache, Features
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.training import warm_start
from serving.options import Options, ServerUnusable

with flagsaver.flagsaver():  # takes the script's own flags away again
    from experiments import screening

ROOT = Path(mcc_zoo.__file__).parents[1]
TRACKS = [
    PlannedTrack(f"audio/x/{number}.{suffix}", "x", "g", 1.0, 20_000, 1)
    for number, suffix in enumerate(["wav", "flac", "ogg"])
]
SCRIPT = ["--architectures=r2", "--folds=3", "--max_epochs=1", "--front_end=22k", "--quiet"]
Said = tuple[int, str]  # exit status and standard error
Run = Callable[[], Said]


@dataclass(frozen=True)
class Bench:
    """What writers are run with: fixtures, and functions that run commands."""

    get: Callable[[str], Any]
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def command(self, *arguments: object) -> Said:
        """Run `mcc-zoo` in this process, with the export of the fixtures, which is loaded once."""
        tagger = self.get("tagger")
        self.monkeypatch.setattr("mcc_zoo.inference.tagger.load", lambda folder, decoder="auto": tagger)
        self.monkeypatch.setattr(sys, "argv", ["mcc-zoo", *map(str, arguments)])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), self.capsys.readouterr().err

    def script(self, name: str, *flags: str) -> Said:
        """Run an experiment's script in this process."""
        run = self.get("run_script")(name, *flags)
        return run.returncode, run.stderr

    def call(self, write: Callable[[], object], raised: type[Exception] = WriteError) -> Said:
        """Call what has no command of its own, and say its error as commands do."""
        try:
            write()
        except raised as error:
            return 2, f"error: {error}\n"
        return 0, ""


def write_tags(bench: Bench, output: Path) -> Run:
    track = bench.get("music") / "short.wav"
    return lambda: bench.command("tag", bench.get("exported"), track, "--output", output)


def describe(bench: Bench, output: Path) -> Run:
    track = bench.get("music") / "short.wav"
    return lambda: bench.command("describe", bench.get("exported"), track, "--output", output)


def draw_taggram(bench: Bench, output: Path) -> Run:
    track = bench.get("music") / "short.wav"
    return lambda: bench.command("taggram", bench.get("exported"), track, "--output", output)


def convert(bench: Bench, output: Path) -> Run:
    exported = bench.get("tiny_export")
    bench.monkeypatch.setattr(tempfile, "tempdir", str(output.parent))  # where LiteRT's converter finds a SavedModel
    return lambda: bench.command("convert", exported, output, "--seconds", "1")


def export(bench: Bench, folder: Path) -> Run:
    model = bench.get("tiny_model")
    return lambda: bench.call(lambda: mcc_zoo.export_model(model, folder, "tiny"), mcc_zoo.ExportError)


def finetune(bench: Bench, folder: Path) -> Run:
    options = ["--folds=3", f"--export-dir={folder / 'exports'}", f"--cache-dir={folder / 'cache'}"]
    manifest = bench.get("tones")
    return lambda: bench.command("finetune", manifest, f"--start-from={bench.get('exported')}", *options)


def run_experiment(bench: Bench, folder: Path) -> Run:
    flags = [f"--manifest={bench.get('tones')}", f"--results_dir={folder / 'results'}", "--run=once", *SCRIPT]
    more = ["--export=r2", f"--export_dir={folder / 'exports'}"]
    return lambda: bench.script("manifest", *flags, *more, "--jobs=1")


def run_two_processes(bench: Bench, folder: Path) -> Run:
    flags = [f"--manifest={bench.get('tones')}", f"--results_dir={folder / 'results'}", "--run=once", *SCRIPT]
    return lambda: bench.script("manifest", *flags, "--jobs=2")


def make_demo_corpus(bench: Bench, folder: Path) -> Run:
    results = f"--results_dir={bench.get('tmp_path') / 'results'}"
    flags = [f"--data_dir={folder / 'corpus'}", "--tracks_per_dance=3", results, "--jobs=1"]
    return lambda: bench.script("demo", *SCRIPT, *flags, "--architectures=r0")


def make_free_music(bench: Bench, folder: Path) -> Run:
    build_package(bench.get("tmp_path"), "game-data")
    shutil.move(bench.get("tmp_path") / "music", folder / "music")
    return lambda: bench.script("free_music", f"--data_dir={folder / 'music'}", "--packages=game-data", "--quiet")


def fit_reference(bench: Bench, folder: Path) -> Run:
    bench.monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import mfcc_svm

    bench.monkeypatch.setattr(mfcc_svm, "GRID", {"svc__C": [1.0], "svc__gamma": [0.01]})
    arguments = [f"--manifest={bench.get('tones')}", "--folds=3", f"--output={folder / 'reference'}"]

    def run() -> Said:
        bench.capsys.readouterr()
        status = 0
        try:
            mfcc_svm.main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        return status, bench.capsys.readouterr().err

    return run


def write_corpus(bench: Bench, folder: Path) -> Run:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20_000)
    return lambda: bench.call(lambda: synthetic.write_corpus(folder / "corpus", TRACKS, lambda _: noise, {}))


def fill_cache(bench: Bench, folder: Path) -> Run:
    paths = [bench.get("music") / name for name in ("short.wav", "long.wav")]
    return lambda: bench.call(lambda: FeatureCache(folder / "cache", FRONT_ENDS["22k"]).prepare(paths))


def keep_channels(bench: Bench, folder: Path) -> Run:
    values = np.random.default_rng(0).normal(size=(4, 80, 40)).astype("<f4")
    path = bench.get("tmp_path") / "log_mel"
    path.write_bytes(values.tobytes())
    features = [Features(path, 0, 4, 0.0, 0.0, (40, 80))]

    def write() -> None:
        with atomic.temporary_folder("channels-", folder) as made:
            warm_start.cache_channel_features(features, lambda chunks: chunks.reshape(len(chunks), -1), made, 2)

    return lambda: bench.call(write)


def write_lists(bench: Bench, folder: Path) -> Run:
    names = {part: [f"{part} {i}" for i in range(9)] for part in fixed_splits.PARTS}
    return lambda: bench.call(lambda: fixed_splits.write_lists(folder / "splits/one", names))


def copy_folds(bench: Bench, folder: Path) -> Run:
    made = bench.get("tmp_path") / "lender/units/seed0-fold0-r2"
    made.mkdir(parents=True)
    (made / "fold.json").write_text('{"architecture": "r2"}')
    (made / "chunk_network.npz").write_bytes(bytes(9_000))
    return lambda: bench.call(lambda: screening.copy_folds(made.parents[1], folder / "borrower", {"r2"}))


def write_report(bench: Bench, folder: Path) -> Run:
    run = Experiment().write(folder / "run")
    return lambda: bench.call(lambda: report.write_report(run, "tones"))


def ask_teacher(bench: Bench, folder: Path) -> Run:
    """With a double of musicnn, which needs an environment of its own."""

    def answer(windows: np.ndarray) -> list[np.ndarray]:
        return [np.zeros((len(windows), size), np.float32) for size in musicnn_tags.LAYERS.values()]

    importlib.import_module("librosa.core.audio")  # compiled while there is room, for numba keeps what it compiles
    bench.monkeypatch.setattr(musicnn_tags, "load_teacher", lambda: answer)
    clips = bench.get("tmp_path") / "clips.csv"
    clips.write_text(f"path\n{bench.get('music') / 'short.wav'}\n")
    bench.monkeypatch.setattr(sys, "argv", ["musicnn_tags", f"--clips={clips}", f"--output={folder / 'said.parquet'}"])

    def run() -> Said:
        bench.capsys.readouterr()
        status = 0
        try:
            musicnn_tags.main()
        except SystemExit as end:
            status = int(end.code or 0)
        return status, bench.capsys.readouterr().err

    return run


def upload_track(bench: Bench, folder: Path) -> Run:
    bench.monkeypatch.setattr(tempfile, "tempdir", str(folder))
    track = (bench.get("music") / "short.wav").read_bytes()
    client = Client(DemoPage(bench.get("tagger"), LoadedModel(bench.get("exported"), "tones")))

    def run() -> Said:
        answer = client.post("/tag", base_url="http://127.0.0.1", data=track)
        return (0, "") if answer.status_code == 200 else (2, f"error: {answer.get_json()['error']}\n")

    return run


def record_request(bench: Bench, folder: Path) -> Run:
    options = Options("tones", ["a.wav"], "here", record=folder / "sent")
    return lambda: bench.call(lambda: options.record_request("a.wav", "json", bytes(9_000)), ServerUnusable)


@dataclass(frozen=True)
class Writer:
    """Something that writes, and how much room it is left before it gets all.

    Attributes:
        prepare: Makes what it reads, and returns a function that runs it and returns exit status and standard error.
        output: The file or folder that it is told to write, below the disk; "" for the disk's folder.
        limits: Sizes in bytes that no file may exceed, one for each try; at all of them it fails.
        pages: Likewise the pages of 4 KiB that a mounted disk has left.
        is_kept: What may stay after a failure, until the same command removes it: a regular expression.
    """

    prepare: Callable[[Bench, Path], Run]
    output: str = ""
    limits: tuple[int, ...] = (0, 40)
    pages: tuple[int, ...] = (0, 1)
    is_kept: str = "never"


FOLD_PART = r"seed0-fold\d-r2\.part"
WRITERS = {
    "tags.csv": Writer(write_tags, "tags.csv"),
    "tags.json": Writer(write_tags, "tags.json"),
    "tags.parquet": Writer(write_tags, "deep/in/tags.parquet"),
    "descriptors.npz": Writer(describe, "descriptors.npz"),
    "descriptors.parquet": Writer(describe, "descriptors.parquet", (0, 40, 4_000)),
    "taggram.png": Writer(draw_taggram, "taggram.png", (0, 40, 4_000), (0, 1, 3)),
    "taggrams": Writer(draw_taggram, "taggrams", (0, 40, 4_000), (0, 1, 3)),
    "convert to onnx": Writer(convert, "tiny.onnx", (0, 40, 50_000), (0, 1, 20)),
    "convert to tflite": Writer(convert, "tiny.tflite", (0, 40, 50_000), (0, 1, 20)),
    "export": Writer(export, "exports", (0, 40, 3_000, 60_000, 200_000), (0, 1, 5, 15, 40, 100)),
    "finetune": Writer(finetune, "", (0, 40, 30_000, 200_000), (0, 1, 60, 600)),
    "experiment": Writer(run_experiment, "", (0, 40, 1_500, 20_000, 200_000), (0, 1, 60, 110, 160), FOLD_PART),
    "experiment in two processes": Writer(run_two_processes, "", (20_000,), (150,), FOLD_PART),
    "free music": Writer(make_free_music, "", (), (0, 100, 300, 1_000)),
    "reference": Writer(fit_reference),
    "demo": Writer(make_demo_corpus, "", (0, 100_000), (0, 300)),
    "corpus": Writer(write_corpus, "", (0, 5_000, 39_000), (0, 5, 12)),
    "cache": Writer(fill_cache, "", (0, 40, 20_000), (0, 5, 20)),
    "channels": Writer(keep_channels, "", (0, 20_000), (0, 8)),
    "lists of a split": Writer(write_lists),
    "copied folds": Writer(copy_folds, "", (0, 10, 4_000), (0, 2), r"seed0-fold0-r2\.part"),
    "report": Writer(write_report, "", (0, 5_000, 40_000), (0, 5, 20)),
    "teacher": Writer(ask_teacher, "", (0, 1_000), (0, 1)),
    "demo page": Writer(upload_track, "", (0, 100_000), (0, 30)),
    "recorded request": Writer(record_request, "", (0, 5_000), (0, 1)),
}
SLOW = (
    "cache",
    "teacher",
    "convert to onnx",
    "convert to tflite",
    "export",
    "finetune",
    "experiment",
    "experiment in two processes",
    "free music",
    "reference",
    "report",
    "demo",
)
