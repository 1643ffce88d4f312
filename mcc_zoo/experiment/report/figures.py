"""The figures of a report, legible on a phone and to the colour-blind."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from mcc_zoo.evaluation import auto_tagging, metrics, scoring
from mcc_zoo.experiment.fold_details import TrackTaggram
from mcc_zoo.experiment.report.run import Run
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.paper import short_name
from mcc_zoo.tasks import SEPARATOR

WIDTH = 7.0  # inches of a usual figure
WIDEST = 40.0  # inches, room for some 90 labels; without a bound a matrix could take gigabytes
FOLDS_OF_A_BOX = 8  # with fewer folds quartiles mean little, and only the median is drawn
LONGEST_NAME = 16  # characters of a label in a figure; the tables show it in full
LONGEST_TITLE = 50  # characters of a line above a figure
MOST_BARS = 50  # labels; the tables have them all
HIGHEST = 20.0  # inches, room for some 50 labels of a taggram
FILTERS_IN_A_ROW = 8
STYLE: list[Any] = [
    "default",  # the page looks the same whatever the user's own settings are
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


def draw_scores(run: Run) -> Figure:
    """Draw the folds' main scores as points for each system, their median and box, and the paper's mean if any."""
    figure = _make_figure(WIDTH, 5.0)
    axes = figure.subplots()
    scores = scoring.score_folds(run.predictions).set_index("architecture")[run.main_score]
    folds = [100 * scores.loc[[name]].to_numpy() for name in run.systems]
    median: dict[str, Any] = {"color": "black", "linewidth": 2}
    for place, own in enumerate(folds, start=1):
        if len(own) >= FOLDS_OF_A_BOX:
            axes.boxplot([own], positions=[place], widths=0.6, showfliers=False, medianprops=median, manage_ticks=False)
        else:
            axes.hlines(np.median(own), place - 0.3, place + 0.3, **median)
        aside = np.linspace(-0.2, 0.2, len(own) + 2)[1:-1]  # so that folds of equal accuracy do not cover each other
        points = axes.scatter(place + aside, own, color=BLUE, alpha=0.7, zorder=3, label="a fold")
    places = range(1, len(folds) + 1)
    if run.summary["paper"].notna().any():
        means = run.summary["paper"].to_numpy(float)
        paper = axes.scatter(places, means, s=70, color=VERMILION, marker="D", zorder=4, label="the paper's mean")
        axes.legend(handles=[points, paper], loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    names = [short_name(name) for name in run.systems]
    axes.set_xticks(places, names, **TILTED if len(names) > 5 else {})
    axes.set_ylabel(f"{scoring.NAMES[run.main_score]} in %")
    axes.grid(axis="y", alpha=0.3)
    return figure


def draw_confusions(run: Run, architecture: str) -> Figure:
    """Draw a system's confusion matrix (truth, prediction): each row's shares as colours, the counts as figures."""
    counts = metrics.count_confusions(run.select_predictions(architecture)).reindex(
        index=run.labels, columns=run.labels, fill_value=0
    )
    width = min(WIDEST, max(WIDTH, 2.5 + 0.42 * len(counts)))
    figure = _make_figure(width, 0.95 * width)
    axes = figure.subplots()
    table = counts.to_numpy()
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(table):
        colour = "white" if shares[row, column] > 0.7 else "black" if count else "gray"
        axes.text(column, row, str(count), ha="center", va="center", color=colour)
    names = [_shorten(name) for name in counts.index]
    axes.set_xticks(range(len(names)), names, **{"rotation": 90} if len(names) > 6 else TILTED)
    axes.set_yticks(range(len(names)), names)
    axes.set(title=short_name(architecture), xlabel="prediction", ylabel="truth")
    return figure


def draw_label_scores(run: Run, architecture: str) -> Figure:
    """Draw a bar for each label: a system's ROC-AUC and average precision, over all folds; a line marks chance."""
    labels = auto_tagging.score_labels(run.select_predictions(architecture)).sort_values("roc_auc", na_position="first")
    labels = labels.tail(MOST_BARS)
    figure = _make_figure(WIDTH, min(HIGHEST, 2.0 + 0.42 * len(labels)))
    panels = figure.subplots(1, 2, sharey=True)
    tracks = len(run.select_predictions(architecture))
    for axes, name in zip(panels, auto_tagging.RANKINGS, strict=True):
        axes.barh(range(len(labels)), 100 * labels[name], color=BLUE)
        chance = np.full(len(labels), 50.0) if name == "roc_auc" else 100 * labels["tracks"] / tracks
        axes.scatter(chance, range(len(labels)), color=VERMILION, marker="|", s=120, zorder=3, label="chance")
        axes.set(xlim=(0, 100), xlabel=f"{scoring.NAMES[name]} in %")
        axes.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(labels)), [_shorten(str(label)) for label in labels.index])
    panels[1].legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    figure.suptitle(short_name(architecture))
    return figure


