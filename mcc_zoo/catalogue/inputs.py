"""Inputs become paths, one by one: files, folders, globs and addresses, and lists of paths in a file.

Nothing here is gathered before it is used, so that a million files take no more memory than ten, and the first of them
is tagged while others are still looked for.
"""

from __future__ import annotations

import csv
import glob
import io
import os
import sys
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO

from mcc_zoo.audio import folders
from mcc_zoo.audio.addresses import find_file_system, is_address, open_address
from mcc_zoo.extras import MissingExtraError

STANDARD_INPUT = "-"
_WEB = ("http", "https")  # there a question mark asks for something, and what looks like a folder is a page
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ListError(ValueError):
    """A list of paths cannot be read; the message is one sentence."""


@dataclass(frozen=True)
class Inputs:
    """What a command was given to read; iterating gives each path, with "" or the reason why it is no file.

    Attributes:
        given: Files, folders, globs and addresses, as the user wrote them.
        files_from: A list of paths: a .csv or .parquet file with a column of them, any other file with one path per
            line, or "-" for such lines on standard input; "" for none.
        column: The column of a .csv or .parquet list.
    """

    given: Sequence[str] = ()
    files_from: str = ""
    column: str = "path"

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """List the paths, in order; one that is named twice is listed twice.

        Raises:
            ListError: The list cannot be read.
        """
        for text in self.given:
            yield from find_files(text)
        if self.files_from:
            for path in read_list(self.files_from, self.column):
                yield path, ""

    def count(self, seconds: float) -> int | None:
        """Count the paths; None if that takes longer, or if standard input gives them.

        Raises:
            ListError: The list cannot be read.
        """
        if self.files_from == STANDARD_INPUT:
            return None
        number, end = 0, time.monotonic() + seconds
        for _ in self:
            number += 1
            if time.monotonic() > end:
                return None
        return number


def find_files(given: str) -> Iterator[tuple[str, str]]:
    """List the files that an input stands for, each with "", or the input itself with the reason why there are none."""
    if is_address(given):
        yield from _find_at_address(given)
    elif os.path.isdir(given):
        yield from _find_in_folder(given)
    elif glob.has_magic(given) and not os.path.lexists(given):
        yield from _find_by_glob(given)
    else:
        yield given, ""


def _find_in_folder(folder: str) -> Iterator[tuple[str, str]]:
    is_empty = True
    for path, error in folders.walk(folder):
        is_empty = False
        yield str(path), str(error or "")
    if is_empty:
        suffixes = ", ".join(sorted(folders.AUDIO_SUFFIXES))
        yield folder, f"{folder!r}: this folder and its subfolders hold no audio files ({suffixes})"


def _find_by_glob(pattern: str) -> Iterator[tuple[str, str]]:
    found = sorted(glob.glob(pattern, recursive=True))
    for path in found:
        if os.path.isdir(path):
            yield from _find_in_folder(path)
        else:
            yield path, ""
    if not found:
        yield pattern, f"{pattern!r}: no file matches; check the pattern"


def _find_at_address(address: str) -> Iterator[tuple[str, str]]:
    """List what is at an address, with fsspec."""
    if address.startswith("file:") or urllib.parse.urlsplit(address).scheme in _WEB:
        yield address, ""
        return
    try:
        is_empty = True
        for found in _list_address(address):
            is_empty = False
            yield found, ""
        if is_empty:
            yield address, f"{address!r}: no audio files are there; check the address"
    except MissingExtraError:
        raise
    except Exception as error:  # each package behind fsspec has errors of its own
        yield address, f"{address!r}: cannot be listed ({error}); check address and connection"


def _list_address(address: str) -> Iterator[str]:
    system, path = find_file_system(address)
    chain = "".join(address.partition("::")[1:])
    if glob.has_magic(path):
        names: Iterable[str] = sorted(system.glob(path))
    elif system.isdir(path):
        names = _walk_remotely(system.walk(path))
    else:
        yield address
        return
    for name in names:
        yield f"{system.unstrip_protocol(name)}{chain}"


def _walk_remotely(folders_of_system: Iterator[tuple[str, list[str], list[str]]]) -> Iterator[str]:
    for parent, subfolders, names in folders_of_system:
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in folders.AUDIO_SUFFIXES:
                yield f"{parent}/{name}" if parent else name


def read_list(file: str, column: str = "path") -> Iterator[str]:
    """Read paths from a list; empty lines and cells are left out.

    Args:
        file: As in `Inputs.files_from`.
        column: As in `Inputs.column`.

    Raises:
        ListError: It cannot be read, or has no such column.
    """
    suffix = PurePath(urllib.parse.urlsplit(file).path if is_address(file) else file).suffix.lower()
    read = {".csv": _read_csv, ".parquet": _read_parquet}.get(suffix, _read_lines)
    try:
        with _open_list(file) as stream:
            yield from (path for path in read(stream, file, column) if path)
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ListError(f"--files-from={file} cannot be read ({reason}): give a file with one path per line") from error


def _open_list(file: str) -> AbstractContextManager[IO[bytes]]:
    if file == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    return open_address(file) if is_address(file) else open(file, "rb")


def _read_lines(stream: IO[bytes], file: str, column: str) -> Iterator[str]:
    for number, line in enumerate(stream):
        yield os.fsdecode((line if number else line.removeprefix(_BYTE_ORDER_MARK)).rstrip(b"\r\n"))


def _read_csv(stream: IO[bytes], file: str, column: str) -> Iterator[str]:
    with io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="") as text:
        rows = csv.DictReader(text)
        _check_column(file, column, list(rows.fieldnames or []))
        for row in rows:
            yield row[column] or ""


def _read_parquet(stream: IO[bytes], file: str, column: str) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(stream)
        _check_column(file, column, table.schema_arrow.names)
        for batch in table.iter_batches(columns=[column]):
            yield from batch.column(0).cast(pa.string()).to_pylist()
    except pa.ArrowException as error:
        raise ListError(f"--files-from={file} cannot be read ({error}): write the Parquet file again") from error


def _check_column(file: str, column: str, columns: list[str]) -> None:
    if column not in columns:
        named = ", ".join(columns) or "none"
        raise ListError(f"--files-from={file} has no column {column!r}: give one of its columns ({named}) as --column")
