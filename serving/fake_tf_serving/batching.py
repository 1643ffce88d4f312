"""Calls of a signature: one for each request, or one for several requests that are joined."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

from serving.fake_tf_serving.failure import Failure, make_refusal

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Batching:
    """How requests are joined.

    Attributes:
        rows: Most rows of a batch.
        seconds: How long the first request waits for others.
        threads: Batches that are computed at a time.
    """

    rows: int = 16
    seconds: float = 0.002
    threads: int = 2


@dataclass(frozen=True)
class Job:
    """A request that waits for its outputs."""

    function: Any
    inputs: Arrays
    outputs: Future[Arrays] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[Any, ...]:
        """Two jobs of one kind can be joined: the same signature, and rows of the same shapes."""
        return id(self.function), *((name, value.shape[1:]) for name, value in sorted(self.inputs.items()))

    @property
    def rows(self) -> int:
        """Number of clips."""
        return len(next(iter(self.inputs.values())))


def call_signature(function: Any, inputs: Arrays) -> Arrays:
    """Call a signature.

    Raises:
        Failure: The graph refuses the inputs, or fails.
    """
    try:
        outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
    except tf.errors.InvalidArgumentError as error:
        raise make_refusal(error.message) from error
    except tf.errors.OpError as error:
        raise Failure(grpc.StatusCode.INTERNAL, error.message) from error
    return {name: value.numpy() for name, value in outputs.items()}


class BatchQueue:
    """A queue that joins requests for one signature whose rows have one shape."""

    def __init__(self, batching: Batching) -> None:
        """Start the thread that collects requests."""
        self._batching = batching
        self._waiting: SimpleQueue[Job | None] = SimpleQueue()
        self._pool = ThreadPoolExecutor(batching.threads)
        self._thread = Thread(target=self._collect, daemon=True)
        self._thread.start()

    def answer(self, job: Job) -> Arrays:
        """Wait for the outputs of a request.

        Raises:
            Failure: Its batch failed.
        """
        self._waiting.put(job)
        return job.outputs.result()

    def close(self) -> None:
        """Answer what waits, and stop."""
        self._waiting.put(None)
        self._thread.join()
        self._pool.shutdown()

    def _collect(self) -> None:
        while (first := self._waiting.get()) is not None:
            jobs, rows, deadline = [first], first.rows, time.monotonic() + self._batching.seconds
            last = False
            while rows < self._batching.rows and not last:
                try:
                    job = self._waiting.get(timeout=max(0.0, deadline - time.monotonic()))
                except Empty:
                    break
                last = job is None
                if job:
                    jobs.append(job)
                    rows += job.rows
            for kind in {job.kind for job in jobs}:
                self._pool.submit(self._run, [job for job in jobs if job.kind == kind])
            if last:
                return

    def _run(self, jobs: list[Job]) -> None:
        joined = {name: np.concatenate([job.inputs[name] for job in jobs]) for name in jobs[0].inputs}
        try:
            outputs = call_signature(jobs[0].function, joined)
        except Failure as error:
            for job in jobs:
                job.outputs.set_exception(error)
            return
        start = 0
        for job in jobs:
            job.outputs.set_result({name: value[start : start + job.rows] for name, value in outputs.items()})
            start += job.rows
