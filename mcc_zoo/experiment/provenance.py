"""Where an export comes from: its data, its training, its cross-validated scores and the command that made it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mcc_zoo.datasets import splits
from mcc_zoo.evaluation import metrics, scoring
from mcc_zoo.evaluation.auto_tagging import compute_chance
from mcc_zoo.experiment import summary

if TYPE_CHECKING:  # they bring TensorFlow, without which a report is written
    from mcc_zoo.experiment.corpus import Corpus
    from mcc_zoo.experiment.settings import Settings


def command_line() -> str:
    """Return the command that runs now, as a user would type it."""
    script = Path(sys.argv[0])
    start = ["python", "-m", f"{script.parent.name}.{script.stem}"] if script.suffix == ".py" else [script.name]
    return shlex.join([*start, *sys.argv[1:]])


def build_provenance(
    corpus: Corpus,
    settings: Settings,
    architecture: str,
    predictions: pd.DataFrame,
    *,
    licence: str,
    epochs: int,
    thresholds: Sequence[float] | None = None,
    groups_on_both_sides: int = 0,
    limits: Sequence[str] = (),
) -> dict[str, Any]:
    """Build what the model card and mcc_zoo.json of an export say of its origin.

    Args:
        corpus: The tracks that the exported model was trained on.
        settings: Those of the cross-validation and the training.
        architecture: The exported system.
        predictions: The rows of predictions.csv; of other systems too, if there were any.
        licence: Licence of the music.
        epochs: Number of epochs that the exported model was trained for.
        thresholds: With many labels a track, those above which a label is given, in the labels' order.
        groups_on_both_sides: As for `mcc_zoo.experiment.summary.explain_leak`.
        limits: Sentences for the card. If the split is leaky, one that says so is added.

    Returns:
        JSON values for `mcc_zoo.export.saved_model.export_model`, to which a caller may add further ones.
    """
    if leak := summary.explain_leak(predictions, settings.dataset, settings.split, groups_on_both_sides):
        limits = [*limits, f"Its score is not one on new music: {leak}"]
    built: dict[str, Any] = {
        "recipe": asdict(settings.recipe),
        "dataset": settings.dataset,
        "licence": licence,
        "tracks": len(corpus.tracks),
        "epochs": epochs,
        "training_chunks": min(settings.recipe.max_chunks, max(features.chunks for features in corpus.features)),
        "command": command_line(),
    }
    scores = {
        **scoring.summarise_system(predictions, settings.dataset, architecture),
        "split": splits.describe_split(corpus.tracks, settings.split),
        "seeds": settings.seeds,
    }
    if corpus.task == "single-label":
        label, percent = metrics.find_most_frequent_label(predictions)
        built |= {"scores": scores, "majority": {"label": label, "percent": percent}}
    else:
        if scores["roc_auc"] is not None:  # as it is where no label has test tracks both with and without it
            built |= {"tagging_scores": {**scores, "chance": compute_chance(predictions)}}
        built |= {"thresholds": dict(zip(corpus.labels, thresholds or [], strict=True))}
    return {**built, "limits": list(limits)} if limits else built
