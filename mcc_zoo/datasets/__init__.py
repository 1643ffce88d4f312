"""The paper's datasets, Emotify and two of auto-tagging as they lie on a disk: facts, labels, groups, checks of a copy.

A reader (`read_gtzan`, `read_ballroom`, `read_soundtracks`, `read_emotify`, `read_magnatagatune`, `read_mtg_jamendo`)
takes a folder and lists its tracks; `read_manifest` does the same for any CSV table. Tracks have one label, or any
number of labels (auto-tagging). Audio is opened by `check_dataset` alone. Nothing is downloaded.

A *group* is a set of tracks that must not stand on both sides of a split: an artist, an album, copies of one recording.
Hearing an artist in training inflates the score on other tracks of that artist.
"""

from __future__ import annotations

from mcc_zoo.datasets.ballroom import BALLROOM, DANCES, REPLICAS, read_ballroom
from mcc_zoo.datasets.base import Dataset, DatasetError, DatasetWarning, Track
from mcc_zoo.datasets.checking import CheckResult, check_dataset
from mcc_zoo.datasets.emotify import EMOTIFY, EMOTIFY_EMOTIONS, read_emotify
from mcc_zoo.datasets.gtzan import GTZAN, read_gtzan
from mcc_zoo.datasets.magnatagatune import MAGNATAGATUNE, read_magnatagatune, split_magnatagatune
from mcc_zoo.datasets.manifest import read_manifest
from mcc_zoo.datasets.mtg_jamendo import MTG_JAMENDO, read_mtg_jamendo, read_mtg_jamendo_split
from mcc_zoo.datasets.soundtracks import SOUNDTRACKS, read_soundtracks

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset for dataset in (GTZAN, BALLROOM, SOUNDTRACKS, EMOTIFY, MAGNATAGATUNE, MTG_JAMENDO)
}

__all__ = [
    "DANCES",
    "DATASETS",
    "EMOTIFY_EMOTIONS",
    "REPLICAS",
    "CheckResult",
    "Dataset",
    "DatasetError",
    "DatasetWarning",
    "Track",
    "check_dataset",
    "read_ballroom",
    "read_emotify",
    "read_gtzan",
    "read_magnatagatune",
    "read_manifest",
    "read_mtg_jamendo",
    "read_mtg_jamendo_split",
    "read_soundtracks",
    "split_magnatagatune",
]
