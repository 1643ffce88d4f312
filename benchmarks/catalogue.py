"""Catalogues: memory over many files, kills and resumption, and a Ray cluster that loses a machine.

The tables say what went wrong, in numbers: rows that are missing, double or different. The cluster's needs the
environment that `make test-cluster` makes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.interleaved import HERE
from benchmarks.tagging import export_fresh_model, synthesise_music, write_file

SHORT = (1.0, 1.25, 1.5, 1.75, 2.0)  # seconds
BAD_ONE_IN = 20
KILLS, FILES, SHARD_ROWS = 10, 2_000, 50
FEW_FILES, MANY_FILES, MANY_SHARD_ROWS = 10, 100_000, 1_000
CLUSTER_FILES, CLUSTER_SHARD_ROWS = 2_000, 100
CLUSTER_PYTHON = HERE.parent / ".venv-cluster" / "bin" / "python"
MIB = 2**20


def run(quick: bool) -> dict[str, pd.DataFrame]:
    """Tag thousands of short files in each way; quick: some hundred, two kills, and no cluster."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        export = export_fresh_model(root)
        originals = [root / f"{seconds}.wav" for seconds in SHORT]
        for number, original in enumerate(originals):
            write_file(original, synthesise_music(number, SHORT[number]))
        killed, kills = (300, 2) if quick else (FILES, KILLS)
        tables = {
            "a catalogue of many files": _grow(root, export, originals, 500 if quick else MANY_FILES),
            "a catalogue that is killed": _kill(root, export, originals, killed, kills),
        }
        if not quick:
            tables["a catalogue on a cluster"] = _lose_machine(root, export, originals, CLUSTER_FILES)
    return tables


def _kill(root: Path, export: Path, originals: list[Path], files: int, kills: int) -> pd.DataFrame:
    """Tag a folder at once, and once more with kills at random times."""
    music = _link(root / "killed music", originals, files)
    whole, killed = root / "whole", root / "killed"
    seconds = _tag(export, music, whole, files)
    rng, running = np.random.default_rng(), seconds - _read_notes(root, whole)[0]["seconds"]
    lost = 0
    for _ in range(kills):
        process = _start(export, music, killed, files)
        before = len(_read_notes(root, killed))
        while len(_read_notes(root, killed)) == before and process.poll() is None:
            time.sleep(0.05)  # until its first row
        time.sleep(rng.uniform(0, running / kills / 2))  # so that something is left to do
        process.kill()
        process.wait()
        lost += process.returncode == -9
    if lost < kills:
        raise RuntimeError(f"{kills - lost} of {kills} runs were done before they were killed")
    _tag(export, music, killed, files)
    expected = _read_rows(whole)
    return pd.DataFrame(
        [
            {"run": "undisturbed", "kills": 0, **_compare(expected, expected)},
            {"run": "killed and resumed", "kills": kills, **_compare(_read_rows(killed), expected)},
        ]
    )


def _grow(root: Path, export: Path, originals: list[Path], files: int) -> pd.DataFrame:
    """Note when the first row comes, and the memory from then on; a few files show what starting costs.

    All files get the descriptors of the first one: `growth` has the memory and time of reading them.
    """
    few, music = (_link(root / f"{count} files", originals, count) for count in (FEW_FILES, files))
    _tag(export, few, root / "few", FEW_FILES, reads="first file")
    _tag(export, music, root / "many", files, MANY_SHARD_ROWS, reads="first file")
    rows = _read_rows(root / "many")
    if len(rows) != files or not rows["path"].is_unique:
        raise RuntimeError("not every file has its row")
    notes = _read_notes(root, root / "many")
    shown = {1, *(int(files * share) for share in (0.01, 0.1, 0.25, 0.5, 0.75, 1))}
    found = [
        (FEW_FILES, _read_notes(root, root / "few")[0]),
        *((files, note) for note in notes if note["rows"] in shown),
    ]
    return pd.DataFrame(
        {
            "row": f"{note['rows']:,} of {count:,}",
            "MiB": round(note["memory"] / MIB, 1),
            "over that at 1 % of the rows": round(note["memory"] / notes[1]["memory"], 3),
            "seconds": round(note["seconds"], 1),
            "processor seconds": round(note["processor"], 1),
        }
        for count, note in found
    )


