"""Whether the tags of exports follow the volume: a collection at its own level and at others.

    python -m benchmarks.levels --manifest=EMOTIFY/genre.csv EXPORT [EXPORT ...]

Every track is read as the tagger reads it, brought to each level, rounded to 16 bits and clipped, as a WAV file would
hold it, and tagged. A table goes to standard output: how many tracks have another strongest tag than at their own
level, and the largest difference of a probability. -23 LUFS is the level of broadcasting (EBU R 128), measured by
FFmpeg. 400 tracks of a minute take some minutes an export.
"""

from __future__ import annotations

import argparse
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
from rich.progress import track as progress

import mcc_zoo
from benchmarks.__main__ import format_table
from mcc_zoo import datasets
from mcc_zoo.audio import AudioError, reading

BROADCAST = "-23 LUFS"
LUFS = -23.0
GAINS = {"-12 dB": -12.0, "-40 dB": -40.0, "+12 dB": 12.0}
FULL_SCALE = 2**15  # of 16-bit samples


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.levels", description=__doc__.splitlines()[0])
    parser.add_argument("exports", nargs="+", metavar="EXPORT", help="name or folder: mcclstm_emotify_genre")
    parser.add_argument("--manifest", type=Path, required=True, help="CSV with the columns path and label")
    asked = parser.parse_args()
    files = [track.path for track in datasets.read_manifest(asked.manifest)]
    tables = [measure_levels(mcc_zoo.load(name), files) for name in asked.exports]
    print(format_table(pd.concat(tables)))


def measure_levels(tagger: mcc_zoo.Tagger, files: list[Path]) -> pd.DataFrame:
    """Tag files at each level: a row for each, with what differs from their own level.

    A file that is refused or silent is named on standard error and left out. One that is silent at another level has
    lost its strongest tag there, and all of its probabilities.
    """
    changed: dict[str, list[bool]] = {}
    away: dict[str, list[float]] = {}
    for file in progress(files, tagger.metadata.name, transient=True):
        try:
            audio = reading.read(file, tagger.sample_rate)
        except AudioError as error:
            print(error, file=sys.stderr)
            continue
        if not (own := tagger.tag_waveform(audio, tagger.sample_rate).tags):
            print(f"{file}: silent", file=sys.stderr)
            continue
        for level, gain in ({BROADCAST: LUFS - measure_loudness(audio, tagger.sample_rate)} | GAINS).items():
            tags = tagger.tag_waveform(_amplify(audio, gain), tagger.sample_rate).tags
            changed.setdefault(level, []).append(_find_strongest(tags) != _find_strongest(own))
            away.setdefault(level, []).append(max(abs(tags.get(label, 0.0) - own[label]) for label in own))
    return pd.DataFrame(
        {
            "export": tagger.metadata.name,
            "level": level,
            "tracks": len(changed[level]),
            "another strongest tag": sum(changed[level]),
            "%": f"{100 * np.mean(changed[level]):.1f}",
            "largest difference": f"{max(away[level]):.1e}",
            "median": f"{np.median(away[level]):.1e}",
        }
        for level in changed
    )


def measure_loudness(audio: np.ndarray, sample_rate: int) -> float:
    """Measure the integrated loudness of mono audio (ITU-R BS.1770, with its gates) in LUFS."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=sample_rate, format="flt", layout="mono", time_base=Fraction(1, sample_rate))
    graph.link_nodes(source, graph.add("ebur128", "metadata=1"), graph.add("abuffersink")).configure()
    frame = av.AudioFrame.from_ndarray(audio[np.newaxis], format="flt", layout="mono")
    frame.sample_rate, frame.pts = sample_rate, 0
    graph.push(frame)
    graph.push(None)
    loudness = float("nan")
    while True:
        try:
            loudness = float(graph.pull().metadata.get("lavfi.r128.I", loudness))
        except (av.error.EOFError, av.error.BlockingIOError):
            return loudness


def _find_strongest(tags: dict[str, float]) -> str:
    return max(tags, key=tags.__getitem__, default="")


def _amplify(audio: np.ndarray, gain_db: float) -> np.ndarray:
    """Amplify and round to 16 bits."""
    samples = np.rint(audio * 10 ** (gain_db / 20) * FULL_SCALE)
    return np.clip(samples, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


if __name__ == "__main__":
    main()
