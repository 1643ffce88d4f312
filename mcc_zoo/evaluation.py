"""Chunk scores to track scores, and folds to tables, with numpy and pandas alone.

Everything here starts from the rows of predictions.csv, so that every figure can be computed again from that file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mcc_zoo.paper import REPORTED, SYSTEMS
from mcc_zoo.wording import counted

KEYS = ["architecture", "seed", "fold"]
TEXT = ["architecture", "path", "group", "truth", "prediction", "majority_vote"]
PAPERS_SPLIT = "The paper's figures are of random splits by track, ten folds, and so leaky."


def read_predictions(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a predictions.csv; labels and groups that look like numbers, or like "NA", stay text."""
    return pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False)


def track_probabilities(taggrams: Sequence[np.ndarray], has_lstm: bool) -> np.ndarray:
    """Pool a track's windows into its tags, as the model's `tags` does within one window.

    Args:
        taggrams: For each window (chunks, labels) probabilities.
        has_lstm: With an LSTM a window's tags are its last step's, else the mean over its chunks.

    Returns:
        (labels,) probabilities: the mean of the windows' tags, each weighed by its chunks.
    """
    tags = [taggram[-1] if has_lstm else taggram.mean(axis=0) for taggram in taggrams]
    return np.average(tags, axis=0, weights=[len(taggram) for taggram in taggrams])


def majority_vote(taggram: np.ndarray) -> int:
    """Count the chunks' first choices; of classes with equal counts the one of higher mean probability wins.

    >>> majority_vote(np.array([[0.6, 0.4], [0.1, 0.9]]))
    1
    """
    votes = np.bincount(taggram.argmax(axis=1), minlength=taggram.shape[1])
    return int(np.lexsort((taggram.mean(axis=0), votes))[-1])


def prediction_row(taggrams: Sequence[np.ndarray], truth: int, labels: Sequence[str], has_lstm: bool) -> dict:
    """Make a track's columns of predictions.csv from its windows' taggrams."""
    probabilities = track_probabilities(taggrams, has_lstm)
    chunks = np.concatenate(taggrams)
    return {
        "truth": labels[truth],
        "prediction": labels[int(probabilities.argmax())],
        "majority_vote": labels[majority_vote(chunks)],
        "chunks": len(chunks),
        "chunks_right": int((chunks.argmax(axis=1) == truth).sum()),
        **dict(zip(labels, probabilities.tolist(), strict=True)),
    }


def fold_scores(predictions: pd.DataFrame) -> pd.DataFrame:
    """Score every fold: a row an architecture, seed and fold, all as shares of 1.

    Columns: accuracy, majority_vote and chunk_accuracy; balanced_accuracy (mean recall of the classes that occur);
    macro_f1 (mean over the classes that occur or are predicted).
    """
    scored = predictions.assign(
        accuracy=predictions["truth"] == predictions["prediction"],
        majority_vote=predictions["truth"] == predictions["majority_vote"],
    )
    grouped = scored.groupby(KEYS, sort=True)
    means = grouped[["accuracy", "majority_vote"]].mean()
    sums = grouped[["chunks_right", "chunks"]].sum()
    means["chunk_accuracy"] = sums["chunks_right"] / sums["chunks"]
    by_class = grouped[["truth", "prediction"]].apply(_class_scores)
    return means.join(by_class).reset_index()


def _class_scores(rows: pd.DataFrame) -> pd.Series:
    table = confusion(rows)
    right = np.diag(table)
    true, predicted = table.sum(axis=1).to_numpy(), table.sum(axis=0).to_numpy()
    recall = right[true > 0] / true[true > 0]
    return pd.Series({"balanced_accuracy": recall.mean(), "macro_f1": (2 * right / (true + predicted)).mean()})


def groups_in_several_folds(predictions: pd.DataFrame) -> tuple[int, int]:
    """Count the groups that one seed's folds tear apart, and all groups that are known.

    A group that stands in several folds is trained on and tested: its artist or album can be what is recognised.

    >>> rows = {"seed": [0, 0, 0, 0], "fold": [0, 1, 0, 0], "group": ["torn", "torn", "whole", ""]}
    >>> groups_in_several_folds(pd.DataFrame(rows))
    (1, 2)
    """
    known = predictions[predictions["group"] != ""]
    folds_of_each = known.groupby(["group", "seed"])["fold"].nunique()
    torn = folds_of_each[folds_of_each > 1].index.get_level_values("group")
    return torn.nunique(), known["group"].nunique()


