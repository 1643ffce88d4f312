"""A fold whose process is ended goes on after its last epoch, and gives what it would have given, byte by byte."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.ended_folds import Trainer, read_results
from helpers.soak import IS_SOAK, Tally, amount
from helpers.tone_folds import make_fold, prepare_tones

from mcc_zoo.experiment.corpus import Corpus
from mcc_zoo.experiment.fold import FoldRun
from mcc_zoo.experiment.unfinished import UnfinishedFold
from mcc_zoo.recipes import WARM_STARTS
from mcc_zoo.termination import TERMINATED
from mcc_zoo.training import resuming

KILLS = amount(6, 20)
FILES = {"fold.json", "predictions.csv", "history.csv", "taggrams.json"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return prepare_tones(tmp_path_factory.mktemp("tones"))


class Ended(Exception):
    """As if the process had ended."""


class Epochs:
    """Notes which epochs are begun, keeps a checkpoint of each, and ends one of them.

    Attributes:
        begun: System and epoch, counted from 0.
        end: The one before which the training ends.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[tuple[str, int]] = []
        self.end: tuple[str, int] | None = None
        keep = resuming.CheckpointKeeper.on_epoch_begin

        def begin(keeper: resuming.CheckpointKeeper, epoch: int, logs: dict[str, float] | None = None) -> None:
            keep(keeper, epoch, logs)
            if self.end == (keeper.model.name, epoch):
                raise Ended
            self.begun.append((keeper.model.name, epoch))

        monkeypatch.setattr(resuming.CheckpointKeeper, "on_epoch_begin", begin)
        monkeypatch.setattr(resuming, "LEAST_SECONDS", 0.0)
        monkeypatch.setattr(resuming, "LARGEST_SHARE", math.inf)

    def run(self, fold: FoldRun, end: tuple[str, int] | None = None) -> list[tuple[str, int]]:
        """Train a fold until it ends, and return the epochs that were trained."""
        self.begun.clear()
        self.end = end
        if end is None:
            fold.run()
        else:
            with pytest.raises(Ended):
                fold.run()
        return [*self.begun]


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> Epochs:
    monkeypatch.setattr("mcc_zoo.experiment.fold.LEARNT", math.inf)  # four epochs are enough for a warm start
    return Epochs(monkeypatch)


SETTINGS: dict[str, dict[str, Any]] = {
    # Its best epoch is before the end, which early stopping brings.
    "r0": {"learning_rate": 0.02, "patience": 2},
    "r1": {"optimizer": "adamw", "steps_loss": "every"},
    "r2": {"precision": "mixed_float16"},
    "r4": {"max_epochs": 3},  # it starts from the channels of R2
}


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("architecture", SETTINGS if IS_SOAK else ["r0", "r4"])
def test_it_does_not_matter_after_which_epoch_a_training_goes_on(
    architecture: str, corpus: Corpus, tmp_path: Path, epochs: Epochs
) -> None:
    def make(name: str) -> FoldRun:
        return make_fold(corpus, tmp_path / name, architecture, **{"max_epochs": 4, **SETTINGS[architecture]})

    undisturbed = make("undisturbed")
    trained = epochs.run(undisturbed)
    assert len(trained) >= 3
    assert {system for system, _ in trained} == {architecture, WARM_STARTS.get(architecture, architecture)}
    for place, end in enumerate(trained):
        fold = make(f"ended before {end}")
        assert epochs.run(fold, end) == trained[:place]
        assert epochs.run(fold) == trained[place:]
        assert read_results(fold) == read_results(undisturbed)


