"""A checkpoint is read as it was written, or refused with a sentence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers.untuned import in_one_batch

from mcc_zoo.training import resuming
from mcc_zoo.training.checkpoint import Checkpoint, Stopwatch, TrainingState

STATE = TrainingState(
    epochs=2,
    is_finished=False,
    variables=[np.arange(6, dtype=np.float32).reshape(2, 3) / 7, np.array(3, np.int64), np.array([1, 2], np.uint32)],
    best_weights=[np.full((2, 3), 0.1, np.float32)],
    stopping={"wait": 1, "best": 0.1 + 0.2, "best_epoch": 0, "stopped_epoch": 0},
    history={"loss": [1 / 3, 0.1], "val_loss": [2.5, 1e-9]},
)
SHAPES = [values.shape for values in STATE.variables]
IDENTITY = {"seed": 1, "recipe": {"name": "tuned", "patience": 20}, "systems": ("r3", "r4")}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    made = Checkpoint(tmp_path / "r3.checkpoint", IDENTITY, Stopwatch())
    made.write(STATE)
    return made


def test_a_state_is_read_as_it_was_written(checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    found = checkpoint.read(SHAPES)
    assert found is not None
    for field in dataclasses.fields(TrainingState):
        before, after = getattr(STATE, field.name), getattr(found, field.name)
        if field.name in ("variables", "best_weights"):
            assert [(v.dtype, v.shape, v.tobytes()) for v in before] == [(v.dtype, v.shape, v.tobytes()) for v in after]
        else:
            assert before == after
    assert capsys.readouterr().err == ""


def test_no_checkpoint_is_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Checkpoint(tmp_path / "r3.checkpoint", IDENTITY, Stopwatch()).read(SHAPES) is None
    assert capsys.readouterr().err == ""


def test_a_checkpoint_that_is_cut_or_changed_is_refused(
    checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str], rng: np.random.Generator
) -> None:
    whole = checkpoint.path.read_bytes()
    damaged = [whole[:size] for size in [0, 1, len(whole) - 1, *rng.integers(2, len(whole) - 1, 60).tolist()]]
    damaged += [bytes(len(whole)), b"\x80\x04]\x94.", whole[len(whole) // 2 :]]
    for content in damaged:
        checkpoint.path.write_bytes(content)
        assert checkpoint.read(SHAPES) is None
        assert f"{checkpoint.path} is damaged (" in (said := capsys.readouterr().err)
        assert said.endswith("): this training begins anew\n")


def test_a_flipped_bit_is_found_or_harmless(checkpoint: Checkpoint, rng: np.random.Generator) -> None:
    whole, refused = checkpoint.path.read_bytes(), 0
    for place in rng.integers(0, 8 * len(whole), 300).tolist():
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        checkpoint.path.write_bytes(content)
        found = checkpoint.read(SHAPES)
        refused += found is None
        if found is not None:  # in a date or a padding
            assert [v.tobytes() for v in found.variables] == [v.tobytes() for v in STATE.variables]
            assert (found.history, found.stopping) == (STATE.history, STATE.stopping)
    assert refused > 200


@pytest.mark.parametrize(
    ("identity", "shapes", "fault"),
    [
        ({**IDENTITY, "seed": 2}, SHAPES, "is of another training (its seed was 1)"),
        ({**IDENTITY, "recipe": {"name": "tuned", "patience": 9}}, SHAPES, "another training (its recipe was {'name"),
        ({**IDENTITY, "fold": 0}, SHAPES, "is of another training (its fold was None)"),
        (IDENTITY, SHAPES[:2], "is of another network"),
        (IDENTITY, [(3, 2), *SHAPES[1:]], "is of another network"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(checkpoint, identity, shapes, fault, capsys) -> None:
    other = dataclasses.replace(checkpoint, identity=identity)
    assert other.read(shapes) is None
    said = capsys.readouterr().err
    assert said.startswith(f"{checkpoint.path} is of another ") and fault in said


def test_former_fields_of_a_recipe_matter_only_where_they_did_something(checkpoint, capsys) -> None:
    for former, goes_on in (({"pooling": "last", "mixup": 0.0}, True), ({"pooling": "last", "mixup": 0.4}, False)):
        before = {**IDENTITY, "recipe": {**IDENTITY["recipe"], **former}}
        dataclasses.replace(checkpoint, identity=before).write(STATE)
        assert (checkpoint.read(SHAPES) is not None) == goes_on
        assert ("is of another training (its recipe was" in capsys.readouterr().err) != goes_on


def test_the_seconds_of_all_processes_count(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 50.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    first = dataclasses.replace(checkpoint, stopwatch=Stopwatch())
    now += 7
    first.write(STATE)
    now += 1000  # in which no process ran
    second = dataclasses.replace(checkpoint, stopwatch=Stopwatch())
    now += 2
    assert second.read(SHAPES) is not None
    assert second.stopwatch.seconds == 9
    second.stopwatch.go_on_from(3)  # another stage of the same fold, which ended before
    assert second.stopwatch.seconds == 9


class Clock:
    """A test double: seconds that pass when the test says so, and a checkpoint whose writing takes some."""

    def __init__(self, cost: float) -> None:
        self.now, self.cost, self.written = 100.0, cost, []

    def monotonic(self) -> float:
        return self.now

    def write(self, state: TrainingState) -> None:
        self.written.append(state.epochs)
        self.now += self.cost

    def read(self, shapes: object) -> None:
        return None


@pytest.mark.parametrize(
    ("epoch_seconds", "cost", "written"),
    [
        (1, 0.0, [30, 60, 90]),  # twice a minute
        (40, 0.2, list(range(1, 101))),  # after each epoch
        (1, 0.9, [30]),  # a hundredth of the time
        (0.1, 0.0, []),  # what takes ten seconds begins anew
    ],
)
def test_writing_takes_little_of_the_time(epoch_seconds, cost, written, monkeypatch) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    clock = Clock(cost)
    monkeypatch.setattr(resuming, "time", clock)
    keeper = resuming.CheckpointKeeper(model, clock, None)
    for epoch in range(100):
        keeper.on_epoch_begin(epoch)
        clock.now += epoch_seconds
        keeper.on_epoch_end(epoch, {"loss": 0.5})
    keeper.on_train_end()
    assert clock.written == written


def test_a_full_disk_does_not_end_the_training(monkeypatch, capsys, checkpoint) -> None:
    def write(self: Checkpoint, state: TrainingState) -> None:
        raise OSError(28, "No space left on device")

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    monkeypatch.setattr(Checkpoint, "write", write)
    monkeypatch.setattr(resuming, "LEAST_SECONDS", 0.0)
    keeper = resuming.CheckpointKeeper(model, dataclasses.replace(checkpoint, identity={}), None)
    assert "is of another training" in capsys.readouterr().err
    model.fit(in_one_batch(np.zeros((4, 1)), np.zeros((4, 1))), epochs=2, verbose=0, callbacks=[keeper])
    said = capsys.readouterr().err
    assert f"{checkpoint.path} cannot be written (No space left on device): if this process is ended, " in said
    assert len(keeper.history["loss"]) == 2
