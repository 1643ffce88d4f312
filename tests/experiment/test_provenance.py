"""What an export says of its origin, from a corpus and predictions made by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mcc_zoo.datasets import Track
from mcc_zoo.experiment import provenance
from mcc_zoo.experiment.corpus import Corpus
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.features.cache import Features

GROUPS = ("x", "x", "y", "z")


def corpus(groups: tuple[str, ...] = GROUPS) -> Corpus:
    tracks = [Track(Path(f"{i}.wav"), f"{i}.wav", "a" if i < 3 else "b", group) for i, group in enumerate(groups)]
    features = [Features(Path(f"{i}.npy"), 0, 5 + i, 0.0, 0.0, (96, 80)) for i in range(4)]
    return Corpus(
        tracks,
        features,
        ["a", "b"],
        np.eye(2, dtype=np.float32)[[0, 0, 0, 1]],
        pd.DataFrame(columns=["path", "reason"]),
    )


def predictions(groups: tuple[str, ...] = GROUPS) -> pd.DataFrame:
    """R2 is right about all tracks of fold 0 and one of two of fold 1; R0 about none."""
    truths = ["a", "a", "a", "b"]
    return pd.DataFrame(
        {
            "seed": 0, "fold": place // 2, "architecture": name, "path": f"{place}.wav", "group": groups[place],
            "truth": truth, "prediction": truth if name == "r2" and place < 3 else "c", "majority_vote": truth,
            "chunks": 5, "chunks_right": 5,
        }
        for name in ("r0", "r2")
        for place, truth in enumerate(truths)
    )  # fmt: skip


def test_provenance_holds_data_training_scores_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/experiments/demo.py", "--licence=CC BY"])
    settings = Settings("mine", architectures=("r0", "r2"), folds=4, split="grouped")
    built = provenance.build_provenance(corpus(), settings, "r2", predictions(), licence="CC BY", epochs=7)
    recipe = built.pop("recipe")
    assert recipe["name"] == settings.recipe.name
    scores = built.pop("scores")
    assert (scores["split"], scores["seeds"], scores["folds"]) == ("grouped", 1, 2)
    assert (scores["accuracy"], scores["std"]) == pytest.approx((75, 50 / 2**0.5))
    assert built == {
        "dataset": "mine",
        "licence": "CC BY",
        "tracks": 4,
        "epochs": 7,
        "training_chunks": min(settings.recipe.max_chunks, 8),
        "majority": {"label": "a", "percent": 75.0},
        "command": "python -m experiments.demo '--licence=CC BY'",
    }


@pytest.mark.parametrize(("split", "on_both_sides"), [("random", 0), ("lists", 2)])
def test_a_leaky_split_is_a_limit_after_the_callers_own(split: str, on_both_sides: int) -> None:
    settings = Settings("mine", architectures=("r2",), split=split)
    built = provenance.build_provenance(
        corpus(), settings, "r2", predictions(), licence="", epochs=1, groups_on_both_sides=on_both_sides, limits=["L."]
    )
    own, leak = built["limits"]
    assert own == "L."
    assert leak.startswith("Its score is not one on new music: the split ")
    assert f" {on_both_sides} of 3 groups " in leak
