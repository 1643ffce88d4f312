"""What a person sees while systems are trained: bars of epochs, and a line per finished fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
from rich.progress import Progress, TaskID

from mcc_zoo.evaluation import scoring
from mcc_zoo.experiment.fold import FoldResult

EpochReport = Callable[[int, dict[str, float]], None]  # number of epochs done and Keras's logs


def report_epochs(report: EpochReport) -> keras.callbacks.Callback:
    """Make a callback that calls `report` when a training begins and after each epoch."""
    return keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: report(0, {}),
        on_epoch_end=lambda epoch, logs: report(epoch + 1, logs),
    )


def describe_training(name: str, logs: Mapping[str, float]) -> str:
    """Describe a training by its last accuracies.

    >>> describe_training("r3", {"tags_accuracy": 0.71, "val_tags_accuracy": 0.6})
    'r3: train 71 %, validation 60 %'
    """
    shares = {"train": "tags_accuracy", "validation": "val_tags_accuracy"}
    parts = [f"{what} {100 * logs[key]:.0f} %" for what, key in shares.items() if key in logs]
    return f"{name}: {', '.join(parts)}" if parts else name


def describe_result(result: FoldResult, on_validation: bool) -> str:
    """Say how a fold went, in a line."""
    tested = f"{result.validation} validation" if on_validation else f"{result.test} test"
    ((score, share),) = result.scores.items()
    return (
        f"{scoring.NAMES[score]} {100 * share:.1f} % of {tested} tracks "
        f"(epoch {result.best_epoch} of {result.epochs}, {result.seconds:.0f} s)"
    )


class FoldBars:
    """Progress of a cross-validation: a bar for all folds, one for each fold in training, a line per finished fold.

    Args:
        bar: Where to draw.
        folds: Number of folds, over all seeds and systems.
        finished: How many of them an earlier run has finished.
        max_epochs: Most epochs of a fold.
    """

    def __init__(self, bar: Progress, folds: int, finished: int, max_epochs: int) -> None:
        """Draw the bar of all folds."""
        self._bar, self._max_epochs = bar, max_epochs
        self._overall = bar.add_task("folds", total=folds, completed=finished)
        self._shown: dict[str, TaskID] = {}
        self._finished: set[str] = set()
        if finished:
            bar.console.print(f"{finished} of {folds} folds are there from before", highlight=False)

    def report(self, name: str, epochs: int, logs: dict[str, float]) -> None:
        """Show how far the training of a fold is."""
        if name in self._finished:  # the last report of another process may come after its result
            return
        if name not in self._shown:
            self._shown[name] = self._bar.add_task(name, total=self._max_epochs)
        self._bar.update(self._shown[name], completed=epochs, description=describe_training(name, logs))

    def finish(self, name: str, line: str) -> None:
        """Replace the bar of a fold by a line."""
        self._finished.add(name)
        if name in self._shown:
            self._bar.remove_task(self._shown.pop(name))
        self._bar.advance(self._overall)
        self._bar.console.print(f"{name}: {line}", highlight=False, soft_wrap=True)
