"""The signatures of an export beside the bare call of `serving_default`, and the memory that one request takes.

Every peer is a process that has loaded the export by itself, with no server around it. It is asked with samples, or
with a stereo WAV file, which the graph decodes, mixes and brings to the model's rate.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soxr

from benchmarks.interleaved import Peer, measure, summarise
from benchmarks.tagging import SAMPLE_RATE, export_fresh_model, synthesise_music, write_file
from mcc_zoo.audio import reading

SECONDS = 30
SHORT = 2  # seconds of the clip that a process is asked about first
LENGTHS = {"30 s": 30, "10 min": 600}
BARE = "serving_default"
RATES = (44_100, 48_000, 96_000)  # Hz, of the WAV files; the first is the model's
LARGEST = 192_000  # Hz, of those whose memory is measured too
TOLERANCE = 1e-4  # of tags, where the samples are the same
RESAMPLED = 1e-2  # of tags of the same sound at another rate
MIB = 2**20


def run(quick: bool) -> dict[str, pd.DataFrame]:
    """Ask for a clip of 30 s twenty times a round, then for one of 30 s and of ten minutes once; quick: of 4 s."""
    seconds, calls, rounds = (4, 3, 2) if quick else (SECONDS, 20, 7)
    lengths, rates = ({"4 s": 4}, RATES[:1]) if quick else (LENGTHS, (RATES[0], LARGEST))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        export = export_fresh_model(root)
        samples = [(name, name, 0) for name in (BARE, "tag_padded", "taggram")]
        times = measure(
            [_make_peer(root, export, *asked, seconds) for asked in samples + _list_wav_requests(RATES)],
            {"calls": calls},
            rounds=rounds,
            title="signatures",
        )
        check_tags(times)
        used = [
            {"clip": length, "request": asked[0], **_measure_memory(_make_peer(root, export, *asked, span))}
            for length, span in lengths.items()
            for asked in samples[:1] + _list_wav_requests(rates)
        ]
    return {"signatures": make_table(times, calls), "memory of a request": make_memory_table(used)}


def make_table(times: pd.DataFrame, calls: int) -> pd.DataFrame:
    """Summarise the rounds: a row a request, the bare call first.

    Args:
        times: As `measure` gives it.
        calls: In a round.
    """
    found = summarise(times, BARE).set_index("peer").loc[times["peer"].unique()]
    return pd.DataFrame(
        {
            "request": found.index,
            "ms": (1_000 / found["rate"] / calls).round(1),
            "spread": found["spread"].round(3),
            f"times {BARE}": found["ratio"].round(2),
        }
    ).reset_index(drop=True)


def make_memory_table(used: list[dict[str, Any]]) -> pd.DataFrame:
    """Tabulate what requests took: clip, request, and in bytes `before` and `more`."""
    return pd.DataFrame(
        {
            "clip": [row["clip"] for row in used],
            "request": [row["request"] for row in used],
            "MiB more at the peak": [round(row["more"] / MIB, 1) for row in used],
            "MiB before": [round(row["before"] / MIB, 1) for row in used],
        }
    )


def check_tags(times: pd.DataFrame) -> None:
    """Refuse times of other answers than the bare call's.

    Raises:
        RuntimeError: The tags of a request are too far from those.
    """
    tags = {peer: np.array(value["tags"]) for peer, value in zip(times["peer"], times["value"], strict=True)}
    for peer, found in tags.items():
        allowed = RESAMPLED if peer in {name for name, *_ in _list_wav_requests(RATES[1:])} else TOLERANCE
        difference = np.max(np.abs(found - tags[BARE]))
        if not difference <= allowed:
            raise RuntimeError(f"tags of {peer} and of {BARE} are {difference:.1e} apart, and {allowed} are allowed")


def _list_wav_requests(rates: tuple[int, ...]) -> list[tuple[str, str, int]]:
    return [(f"tag_wav, {rate:,} Hz", "tag_wav", rate) for rate in rates]


def _make_peer(root: Path, export: Path, name: str, signature: str, rate: int, seconds: int) -> Peer:
    clips = (str(_write_clip(root, rate, length)) for length in (SHORT, seconds))
    return Peer(name, "signature.py", (str(export), signature, *clips))


def _write_clip(root: Path, rate: int, seconds: int) -> Path:
    """Write a clip, once: a WAV file of a rate, or for rate 0 its samples as the model hears them."""
    path = root / f"{seconds} s.{rate}.{'wav' if rate else 'npy'}"
    if not path.exists() and rate:
        block = min(seconds, SECONDS)
        heard = soxr.resample(synthesise_music(0, block), SAMPLE_RATE, rate)
        write_file(path, heard, rate, repeats=seconds // block)
    elif not path.exists():
        np.save(path, reading.read(_write_clip(root, SAMPLE_RATE, seconds), SAMPLE_RATE)[np.newaxis])
    return path


def _measure_memory(peer: Peer) -> dict[str, Any]:
    return measure([peer], {"calls": 1}, rounds=1, warm_up=0)["value"].iloc[0]
