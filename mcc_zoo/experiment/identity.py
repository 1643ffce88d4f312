"""The identity of a run: what determines its figures. A run is resumed only under the same identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mcc_zoo.datasets.splits import Split
from mcc_zoo.experiment.corpus import Corpus
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.export.metadata import hash_metadata
from mcc_zoo.inference.locate import latest
from mcc_zoo.tasks import SEPARATOR

CAN_BE_ADDED = ("architectures", "seeds")  # to a run that exists
OPTIONAL = ("start_from", "workers", "taught_sha256")  # of an identity: those that are not there are None


def identify_run(corpus: Corpus, settings: Settings, splits: Sequence[Split]) -> dict[str, Any]:
    """Return all that determines a run's figures: settings, and hashes of the tracks and of the first seed's folds.

    The folds' hash changes with a split's file or lists, with the order of a manifest's rows and with the library that
    draws the folds.

    Args:
        corpus: The tracks.
        settings: Its systems and the number of seeds are left out: they may grow when a run is resumed.
        splits: The folds of the first seed.

    Returns:
        JSON values for config.json.
    """
    fixed = {name: value for name, value in asdict(settings).items() if name not in CAN_BE_ADDED}
    if settings.start_from is None:  # as before there were such runs
        del fixed["start_from"], fixed["frozen"]
    else:
        fixed["start_from_sha256"] = hash_metadata(latest(settings.start_from))
    if not settings.workers:  # likewise
        del fixed["workers"]
    if corpus.taught is not None:
        fixed["taught_sha256"] = hashlib.sha256(b"".join(own.tobytes() for own in corpus.taught)).hexdigest()
    return {
        **fixed,
        "tracks": len(corpus.tracks),
        "tracks_sha256": hash_tracks(corpus),
        "folds_sha256": hash_folds(corpus, splits),
    }


def hash_tracks(corpus: Corpus) -> str:
    """Hash the tracks' names, labels, groups and contents, in an order of their own."""
    pairs = zip(corpus.tracks, corpus.features, strict=True)
    return _hash(sorted((t.name, SEPARATOR.join(t.all_labels), t.group, f.path.name) for t, f in pairs))


def hash_folds(corpus: Corpus, splits: Sequence[Split]) -> str:
    """Hash the names of the training, validation and test tracks of every fold."""
    return _hash(
        [
            [
                sorted(corpus.tracks[i].name for i in part.tolist())
                for part in (split.train, split.validation, split.test)
            ]
            for split in splits
        ]
    )


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