def draw_pairs(counts: pd.DataFrame, title: str) -> Figure:
    """Draw how often labels stand together: of the tracks with the label of a row, the share with that of a column."""
    width = min(WIDEST, max(WIDTH, 2.5 + 0.42 * len(counts)))
    figure = _make_figure(width, 0.95 * width)
    axes = figure.subplots()
    table = counts.to_numpy()
    shares = table / np.maximum(np.diag(table)[:, np.newaxis], 1)
    image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    names = [_shorten(name) for name in counts.index]
    axes.set_xticks(range(len(names)), names, **{"rotation": 90} if len(names) > 6 else TILTED)
    axes.set_yticks(range(len(names)), names)
    axes.set(title=title, xlabel="has this label too", ylabel="tracks with the label")
    figure.colorbar(image, ax=axes, shrink=0.7, label="% of the row's tracks")
    return figure


def draw_learning_curves(histories: Sequence[pd.DataFrame], title: str) -> Figure:
    """Draw training and validation curves, one panel per measure.

    Args:
        histories: One per fold, epochs as rows.
        title: The title of the figure.
    """
    figure = _make_figure(WIDTH, 7.5)
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


def draw_track_taggram(track: TrackTaggram, seconds: float, so_far: bool) -> Figure:
    """Draw the taggram of a track, under its name, its label and the predicted label.

    Args:
        track: The track; its windows are drawn one after the other.
        seconds: Duration of a chunk.
        so_far: As for `draw_taggram`.
    """
    figure = _make_figure(WIDTH, min(HIGHEST, 2.6 + 0.42 * len(track.labels)))
    starts = np.cumsum([len(window) for window in track.windows])[:-1]
    labels = [_shorten(label) for label in track.labels]
    draw_taggram(figure, np.concatenate(track.windows), labels, seconds, starts, so_far)
    # the end of a path says more than its beginning
    name = track.path if len(track.path) <= LONGEST_TITLE else "…" + track.path[1 - LONGEST_TITLE :]
    if track.is_best is None:
        given = f"given: {_shorten(track.prediction)} ({100 * track.probability:.0f} %)"
        figure.suptitle(f"{name}\ntrue: {_shorten(track.truth)}, {given}")
    else:
        true, given = (_list_shortly(cell) for cell in (track.truth, track.prediction))
        figure.suptitle(f"{name}\ntrue: {true}\ngiven: {given}")
    return figure


def draw_taggram(
    figure: Figure, taggram: np.ndarray, labels: Sequence[str], seconds: float, starts: Iterable[int], so_far: bool
) -> Axes:
    """Draw a taggram: time from left to right, the first label on top, probability from 0 to 1 as colour.

    Args:
        figure: An empty figure.
        taggram: (chunks, labels) probabilities.
        labels: Names of the taggram's columns.
        seconds: Duration of a chunk.
        starts: Numbers of the chunks at which a further window starts; each gets a white line.
        so_far: Whether a column is the prediction for all chunks so far, as with an LSTM, or for its own chunk.

    Returns:
        The axes drawn into.
    """
    axes = figure.subplots()
    extent = (0.0, len(taggram) * seconds, len(labels) - 0.5, -0.5)
    image = axes.imshow(taggram.T, cmap="cividis", vmin=0, vmax=1, aspect="auto", extent=extent)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)  # a dollar sign is a dollar sign
    axes.set_xlabel("time (s)" + ("; each column: the tags so far" if so_far else ""))
    for start in starts:
        axes.axvline(start * seconds, color="white")
    figure.colorbar(image, ax=axes, label="probability")
    return axes


