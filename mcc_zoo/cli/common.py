"""What the commands share: messages, finding and loading a model, reading inputs, and files written whole."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

import typer

from mcc_zoo.atomic import make_folder, open_atomically
from mcc_zoo.audio import decoders
from mcc_zoo.catalogue.inputs import ListError
from mcc_zoo.catalogue.rows import Row
from mcc_zoo.disk import WriteError, explained
from mcc_zoo.export.metadata import ExportError, ExportMetadata
from mcc_zoo.inference.locate import latest
from mcc_zoo.locks import InUseError, hold
from mcc_zoo.progress import progress_bar
from mcc_zoo.tensorflow_start import import_tensorflow, quiet
from mcc_zoo.text import escape_unprintable

if TYPE_CHECKING:
    from mcc_zoo.cli.options import Mode
    from mcc_zoo.inference.result import Result
    from mcc_zoo.inference.tagger import Tagger

REFUSED, IMPOSSIBLE, INTERRUPTED, TERMINATED = 1, 2, 130, 143  # exit statuses


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
    from mcc_zoo.catalogue.engines import local

    try:
        with quiet():
            tagger = local.load(folder, found_decoder)
    except ExportError as error:
        fail(str(error))
    return tagger


def list_inputs(inputs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """List the files to read, each once, in order, or end with the reason why a list of them cannot be read.

    Args:
        inputs: As iterating `catalogue.inputs.Inputs` gives them.

    Returns:
        For each path "", or the reason why it is no file.
    """
    try:
        files = dict(inputs)
    except ListError as error:
        fail(str(error))
    if not files:
        fail("no files to read: the list names none")
    return files


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


class Tally:
    """Counts rows as they pass.

    Attributes:
        rows: All of them.
        long: Those that were averaged over windows.
        silent: Those of silent files.
        refused: Those of refused files.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.rows = self.long = self.silent = self.refused = 0

    def add(self, row: Row) -> None:
        """Count a row."""
        self.rows += 1
        self.long += row["windows"] > 1
        self.silent += row["status"] == "silent"
        self.refused += row["status"] == "refused"

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Count rows and pass them on."""
        for row in rows:
            self.add(row)
            yield row


def summarise(tally: Tally, metadata: ExportMetadata) -> None:
    """Print what a user should know about all rows together, and end with status 1 if inputs were refused."""
    if tally.long:
        chunks, seconds = metadata.training_chunks, metadata.front_end.chunk_seconds
        say(
            f"{tally.long} of {tally.rows} tracks longer than one window: averaged over windows of {chunks} "
            f"chunks ({chunks * seconds:.1f} s); --sequence=whole reads a track as one sequence"
        )
    if without_tags := tally.silent + tally.refused:
        say(f"{without_tags} of {tally.rows} inputs refused{' or silent' * bool(tally.silent)}, see their reasons")
        raise typer.Exit(REFUSED)
