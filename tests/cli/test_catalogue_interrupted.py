"""A folder of shards after kills and signals: every path has its one row in the end, and it is the right one."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.catalogues import assert_same_rows, finish, link_files, read_rows, start, wait_for_shards
from helpers.soak import Tally, amount

FILES, KILLS = amount(1_000, 4_000), amount(3, 12)  # a quiet machine tags some 300 in a second


@pytest.fixture
def catalogue(music: Path, tmp_path: Path) -> Path:
    """A folder of short files, one in five of them damaged."""
    originals = [music / "short.wav", music / "half chunk.ogg", music / "corrupt.flac", music / "sub/stück.mp3"]
    link_files(tmp_path / "music", [*originals, music / "short.wav"], FILES)
    return tmp_path / "music"


@pytest.mark.soak
@pytest.mark.slow
def test_a_catalogue_that_is_killed_and_resumed_is_that_of_one_run(
    exported: Path, catalogue: Path, tmp_path: Path, tally: Tally
) -> None:
    """Each kill comes at a random time after a shard that this process has written."""
    rng, written = np.random.default_rng(), 0
    arguments = ["tag", exported, catalogue, f"--output={tmp_path}/killed/"]
    for _ in range(KILLS):
        process = start(*arguments)
        wait_for_shards(tmp_path / "killed", written + 1, process)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        finish(process)
        assert process.returncode == -signal.SIGKILL
        written = len(list((tmp_path / "killed").glob("*.parquet")))
    assert written < FILES / 5
    assert finish(start(*arguments))[0] == 1
    assert finish(start("tag", exported, catalogue, f"--output={tmp_path}/whole/"))[0] == 1
    found, expected = read_rows(tmp_path / "killed"), read_rows(tmp_path / "whole")
    assert len(expected) == FILES and (expected["status"] == "refused").sum() == FILES / 5
    assert found["path"].tolist() == expected["path"].tolist()
    assert_same_rows(found, expected)
    tally.add("SIGKILL of `mcc-zoo tag` on a catalogue", table_the_same=KILLS)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_keeps_all_finished_rows(
    exported: Path, catalogue: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    """The whole process group gets it, as a terminal does it with Ctrl-C: no file is refused for that."""
    arguments = ["tag", exported, catalogue, f"--output={tmp_path}/out/"]
    process = start(*arguments)
    wait_for_shards(tmp_path / "out", 1, process)
    os.killpg(process.pid, signal.SIGSTOP)  # or it might be done before another process has started
    refused = finish(start(*arguments))
    assert refused[0] == 2 and f"is being written by process {process.pid}" in refused[2]
    os.killpg(process.pid, number)
    os.killpg(process.pid, signal.SIGCONT)
    returned, out, error = finish(process)
    rows = read_rows(tmp_path / "out")
    assert (returned, out) == (status, "")
    assert error == f"wrote {len(rows)} rows into {tmp_path}/out/\nended early: the same command goes on from here\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["music", "out"]  # and no lock
    assert rows["path"].is_unique and 0 < len(rows) < FILES
    good = [number % 5 != 2 for number in range(len(rows))]
    assert (rows["status"] == "ok").tolist() == good


@pytest.mark.slow
def test_a_signal_ends_a_long_file_at_once(exported: Path, music: Path, tmp_path: Path) -> None:
    """Its rows so far are written, though the engine is in the middle of a file that never ends."""
    process = start("tag", exported, music / "short.wav", "never.wav", f"--output={tmp_path}/out/", code=HANGING)
    assert process.stdout is not None
    assert process.stdout.readline() == "reading never.wav\n"
    os.kill(process.pid, signal.SIGTERM)
    returned, _, _ = finish(process)
    assert returned == 143
    assert read_rows(tmp_path / "out")["path"].tolist() == [f"{music}/short.wav"]


# A stand-in for the tagger, whose second file takes for ever.
HANGING = """
import sys, threading
from mcc_zoo.catalogue import run
from mcc_zoo.inference.tagger import Tagger
from mcc_zoo.cli import main

tag_files = Tagger.tag_files
out = sys.stdout

def tag_and_hang(self, paths, sequence):
    yield from tag_files(self, [next(iter(paths))], sequence)
    print("reading never.wav", file=out, flush=True)
    threading.Event().wait()

Tagger.tag_files = tag_and_hang
run.GRACE_SECONDS = 0.5
main()
"""