def draw_filters(kernels: np.ndarray, front_end: FrontEnd, title: str) -> Figure:
    """Draw the filters of a channel, that of the largest norm first. Red raises the output, blue lowers it.

    Filters of one frame or one band are drawn as the lines of one picture, others as small pictures in rows.

    Args:
        kernels: (bands, frames, filters) weights.
        front_end: The front end of the chunks that the filters run over.
        title: The title of the figure.
    """
    kernels = kernels[:, :, np.argsort(-np.linalg.norm(kernels, axis=(0, 1)), kind="stable")]
    bands, frames, filters = kernels.shape
    span = 1_000 * front_end.hop_length / front_end.sample_rate  # ms of a frame
    figure = _make_figure(WIDTH, 7.0)
    axes = figure.subplots()
    largest = np.abs(kernels).max() or 1.0
    look: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, "aspect": "auto"}
    bands_axis, order = "mel band of the filter, low to high", "largest norm first"
    if frames == 1:
        image = axes.imshow(kernels[:, 0], origin="lower", extent=(0.5, filters + 0.5, 0.5, bands + 0.5), **look)
        axes.set(title=title, xlabel=f"filter, {order}", ylabel=bands_axis)
    elif bands == 1:
        image = axes.imshow(kernels[0].T, extent=(0, frames * span, filters + 0.5, 0.5), **look)
        axes.set(title=title, xlabel=f"time in ms ({frames} frames)", ylabel=f"filter, {order}")
    else:
        image = axes.imshow(_tile(kernels), origin="lower", interpolation="nearest", **look)
        axes.set_xticks([-0.5, frames - 0.5], ["0", f"{frames * span:.0f}"])
        axes.set_yticks([-0.5, bands - 0.5], ["1", str(bands)])
        axes.set(title=f"{title}: row by row, {order}", ylabel=bands_axis)
        axes.set_xlabel(f"time in ms ({frames} frames a filter)")
    figure.colorbar(image, ax=axes, location="bottom", aspect=30, ticks=MaxNLocator(5), label="weight")
    return figure


def _tile(kernels: np.ndarray) -> np.ndarray:
    """Tile (bands, frames, filters) in rows, the first filter top left in a picture whose origin is bottom left."""
    bands, frames, filters = kernels.shape
    rows = -(-filters // FILTERS_IN_A_ROW)
    sheet = np.full((rows * (bands + 1) - 1, FILTERS_IN_A_ROW * (frames + 1) - 1), np.nan)  # gaps of one stay white
    for place in range(filters):
        row, column = divmod(place, FILTERS_IN_A_ROW)
        bottom, left = (rows - 1 - row) * (bands + 1), column * (frames + 1)
        sheet[bottom : bottom + bands, left : left + frames] = kernels[:, :, place]
    return sheet


def encode_png(figure: Figure) -> bytes:
    """Encode a figure as a PNG file."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # of scripts that the font lacks
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _list_shortly(cell: str) -> str:
    """List the labels of a cell, as many as a line above a figure holds."""
    names = ", ".join(cell.split(SEPARATOR)) or "none"
    return names if len(names) <= LONGEST_TITLE else names[: LONGEST_TITLE - 1] + "…"


def _shorten(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _make_figure(width: float, height: float) -> Figure:
    margins = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)  # inches, as the page around may be dark
    return Figure(figsize=(width, height), dpi=120, layout=margins)
