"""Rows as tables on a terminal, and as files."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, TextIO

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from mcc_zoo.catalogue.rows import PROBABILITY, Row
from mcc_zoo.cli.common import fail, say, written_whole
from mcc_zoo.tasks import SEPARATOR

Writer = Callable[[list[Row], IO[bytes]], object]


def make_tag_table(rows: Iterable[Row], top: int) -> Table:
    """Make the table for a terminal: the `top` most probable tags of each file, or why it was refused."""
    table = Table(box=box.SIMPLE)
    table.add_column("file", overflow="fold")
    table.add_column("read", justify="right", no_wrap=True)
    table.add_column("tags", overflow="fold")
    for row in rows:
        length, tags = "", row["reason"] if row["status"] == "silent" else f"refused: {row['reason']}"
        if row["status"] == "ok":
            probabilities = [(row[name], name) for name in row if name.startswith(PROBABILITY)]
            best = sorted(probabilities, reverse=True)[:top]
            if "tags" in row:  # those that the track is given
                given = row["tags"].split(SEPARATOR)
                best = [tag for tag in best if tag[1].removeprefix(PROBABILITY) in given]
            length = f"{row['seconds']:.0f} s"
            tags = ", ".join(f"{name.removeprefix(PROBABILITY)} {value:.0%}" for value, name in best) or "none"
        table.add_row(row["path"], length, tags)
    return table


def print_table(table: Table) -> None:
    """Print a table to standard output, with its texts as they are."""
    Console(markup=False, highlight=False, emoji=False).print(table)


def stream_csv(rows: Iterable[Row], out: TextIO) -> None:
    """Write comma-separated rows below a header, each as soon as it is there."""
    for number, row in enumerate(rows):
        writer = csv.DictWriter(out, list(row), lineterminator="\n")
        if not number:
            writer.writeheader()
        writer.writerow(row)
        out.flush()


def write_csv(rows: list[Row], file: IO[bytes]) -> None:
    """Write rows as comma-separated values."""
    import pandas as pd

    pd.DataFrame(rows).to_csv(file, index=False)


def write_json(rows: list[Row], file: IO[bytes]) -> None:
    """Write rows as a JSON list of objects."""
    file.write(json.dumps(rows, ensure_ascii=False, indent=1).encode())


def write_parquet(rows: list[Row], file: IO[bytes]) -> None:
    """Write rows as Parquet."""
    import pandas as pd

    pd.DataFrame(rows).to_parquet(file, index=False)


def write_npz(rows: list[Row], file: IO[bytes]) -> None:
    """Write the columns as NumPy arrays that load without pickle; the descriptor of a refused file is NaN."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    unknown = np.full(max(map(len, columns["descriptor"])), np.nan, np.float32)
    columns["descriptor"] = [values if len(values) else unknown for values in columns["descriptor"]]
    if "chunk_descriptors" in columns:
        columns["chunk_descriptors"] = list(itertools.chain.from_iterable(columns["chunk_descriptors"]))
    arrays: dict[str, Any] = {name: np.array(values) for name, values in columns.items()}
    np.savez_compressed(file, **arrays)


TABLES: dict[str, Writer] = {".csv": write_csv, ".json": write_json, ".parquet": write_parquet}
DESCRIPTORS: dict[str, Writer] = {".parquet": write_parquet, ".npz": write_npz}


def choose_writer(output: Path, writers: dict[str, Writer]) -> Writer:
    """Choose by the suffix how to write a file, or end with the suffixes that can be written."""
    suffix = output.suffix.lower()
    if suffix not in writers:
        fail(f"--output={output} has the suffix {suffix!r}: choose one of {', '.join(writers)}")
    return writers[suffix]


def write_rows(found: Iterable[Row], write: Writer, output: Path) -> None:
    """Write rows to a file, whole or not at all."""
    with written_whole(output) as file:
        write(list(found), file)
    say(f"wrote {output}")