def _lose_machine(root: Path, export: Path, originals: list[Path], files: int) -> pd.DataFrame:
    """Tag a folder here, and on two machines of which one is killed in the middle."""
    music, here, there = _link(root / "cluster music", originals, files), root / "here", root / "there"
    for number, path in enumerate(sorted(music.iterdir())):
        if number % BAD_ONE_IN == 7:
            path.unlink()
            path.write_bytes(b"RIFF but no more")
    local = _tag(export, music, here, files)
    began = time.monotonic()
    command = [*_command(export, music, there, files, CLUSTER_SHARD_ROWS, "files", CLUSTER_PYTHON), "--engine=ray"]
    middle = files // CLUSTER_SHARD_ROWS // 2
    done = subprocess.run(
        [CLUSTER_PYTHON, HERE / "peers" / "catalogue_cluster.py", str(middle), there, *command],
        env=_environment(), check=True, capture_output=True, text=True,
    )  # fmt: skip
    if done.stdout.strip() != "1":  # some files are refused
        raise RuntimeError(done.stderr)
    expected = _read_rows(here)
    rows = [
        {"run": "this machine", "seconds": round(local, 1), **_compare(expected, expected)},
        {"run": "two machines, one killed", "seconds": round(time.monotonic() - began, 1)}
        | _compare(_read_rows(there), expected),
    ]
    return pd.DataFrame(rows)


def _link(folder: Path, originals: list[Path], files: int) -> Path:
    folder.mkdir()
    for number in range(files):
        (folder / f"{number:06d}.wav").hardlink_to(originals[number % len(originals)])
    return folder


def _command(
    export: Path,
    music: Path,
    output: Path,
    files: int,
    shard_rows: int,
    reads: str,
    python: Path | str = sys.executable,
) -> list[str]:
    script, notes = HERE / "peers" / "catalogue_command.py", output.with_suffix(".notes")
    options = [time.time(), shard_rows, files, notes, reads]
    return [str(part) for part in (python, script, *options, "tag", export, music, f"--output={output}/")]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(HERE.parent), "TF_CPP_MIN_LOG_LEVEL": "3"}


def _start(
    export: Path, music: Path, output: Path, files: int, shard_rows: int = SHARD_ROWS, reads: str = "files"
) -> subprocess.Popen[bytes]:
    command = _command(export, music, output, files, shard_rows, reads)
    return subprocess.Popen(command, env=_environment(), stderr=subprocess.DEVNULL)


def _tag(
    export: Path, music: Path, output: Path, files: int, shard_rows: int = SHARD_ROWS, reads: str = "files"
) -> float:
    """Tag a folder to its end; the seconds that it took."""
    began = time.monotonic()
    if (status := _start(export, music, output, files, shard_rows, reads).wait()) > 1:
        raise RuntimeError(f"mcc-zoo tag has ended with status {status}")
    return time.monotonic() - began


def _read_notes(root: Path, output: Path) -> list[dict[str, Any]]:
    notes = root / f"{output.name}.notes"
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def _read_rows(folder: Path) -> pd.DataFrame:
    found = pd.concat([pd.read_parquet(shard) for shard in sorted(folder.glob("*.parquet"))])
    return found.sort_values("path", ignore_index=True)


def _compare(found: pd.DataFrame, expected: pd.DataFrame) -> dict[str, Any]:
    """Count what is wrong with rows, and measure by how much their numbers differ."""
    paths = found["path"].value_counts()
    both = found.drop_duplicates("path").merge(expected, on="path", suffixes=("", " expected"))
    texts = ["status", "reason", "chunks", "windows"]
    numbers = [name for name in expected.columns.astype(str) if name.startswith("probability_")]
    differing = sum((both[name] != both[f"{name} expected"]).sum() for name in texts)
    gaps = [np.nanmax((both[name] - both[f"{name} expected"]).abs()) for name in numbers]
    return {
        "rows": len(found),
        "paths without a row": len(set(expected["path"]) - set(paths.index)),
        "paths with two": int((paths > 1).sum()),
        "refused": int((found["status"] == "refused").sum()),
        "texts that differ": int(differing),
        "largest difference of a probability": float(max(gaps)),
    }
