"""Trainings by a cluster of processes on this machine, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mcc_zoo
from mcc_zoo.training.cluster import SERVER, WORKER

ROOT = Path(mcc_zoo.__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "CUDA_VISIBLE_DEVICES": "-1"}
HIGH = 4_000.0  # Hz, far from the low tones
RECIPE = {"schedule": "constant", "learning_rate": 0.002, "patience": 100, "warm_start": False}


def train_in_process(*arguments: Any) -> tuple[int, dict[str, Any], str]:
    """Call `train_tones` in a process of its own; return its exit status, what it answers, and its standard error."""
    command = [sys.executable, "-m", "helpers.clusters", json.dumps([str(own) for own in arguments])]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return done.returncode, json.loads(answers[-1]) if answers else {}, done.stderr


def find_server_processes() -> dict[tuple[str, int], int]:
    """Find the process ids of the local cluster that this process has started, by role and number."""
    nursery = _list_children(os.getpid())
    children = [child for parent in nursery for child in _list_children(parent)]
    return dict(zip([(SERVER, 0), *((WORKER, i) for i in range(len(children) - 1))], sorted(children), strict=True))


def _list_children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def train_tones(folder: str, architecture: str, workers: str, epochs: str, optimizer: str, killed: str = "") -> None:
    """Train a system on tones by a local cluster, and print its history.

    Args:
        folder: For tones, cache and results.
        architecture: The system.
        workers: Number of workers.
        epochs: Most epochs.
        optimizer: `sgd` or `adam`.
        killed: The role of a process that is killed in the middle of the training, or "".
    """
    import keras
    from helpers.tone_folds import make_fold, prepare_tones

    from mcc_zoo.training.cluster import connect
    from mcc_zoo.training.devices import Distribution
    from mcc_zoo.training.local_cluster import start_local_cluster

    class Killer(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            if killed and epoch == 2:
                os.kill(find_server_processes()[killed, 0], signal.SIGKILL)

    with start_local_cluster(int(workers)) as cluster:
        connect(cluster)
        recipe = {**RECIPE, "optimizer": optimizer, "max_epochs": int(epochs)}
        fold = make_fold(prepare_tones(Path(folder), HIGH), Path(folder) / "run", architecture, **recipe)
        settings = replace(fold.settings, workers=len(cluster.workers))
        result = replace(fold, settings=settings, distribution=Distribution("parameter_server", cluster=cluster)).run(
            [Killer()]
        )
        print(json.dumps({"epochs": result.epochs, "folder": str(fold.folder)}))


if __name__ == "__main__":
    try:
        train_tones(*json.loads(sys.argv[1]))
    except ValueError as error:  # as experiments do
        sys.exit(f"error: {error}")
