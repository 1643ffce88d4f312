"""The engine that uses the machines of a Ray cluster, by Ray Data (extra [cluster]).

Paths go out in blocks; actors that hold the model make rows of them. Ray moves the blocks, holds back when rows are not
taken, starts actors again and repeats the blocks of machines that are lost. Paths that come back without a row are
tried again in smaller blocks, in the end one by one, and are then refused, so that there is one row for each path.
"""

from __future__ import annotations

import itertools
import logging
import os
import warnings
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from mcc_zoo.audio.addresses import is_address
from mcc_zoo.catalogue.engines import EngineError
from mcc_zoo.catalogue.job import Job
from mcc_zoo.catalogue.rows import Row, write_path
from mcc_zoo.extras import require

if TYPE_CHECKING:
    import pyarrow as pa

OWN_CLUSTER = "local"  # Ray's word for: start one
WINDOW_PATHS = 100_000  # that Ray holds at a time
BLOCK_PATHS = (32, 4, 1, 1)  # in a block, at each try
MOST_CORES = 4  # of an actor without a GPU: its threads share a model, and one process could not keep many busy
TASK_RETRIES = 1  # of a block whose actor has died, by Ray, within a try
INDEX = "index"
LOST = "the process that read it died or failed each time; try the file alone with mcc-zoo tag"


def connect(address: str | None) -> None:
    """Connect this process to a cluster, for `tag`; in the main thread, as Ray wants to handle signals.

    Args:
        address: The cluster's, or "auto" for a cluster that this machine is part of; None starts one of this machine.

    Raises:
        EngineError: The cluster cannot be reached.
        MissingExtraError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # or Ray would tell its makers of each start
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # or each run would print a line about Ray Data's actors
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "task will be retried")  # as when actors end early, at SIGTERM
    if not address:  # whoever reaches a Ray cluster can run programs in it: one of its own is for this machine alone
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    ray = require("ray", "cluster")
    context = require("ray.data", "cluster").DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # the paths of such blocks are found missing, and tried again
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    own = {} if address else {"include_dashboard": False}
    try:
        ray.init(address=address or OWN_CLUSTER, log_to_driver=False, logging_level="error", **own)
    except Exception as error:  # Ray raises errors of any kind
        if address:
            raise EngineError(
                f"--address={address} cannot be reached ({_find_cause(error)}): give that of a running Ray cluster"
            ) from error
        raise EngineError(
            f"Ray has not started on this machine ({_find_cause(error)}): try again when it is less busy, or start a "
            "cluster yourself and give its --address"
        ) from error


def tag(paths: Iterator[str], job: Job) -> Generator[Row]:
    """Tag files on the cluster that this process is connected to, in any order, and leave it.

    Args:
        paths: Files, which each machine of the cluster reads under the same path, and addresses.
        job: What is asked of each. Each machine has the export in the same folder.

    Raises:
        EngineError: The cluster fails as a whole.
    """
    import ray

    try:
        while window := [write_path(path) for path in itertools.islice(paths, WINDOW_PATHS)]:
            yield from _tag_window(window, job)
    except ray.exceptions.RayError as error:
        raise EngineError(f"the Ray cluster failed ({_find_cause(error)}); the same command goes on") from error
    finally:
        ray.shutdown()


def _find_cause(error: Exception) -> str:
    """Take the last line, where Ray has what its worker raised."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _tag_window(paths: list[str], job: Job) -> Iterator[Row]:
    """Give exactly one row for each path, whatever Ray loses or repeats."""
    waiting = dict(enumerate(paths))
    for block_paths in BLOCK_PATHS:
        for row in _run_once(waiting, job, block_paths) if waiting else ():
            if waiting.pop(row.pop(INDEX), None) is not None:
                yield row
    for path in waiting.values():
        yield job.make_refused_row(path, LOST)


def _run_once(paths: Mapping[int, str], job: Job, block_paths: int) -> Iterator[Row]:
    import pyarrow as pa
    import ray
    from ray.data import ActorPoolStrategy

    items = list(paths.items())
    blocks = [
        pa.table({INDEX: [index for index, _ in block], "path": [path for _, path in block]})
        for block in (items[i : i + block_paths] for i in range(0, len(items), block_paths))
    ]
    actors, needs = _share_out([node["Resources"] for node in ray.nodes() if node["Alive"]])
    actors = min(actors, len(blocks))
    with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):  # of max_task_retries
        rows = ray.data.from_arrow(blocks).map_batches(
            Worker,
            fn_constructor_args=(job, os.getcwd(), int(needs["num_cpus"])),
            batch_size=block_paths,
            batch_format="pyarrow",
            # At least one, so that at the end actors without work make room for those that have lost their machine.
            compute=ActorPoolStrategy(min_size=1, max_size=actors, initial_size=actors),
            max_task_retries=TASK_RETRIES,
            **needs,
        )
    for table in rows.iter_batches(batch_size=None, batch_format="pyarrow"):
        yield from table.to_pylist()


def _share_out(machines: list[dict[str, float]]) -> tuple[int, dict[str, float]]:
    """Decide how many actors there are, and what each takes: a GPU and its share of cores, or some cores.

    >>> _share_out([{"CPU": 16.0}, {"CPU": 8.0}])
    (6, {'num_cpus': 4})
    >>> _share_out([{"CPU": 16.0, "GPU": 2.0}, {"CPU": 8.0}])
    (2, {'num_cpus': 8, 'num_gpus': 1})
    """
    if with_gpus := [machine for machine in machines if machine.get("GPU", 0) >= 1]:
        cores = min(int(machine.get("CPU", 0) // machine["GPU"]) for machine in with_gpus)
        return sum(int(machine["GPU"]) for machine in with_gpus), {"num_cpus": max(1, cores), "num_gpus": 1}
    counts = [int(machine.get("CPU", 0)) for machine in machines if machine.get("CPU", 0) >= 1]
    if not counts:
        raise EngineError("the Ray cluster has no cores: start a machine with --num-cpus")
    cores = min(MOST_CORES, *counts)
    return sum(count // cores for count in counts), {"num_cpus": cores}


class Worker:
    """An actor: it holds the model, and makes the rows of a block of paths."""

    def __init__(self, job: Job, folder: str, cores: int) -> None:
        """Load the export.

        Args:
            job: What is asked of each file.
            folder: The folder that relative paths are relative to.
            cores: Files that are read at a time.

        Raises:
            ExportError: The export on this machine cannot be loaded, or is another one.
        """
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        from mcc_zoo.catalogue.engines import local

        self._job = replace(job)  # without what the job has read on another machine
        self._folder, self._cores = folder, cores
        self._schema = self._job.make_schema()
        self._tagger = local.load(job.folder, job.decoder)

    def __call__(self, block: pa.Table) -> pa.Table:
        """Make the rows of a block with the columns index and path."""
        import pyarrow as pa

        paths = block["path"].to_pylist()
        located = [path if is_address(path) else os.path.join(self._folder, path) for path in paths]
        results = self._tagger.tag_files(located, self._job.sequence, self._cores)
        rows = [
            self._job.make_row(result, self._tagger) | {"path": path}
            for path, result in zip(paths, results, strict=True)
        ]
        return pa.Table.from_pylist(rows, self._schema).append_column(INDEX, block[INDEX])
