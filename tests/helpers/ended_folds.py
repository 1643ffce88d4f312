"""A fold that is trained in processes of their own, which are ended meanwhile, and what came of it."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import random
import signal
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import keras

from mcc_zoo.experiment.fold import FoldRun
from mcc_zoo.termination import TERMINATED, Terminated, interrupt_on_sigterm
from mcc_zoo.training import resuming

ENDED = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: TERMINATED}  # exit statuses
START_SECONDS, FIRST_EPOCH_SECONDS = 6.0, 0.3  # in which a process is ended that starts, or has trained one epoch


class Reporter(keras.callbacks.Callback):
    """Sends the number of each epoch that is done, and kills the process in the epoch that is named."""

    def __init__(self, report: Connection, killed_in: int | None) -> None:
        super().__init__()
        self._report, self._killed_in = report, killed_in

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._epoch == self._killed_in:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._report.send(epoch)


def train_fold(fold: FoldRun, report: Connection, killed_in: int | None) -> None:
    """Train in a process of its own, as an experiment does, and keep the state after each epoch."""
    resuming.LEAST_SECONDS, resuming.LARGEST_SHARE = 0.0, math.inf
    try:
        with interrupt_on_sigterm():
            fold.run([Reporter(report, killed_in)])
    except Terminated:
        sys.exit(TERMINATED)


class Trainer:
    """Trains a fold in one process after another.

    They are forked from one that has imported TensorFlow and not started it.

    Attributes:
        fold: The fold.
        random: Says when a process is ended.
        seconds: That each process took to end after the signal.
        first_epochs: The first epoch that each process trained to its end, if there was one.
    """

    def __init__(self, fold: FoldRun) -> None:
        self.fold, self.random = fold, random.Random()
        self.seconds: list[float] = []
        self.first_epochs: list[int] = []
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["mcc_zoo.experiment.fold"])

    def run(self, killed_in: int | None = None) -> int:
        """Train in a process that ends by itself; `killed_in` an epoch, counted from 0. Returns its exit status."""
        reader, process = self._start(killed_in)
        self._wait(reader, math.inf)
        process.join(120)
        return process.exitcode

    def end(self, how: signal.Signals, epochs: int | None) -> bool:
        """Train in a process that is ended from outside.

        Args:
            how: The signal.
            epochs: After how many epochs; None ends it while it starts.

        Returns:
            Whether it was ended before it had finished.
        """
        reader, process = self._start(None)
        self._wait(reader, epochs)
        os.kill(process.pid, how)
        sent = time.monotonic()
        process.join(120)
        assert process.exitcode in (0, ENDED[how]), process.exitcode
        self.seconds.append(time.monotonic() - sent)
        return process.exitcode != 0

    def _start(self, killed_in: int | None) -> tuple[Connection, BaseProcess]:
        reader, writer = self._context.Pipe(duplex=False)
        process = self._context.Process(target=train_fold, args=(self.fold, writer, killed_in))
        process.start()
        writer.close()
        return reader, process

    def _wait(self, reader: Connection, epochs: float | None) -> None:
        """Wait for so many epochs and a part of a further one, or until the process has ended."""
        if epochs is None:
            time.sleep(self.random.uniform(0, START_SECONDS))
            return
        done, before, now = 0, 0.0, time.monotonic()
        while done < epochs:
            try:
                epoch = reader.recv()
            except EOFError:
                return
            if not done:
                self.first_epochs.append(epoch)
            done, before, now = done + 1, now, time.monotonic()
        time.sleep(self.random.uniform(0, now - before if done > 1 else FIRST_EPOCH_SECONDS))


def read_results(fold: FoldRun) -> dict[str, bytes]:
    """Read all files of a finished fold; of its times there is nothing in them."""
    found = {path.name: path.read_bytes() for path in fold.folder.iterdir() if path.is_file()}
    facts = json.loads(found["fold.json"])
    assert facts.pop("seconds") > 0
    return found | {"fold.json": json.dumps(facts).encode()}
