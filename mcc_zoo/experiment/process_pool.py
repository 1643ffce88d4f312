"""Jobs in several processes, each with its share of the cores.

One TensorFlow process leaves cores idle between the small operations of a training step. Processes of a thread or two
each, every one with a fold of its own, do not.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import tensorflow as tf

BYTES_PER_PROCESS = 3 << 30  # TensorFlow, a model and its batches; 2.1 GiB after forty folds
Report = Callable[..., None]
_messages: Any = None  # a worker's queue to the process that started it


def processes_for(jobs: int, device: str = "auto") -> int:
    """Choose how many processes share `jobs` jobs: one a core as far as memory goes, one alone on accelerators."""
    accelerators = device in ("gpu", "tpu") or (device == "auto" and tf.config.list_physical_devices("GPU"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // BYTES_PER_PROCESS
    return 1 if accelerators else max(1, min(jobs, os.cpu_count() or 1, memory))


def each(
    task: Callable[[Any, Report], Any], jobs: Sequence[Any], processes: int, report: Report
) -> Iterator[tuple[Any, Any]]:
    """Call task(job, report) for every job, in order as processes become free.

    Args:
        task: Can be pickled if there is more than one process: a function of a module, or a partial of one.
        jobs: What to do.
        processes: How many at a time; with 1 the jobs run in this process.
        report: What the task may call meanwhile; it runs in this process, with arguments that can be pickled.

    Yields:
        A job and what its task returned, as they are done.

    Raises:
        ValueError: A process died, killed for its memory, say.
    """
    if processes == 1:
        for job in jobs:
            yield job, task(job, report)
        return
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    messages = context.Queue()
    listener = threading.Thread(target=_listen, args=(messages, report), daemon=True)
    listener.start()
    threads = max(1, (os.cpu_count() or 1) // processes)
    level = tf.get_logger().level  # spawned, a worker has heard nothing of it
    pool = ProcessPoolExecutor(processes, context, _start, (messages, threads, level))
    try:
        futures = {pool.submit(_call, task, job): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise ValueError(
            f"one of {processes} training processes died, which memory may be the reason for: run the same command "
            "again with fewer --jobs, it goes on after the last finished fold"
        ) from None
    except BaseException:
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        messages.put(None)
        listener.join()


def _start(messages: Any, threads: int, log_level: int) -> None:
    """Prepare a worker: its threads, its way to report, and its end with the process that started it."""
    global _messages
    _messages = messages
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the starter, which ends its workers
    threading.Thread(target=_end_with_starter, daemon=True).start()
    tf.get_logger().setLevel(log_level)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _end_with_starter() -> None:
    starter = multiprocessing.parent_process()
    if starter is not None:
        multiprocessing.connection.wait([starter.sentinel])
        os._exit(1)


def _call(task: Callable[[Any, Report], Any], job: Any) -> Any:
    return task(job, lambda *message: _messages.put(message))


def _listen(messages: Any, report: Report) -> None:
    for message in iter(messages.get, None):
        report(*message)