def leak(predictions: pd.DataFrame, dataset: str, split: str, on_both_sides: int = 0) -> str:
    """Say that a split is leaky, and why, in a sentence or more; "" where nothing says so.

    Args:
        predictions: The rows of predictions.csv.
        dataset: Its name; those of the paper and Emotify have groups, whether or not a copy tells them.
        split: As for `mcc_zoo.folds.draw`.
        on_both_sides: Groups that are tested and trained or validated on, where folds do not show it: of fixed lists.
    """
    torn, known = groups_in_several_folds(predictions)
    torn = max(torn, on_both_sides)
    if torn or (known and split == "random"):
        why = "is random although groups of tracks are known" if split == "random" else "tears groups of tracks apart"
        return (
            f"the split {why}, so it is leaky. {torn} of {known:,} group{'s' * (known != 1)} (artist, album, link) "
            "stand on both sides. Where a model is tested on a group that it was trained on, it scores higher than on "
            "new music. The split grouped keeps each group in one fold."
        )
    has_groups = dataset in REPORTED or dataset.startswith("emotify")
    if not known and has_groups and split in ("auto", "grouped", "random"):
        return (
            f"the split is leaky. {dataset} has groups of tracks (artists, albums, copies of a recording), but none is "
            "known here, so that they stand on both sides, which gives higher scores than new music would."
        )
    return ""


def cautions(predictions: pd.DataFrame, config: Mapping[str, Any], dataset: str) -> list[str]:
    """Say what a reader has to know before believing a run's figures, a sentence or more each.

    Args:
        predictions: The rows of predictions.csv.
        config: What config.json holds.
        dataset: As for `leak`.
    """
    found = []
    if leaky := leak(predictions, dataset, config["split"], config.get("groups_on_both_sides", 0)):
        found.append(leaky)
    tested = predictions.drop_duplicates(KEYS)
    counts = tested["architecture"].value_counts(sort=False)
    if (counts < len(tested.drop_duplicates(["seed", "fold"]))).any():
        of_each = ", ".join(f"{short_name(str(name))} {folds}" for name, folds in counts.items())
        found.append(f"the systems were not tested on the same folds ({of_each}): their figures do not compare.")
    if config.get("shuffle_labels"):
        found.append("the labels were dealt out anew among the tracks: this is a control, and has to be at chance.")
    if config.get("on_validation"):
        found.append("these are validation tracks, which chose the epochs: figures to compare recipes by, not results.")
    return found


def described(predictions: pd.DataFrame, config: Mapping[str, Any]) -> list[str]:
    """Say what a run's figures are of: what was tested and how, the split, and chance; a paragraph each.

    Args:
        predictions: The rows of predictions.csv.
        config: What config.json holds.
    """
    folds, known = len(predictions[["seed", "fold"]].drop_duplicates()), groups_in_several_folds(predictions)[1]
    seeds = sorted(set(predictions["seed"]))
    counts = [
        counted(config["tracks"], "track"),
        counted(len(set(predictions["truth"]) | set(predictions["prediction"])), "label"),
        counted(known, "group"),
        counted(folds, "fold"),
        f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}",
    ]
    label, percent = most_frequent(predictions)
    return [
        f"{', '.join(counts)}; recipe {config['recipe']['name']}.",
        f"Split: {split_in_words(config['split'])}. {counted(known, 'group') if known else 'No groups are'} known.",
        f"Chance: always naming the most frequent label ({label}) would be right for {percent:.1f} % of the tracks.",
    ]


