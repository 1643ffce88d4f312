"""The state of a training, and the file in which it is kept."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcc_zoo.atomic import open_atomically
from mcc_zoo.recipes import drop_former_fields


class Stopwatch:
    """Counts the seconds of a work that several processes may have a part in."""

    def __init__(self) -> None:
        """Begin to count."""
        self._began, self._earlier = time.perf_counter(), 0.0

    def go_on_from(self, seconds: float) -> None:
        """Count on from what an earlier process had come to."""
        self._earlier = max(self._earlier, seconds)

    @property
    def seconds(self) -> float:
        """The seconds up to now."""
        return self._earlier + time.perf_counter() - self._began


@dataclass(frozen=True)
class TrainingState:
    """How far a training is, and all that its further epochs depend on.

    Attributes:
        epochs: Number of epochs done.
        is_finished: Whether no epoch follows.
        variables: Weights, seeds of dropout, and the optimiser's slots and steps.
        best_weights: Those that early stopping keeps; empty without.
        stopping: What early stopping counts, by the names of its attributes; empty without.
        history: For each of Keras's logs its values after each epoch.
    """

    epochs: int
    is_finished: bool
    variables: list[np.ndarray]
    best_weights: list[np.ndarray]
    stopping: dict[str, float]
    history: dict[str, list[float]]


@dataclass(frozen=True)
class Checkpoint:
    """A file with the state of a training.

    Attributes:
        path: The file. Its folder has to exist.
        identity: All that decides what the training gives, as JSON values.
        stopwatch: Counts on from what the file says.
    """

    path: Path
    identity: Mapping[str, Any]
    stopwatch: Stopwatch

    def write(self, state: TrainingState) -> None:
        """Replace the file, whole or not at all.

        Raises:
            OSError: The file cannot be written.
        """
        arrays: dict[str, Any] = {f"variable.{i}": values for i, values in enumerate(state.variables)}
        arrays |= {f"best.{i}": values for i, values in enumerate(state.best_weights)}
        facts = {name: getattr(state, name) for name in ("epochs", "is_finished", "stopping", "history")}
        facts |= {"identity": self.identity, "seconds": self.stopwatch.seconds}
        with open_atomically(self.path) as file:
            np.savez(file, **arrays, facts=np.array(json.dumps(facts)))

    def read(self, shapes: Sequence[tuple[int, ...]]) -> TrainingState | None:
        """Read the file.

        Args:
            shapes: Of the variables.

        Returns:
            The state; None if there is no file, or one that is damaged or of another training. Of such a one standard
            error says that the training begins anew.
        """
        try:
            state, identity, seconds = self._load()
        except FileNotFoundError:
            return None
        except Exception as error:  # damage makes NumPy, zipfile and json raise whatever comes
            fault = f"is damaged ({error})"
        else:
            fault = self._find_difference(state, identity, shapes)
        if fault:
            print(f"{self.path} {fault}: this training begins anew", file=sys.stderr)
            return None
        self.stopwatch.go_on_from(seconds)
        return state

    def _load(self) -> tuple[TrainingState, dict[str, Any], float]:
        with np.load(self.path) as arrays:
            facts = json.loads(str(arrays["facts"]))
            identity, seconds = facts.pop("identity"), facts.pop("seconds")
            variables, best_weights = (_read_numbered(arrays, name) for name in ("variable", "best"))
        return TrainingState(variables=variables, best_weights=best_weights, **facts), identity, seconds

    def _find_difference(self, state: TrainingState, identity: dict[str, Any], shapes: Sequence[tuple]) -> str:
        own = json.loads(json.dumps(self.identity))
        identity = {name: drop_former_fields(it) if name == "recipe" else it for name, it in identity.items()}
        if others := [name for name in {**own, **identity} if own.get(name) != identity.get(name)]:
            return f"is of another training (its {others[0]} was {identity.get(others[0])!r})"
        same_shapes = [values.shape for values in state.variables] == list(shapes)
        return "" if same_shapes else "is of another network"


def _read_numbered(arrays: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    return [arrays[f"{name}.{i}"] for i in range(sum(key.startswith(f"{name}.") for key in arrays))]
