"""Exporters that are killed at any moment, and several at once."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from helpers.soak import amount

import mcc_zoo
from mcc_zoo.export.metadata import METADATA_FILE
from mcc_zoo.export.verify import find_differences
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.locks import hold

KILLS = amount(6, 100)
AT_ONCE = 2
TINY = FrontEnd(sample_rate=8_000, window_length=256, hop_length=128)
EXPORT_SECONDS = 6.0  # about; kills are spread over it


def export_forever(folder: Path, parent: Connection, times: int) -> None:
    """Say when it begins, then export again and again: what the killed process does."""
    model = mcc_zoo.build("r0", ["a", "b"], front_end=TINY)
    parent.send(None)
    for _ in range(times):
        parent.send(int(mcc_zoo.export_model(model, folder, "tagger").name))


@pytest.fixture(scope="module")
def start():
    """Start an exporter; TensorFlow is imported once, before a server of forks makes processes of it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mcc_zoo"])
    started = []

    def start(folder: Path, times: int = 1_000) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        ours, its = context.Pipe()
        process = context.Process(target=export_forever, args=(folder, its, times))
        process.start()
        its.close()
        ours.recv()
        started.append(process)
        return process, ours

    yield start
    for process in started:
        process.kill()
        process.join()


def versions_of(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if not path.name.startswith(".")]


@pytest.mark.soak
@pytest.mark.slow
def test_killed_exporters_leave_no_broken_version(start, tmp_path, rng, tally):
    parent, kills = tmp_path / "tagger", 0
    parent.mkdir()
    while kills < KILLS:
        exporters = [start(tmp_path) for _ in range(AT_ONCE)]
        deadline = time.monotonic()
        for pause in np.sort(rng.uniform(0, EXPORT_SECONDS, size=AT_ONCE)):
            time.sleep(max(0.0, deadline + pause - time.monotonic()))
            exporter, connection = exporters.pop()
            assert exporter.is_alive()
            exporter.kill()
            exporter.join()
            connection.close()
            kills += 1
    versions = versions_of(parent)
    unfinished = len(list(parent.iterdir())) - len(versions)
    assert unfinished  # some were killed while they wrote
    for version in versions:
        assert version.name.isdecimal() and (version / METADATA_FILE).is_file()
        assert find_differences(version) == []

    exporters = [start(tmp_path, times=1) for _ in range(2)]  # among the leavings, and against each other
    taken = sorted(connection.recv() for _, connection in exporters)
    before = max((int(version.name) for version in versions), default=0)
    assert taken == [before + 1, before + 2]
    for number in taken:
        assert find_differences(parent / str(number)) == []
    assert mcc_zoo.load(parent).folder == parent / str(taken[-1])
    assert [path.name for path in parent.iterdir() if path.name.startswith(".")] == []  # and what was left is gone
    tally.add("SIGKILL of an export", export_begun_anew=kills)


@pytest.mark.slow
def test_what_a_killed_export_left_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    left, others = tmp_path / "tagger/.part-dead", tmp_path / "tagger/.part-alive"
    for folder in (left, others):
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").touch()
    (tmp_path / "tagger/..part-dead.lock").write_text("1")  # of a process that is gone
    with hold(others):
        version = mcc_zoo.export_model(mcc_zoo.build("r0", ["a", "b"], front_end=TINY), tmp_path, "tagger")
    assert sorted(path.name for path in version.parent.iterdir()) == [".part-alive", "1"]
    assert (others / "saved_model.pb").exists()
