"""How far the tags of `tag_wav`, which resamples in the graph, are from those of `mcc-zoo tag`, by sample rate.

    python -m benchmarks.sample_rates EXPORT AUDIO_FOLDER [--tracks=20]

Every track and ten seconds of white noise are brought to each rate and written as 16-bit WAV. A table of the largest
difference of a probability goes to standard output. 20 tracks of 30 s take some minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import soxr
import tensorflow as tf

import mcc_zoo
from benchmarks.__main__ import format_table
from mcc_zoo.audio import folders, reading

RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)  # Hz
NOISE_SECONDS = 10
SOURCE_RATE = 44_100  # Hz; what the tracks are read at before they are brought to each rate


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sample_rates", description=__doc__.splitlines()[0])
    parser.add_argument("export", help="name or folder of an export: mcclstm_emotify_genre")
    parser.add_argument("folder", type=Path, help="folder of audio files")
    parser.add_argument("--tracks", type=int, default=20, help="how many of them, evenly spread (default: 20)")
    asked = parser.parse_args()
    files = folders.find(asked.folder)
    if not files or asked.tracks < 1:
        parser.error(f"no audio files to read: {asked.folder}, --tracks={asked.tracks}")
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, min(asked.tracks, len(files))).astype(int)]
    print(format_table(measure_rates(mcc_zoo.load(asked.export), chosen)))


def measure_rates(tagger: mcc_zoo.Tagger, files: list[Path], rates: tuple[int, ...] = RATES) -> pd.DataFrame:
    """Measure the differences: a row for each rate.

    Args:
        tagger: The export; its tags are the right ones.
        files: Paths of music.
        rates: Hz.
    """
    tag_wav = tf.saved_model.load(str(tagger.folder)).signatures["tag_wav"]
    rows = []
    for rate in rates:
        away = {"music": 0.0, "white noise": 0.0}
        for kind, sound in _make_sounds(files, rate):
            away[kind] = max(away[kind], _compare(tagger, tag_wav, sound, rate))
        rows.append({"Hz": rate} | {kind: f"{difference:.1e}" for kind, difference in away.items()})
    return pd.DataFrame(rows)


def _make_sounds(files: list[Path], rate: int) -> Iterator[tuple[str, np.ndarray]]:
    for file in files:
        yield "music", soxr.resample(reading.read(file, SOURCE_RATE), SOURCE_RATE, rate, quality="VHQ")
    yield "white noise", np.random.default_rng(rate).normal(scale=0.1, size=NOISE_SECONDS * rate)


def _compare(tagger: mcc_zoo.Tagger, tag_wav: Any, sound: np.ndarray, rate: int) -> float:
    """Return the largest difference of `tag_wav` from the tagger's probabilities."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.wav"
        soundfile.write(path, sound, rate, subtype="PCM_16")
        expected = list(tagger.tag(path, sequence="whole").tags.values())
        found = tag_wav(wav_bytes=tf.constant([path.read_bytes()]))["tags"].numpy()[0]
    return float(np.abs(found - expected).max())


if __name__ == "__main__":
    main()
