"""A small fold of tones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from conftest import write_tone

from mcc_zoo.datasets import Track
from mcc_zoo.datasets.splits import Split
from mcc_zoo.experiment.corpus import Corpus, prepare
from mcc_zoo.experiment.fold import FoldRun
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.features.cache import FeatureCache
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.recipes import RECIPES

FRONT_END = FRONT_ENDS["22k"]
SPLIT = Split(np.arange(10), np.arange(10, 14), np.arange(14, 18))


def prepare_tones(folder: Path, high: float = 900.0) -> Corpus:
    """Cache 18 low and high tones of one to three chunks; by default so near that they take some epochs to learn."""
    tracks = []
    for i in range(18):
        label, hertz = ("high", high + 60 * i) if i % 2 else ("low", 700 + 60 * i)
        path = write_tone(folder / f"{i:02}.wav", hertz, 4.0 + 3.8 * (i % 3), seed=i)
        tracks.append(Track(path, path.name, label))
    return prepare(tracks, FeatureCache(folder / "cache", FRONT_END), quiet=True)


def make_fold(corpus: Corpus, run_dir: Path, architecture: str, precision: str = "float32", **recipe: Any) -> FoldRun:
    """Describe a fold of ten training tracks; `recipe` are fields that differ from those of `tuned`."""
    own = replace(RECIPES["tuned"], batch_tracks=4, max_chunks=2, **recipe)
    settings = Settings("tones", architectures=(architecture,), recipe=own, front_end=FRONT_END, precision=precision)
    return FoldRun(corpus, SPLIT, settings, 0, 1, architecture, run_dir, "cpu")
