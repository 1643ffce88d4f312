"""Memory and time against the length of a track and the number of tracks, each in a fresh process.

Memory is the peak above that after `import mcc_zoo`. A slope is that of a row and the one above on log-log axes:
1 is linear growth, 0 is none.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.interleaved import Peer, measure
from benchmarks.tagging import export_fresh_model, synthesise_music, write_file

LENGTHS = {"30 s": 30, "10 min": 600, "1 h": 3_600, "3 h": 10_800, "10 h": 36_000}
COUNTS = (10, 100, 1_000, 10_000)
SAMPLE_RATE = 22_050  # Hz; at 44,100 a WAV of ten hours would pass 2 GiB, and no length in its header be believed
SHORT = (2.0, 2.25, 2.5, 2.75, 3.0)  # seconds
MIB = 2**20


def run(quick: bool) -> dict[str, pd.DataFrame]:
    """Tag one track of up to ten hours, then up to 10,000 short ones; quick: ten minutes and 50."""
    lengths = dict(list(LENGTHS.items())[:2]) if quick else LENGTHS
    counts = (10, 50) if quick else COUNTS
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        export = export_fresh_model(root)
        originals = [root / f"{seconds}.wav" for seconds in SHORT]
        for number, original in enumerate(originals):
            write_file(original, synthesise_music(number, SHORT[number]))
        long = [_tag_long_track(export, originals[0], seconds) for seconds in lengths.values()]
        many = [_tag_many_files(export, originals, count) for count in counts]
    by_length, by_count = _make_table(long, list(lengths.values())), _make_table(many, list(counts))
    by_length.insert(0, "track", list(lengths))
    by_length.insert(6, "seconds an hour", (by_length["seconds"] * 3_600 / list(lengths.values())).round(2))
    by_count.insert(0, "files", counts)
    by_count.insert(6, "ms a file", (1_000 * by_count["seconds"] / counts).round(2))
    # 10,000 files: all after the first 1,000 beside what was resident at that point
    by_count["resident, most over first tenth"] = [_compute_drift(row["resident"]).round(3) for row in many]
    return {"growth with a track's length": by_length, "growth with the number of tracks": by_count}


def _tag_long_track(export: Path, warm_up: Path, seconds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        block = synthesise_music(0, 30, SAMPLE_RATE, channels=1)
        write_file(Path(folder) / "long.wav", block, SAMPLE_RATE, repeats=seconds // 30)
        return _tag_folder(export, warm_up, folder, 1)


def _tag_many_files(export: Path, originals: list[Path], count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            (Path(folder) / f"{number:05d}.wav").hardlink_to(originals[number % len(originals)])
        return _tag_folder(export, originals[0], folder, count)


def _tag_folder(export: Path, warm_up: Path, folder: str, count: int) -> dict[str, Any]:
    peer = Peer("growth", "growth_tagger.py", (str(export), str(warm_up)))
    answer = measure([peer], {"folder": folder}, rounds=1, warm_up=0).iloc[0]
    if answer["value"]["ok"] != count:
        raise RuntimeError(f"{answer['value']['ok']} of {count} files were tagged")
    return {"seconds": answer["seconds"], **answer["value"]}


def _make_table(rows: list[dict[str, Any]], sizes: list[int]) -> pd.DataFrame:
    seconds, above = (np.array([row[name] for row in rows]) for name in ("seconds", "above_import"))
    return pd.DataFrame(
        {
            "MiB above import": (above / MIB).round(1),
            "slope of memory": _compute_slopes(sizes, above),
            "decoders": [len(row["decoders"]) for row in rows],
            "MiB of decoders": [round(sum(row["decoders"]) / MIB, 1) for row in rows],
            "seconds": seconds.round(2),
            "slope of time": _compute_slopes(sizes, seconds),
        }
    )


def _compute_slopes(sizes: list[int], values: np.ndarray) -> np.ndarray:
    return np.append(np.nan, np.diff(np.log(values)) / np.diff(np.log(sizes))).round(2)


def _compute_drift(resident: list[int]) -> np.float64:
    later = np.array(resident[len(resident) // 10 :])
    return later.max() / later[0]
