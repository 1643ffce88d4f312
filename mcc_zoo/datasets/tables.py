"""Read CSV and Excel tables row by row; errors name the file and the row."""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcc_zoo.datasets.base import DatasetError

SEPARATORS = {",": "comma", "\t": "tab"}
EXCEL = {".xls": "xlrd", ".xlsx": "openpyxl"}  # suffix: the package that pandas reads it with


@dataclass(frozen=True)
class Row:
    """One row of a table; as text it names the file and the row, for a message.

    Attributes:
        table: The table's file.
        number: Number of the row as a spreadsheet counts, from 1; blank rows count.
        cells: Text without surrounding blanks, by column in lower case.
    """

    table: Path
    number: int
    cells: Mapping[str, str]

    def __str__(self) -> str:
        """The file and the row, for a message."""
        return f"{self.table}: row {self.number}"

    def get_text(self, column: str) -> str:
        """Get a cell's text; empty where there is no such column."""
        return self.cells.get(column, "")

    def get_number(self, column: str) -> float:
        """Get a finite number; raises `DatasetError` where the cell is none."""
        try:
            value = float(self.get_text(column))
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise DatasetError(f"{self}: {column} {self.get_text(column)!r} is not a number")
        return value

    def get_whole_number(self, column: str) -> int:
        """Get a whole number of 0 or more; raises `DatasetError` where the cell is none."""
        value = self.get_number(column)  # a spreadsheet may have made 1.0 of 001
        if value != int(value) or value < 0:
            raise DatasetError(f"{self}: {column} {self.get_text(column)!r} is not a whole number such as 0 or 3")
        return int(value)


def read_columns(path: Path) -> list[str]:
    """Read the names of a table's columns, in lower case, none if it is empty; raises `DatasetError` as `read_rows`."""
    return _split_header(_read_cells(path, ","))[0]


def read_rows(path: Path, required: Sequence[str]) -> list[Row]:
    """Read a table, as Excel or CSV by its suffix.

    Args:
        path: The table; its first row that is not blank names the columns, in upper or lower case.
        required: Columns that it must have, each once, in lower case.

    Returns:
        Its rows, without the empty ones.

    Raises:
        DatasetError: If it cannot be read, lacks a column, or has a row with more cells than columns.
    """
    return list(iterate_rows(path, required))


def iterate_rows(path: Path, required: Sequence[str], separator: str = ",") -> Iterator[Row]:
    """Read a table as `read_rows` does, row by row, because all rows of many columns take much memory.

    Args:
        path: As for `read_rows`.
        required: As for `read_rows`.
        separator: What separates the cells of a line, comma or tab.

    Yields:
        Its rows, without the empty ones.

    Raises:
        DatasetError: As for `read_rows`.
    """
    columns, body, first = _split_header(_read_cells(path, separator))
    lacking = [name for name in required if columns.count(name) != 1]
    if lacking:
        has_other = len(columns) == 1 and any(sign in columns[0] for sign in ",;\t|" if sign != separator)
        raise DatasetError(
            f"{path}: lacks {', '.join(lacking)} (each of the columns {', '.join(required)} is needed once); "
            f"found {', '.join(map(repr, columns)) or 'none, the table is empty'}."
            + f" Separate columns with {SEPARATORS[separator]}s."
            * has_other
        )
    for number, cells in enumerate(body, start=first):
        cells = [cell.strip() for cell in cells]
        if any(cells[len(columns) :]):
            raise DatasetError(
                f"{path}: row {number} has {len(cells)} cells under {len(columns)} columns; put quotes around a cell "
                f"that holds a {SEPARATORS[separator]}"
            )
        if any(cells):
            yield Row(path, number, dict(zip(columns, cells, strict=False)))


def _split_header(rows: list[list[str]]) -> tuple[list[str], list[list[str]], int]:
    """Split a table into the names of its columns and the rows below, with the number of the first of these."""
    blank = sum(1 for _ in itertools.takewhile(lambda row: not any(map(str.strip, row)), rows))
    header, *body = rows[blank:] or [[]]
    return [cell.strip().lower() for cell in header], body, blank + 2


def read_text(path: Path) -> str:
    """Read a UTF-8 text file, with or without byte-order mark; raises `DatasetError` where it is none."""
    if not os.path.isfile(path):  # a FIFO would block
        is_folder = os.path.isdir(path)
        raise DatasetError(f"{path}: {'is a folder: give a CSV file in it' if is_folder else 'no such file'}")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: is not UTF-8 text ({error.reason}); save it as CSV UTF-8") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error


def _read_cells(path: Path, separator: str) -> list[list[str]]:
    if path.suffix.lower() in EXCEL:
        return _read_excel(path)
    text = io.StringIO(read_text(path), newline="")
    try:
        # Published tables, which have tabs, may have quotes within a title.
        return list(csv.reader(text, delimiter=separator, strict=separator == ","))
    except csv.Error as error:
        raise DatasetError(f"{path}: is not a CSV table ({error}); save it as CSV UTF-8") from error


def _read_excel(path: Path) -> list[list[str]]:
    import pandas as pd  # takes half a second, and most tables are CSV

    try:
        frame = pd.read_excel(path, header=None, dtype=str, na_filter=False)
    except ImportError as error:
        raise DatasetError(
            f"{path}: is an Excel table; save it as {path.with_suffix('.csv').name} beside it, or "
            f"`pip install {EXCEL[path.suffix.lower()]}`"
        ) from error
    except Exception as error:  # each engine has exceptions of its own
        raise DatasetError(f"{path}: cannot be read as Excel ({error}); save it as CSV UTF-8") from error
    return [[str(cell) for cell in row] for row in frame.to_numpy().tolist()]
