"""Results in sentences and Markdown tables: what was tested, cautions, scores and differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mcc_zoo.evaluation import scoring
from mcc_zoo.evaluation.auto_tagging import compute_chance, count_untested_labels, list_labels
from mcc_zoo.evaluation.metrics import KEYS, count_split_groups, find_most_frequent_label
from mcc_zoo.paper import REPORTED, short_name
from mcc_zoo.tasks import Task
from mcc_zoo.text import counted

PAPERS_SPLIT = "The paper's figures are of random splits by track, ten folds, and so leaky."


def explain_leak(predictions: pd.DataFrame, dataset: str, split: str, groups_on_both_sides: int = 0) -> str:
    """Explain why a split is leaky, in one or more sentences.

    Args:
        predictions: The rows of predictions.csv.
        dataset: The dataset's name. Those of the paper and Emotify have groups, also where a copy does not name them.
        split: As for `mcc_zoo.datasets.splits.draw_splits`.
        groups_on_both_sides: Number of groups that are tested and also trained or validated on. It is needed for fixed
            lists, whose folds do not show it.

    Returns:
        The explanation, or "" if nothing shows that the split is leaky.
    """
    torn, known = count_split_groups(predictions)
    torn = max(torn, groups_on_both_sides)
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


def list_cautions(predictions: pd.DataFrame, config: Mapping[str, Any], dataset: str) -> list[str]:
    """List what a reader has to know before trusting the figures of a run, each in one or more sentences.

    Args:
        predictions: The rows of predictions.csv.
        config: The content of config.json.
        dataset: As for `explain_leak`.
    """
    found = []
    if leaky := explain_leak(predictions, dataset, config["split"], config.get("groups_on_both_sides", 0)):
        found.append(leaky)
    tested = predictions.drop_duplicates(KEYS)
    counts = tested["architecture"].value_counts(sort=False)
    if (counts < len(tested.drop_duplicates(["seed", "fold"]))).any():
        of_each = ", ".join(f"{short_name(str(name))} {folds}" for name, folds in counts.items())
        found.append(f"the systems were not tested on the same folds ({of_each}): their figures do not compare.")
    if config.get("shuffle_labels"):
        found.append("the labels were shuffled among the tracks: this is a control, and has to be at chance.")
    if config.get("on_validation"):
        found.append("these are scores of validation tracks, which chose the epochs: compare only recipes by them.")
    return found


def describe_run(predictions: pd.DataFrame, config: Mapping[str, Any]) -> list[str]:
    """Describe what a run tested and how, its split, and the accuracy of chance, one paragraph each.

    Args:
        predictions: The rows of predictions.csv.
        config: The content of config.json.
    """
    is_single = scoring.find_task(predictions) == "single-label"
    labels = set(predictions["truth"]) | set(predictions["prediction"]) if is_single else list_labels(predictions)
    folds, known = len(predictions[["seed", "fold"]].drop_duplicates()), count_split_groups(predictions)[1]
    seeds = sorted(set(predictions["seed"]))
    split = describe_split(config.get("split_taken", config["split"]))  # runs of before did not say what auto took
    counts = [
        counted(config["tracks"], "track"),
        counted(len(labels), "label"),
        counted(known, "group"),
        counted(folds, "fold"),
        f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}",
    ]
    return [
        f"{', '.join(counts)}; recipe {config['recipe']['name']}.",
        f"Split: {split}. {counted(known, 'group') if known else 'No groups are'} known.",
        _describe_chance(predictions) if is_single else _describe_chance_of_tags(predictions),
    ]


def _describe_chance(predictions: pd.DataFrame) -> str:
    label, percent = find_most_frequent_label(predictions)
    return (
        f"Always naming the most frequent label ({label}) would be right for {percent:.1f} % of the tracks. "
        "Majority vote is the accuracy of the label that most chunks of a track have as their most probable one."
    )


def _describe_chance_of_tags(predictions: pd.DataFrame) -> str:
    chance = {name: f"{100 * value:.1f} %" for name, value in compute_chance(predictions).items()}
    text = (
        f"Chance: guessing gives a ROC-AUC of {chance['roc_auc']} and an average precision of "
        f"{chance['average_precision']}, the labels' mean share of the tracks; giving every label to every track an F1 "
        f"of {chance['f1']}. Scores are means over labels (macro), or where it says so over tracks. F1 is that of "
        "thresholds which validation tracks chose."
    )
    if untested := count_untested_labels(predictions):
        folds = ", ".join(f"{label} ({counted(count, 'fold')})" for label, count in untested.items())
        text += f" A label that no test track of a fold has, or every one, is left out of that fold's mean: {folds}."
    return text


def describe_split(split: str) -> str:
    """Describe what a split of `mcc_zoo.datasets.splits.draw_splits` does."""
    return {
        "random": "random, by track",
        "grouped": "grouped; the tracks of a group (artist, album, link) stay in one fold",
        "auto": "auto; the tracks' own folds where each has one, else the tracks of a group stay in one fold",
        "the tracks' own folds": "the tracks' own folds",
        "random, no groups being known": "random, by track, because no track has a group",
    }.get(split, f"from {split}")


def explain_fixed_split(predictions: pd.DataFrame) -> str:
    """Explain that all seeds of a fixed split have the same test tracks; "" if there is one seed or a drawn split."""
    seeds = predictions["seed"].nunique()
    if seeds == 1 or predictions["fold"].nunique() > 1:
        return ""
    return f"The split is fixed: its {seeds} folds are one, learnt from {seeds} draws of the initial weights."


def format_percent(mean: float | None, std: float | None = None) -> str:
    """Format a mean in percent, with its standard deviation if there is one.

    >>> format_percent(71.25), format_percent(71.25, 2.0), format_percent(None)
    ('71.2', '71.2 ± 2.0', '')
    """
    if mean is None or pd.isna(mean):
        return ""
    return f"{mean:.1f}" if std is None or pd.isna(std) else f"{mean:.1f} ± {std:.1f}"


def format_scores(table: pd.DataFrame) -> str:
    """Format what `mcc_zoo.evaluation.scoring.summarise` gives as a Markdown table.

    The paper's column is there if the paper has the dataset.
    """
    task: Task = "single-label" if "accuracy" in table.columns else "multi-label"
    main, others = scoring.MAIN_SCORES[task], scoring.SUMMARISED[task]
    heads = ["system", "folds", *(f"{scoring.NAMES[name]} %" for name in (main, *others))]
    has_paper = bool(table["paper"].notna().any())
    lines = [heads + ["paper %"] * has_paper]
    for row in table.to_dict("records"):
        cells = [row["system"], str(row["folds"]), format_percent(row[main], row["std"])]
        cells += [format_percent(row[name]) for name in others]
        lines.append(cells + [format_percent(row["paper"], row["paper_std"])] * has_paper)
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def format_p_value(p: float) -> str:
    """Format a p value.

    >>> format_p_value(0.25), format_p_value(1e-6)
    ('0.250', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def format_differences(table: pd.DataFrame) -> str:
    """Format what `mcc_zoo.evaluation.significance.compare_systems` gives as a Markdown table.

    Differences are in percentage points. An empty table gives "".
    """
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
                *(format_p_value(row[name]) for name in ("t_test", "holm", "wilcoxon")),
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
