"""The figures of a report, legible on a phone and to the colour-blind."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mcc_zoo import evaluation
from mcc_zoo.evaluation import short_name
from mcc_zoo.report.run import Run

WIDTH = 7.0  # inches of a usual figure
WIDEST = 40.0  # inches, room for some 90 labels; an unbounded matrix could take gigabytes
FOLDS_OF_A_BOX = 8  # quartiles of fewer say nothing; their median is drawn alone
LONGEST_NAME = 16  # characters of a label in a figure; the tables give it whole
STYLE: list[Any] = [
    "default",  # whatever the user's own settings are, a page looks the same everywhere
    {
        "font.size": 14,  # points: some 9 pixels when seven inches are shown on a phone of 360 pixels
        "text.parse_math": False,  # a dollar sign in a label is a dollar sign
        "axes.spines.top": False,
        "axes.spines.right": False,
    },
]
BLUE, VERMILION = "#0072B2", "#D55E00"  # Okabe and Ito: safe for the colour-blind
TILTED: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
CURVES = {"cross-entropy": "tags_cross_entropy", "accuracy": "tags_accuracy"}


def accuracy_figure(run: Run) -> Figure:
    """Draw the folds' accuracies as points for each system, their median and box, and the paper's mean if any."""
    figure = _figure(WIDTH, 5.0)
    axes = figure.subplots()
    scores = evaluation.fold_scores(run.predictions).set_index("architecture")["accuracy"]
    folds = [100 * scores.loc[[name]].to_numpy() for name in run.systems]
    median: dict[str, Any] = {"color": "black", "linewidth": 2}
    if min(map(len, folds)) >= FOLDS_OF_A_BOX:
        axes.boxplot(folds, widths=0.6, showfliers=False, medianprops=median)
    else:
        axes.hlines([np.median(own) for own in folds], *np.arange(1, len(folds) + 1) + [[-0.3], [0.3]], **median)
    for place, own in enumerate(folds, start=1):
        aside = np.linspace(-0.2, 0.2, len(own) + 2)[1:-1]  # so that equal points show
        points = axes.scatter(place + aside, own, color=BLUE, alpha=0.7, zorder=3, label="a fold")
    places = range(1, len(folds) + 1)
    if run.summary["paper"].notna().any():
        means = run.summary["paper"].to_numpy(float)
        paper = axes.scatter(places, means, s=70, color=VERMILION, marker="D", zorder=4, label="the paper's mean")
        axes.legend(handles=[points, paper], loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    names = [short_name(name) for name in run.systems]
    axes.set_xticks(places, names, **TILTED if len(names) > 5 else {})
    axes.set_ylabel("accuracy in %")
    axes.grid(axis="y", alpha=0.3)
    return figure


def confusion_figure(run: Run, architecture: str) -> Figure:
    """Draw a system's confusion matrix (truth, prediction): each row's shares as colours, the counts as figures."""
    counts = evaluation.confusion(run.rows(architecture)).reindex(index=run.labels, columns=run.labels, fill_value=0)
    width = min(WIDEST, max(WIDTH, 2.5 + 0.42 * len(counts)))
    figure = _figure(width, 0.95 * width)
    axes = figure.subplots()
    table = counts.to_numpy()
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(table):
        colour = "white" if shares[row, column] > 0.7 else "black" if count else "gray"
        axes.text(column, row, str(count), ha="center", va="center", color=colour)
    names = [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in counts.index]
    axes.set_xticks(range(len(names)), names, **{"rotation": 90} if len(names) > 6 else TILTED)
    axes.set_yticks(range(len(names)), names)
    axes.set(title=short_name(architecture), xlabel="prediction", ylabel="truth")
    return figure


def curves_figure(histories: Sequence[pd.DataFrame], title: str) -> Figure:
    """Draw training and validation curves, one panel a measure.

    Args:
        histories: One a fold, epochs as rows.
        title: Its heading.
    """
    figure = _figure(WIDTH, 7.5)
    panels = figure.subplots(len(CURVES), 1, sharex=True)
    for axes, (measure, column) in zip(panels, CURVES.items(), strict=True):
        for part, prefix, colour, line in (("training", "", BLUE, "-"), ("validation", "val_", VERMILION, "--")):
            folds = pd.concat([history[prefix + column] for history in histories], axis=1)
            folds.index = pd.RangeIndex(1, len(folds) + 1)
            mean = folds.mean(axis=1)[folds.notna().mean(axis=1) >= 0.5]
            axes.plot(folds, color=colour, linewidth=0.8, alpha=0.35)
            # a line of one epoch would not show without its marker
            axes.plot(mean, line, color=colour, linewidth=3, marker="o", markersize=4, label=part)
        axes.set_ylabel(measure)
        axes.grid(alpha=0.3)
    panels[0].set_title(title)
    panels[0].legend(frameon=False)
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    return figure


def png(figure: Figure) -> bytes:
    """Draw a figure as PNG."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the tables of the page have every script
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _figure(width: float, height: float) -> Figure:
    margins = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)  # inches, as the page around may be dark
    return Figure(figsize=(width, height), dpi=120, layout=margins)
