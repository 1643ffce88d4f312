"""The folder of a fold that is being trained, in which the next process finds what an ended one had come to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcc_zoo.training.checkpoint import Checkpoint, Stopwatch

CHECKPOINT, LOGS = ".checkpoint", "logs"


@dataclass(frozen=True)
class UnfinishedFold:
    """The folder of a fold that is being trained.

    Attributes:
        folder: It becomes the fold's result when all is in it.
        architecture: The system that is trained; a warm start trains another one before it.
        stopwatch: Counts the time of the fold.
    """

    folder: Path
    architecture: str
    stopwatch: Stopwatch = field(default_factory=Stopwatch)

    @property
    def logs(self) -> Path:
        """TensorBoard's folder."""
        return self.folder / LOGS

    def open(self) -> None:
        """Make the folder, or remove what an ended process has left and no process can go on from."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {*self._find_checkpoints()}
        if self._name_checkpoint(self.architecture) in kept:
            kept.add(self.logs)
        for path in {*self.folder.iterdir()} - kept:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def open_checkpoint(self, architecture: str, identity: Mapping[str, Any]) -> Checkpoint:
        """Open the checkpoint of the training of a system; `identity` as for `Checkpoint`."""
        return Checkpoint(self._name_checkpoint(architecture), identity, self.stopwatch)

    def remove_checkpoints(self) -> None:
        """Remove all checkpoints."""
        for path in self._find_checkpoints():
            path.unlink()

    def _name_checkpoint(self, architecture: str) -> Path:
        return self.folder / f"{architecture}{CHECKPOINT}"

    def _find_checkpoints(self) -> list[Path]:
        return list(self.folder.glob(f"*{CHECKPOINT}"))
