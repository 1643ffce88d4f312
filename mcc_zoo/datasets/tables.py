"""Rows of CSV and Excel tables, and the refusal of what is none."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcc_zoo.datasets.track import DatasetError

EXCEL = {".xls": "xlrd", ".xlsx": "openpyxl"}  # suffix: the package with which pandas reads it


@dataclass(frozen=True)
class Row:
    """One row of a table; as text it is the beginning of a message: where the row stands.

    Attributes:
        table: Where the table lies.
        number: As a spreadsheet counts: the header is row 1.
        cells: Text without blanks around it, by column in lower case.
    """

    table: Path
    number: int
    cells: Mapping[str, str]

    def __str__(self) -> str:
        """Where the row stands."""
        return f"{self.table}: row {self.number}"

    def text(self, column: str) -> str:
        """A cell; empty where there is no such column."""
        return self.cells.get(column, "")

    def real(self, column: str) -> float:
        """A finite number; raises `DatasetError` where the cell holds none."""
        try:
            value = float(self.text(column))
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise DatasetError(f"{self}: {column} {self.text(column)!r} is not a number")
        return value

    def whole(self, column: str) -> int:
        """A whole number from 0; raises `DatasetError` where the cell holds none."""
        value = self.real(column)  # a spreadsheet may have made 1.0 of 001
        if value != int(value) or value < 0:
            raise DatasetError(f"{self}: {column} {self.text(column)!r} is not a whole number such as 0 or 3")
        return int(value)


def rows(path: Path, needed: Sequence[str]) -> list[Row]:
    """Read a table, by its suffix as Excel or as CSV.

    Args:
        path: The table; its first row names the columns, in capitals or not.
        needed: Columns that it must have, each once, in lower case.

    Returns:
        Its rows but for the empty ones.

    Raises:
        DatasetError: If it cannot be read, lacks a column, or has a row with more cells than columns.
    """
    header, *body = (_excel(path) if path.suffix.lower() in EXCEL else _csv(path)) or [[]]
    columns = [cell.strip().lower() for cell in header]
    lacking = [name for name in needed if columns.count(name) != 1]
    if lacking:
        hint = " Separate columns with commas." if len(columns) == 1 and re.search(r"[;\t|]", columns[0]) else ""
        raise DatasetError(
            f"{path}: lacks {', '.join(lacking)} (each of the columns {', '.join(needed)} is needed once); "
            f"found {', '.join(map(repr, columns)) or 'none, the table is empty'}.{hint}"
        )
    found: list[Row] = []
    for number, cells in enumerate(body, start=2):
        cells = [cell.strip() for cell in cells]
        if any(cells[len(columns) :]):
            raise DatasetError(
                f"{path}: row {number} has {len(cells)} cells under {len(columns)} columns; put quotes around a cell "
                f"that holds a comma"
            )
        if any(cells):
            found.append(Row(path, number, dict(zip(columns, cells, strict=False))))
    return found


def text(path: Path) -> str:
    """Read a text file in UTF-8, with or without byte-order mark; raises `DatasetError` where it is none."""
    if not os.path.isfile(path):  # a FIFO would hang
        raise DatasetError(f"{path}: no such file")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: is not UTF-8 text ({error.reason}); save it as CSV UTF-8") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error


def _csv(path: Path) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text(path), newline=""), strict=True))
    except csv.Error as error:
        raise DatasetError(f"{path}: is not a CSV table ({error}); save it as CSV UTF-8") from error


def _excel(path: Path) -> list[list[str]]:
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
