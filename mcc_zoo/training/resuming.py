"""Training that goes on after its last epoch when the process has been ended meanwhile.

`keras.callbacks.BackupAndRestore` keeps weights and optimiser. It keeps neither the best weights and the counters of
early stopping, nor the seeds of dropout, nor the history; and a file of it that was cut stops every further start.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

import keras

from mcc_zoo.training.checkpoint import Checkpoint, TrainingState

LEAST_SECONDS = 30.0  # between two checkpoints
LARGEST_SHARE = 0.01  # of the training's time that writing them takes
COUNTERS = ("wait", "best", "best_epoch", "stopped_epoch")  # of `keras.callbacks.EarlyStopping`


class CheckpointKeeper(keras.callbacks.Callback):
    """Goes on from the state in a checkpoint, records the history, and keeps the states that follow.

    A state is written between two epochs, not before `LEAST_SECONDS` after the last one and not so often that it takes
    more than `LARGEST_SHARE` of the time. This callback comes after early stopping, which changes weights at the end.

    Args:
        model: The compiled model that is trained.
        checkpoint: The file; None keeps no states.
        stopping: The training's early stopping; None if it has none.

    Attributes:
        history: For each of Keras's logs its values after each epoch.
        epochs: Number of epochs that the checkpoint has.
        is_finished: Whether it has them all.
    """

    def __init__(
        self, model: keras.Model, checkpoint: Checkpoint | None, stopping: keras.callbacks.EarlyStopping | None
    ) -> None:
        """Read the checkpoint."""
        super().__init__()
        # Metrics begin each epoch anew; all else that further epochs depend on is in these.
        self._variables = [*model.variables, *model.optimizer.variables]
        self._checkpoint, self._stopping = checkpoint, stopping
        self._state = checkpoint.read([v.shape for v in self._variables]) if checkpoint else None
        self.history: dict[str, list[float]] = dict(self._state.history) if self._state else {}
        self.epochs = self._state.epochs if self._state else 0
        self.is_finished = self._state is not None and self._state.is_finished
        self._next = time.monotonic() + LEAST_SECONDS

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Go on from the state."""
        self.restore()

    def restore(self) -> None:
        """Set weights, optimiser and early stopping to what they were."""
        if self._state is None:
            return
        for variable, values in zip(self._variables, self._state.variables, strict=True):
            variable.assign(values)
        if self._stopping:
            self._stopping.best_weights = self._state.best_weights
            for name, value in self._state.stopping.items():
                setattr(self._stopping, name, value)
        self._state = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keep the state that the last epoch has left."""
        if epoch > self.epochs:
            self._keep(epoch, is_finished=False)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record the epoch's logs."""
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    @contextlib.contextmanager
    def keep_at(self, kind: type[Exception]) -> Iterator[None]:
        """Keep the state of the last whole epoch if the block ends by an error of this kind."""
        try:
            yield
        except kind:
            self._next = time.monotonic()
            if self.history:
                self._keep(len(self.history["loss"]), is_finished=False)
            raise

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Keep the trained model: what follows may take long, too."""
        self._keep(len(self.history["loss"]), is_finished=True)

    def _keep(self, epochs: int, is_finished: bool) -> None:
        began = time.monotonic()
        if self._checkpoint is None or began < self._next:
            return
        state = TrainingState(
            epochs,
            is_finished,
            variables=[variable.numpy() for variable in self._variables],
            best_weights=(self._stopping.best_weights or []) if self._stopping else [],
            stopping={name: getattr(self._stopping, name) for name in COUNTERS} if self._stopping else {},
            history=self.history,
        )
        try:
            self._checkpoint.write(state)
        except OSError as error:
            print(
                f"{self._checkpoint.path} cannot be written ({error.strerror or error}): if this process is ended, "
                "the training begins anew; make room on the disk",
                file=sys.stderr,
            )
        ended = time.monotonic()
        self._next = ended + max(LEAST_SECONDS, (ended - began) / LARGEST_SHARE)