def most_frequent(predictions: pd.DataFrame) -> tuple[str, float]:
    """Return the label that most tested tracks have, and their share in percent, which needs no ear.

    >>> rows = {"seed": 0, "fold": 0, "path": ["a", "b", "c", "a"], "truth": ["rock", "pop", "rock", "rock"]}
    >>> label, percent = most_frequent(pd.DataFrame(rows))
    >>> label, round(percent, 1)
    ('rock', 66.7)
    """
    tracks = predictions.drop_duplicates(["seed", "fold", "path"])  # each system has a row of each
    shares = tracks["truth"].value_counts(normalize=True).sort_index()  # of equals the first by name
    return str(shares.idxmax()), 100 * float(shares.max())


def split_in_words(split: str) -> str:
    """Say what a split of `mcc_zoo.folds.draw` does."""
    return {
        "random": "random, by track",
        "grouped": "grouped; the tracks of a group (artist, album, link) stay in one fold",
        "auto": "auto; the tracks' own folds where each has one, else the tracks of a group stay in one fold",
    }.get(split, f"from {split}")


def same_tracks(predictions: pd.DataFrame) -> str:
    """Say that seeds do not draw other test tracks, where there is one fixed split; "" where they do."""
    seeds = predictions["seed"].nunique()
    if seeds == 1 or predictions["fold"].nunique() > 1:
        return ""
    return f"The split is fixed: its {seeds} folds are one, learnt from {seeds} draws of the initial weights."


def short_name(system: str) -> str:
    """Return a system's title up to its colon; what is none of `SYSTEMS` keeps its name."""
    return SYSTEMS[system].title.split(":")[0] if system in SYSTEMS else system


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count tracks by truth (rows) and prediction (columns), over the labels that occur in either."""
    labels = sorted(set(predictions["truth"]) | set(predictions["prediction"]))
    counts = pd.crosstab(predictions["truth"], predictions["prediction"])
    return counts.reindex(index=labels, columns=labels, fill_value=0)


def summary(predictions: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Summarise the folds: a row an architecture, in percent, mean and std over folds (ddof 1), and the paper's.

    Systems come in the order of `SYSTEMS`; what is none of them, a reference say, comes last under its own name.
    Columns: system, folds, accuracy, std, majority_vote, balanced_accuracy, macro_f1, paper, paper_std.
    """
    scores = fold_scores(predictions)
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
                "accuracy": 100 * own["accuracy"].mean(),
                "std": 100 * own["accuracy"].std(ddof=1),
                **{name: 100 * own[name].mean() for name in ("majority_vote", "balanced_accuracy", "macro_f1")},
                "paper": paper.mean if paper else None,
                "paper_std": paper.std if paper else None,
            }
        )
    return pd.DataFrame(rows)


def export_scores(predictions: pd.DataFrame, dataset: str, architecture: str) -> dict[str, float | int | None]:
    """Summarise one system for the card of its export: accuracy, std, balanced_accuracy, macro_f1 in percent; folds."""
    (found,) = summary(predictions[predictions["architecture"] == architecture], dataset).to_dict("records")
    figures = {name: found[name] for name in ("accuracy", "std", "balanced_accuracy", "macro_f1", "folds")}
    return {name: None if pd.isna(value) else value for name, value in figures.items()}  # one fold has no std


def percent(mean: float | None, std: float | None = None) -> str:
    """Write a mean in percent, with its standard deviation if there is one.

    >>> percent(71.25), percent(71.25, 2.0), percent(None)
    ('71.2', '71.2 ± 2.0', '')
    """
    if mean is None or pd.isna(mean):
        return ""
    return f"{mean:.1f}" if std is None or pd.isna(std) else f"{mean:.1f} ± {std:.1f}"


def as_markdown(table: pd.DataFrame) -> str:
    """Write `summary` as a Markdown table; the paper's column is there where the paper has the dataset."""
    heads = ["system", "folds", "accuracy %", "majority vote %", "balanced accuracy %", "macro F1 %"]
    has_paper = bool(table["paper"].notna().any())
    lines = [heads + ["paper %"] * has_paper]
    for row in table.to_dict("records"):
        cells = [row["system"], str(row["folds"]), percent(row["accuracy"], row["std"])]
        cells += [percent(row[name]) for name in ("majority_vote", "balanced_accuracy", "macro_f1")]
        lines.append(cells + [percent(row["paper"], row["paper_std"])] * has_paper)
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
