"""A table as a folder of shards: what `--output` is if it ends with / or is a folder."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import NoReturn

import typer

from mcc_zoo.audio.addresses import is_address
from mcc_zoo.catalogue.engines import Engine, EngineError
from mcc_zoo.catalogue.inputs import Inputs, ListError
from mcc_zoo.catalogue.job import Job
from mcc_zoo.catalogue.rows import Row
from mcc_zoo.catalogue.run import Remaining, noting_signals, tag_into_shards
from mcc_zoo.catalogue.shards import ShardError, ShardWriter, read_done
from mcc_zoo.cli.common import INTERRUPTED, REFUSED, TERMINATED, Tally, fail, load_tagger, say, summarise
from mcc_zoo.cli.options import EngineName
from mcc_zoo.export.metadata import ExportError
from mcc_zoo.locks import InUseError, hold
from mcc_zoo.progress import progress_bar
from mcc_zoo.tensorflow_start import quiet
from mcc_zoo.text import counted

COUNT_SECONDS = 1.0  # to count the inputs for the bar, which does without a total where that takes longer
STATUSES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


def is_folder(output: str | None) -> bool:
    """Check whether an output is a folder: it ends with a slash, or is one already."""
    return output is not None and (output.endswith(("/", os.sep)) or os.path.isdir(output))


def check_engine(engine: EngineName, address: str | None, output: str | None) -> None:
    """End with the reason if the options of the engine do not go together."""
    if engine == "ray" and not is_folder(output):
        fail(f"--engine=ray writes a folder: end --output={output or 'FOLDER'} with /")
    if address and engine != "ray":
        fail(f"--address={address} is that of a Ray cluster: give --engine=ray too")


def write_shards(job: Job, inputs: Inputs, output: str, engine: EngineName, address: str | None) -> None:
    """Tag the inputs that have no row in a folder yet, and print what a user should know about the new rows."""
    if is_address(output):
        fail(f"--output={output} is an address: give a folder of this machine")
    folder, tally = Path(os.path.abspath(output)), Tally()
    try:
        with _held(folder, output):
            done, without_tags = read_done(folder, job.identify())
            paths = Remaining(inputs, done)
            shards = ShardWriter(folder, job.make_schema(), job.identify())
            total = inputs.count(COUNT_SECONDS)
            tag = _choose_engine(job, engine, address)
            # Ray prints what happens in its cluster to standard output, which is for results.
            with noting_signals() as stop, redirect_stdout(sys.stderr), _bar(job, total, paths, tally) as note_row:
                has_ended = tag_into_shards(paths, tag, shards, stop, note_row)
    except (ShardError, ListError, ExportError, EngineError) as error:
        fail(str(error))
    skipped = f", {counted(paths.skipped, 'input')} had theirs already" if paths.skipped else ""
    say(f"wrote {counted(shards.rows, 'row')} into {output}{skipped}")
    if without_tags:
        say(f"refused or silent before: {counted(without_tags, 'row')}, see their reasons")
    if stop.signal:
        say("ended early: the same command goes on from here")
        _end(STATUSES[signal.Signals(stop.signal)], has_ended)
    summarise(tally, job.metadata)
    if without_tags:
        raise typer.Exit(REFUSED)


@contextmanager
def _held(folder: Path, output: str) -> Iterator[None]:
    """Hold a folder while the block runs, or end with the reason."""
    with ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(hold(folder))
        except InUseError as error:
            fail(f"--output={error}")
        except OSError as error:
            fail(f"--output={output} cannot be written ({error.strerror or error}): name another")
        yield


@contextmanager
def _bar(job: Job, total: int | None, paths: Remaining, tally: Tally) -> Iterator[Callable[[Row], None]]:
    """Show a bar, and give what takes note of a row."""
    with progress_bar(quiet=not sys.stderr.isatty()) as bar:
        task = bar.add_task("tagging" if job.command == "tag" else "describing", total=total)

        def note_row(row: Row) -> None:
            tally.add(row)
            bar.update(task, completed=tally.rows + paths.skipped)

        yield note_row


def _choose_engine(job: Job, engine: EngineName, address: str | None) -> Engine:
    """Load what an engine needs."""
    if engine == "ray":
        from mcc_zoo.catalogue.engines import ray_data

        with quiet():
            ray_data.connect(address)
        return partial(ray_data.tag, job=job)
    tagger = load_tagger(job.folder, job.decoder)
    from mcc_zoo.catalogue.engines import local

    return partial(local.tag, job=job, tagger=tagger)


def _end(status: int, has_ended: bool) -> NoReturn:
    """End with a status; at once, where a thread would go on for who knows how long."""
    if not has_ended:
        sys.stderr.flush()
        os._exit(status)
    raise typer.Exit(status)
