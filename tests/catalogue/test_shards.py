"""Shards: what is written and what is read of a folder that is killed, shared, mistaken and cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mcc_zoo.catalogue import shards
from mcc_zoo.catalogue.shards import PathSet, ShardError, ShardWriter, list_shards, read_done

SCHEMA = pa.schema([("path", pa.string()), ("status", pa.string()), ("value", pa.float64())])
JOB = {"command": "tag", "export": "a version 1, mcc_zoo.json 0123", "sequence": "windows"}


def rows(*numbers: int) -> list[dict[str, Any]]:
    statuses = ("ok", "refused", "silent")
    return [{"path": f"{n}.wav", "status": statuses[n % 3], "value": float(n)} for n in numbers]


def counts(folder: Path) -> list[int]:
    return [pq.read_metadata(shard).num_rows for shard in list_shards(folder)]


class Clock:
    """A stand-in for `time` that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_a_shard_is_written_after_so_many_rows_or_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(shards, "time", clock)
    monkeypatch.setattr(shards, "MOST_ROWS", 3)
    writer = ShardWriter(tmp_path / "out", SCHEMA, JOB)
    for row in rows(0, 1, 2, 3):
        writer.add(row)
    assert counts(tmp_path / "out") == [3]
    clock.now += shards.MOST_SECONDS - 0.1
    writer.write_if_due()
    assert counts(tmp_path / "out") == [3]
    writer.add(rows(4)[0])  # a later row does not put it off
    clock.now += 0.2
    writer.write_if_due()
    writer.write_if_due()
    assert counts(tmp_path / "out") == [3, 2]
    writer.write()
    assert counts(tmp_path / "out") == [3, 2] and writer.rows == 5
    assert pq.read_table(tmp_path / "out").to_pylist() == rows(0, 1, 2, 3, 4)


def test_a_folder_is_gone_on_with_behind_its_last_shard(tmp_path: Path) -> None:
    for numbers in ((0, 1), (2,)):
        writer = ShardWriter(tmp_path, SCHEMA, JOB)
        for row in rows(*numbers):
            writer.add(row)
        writer.write()
    list_shards(tmp_path)[0].rename(tmp_path / "mine.parquet")
    done, without_tags = read_done(tmp_path, JOB)
    assert without_tags == 2
    assert len(done) == 3 and not done.add("2.wav") and done.add("3.wav")
    (tmp_path / f".part-000007.parquet.1-2{shards.PART}").touch()  # of a writer that was killed
    writer = ShardWriter(tmp_path, SCHEMA, JOB)
    writer.add(rows(3)[0])
    writer.write()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "mine.parquet",
        "part-000001.parquet",
        "part-000002.parquet",
    ]


def test_shards_of_another_job_are_refused(tmp_path: Path) -> None:
    assert [len(read_done(tmp_path / "new", JOB)[0]), read_done(tmp_path / "new", JOB)[1]] == [0, 0]
    writer = ShardWriter(tmp_path, SCHEMA, JOB)
    writer.add(rows(0)[0])
    writer.write()
    with pytest.raises(ShardError) as error:
        read_done(tmp_path, JOB | {"sequence": "whole"})
    assert str(error.value) == (
        f"{tmp_path}/part-000000.parquet holds rows of another export or other options "
        "(sequence is windows, not whole): name a new folder"
    )
    pq.write_table(pa.table({"path": ["a"]}), tmp_path / "zebra.parquet")
    with pytest.raises(ShardError, match=r"zebra.parquet is no shard of a catalogue: name a new folder"):
        read_done(tmp_path, JOB)


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    (tmp_path / "part-000000.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(
        ShardError, match=r"part-000000.parquet cannot be read \(.*\): remove it, and its files are tag"
    ):
        read_done(tmp_path, JOB)


def test_rows_that_cannot_be_written_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    writer = ShardWriter(tmp_path, SCHEMA, JOB)
    writer.add(rows(0)[0])
    with monkeypatch.context() as patched, pytest.raises(ShardError, match=r"\(No space left on device\): make room"):
        patched.setattr(pq, "write_table", fail)
        writer.write()
    assert list(tmp_path.iterdir()) == []
    writer.write()
    assert counts(tmp_path) == [1]


def test_a_set_of_paths_tells_all_apart() -> None:
    paths = PathSet()
    texts = [*(f"{number}.wav" for number in range(1_000)), "", "ä", "a\u0308"]
    assert all([paths.add(text) for text in texts])
    assert not any([paths.add(text) for text in texts])
    assert len(paths) == len(texts)
