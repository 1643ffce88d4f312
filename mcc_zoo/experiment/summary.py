"""Figures in sentences and tables: what was tested, cautions, scores and differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mcc_zoo.evaluation.metrics import KEYS, groups_in_several_folds, most_frequent
from mcc_zoo.paper import REPORTED, short_name
from mcc_zoo.text import counted

PAPERS_SPLIT = "The paper's figures are of random splits by track, ten folds, and so leaky."


def leak(predictions: pd.DataFrame, dataset: str, split: str, on_both_sides: int = 0) -> str:
    """Say that a split is leaky, and why, in a sentence or more; "" where nothing says so.

    Args:
        predictions: The rows of predictions.csv.
        dataset: Its name; those of the paper and Emotify have groups, whether or not a copy tells them.
        split: As for `mcc_zoo.datasets.splits.draw_splits`.
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


def split_in_words(split: str) -> str:
    """Say what a split of `mcc_zoo.datasets.splits.draw_splits` does."""
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


def percent(mean: float | None, std: float | None = None) -> str:
    """Write a mean in percent, with its standard deviation if there is one.

    >>> percent(71.25), percent(71.25, 2.0), percent(None)
    ('71.2', '71.2 ± 2.0', '')
    """
    if mean is None or pd.isna(mean):
        return ""
    return f"{mean:.1f}" if std is None or pd.isna(std) else f"{mean:.1f} ± {std:.1f}"


def scores_as_markdown(table: pd.DataFrame) -> str:
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


def probability(p: float) -> str:
    """Write a p value.

    >>> probability(0.25), probability(1e-6)
    ('0.250', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def differences_as_markdown(table: pd.DataFrame) -> str:
    """Write `compare` as a Markdown table, differences in points (percent); nothing for an empty one."""
    if table.empty:
        return ""
    heads = ["claim", "folds", "difference, 95 % interval", "effect", "p", "p, Holm", "p, Wilcoxon"]
    lines = [heads, ["---"] * len(heads)]
    for row in table.to_dict("records"):
        better, worse = (short_name(row[name]) for name in ("better", "worse"))
        low, mean, high = (100 * row[name] for name in ("low", "mean", "high"))
        lines.append(
            [
                f"{better} over {worse}",
                str(row["folds"]),
                f"{mean:+.1f} ({low:+.1f} to {high:+.1f})",
                f"{row['effect']:.2f}",
                *(probability(row[name]) for name in ("t_test", "holm", "wilcoxon")),
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
