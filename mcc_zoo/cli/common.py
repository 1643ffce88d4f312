"""What the commands share: sentences, reading an export and inputs, and files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
import tensorflow as tf
import typer

from mcc_zoo.audio import checks, folders
from mcc_zoo.audio.decoders import Decoder, DecoderName, find_decoder
from mcc_zoo.export.metadata import ExportError
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Mode, Tagger, load
from mcc_zoo.progress import progress_bar
from mcc_zoo.silence import quiet

REFUSED, IMPOSSIBLE, INTERRUPTED = 1, 2, 130  # exit statuses

Row = dict[str, Any]


def printable(text: str) -> str:
    r"""Return text that UTF-8 can hold and that does nothing to a terminal: control characters and bytes as escapes.

    >>> print(printable("ça\udce7\n.wav"))
    ça\udce7\n.wav
    """
    return re.sub(r"[\0-\x1f\x7f-\x9f\ud800-\udfff]", lambda c: c[0].encode("unicode_escape").decode(), text)


def say(message: str) -> None:
    """Print a sentence to standard error."""
    typer.echo(printable(message), err=True)


def fail(message: str) -> NoReturn:
    """Say why the command cannot be carried out, and end it."""
    say(f"error: {message}")
    raise typer.Exit(IMPOSSIBLE)


def loaded(export: Path, decoder: DecoderName) -> Tagger:
    """Load an export, or end with the reason."""
    found = usable(decoder)
    with contextlib.suppress(RuntimeError):  # where TensorFlow has started already, its threads stay as they are
        # Files go through side by side, a core each: more threads for an operation would take the others' cores.
        tf.config.threading.set_intra_op_parallelism_threads(1)
    try:
        with quiet():
            tagger = load(export, found)
            # Asked once, here, TensorFlow logs nothing between the rows.
            tagger.tag_waveform(np.zeros(tagger.front_end.chunk_samples), tagger.front_end.sample_rate)
    except ExportError as error:
        fail(str(error))
    return tagger


def usable(decoder: DecoderName) -> Decoder:
    """Find a decoder, or end with the reason where it is not installed."""
    try:
        return find_decoder(decoder)
    except ValueError as error:
        fail(f"--{error}")


def listed(inputs: Iterable[str]) -> dict[str, str]:
    """List the files to read, each once, in order.

    Args:
        inputs: Files and folders, as the user wrote them.

    Returns:
        For each path "", or what is wrong with a folder that gives no files.
    """
    found: dict[str, str] = {}
    for given in inputs:
        files, reason = [given], ""
        if os.path.isdir(given):
            suffixes = ", ".join(sorted(folders.AUDIO_SUFFIXES))
            reason = f"{given!r}: this folder and its subfolders hold no audio files ({suffixes})"
            try:
                files = [str(file) for file in folders.find(given)]
            except checks.AudioError as error:
                files, reason = [], str(error)
        found |= {file: "" for file in files} or {given: reason}
    return found


def results(tagger: Tagger, files: dict[str, str], sequence: Mode, doing: str) -> Iterator[Result]:
    """Read all files of `listed` under a progress bar: exactly one result for each, in their order."""
    found = zip(tagger.tag_files(files, sequence), files.values(), strict=True)
    with progress_bar(quiet=not sys.stderr.isatty()) as bar:
        for result, reason in bar.track(found, total=len(files), description=doing):
            yield replace(result, reason=reason or result.reason)


@contextlib.contextmanager
def written_whole(output: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name when it is finished; where anything goes wrong no file is left behind.

    It is opened at once, so that a folder that cannot be written to is found out before hours of work.
    """
    part = output.with_name(f".{output.name}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            yield file
        part.replace(output)
    except OSError as error:
        fail(f"--output={output} cannot be written ({error.strerror or error}): name another, or make room for it")
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def conclude(rows: list[Row], tagger: Tagger) -> None:
    """Say what a user should know of all rows together, and end with status 1 where inputs were refused."""
    if long := sum(row["windows"] > 1 for row in rows):
        chunks = tagger.facts["training_chunks"]
        say(
            f"{long} of {len(rows)} tracks longer than those of the training: windows of {chunks} chunks "
            f"({chunks * tagger.front_end.chunk_seconds:.1f} s) averaged; --sequence=whole reads a track in one "
            "sequence"
        )
    if refused := sum(row["status"] != "ok" for row in rows):
        say(f"{refused} of {len(rows)} inputs refused, see their reasons")
        raise typer.Exit(REFUSED)
