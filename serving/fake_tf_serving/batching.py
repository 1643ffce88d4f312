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


def join(jobs: list[Job]) -> Arrays:
    """Join the inputs of requests for one signature.

    Raises:
        Failure: Their rows differ in shape, which TF Serving refuses too.
    """
    for name, first in jobs[0].inputs.items():
        if any(job.inputs[name].shape[1:] != first.shape[1:] for job in jobs):
            raise Failure(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"Tensors with name '{name}:0' from different tasks have different shapes and padding is turned off",
            )
    return {name: np.concatenate([job.inputs[name] for job in jobs]) for name in jobs[0].inputs}


class BatchQueue:
    """A queue that joins requests for one signature; one that fails, fails all of its batch, as in TF Serving."""

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
            for function in {id(job.function) for job in jobs}:
                self._pool.submit(self._run, [job for job in jobs if id(job.function) == function])
            if last:
                return

    def _run(self, jobs: list[Job]) -> None:
        try:
            outputs = call_signature(jobs[0].function, join(jobs))
        except Failure as error:
            for job in jobs:
                job.outputs.set_exception(error)
            return
        start = 0
        for job in jobs:
            job.outputs.set_result({name: value[start : start + job.rows] for name, value in outputs.items()})
            start += job.rows
