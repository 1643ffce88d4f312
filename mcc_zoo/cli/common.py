"""What the commands share: messages, finding and loading a model, reading inputs, and files written whole."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import typer

from mcc_zoo.atomic import make_folder, open_atomically
from mcc_zoo.audio import decoders, folders
from mcc_zoo.disk import WriteError, explained
from mcc_zoo.export.metadata import ExportError
from mcc_zoo.inference.locate import latest
from mcc_zoo.locks import InUseError, hold
from mcc_zoo.progress import progress_bar
from mcc_zoo.tensorflow_start import import_tensorflow, quiet

if TYPE_CHECKING:
    from mcc_zoo.cli.options import Mode
    from mcc_zoo.inference.result import Result
    from mcc_zoo.inference.tagger import Tagger

REFUSED, IMPOSSIBLE, INTERRUPTED = 1, 2, 130  # exit statuses

Row = dict[str, Any]


def escape_unprintable(text: str) -> str:
    r"""Write control characters, and bytes that are not UTF-8, as escapes, so that text does nothing to a terminal.

    >>> print(escape_unprintable("ça\udce7\n.wav"))
    ça\udce7\n.wav
    """
    return re.sub(r"[\0-\x1f\x7f-\x9f\ud800-\udfff]", lambda c: c[0].encode("unicode_escape").decode(), text)


def say(message: str) -> None:
    """Print a message to standard error."""
    typer.echo(escape_unprintable(message), err=True)


def fail(message: str) -> NoReturn:
    """Print why the command cannot be carried out, and end it with status 2."""
    say(f"error: {message}")
    raise typer.Exit(IMPOSSIBLE)


def find_export(export: Path) -> Path:
    """Return the folder of the version that EXPORT names, or end with the reason."""
    try:
        return latest(export)
    except ExportError as error:
        fail(str(error))


def find_decoder(name: decoders.DecoderName) -> decoders.Decoder:
    """Find a decoder, or end with the reason if it is not installed."""
    try:
        return decoders.find_decoder(name)
    except ValueError as error:
        fail(f"--{error}")


def load_tagger(export: Path, decoder: decoders.DecoderName) -> Tagger:
    """Load a model for use on many files, or end with the reason."""
    found_decoder = find_decoder(decoder)
    folder = find_export(export)
    import_tensorflow()
    import numpy as np
    import tensorflow as tf

    from mcc_zoo.inference import tagger as inference

    with contextlib.suppress(RuntimeError):  # if TensorFlow has started already, its threads stay as they are
        # Files are read side by side, one per core: more threads per operation would take the other files' cores.
        tf.config.threading.set_intra_op_parallelism_threads(1)
    try:
        with quiet():
            tagger = inference.load(folder, found_decoder)
            # After a first question here, TensorFlow logs nothing between the rows.
            tagger.tag_waveform(np.zeros(tagger.front_end.chunk_samples), tagger.front_end.sample_rate)
    except ExportError as error:
        fail(str(error))
    return tagger


def list_inputs(inputs: Iterable[str]) -> dict[str, str]:
    """List the files to read, each once, in order.

    Args:
        inputs: Files and folders, as the user wrote them.

    Returns:
        For each path "", or the reason why a folder gives no files.
    """
    reasons: dict[str, str] = {}
    for given in inputs:
        if os.path.isdir(given):
            reasons |= _list_folder(given)
        else:
            reasons[given] = ""
    return reasons


def _list_folder(folder: str) -> dict[str, str]:
    """List the audio files of a folder; where it holds none it is listed itself, with the reason."""
    found = {str(path): str(error or "") for path, error in folders.find_with_errors(folder).items()}
    suffixes = ", ".join(sorted(folders.AUDIO_SUFFIXES))
    return found or {folder: f"{folder!r}: this folder and its subfolders hold no audio files ({suffixes})"}


def tag_inputs(tagger: Tagger, files: dict[str, str], sequence: Mode, description: str) -> Iterator[Result]:
    """Tag the files of `list_inputs` under a progress bar.

    Yields:
        One result for each file, in their order.
    """
    tagged = zip(tagger.tag_files(files, sequence), files.values(), strict=True)
    with progress_bar(quiet=not sys.stderr.isatty()) as bar:
        for result, reason in bar.track(tagged, total=len(files), description=description):
            yield replace(result, reason=reason or result.reason)


@contextlib.contextmanager
def written_whole(output: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name when it is finished; where anything goes wrong no file is left behind.

    It is opened at once, so that a folder that cannot be written to is found out before hours of work.
    """
    try:
        with explained(output, "--output=", "name another"):
            make_folder(output.parent)
            with hold(output), open_atomically(output) as file:
                yield file
    except InUseError as error:
        fail(f"--output={error}")
    except WriteError as error:
        fail(str(error))


def summarise(rows: Sequence[Row], tagger: Tagger) -> None:
    """Print what a user should know about all rows together, and end with status 1 if inputs were refused."""
    if long := sum(row["windows"] > 1 for row in rows):
        chunks = tagger.metadata.training_chunks
        say(
            f"{long} of {len(rows)} tracks longer than the training tracks: averaged over windows of {chunks} chunks "
            f"({chunks * tagger.front_end.chunk_seconds:.1f} s); --sequence=whole reads a track as one sequence"
        )
    if refused := sum(row["status"] != "ok" for row in rows):
        silent = any(row["status"] == "silent" for row in rows)
        say(f"{refused} of {len(rows)} inputs refused{' or silent' * silent}, see their reasons")
        raise typer.Exit(REFUSED)
