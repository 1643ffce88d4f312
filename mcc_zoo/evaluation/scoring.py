"""Scores of folds and of systems, whether tracks have one label each or many."""

from __future__ import annotations

import pandas as pd

from mcc_zoo.evaluation import auto_tagging, metrics
from mcc_zoo.paper import REPORTED, SYSTEMS
from mcc_zoo.tasks import Task

MAIN_SCORES: dict[Task, str] = {"single-label": "accuracy", "multi-label": "roc_auc"}
SUMMARISED: dict[Task, tuple[str, ...]] = {  # besides the main score
    "single-label": ("majority_vote", "balanced_accuracy", "macro_f1"),
    "multi-label": auto_tagging.SCORES[1:],
}
NAMES = {  # as tables name them
    "accuracy": "accuracy",
    "majority_vote": "majority vote",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "roc_auc_of_tracks": "ROC-AUC, by track",
    "average_precision_of_tracks": "average precision, by track",
    "f1": "F1",
}


def find_task(predictions: pd.DataFrame) -> Task:
    """Find out by the columns of predictions.csv whether tracks have one label each or many."""
    return "single-label" if "majority_vote" in predictions.columns else "multi-label"


def find_main_score(predictions: pd.DataFrame) -> str:
    """Name the score by which systems are compared: accuracy, or with many labels the macro ROC-AUC."""
    return MAIN_SCORES[find_task(predictions)]


def score_folds(predictions: pd.DataFrame) -> pd.DataFrame:
    """Score each fold of each system, by `metrics.score_folds` or `auto_tagging.score_folds`."""
    score = metrics.score_folds if find_task(predictions) == "single-label" else auto_tagging.score_folds
    return score(predictions)


def summarise(predictions: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Summarise the folds of each system beside the paper's figures.

    Args:
        predictions: The rows of predictions.csv.
        dataset: The dataset's name, by which the paper's figures are looked up.

    Returns:
        One row per architecture in the order of `SYSTEMS`; others, such as a reference, follow under their own names.
        Columns: architecture, system, folds, the main score of `MAIN_SCORES`, std (of it over folds, ddof 1), those of
        `SUMMARISED`, paper, paper_std; all scores in percent.
    """
    scores, task = score_folds(predictions), find_task(predictions)
    main = MAIN_SCORES[task]
    reported = REPORTED.get(dataset, {})
    rows = []
    found = set(scores["architecture"])
    for architecture in [name for name in SYSTEMS if name in found] + sorted(found - set(SYSTEMS)):
        own = scores[scores["architecture"] == architecture]
        paper = reported.get(architecture)
        rows.append(
            {
                "architecture": architecture,
                "system": SYSTEMS[architecture].title if architecture in SYSTEMS else architecture,
                "folds": len(own),
                main: 100 * own[main].mean(),
                "std": 100 * own[main].std(ddof=1),
                **{name: 100 * own[name].mean() for name in SUMMARISED[task]},
                "paper": paper.mean if paper else None,
                "paper_std": paper.std if paper else None,
            }
        )
    return pd.DataFrame(rows)


def summarise_system(predictions: pd.DataFrame, dataset: str, architecture: str) -> dict[str, float | int | None]:
    """Summarise the folds of one system for the card of its export.

    Returns:
        accuracy, std, balanced_accuracy and macro_f1 in percent, and folds; None for the std of one fold. With many
        labels a track, roc_auc, std, the other scores of `auto_tagging.SCORES`, and folds.
    """
    own = summarise(predictions[predictions["architecture"] == architecture], dataset)
    task = find_task(predictions)
    others = [name for name in SUMMARISED[task] if name != "majority_vote"]
    (found,) = own[[MAIN_SCORES[task], "std", *others, "folds"]].to_dict("records")
    return {str(name): None if pd.isna(value) else value for name, value in found.items()}