@pytest.mark.slow
def test_a_checkpoint_that_is_damaged_or_of_other_settings_begins_anew(
    corpus: Corpus, tmp_path: Path, epochs: Epochs, capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed = make_fold(corpus, tmp_path / "undisturbed", "r0", max_epochs=3)
    trained = epochs.run(undisturbed)
    fold = make_fold(corpus, tmp_path / "ended", "r0", max_epochs=3)
    other = replace(fold, settings=replace(fold.settings, recipe=replace(fold.settings.recipe, max_epochs=4)))
    path = fold.folder.with_name(f"{fold.folder.name}.part") / "r0.checkpoint"
    for begin, damage, said in (
        (fold, lambda: path.write_bytes(path.read_bytes()[:-9]), f"{path} is damaged (File is not a zip file"),
        (other, lambda: None, f"{path} is of another training (its recipe was {{"),
    ):
        epochs.run(begin, trained[-1])
        damage()
        capsys.readouterr()
        assert epochs.run(fold) == trained
        assert (said in (printed := capsys.readouterr().err)) and printed.count("this training begins anew") == 1
        assert read_results(fold) == read_results(undisturbed)
        shutil.rmtree(fold.folder)


def test_what_an_ended_process_has_left_is_removed(tmp_path: Path) -> None:
    unfinished = UnfinishedFold(tmp_path / "seed0-fold0-r4.part", "r4")
    unfinished.open()
    for name in ("channels-x/0.f32", "logs/train/events", "r2.checkpoint", ".r4.checkpoint.7-a.part", "filters.npz"):
        (unfinished.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (unfinished.folder / name).touch()
    unfinished.open()
    assert [path.name for path in unfinished.folder.iterdir()] == ["r2.checkpoint"]  # R4 has not begun
    (unfinished.folder / "r4.checkpoint").touch()
    unfinished.logs.mkdir()
    unfinished.open()
    unfinished.remove_checkpoints()
    assert [*unfinished.folder.iterdir()] == [unfinished.logs]


@pytest.mark.slow
def test_a_killed_fold_gives_what_it_would_have_given(corpus: Corpus, tmp_path: Path) -> None:
    undisturbed, killed = (
        Trainer(make_fold(corpus, tmp_path / name, "r0", **SETTINGS["r0"])) for name in ("undisturbed", "killed")
    )
    assert undisturbed.run() == 0
    expected = read_results(undisturbed.fold)
    assert set(expected) >= {"fold.json", "predictions.csv", "history.csv", "taggrams.json"}
    epoch = secrets.choice([1, 2])
    assert killed.run(killed_in=epoch) == -signal.SIGKILL
    assert not killed.fold.folder.exists()
    assert killed.run() == 0
    assert killed.first_epochs == [0, epoch]
    assert read_results(killed.fold) == expected
    assert {path.name for path in killed.fold.folder.parent.iterdir()} == {killed.fold.folder.name}


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["r3", "mcclstm", "r1"] if IS_SOAK else ["r3"])
def test_a_fold_that_is_ended_again_and_again(architecture: str, corpus: Corpus, tmp_path: Path, tally: Tally) -> None:
    recipe = {"max_epochs": 2 * KILLS, "patience": 2 * KILLS}
    undisturbed, ended = (
        Trainer(make_fold(corpus, tmp_path / name, architecture, **recipe)) for name in ("undisturbed", "ended")
    )
    assert undisturbed.run() == 0
    signals = [signal.SIGKILL] * KILLS + [signal.SIGTERM] * max(2, KILLS // 4)
    ended.random.shuffle(signals)
    count = sum(ended.end(how, ended.random.choice([None, 1, 1, 2])) for how in signals)
    assert ended.run() == 0
    assert read_results(ended.fold) == read_results(undisturbed.fold)
    assert count > KILLS // 2
    tally.add("SIGKILL or SIGTERM in the training of a fold", results_the_same_to_the_byte=count)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_experiment_that_is_ended_by_sigterm_goes_on(jobs: int, corpus: Corpus, tmp_path: Path) -> None:
    rows = [f"{track.path},{track.label}" for track in corpus.tracks]
    (tmp_path / "music.csv").write_text("\n".join(["path,label", *rows]))
    flags = ("--architectures=r0", "--folds=3", "--max_epochs=3", "--front_end=22k", "--quiet", "--run=run")
    command = [sys.executable, "-m", "experiments.manifest", "--manifest=music.csv", f"--jobs={jobs}", *flags]
    environment = {**os.environ, "PYTHONPATH": str(Path(resuming.__file__).parents[2])}
    units = tmp_path / "results" / "music" / "run" / "units"
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as started:
        assert wait_for(lambda: [*units.glob("*.part/logs/train")])  # an epoch has begun
        started.terminate()
        try:
            assert started.communicate(timeout=120)[1].splitlines()[-1] == (
                "interrupted: finished folds and epochs are kept, the same command continues"
            )
        finally:
            started.kill()
    assert started.returncode == TERMINATED
    assert wait_for(lambda: not is_session_alive(started.pid))
    again = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert sorted(path.name for path in units.iterdir()) == [f"seed0-fold{fold}-r0" for fold in range(3)]


def wait_for(look: Callable[[], object], seconds: float = 200) -> object:
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def is_session_alive(leader: int) -> bool:
    """Check whether a session has processes that run; the process group has the number of its leader."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = stat.read_text().rsplit(") ", 1)[1].split()[:4]
            if int(session) == leader and state != "Z":
                return True
    return False
