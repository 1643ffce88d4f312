"""A table as a folder of Parquet files, the shards: each is written whole, and together they say what is done.

A shard's footer names the job that its rows are of, so that a folder never mixes those of two exports or options.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mcc_zoo.atomic import PART, open_atomically
from mcc_zoo.catalogue.rows import Row

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 1_000
MOST_SECONDS = 60.0  # from a shard's first row on; with MOST_ROWS, what a kill can cost
SUFFIX = ".parquet"
JOB_KEY = b"mcc_zoo_job"  # in a shard's footer
_DIGEST_BYTES = 16


class ShardError(ValueError):
    """A folder cannot take a job's rows; the message is one sentence."""


class PathSet:
    """A set of paths that takes some 100 bytes a path, whatever its length."""

    def __init__(self) -> None:
        """Begin with none."""
        self._digests: set[bytes] = set()

    def __len__(self) -> int:
        """Count them."""
        return len(self._digests)

    def add(self, path: str) -> bool:
        """Add a path, as a table has it; say whether it is a new one."""
        before = len(self._digests)
        self._digests.add(hashlib.blake2b(path.encode(), digest_size=_DIGEST_BYTES).digest())
        return len(self._digests) > before


def read_done(folder: Path, job: Mapping[str, str]) -> tuple[PathSet, int]:
    """Read which paths have a row already.

    Args:
        folder: A folder of shards; it need not exist.
        job: What decides about the rows, as `Job.identify` gives it.

    Returns:
        The paths, and how many of them were refused or silent.

    Raises:
        ShardError: A Parquet file there is no shard, is damaged, or is of another job.
    """
    done, without_tags = PathSet(), 0
    for shard in list_shards(folder):
        for path, status in _read_paths(shard, job):
            done.add(path)
            without_tags += status != "ok"
    return done, without_tags


def list_shards(folder: Path) -> list[Path]:
    """List the shards of a folder, the earliest first."""
    found = folder.glob(f"*{SUFFIX}") if folder.is_dir() else ()
    return sorted(path for path in found if not path.name.startswith("."))


def _read_paths(shard: Path, job: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(shard) as table:
            _check_job(shard, (table.metadata.metadata or {}).get(JOB_KEY), job)
            for batch in table.iter_batches(columns=["path", "status"]):
                yield from zip(*(batch.column(name).to_pylist() for name in ("path", "status")), strict=True)
    except (pa.ArrowException, OSError) as error:
        raise ShardError(f"{shard} cannot be read ({error}): remove it, and its files are tagged again") from error


def _check_job(shard: Path, written: bytes | None, job: Mapping[str, str]) -> None:
    """Check that a shard is of the same job."""
    if written is None:
        raise ShardError(f"{shard} is no shard of a catalogue: name a new folder")
    found = json.loads(written)
    if differing := [name for name in job if found.get(name) != job[name]]:
        said = "; ".join(f"{name} is {found.get(name)}, not {job[name]}" for name in differing)
        raise ShardError(f"{shard} holds rows of another export or other options ({said}): name a new folder")


class ShardWriter:
    """Writes rows into a folder, which nobody else may be writing.

    Attributes:
        rows: Number of rows that were written into it.
    """

    def __init__(self, folder: Path, schema: pa.Schema, job: Mapping[str, str]) -> None:
        """Make the folder where it is missing, and remove what a killed writer left behind.

        Raises:
            ShardError: The folder cannot be made or written to.
        """
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for part in folder.glob(f".*{PART}"):
                part.unlink()
        self._folder = folder
        self._schema = schema.with_metadata({JOB_KEY: json.dumps(dict(job)).encode()})
        self._number = max((_read_number(shard) for shard in list_shards(folder)), default=-1) + 1
        self._waiting: list[Row] = []
        self._since = 0.0
        self.rows = 0

    def add(self, row: Row) -> None:
        """Take a row, and write the shard if it is full."""
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(row)
        if len(self._waiting) >= MOST_ROWS:
            self.write()

    def write_if_due(self) -> None:
        """Write the shard if its first row has waited for long enough."""
        if self._waiting and time.monotonic() - self._since >= MOST_SECONDS:
            self.write()

    def write(self) -> None:
        """Write the rows that wait, if there are any.

        Raises:
            ShardError: They cannot be written, and still wait.
        """
        if not self._waiting:
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pylist(self._waiting, self._schema)
        with _explained(self._folder), open_atomically(self._folder / f"part-{self._number:06d}{SUFFIX}") as file:
            pq.write_table(table, file)
        self._number += 1
        self.rows += len(self._waiting)
        self._waiting = []


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Say which folder cannot be written, and what would do."""
    try:
        yield
    except OSError as error:
        raise ShardError(
            f"{folder} cannot be written ({error.strerror or error}): make room for it, and the same command goes on"
        ) from error


def _read_number(shard: Path) -> int:
    """Read the number of a shard; -1 where somebody has named it otherwise."""
    number = shard.stem.removeprefix("part-")
    return int(number) if number.isdecimal() else -1
