"""The engine on a Ray cluster: one row for each path, that of the local engine, whatever dies."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.catalogues import (
    SMALL,
    assert_same_rows,
    fail_or_skip,
    finish,
    link_files,
    read_rows,
    start,
    wait_for_shards,
)

from mcc_zoo.catalogue.engines import EngineError, ray_data
from mcc_zoo.extras import MissingExtraError

LOOPBACK = "127.0.0.1"
FILES, BAD_ONE_IN = 120, 20

# Stand-ins for the actors: one that dies of a file, and one that does not start. And a GPU that only Ray believes in.
DYING = """
import functools, os, ray

ray.init = functools.partial(ray.init, num_gpus=1)

class Dying(ray_data.Worker):
    def __call__(self, block):
        if any("deadly" in path for path in block["path"].to_pylist()):
            os._exit(1)
        return super().__call__(block)

ray_data.Worker = Dying
"""
REFUSING = """
from mcc_zoo.export.metadata import ExportError

class Refusing(ray_data.Worker):
    def __init__(self, *arguments):
        raise ExportError("/exports/a/1 holds another export")

ray_data.Worker = Refusing
"""

KILLING = """
import time
from mcc_zoo.catalogue.engines import ray_data

ray_data.connect(None)
import ray

@ray.remote(max_restarts=1, max_task_retries=1)
class Busy:
    def work(self, seconds):
        time.sleep(seconds)

busy = Busy.remote()
ray.get(busy.work.remote(0))
waiting = busy.work.remote(60)
time.sleep(1)
ray.kill(busy, no_restart=False)
time.sleep(2)
ray.shutdown()
"""


def start_with(code: str, *arguments: object) -> Any:
    return start(*arguments, "--engine=ray", code=SMALL.replace("\nmain()", f"{code}\nmain()"))


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package, whose processes listen on this machine alone."""
    for name, value in {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}.items():
        monkeypatch.setenv(name, value)
    try:
        import ray
    except ImportError:
        fail_or_skip("MCC_ZOO_REQUIRE_CLUSTER", "ray (extra [cluster]) is not installed")
    return ray


@pytest.fixture
def cluster(ray: Any) -> Iterator[Any]:
    """A cluster of one machine, which others can be added to; each is a process."""
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "node_ip_address": LOOPBACK})
    yield started
    started.shutdown()


@pytest.fixture
def catalogue(music: Path, tmp_path: Path) -> Path:
    """A folder of short files, one in twenty of them damaged."""
    good = [music / "short.wav", music / "half chunk.ogg", music / "sub/stück.mp3"]
    originals = [good[number % len(good)] for number in range(BAD_ONE_IN - 1)]
    link_files(tmp_path / "music", [*originals, music / "corrupt.flac"], FILES)
    return tmp_path / "music"


@pytest.mark.slow
def test_a_cluster_that_loses_a_machine_gives_the_rows_of_one_machine(
    cluster: Any, exported: Path, catalogue: Path, tmp_path: Path
) -> None:
    machine = cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK)
    out = tmp_path / "cluster"
    process = start("tag", exported, catalogue, f"--output={out}/", "--engine=ray", f"--address={cluster.address}")
    wait_for_shards(out, 5, process)
    cluster.remove_node(machine, allow_graceful=False)
    status, printed, said = finish(process)
    assert (status, printed) == (1, ""), said
    assert f"wrote {FILES} rows into {out}/\n" in said
    assert finish(start("tag", exported, catalogue, f"--output={tmp_path}/local/"))[0] == 1
    found, expected = read_rows(out), read_rows(tmp_path / "local")
    assert len(found) == len(expected) == FILES
    assert (expected["status"] == "refused").sum() == FILES / BAD_ONE_IN
    assert_same_rows(found, expected, atol=1e-5)


@pytest.mark.slow
def test_a_file_that_kills_its_process_costs_one_row(ray: Any, exported: Path, music: Path, tmp_path: Path) -> None:
    """On a cluster of its own; a name that is not UTF-8 is read there too."""
    link_files(tmp_path / "music", [music / "short.wav"], 20)
    (tmp_path / "music" / "00007.wav").rename(tmp_path / "music" / "deadly.wav")
    odd = tmp_path / "music" / os.fsdecode(b"caf\xe9.wav")
    (tmp_path / "music" / "00008.wav").rename(odd)
    process = start_with(DYING, "tag", exported, tmp_path / "music", f"--output={tmp_path}/out/")
    status, printed, said = finish(process)
    assert (status, printed) == (1, ""), said
    assert f"wrote 20 rows into {tmp_path}/out/\n" in said
    rows = read_rows(tmp_path / "out").set_index("path")
    assert len(rows) == 20 and rows.index.is_unique
    refused = rows[rows["status"] != "ok"]
    assert refused.index.tolist() == [f"{tmp_path}/music/deadly.wav"]
    assert refused["reason"].tolist() == [ray_data.LOST]
    assert odd.as_uri() in rows.index


@pytest.mark.slow
def test_actors_that_do_not_start_end_the_command(ray: Any, exported: Path, music: Path, tmp_path: Path) -> None:
    process = start_with(REFUSING, "tag", exported, music, f"--output={tmp_path}/out/")
    status, printed, said = finish(process)
    assert (status, printed) == (2, ""), said
    error = said.splitlines()[-1]
    assert error.startswith("error: the Ray cluster failed (") and "/exports/a/1 holds another export" in error


@pytest.mark.slow
def test_sigterm_keeps_what_a_cluster_has_finished(ray: Any, exported: Path, catalogue: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start("tag", exported, catalogue, f"--output={out}/", "--engine=ray")
    wait_for_shards(out, 2, process)
    os.kill(process.pid, signal.SIGTERM)
    status, printed, said = finish(process)
    rows = read_rows(out)
    assert (status, printed) == (143, ""), said
    assert said == f"wrote {len(rows)} rows into {out}/\nended early: the same command goes on from here\n"
    assert rows["path"].is_unique and 10 <= len(rows) < FILES
    assert finish(start("tag", exported, catalogue, f"--output={out}/"))[0] == 1  # by the local engine
    rows = read_rows(out)
    assert rows["path"].is_unique and len(rows) == FILES


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_a_task_that_ray_repeats_is_no_news() -> None:
    status, printed, said = finish(start(code=KILLING))
    assert (status, printed) == (0, "") and "raylet" not in said


def test_ray_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # an import of it fails
    with pytest.raises(MissingExtraError, match=r"pip install 'mcc_zoo\[cluster\]'"):
        ray_data.connect(None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "words"), [("127.0.0.1:1", "--address=127.0.0.1:1 cannot be reached"), (None, "Ray has not")]
)
def test_a_cluster_that_is_not_there_is_a_sentence(
    ray: Any, monkeypatch: pytest.MonkeyPatch, address: str | None, words: str
) -> None:
    def fail(**_: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(EngineError, match=r"\(The current node timed out during startup.\): ") as error:
        ray_data.connect(address)
    assert str(error.value).startswith(words)


def test_a_cluster_without_cores_is_refused() -> None:
    with pytest.raises(EngineError, match="has no cores"):
        ray_data._share_out([{"memory": 1e9}, {"CPU": 0.0}])
