"""A task run on many items by several processes, each with its share of the cores.

One TensorFlow process leaves cores idle between the small operations of a training step. Several processes of one or
two threads, each with a fold of its own, keep them busy.
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
from typing import Any, TypeVar

import tensorflow as tf

LAST_REPORTS_SECONDS = 5.0  # to wait for
BYTES_PER_PROCESS = 3 << 30  # TensorFlow, a model and its batches; 2.1 GiB after forty folds
Report = Callable[..., None]
Item = TypeVar("Item")
Result = TypeVar("Result")
_messages: Any = None  # a worker's queue to the process that started it


def choose_processes(folds: int, device: str = "auto", strategy: str = "default") -> int:
    """Choose how many processes share so many folds.

    One per core as far as memory allows; one on accelerators, and where a fold is trained by several devices.
    """
    accelerators = device == "gpu" or (device == "auto" and tf.config.list_physical_devices("GPU"))
    accelerators = accelerators or strategy != "default"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // BYTES_PER_PROCESS
    return 1 if accelerators else max(1, min(folds, os.cpu_count() or 1, memory))


def run_each(
    task: Callable[[Item, Report], Result], items: Sequence[Item], processes: int, report: Report
) -> Iterator[tuple[Item, Result]]:
    """Call task(item, report) for every item, in order as processes become free.

    Args:
        task: A function of a module, or a partial of one: with more than one process it is pickled.
        items: What to call it with; pickled too.
        processes: How many at a time; with 1 the task runs in this process.
        report: A function that the task may call meanwhile; it runs in this process, with pickled arguments.

    Yields:
        Each item and the task's result, in the order in which they finish.

    Raises:
        ValueError: A process died, killed for its memory, say.
    """
    if processes == 1:
        for item in items:
            yield item, task(item, report)
        return
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    messages = context.Queue()
    listener = threading.Thread(target=_listen, args=(messages, report), daemon=True)
    listener.start()
    threads = max(1, (os.cpu_count() or 1) // processes)
    level = tf.get_logger().level  # a spawned worker does not inherit it
    pool = ProcessPoolExecutor(processes, context, _start, (messages, threads, level))
    try:
        futures = {pool.submit(_call, task, item): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise ValueError(
            f"one of {processes} training processes died, perhaps for lack of memory: run the same command again with "
            "fewer --jobs, it continues after the last epochs"
        ) from None
    except BaseException:
        for child in multiprocessing.active_children():
            child.kill()  # they take no other signal, see `_start`
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        messages.put(None)
        messages.cancel_join_thread()  # a worker that was killed may hold the queue, for which both would wait for ever
        listener.join(LAST_REPORTS_SECONDS)


def _start(messages: Any, threads: int, log_level: int) -> None:
    """Prepare a worker: its threads, its queue for reports, and its end with the process that started it."""
    global _messages
    _messages = messages
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # where all processes get it, the starter ends its workers
    threading.Thread(target=_end_with_starter, daemon=True).start()
    tf.get_logger().setLevel(log_level)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _end_with_starter() -> None:
    starter = multiprocessing.parent_process()
    if starter is not None:
        multiprocessing.connection.wait([starter.sentinel])
        os._exit(1)


def _call(task: Callable[[Item, Report], Result], item: Item) -> Result:
    return task(item, lambda *message: _messages.put(message))


def _listen(messages: Any, report: Report) -> None:
    for message in iter(messages.get, None):
        report(*message)
