"""Catalogues: many files that are links to few, `mcc-zoo` in a process that can be killed, and the rows of a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
# The command, with shards of few rows and blocks of few paths, so that few files fill many.
SMALL = """
import sys
from mcc_zoo.catalogue import shards
from mcc_zoo.catalogue.engines import ray_data
from mcc_zoo.cli import main

shards.MOST_ROWS, ray_data.BLOCK_PATHS = 5, (4, 1)
main()
"""


def link_files(folder: Path, originals: list[Path], count: int) -> list[Path]:
    """Fill a folder with links to a few files, in turn."""
    folder.mkdir()
    paths = [folder / f"{number:05d}{originals[number % len(originals)].suffix}" for number in range(count)]
    for number, path in enumerate(paths):
        path.hardlink_to(originals[number % len(originals)])
    return paths


def start(*arguments: object, code: str = SMALL) -> subprocess.Popen[str]:
    """Start `mcc-zoo` in a process of its own, which leads a process group as in a terminal."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a process; its status, standard output and standard error."""
    out, error = process.communicate(timeout=300)
    return process.returncode, out, error


def wait_for_shards(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until a process has written so many shards."""
    while len(list(folder.glob("*.parquet"))) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def read_rows(folder: Path) -> pd.DataFrame:
    """Read the rows of a folder of shards, in the order of the shards."""
    shards = sorted(folder.glob("*.parquet"))
    assert shards, f"{folder} holds no shards"
    return pd.concat([pd.read_parquet(shard) for shard in shards], ignore_index=True)


def assert_same_rows(found: pd.DataFrame, expected: pd.DataFrame, atol: float = 1e-5) -> None:
    """Each path has one row, the same in both; numbers may differ by sums in another order."""
    found, expected = (rows.sort_values("path", ignore_index=True) for rows in (found, expected))
    assert found["path"].is_unique
    pd.testing.assert_frame_equal(found, expected, check_exact=False, rtol=0, atol=atol)


def fail_or_skip(variable: str, reason: str) -> None:
    """Skip a test for want of something, or fail where a variable says that it has to be there."""
    if os.environ.get(variable):
        pytest.fail(reason)
    pytest.skip(reason)
