"""Results as rows: the columns, the table on a terminal, and the files."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, TextIO

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table

from mcc_zoo.cli.common import Row, fail, printable, say, written_whole
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Tagger
from mcc_zoo.text import without_path

PROBABILITY = "probability_"  # before each label, so that a label called "path" is no second column "path"

Writer = Callable[[list[Row], IO[bytes]], object]


def row(result: Result, tagger: Tagger) -> Row:
    """Make the columns that every row has."""
    chunks = len(result.taggram)
    return {
        "path": printable(result.path),
        "status": result.status,
        "reason": printable(without_path(result.reason, result.path)),
        "tag": result.tag,
        "chunks": chunks,
        "seconds": round(chunks * tagger.front_end.chunk_seconds, 3),
        "windows": result.windows,
    }


def tag_row(result: Result, tagger: Tagger) -> Row:
    """Add a probability for each label, with seven digits, as float32 has; None for a refused file."""
    probabilities = {label: float(f"{value:.7g}") for label, value in result.tags.items()}
    return row(result, tagger) | {PROBABILITY + label: probabilities.get(label) for label in tagger.labels}


def descriptor_row(result: Result, tagger: Tagger, chunks: bool) -> Row:
    """Add the track's descriptor (D,), and if asked a list of those of its chunks; empty for a refused file."""
    of_chunks = {"chunk_descriptors": list(result.chunk_descriptors)} if chunks else {}
    return row(result, tagger) | {"descriptor": result.descriptor} | of_chunks


def tag_table(rows: Iterable[Row], top: int) -> Table:
    """Make a table for people: the `top` most probable tags of each file, or why it was refused."""
    table = Table(box=box.SIMPLE)
    table.add_column("file", overflow="fold")
    table.add_column("read", justify="right", no_wrap=True)
    table.add_column("tags", overflow="fold")
    for of_file in rows:
        length, tags = "", f"refused: {of_file['reason']}"
        if of_file["status"] == "ok":
            probabilities = [(of_file[name], name) for name in of_file if name.startswith(PROBABILITY)]
            best = sorted(probabilities, reverse=True)[:top]
            length = f"{of_file['seconds']:.0f} s"
            tags = ", ".join(f"{name.removeprefix(PROBABILITY)} {value:.0%}" for value, name in best)
        table.add_row(of_file["path"], length, tags)
    return table


def stream_csv(rows: Iterable[Row], out: TextIO) -> list[Row]:
    """Write comma-separated rows below a header, each as soon as it is there, and return them."""
    written: list[Row] = []
    for found in rows:
        pd.DataFrame([found]).to_csv(out, header=not written, index=False)
        out.flush()
        written.append(found)
    return written


def write_npz(rows: list[Row], file: IO[bytes]) -> None:
    """Write the columns as NumPy arrays that load without pickle; the descriptor of a refused file is NaN."""
    columns = {name: [found[name] for found in rows] for name in rows[0]}
    unknown = np.full(max(map(len, columns["descriptor"])), np.nan, np.float32)
    columns["descriptor"] = [found if len(found) else unknown for found in columns["descriptor"]]
    if "chunk_descriptors" in columns:
        columns["chunk_descriptors"] = list(itertools.chain.from_iterable(columns["chunk_descriptors"]))
    arrays: dict[str, Any] = {name: np.array(values) for name, values in columns.items()}
    np.savez_compressed(file, **arrays)


def write_parquet(rows: list[Row], file: IO[bytes]) -> None:
    """Write rows as Parquet."""
    pd.DataFrame(rows).to_parquet(file, index=False)


TABLES: dict[str, Writer] = {
    ".csv": lambda rows, file: pd.DataFrame(rows).to_csv(file, index=False),
    ".json": lambda rows, file: file.write(json.dumps(rows, ensure_ascii=False, indent=1).encode()),
    ".parquet": write_parquet,
}
DESCRIPTORS: dict[str, Writer] = {".parquet": write_parquet, ".npz": write_npz}


def by_suffix(output: Path, writers: dict[str, Writer]) -> Writer:
    """Choose how to write a file, or say which kinds there are."""
    suffix = output.suffix.lower()
    if suffix not in writers:
        fail(f"--output={output} has the suffix {suffix!r}: choose one of {', '.join(writers)}")
    return writers[suffix]


def save(found: Iterable[Row], write: Writer, output: Path) -> list[Row]:
    """Write rows to a file, whole or not at all, and return them."""
    with written_whole(output) as file:
        rows = list(found)
        write(rows, file)
    say(f"wrote {output}")
    return rows
