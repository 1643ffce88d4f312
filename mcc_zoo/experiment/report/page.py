"""The page of a run: the data of each section, laid out by the template `page.html.j2`.

A further section is a function here that gathers its data, an entry of `render` and a block of the template.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib import style

from mcc_zoo.evaluation import auto_tagging, metrics, scoring, significance
from mcc_zoo.experiment import summary
from mcc_zoo.experiment.fold_details import TrackTaggram
from mcc_zoo.experiment.report import figures
from mcc_zoo.experiment.report.elements import PageFigure, SystemPart, Table, add_figure, part_by_system
from mcc_zoo.experiment.report.run import Run
from mcc_zoo.paper import REPORTED, SYSTEMS, short_name
from mcc_zoo.text import counted

LABELS_OF_A_MATRIX = 40  # with more nobody reads it, and drawing it takes minutes and gigabytes
CONFUSED_PAIRS = 30
LISTENS_TO = {"P": "pitch and timbre", "T": "tempo and rhythm", "B": "bass and kick"}  # Sec. 2.2
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(run: Run) -> str:
    """Lay out the page of a run, and write its figures to the run's folder `figures`.

    Returns:
        HTML with all figures in it.
    """
    counts = [counted(len(run.summary), "system"), counted(run.folds, "fold"), counted(len(run.labels), "label")]
    with style.context(figures.STYLE):
        return TEMPLATES.get_template("page.html.j2").render(
            counted=counted,
            dataset=run.dataset,
            run=run.name,
            counts=", ".join(counts),
            result=describe_result(run),
            cautions=summary.list_cautions(run.predictions, run.config, run.dataset),
            scores=Table.from_markdown(summary.format_scores(run.summary)),
            notes=list_notes(run),
            claims=tabulate_claims(run),
            is_single=run.task == "single-label",
            score=scoring.NAMES[run.main_score],
            of_folds=show_scores(run),
            confusions=show_confusions(run),
            confused=tabulate_confusions(run),
            label_scores=show_label_scores(run) if run.task == "multi-label" else [],
            pairs=show_pairs(run) if run.task == "multi-label" else [],
            curves=show_learning_curves(run),
            chunk_seconds=run.front_end.chunk_seconds,
            taggrams=show_taggrams(run),
            filters=show_filters(run),
            labels=tabulate_labels(run),
            refused=Table(["track", "reason"], run.refused.to_numpy().tolist(), kind="words"),
            commands=list(dict.fromkeys(start["command"] for start in run.config["started"])),
            origin=describe_origin(run),
        )


def describe_result(run: Run) -> dict[str, str] | None:
    """Name the best systems, their main score and its spread, as parts of a sentence; None if no system has a score."""
    scores = run.summary[run.main_score]
    if scores.isna().all():
        return None
    best = run.summary[np.isclose(scores, scores.max())]
    folds, level = best["folds"].iloc[0], "level as " if len(best) > 1 else ""
    one, many = ("labels", "label") if run.task == "single-label" else ("ranks", "rank")
    verb = many if len(best) > 1 else one
    rank = f", {level}the best of {len(run.summary)} systems," if len(run.summary) > 1 else ""
    return {
        "subject": f"{' and '.join(best['system'])}{rank} {verb}",
        "score": summary.format_percent(best[run.main_score].iloc[0], best["std"].iloc[0]),
        "spread": f"mean ± standard deviation over {folds} folds"
        if folds > 1
        else "one fold, so no standard deviation",
    }


def list_notes(run: Run) -> list[str]:
    """List what a reader should know of the scores, one paragraph each."""
    notes = [*summary.describe_run(run.predictions, run.config), summary.explain_fixed_split(run.predictions)]
    if reported := REPORTED.get(run.dataset):
        others = [
            f"{short_name(name)} {summary.format_percent(own.mean, own.std)}"
            for name, own in reported.items()
            if name not in run.systems
        ]
        notes.append(f"{summary.PAPERS_SPLIT} It also has {', '.join(others)}.")
    return [note for note in notes if note]


def tabulate_claims(run: Run) -> Table | None:
    """Test the paper's claims on this run; None if none can be tested."""
    markdown = summary.format_differences(significance.compare_systems(run.predictions))
    return Table.from_markdown(markdown) if markdown else None


def show_scores(run: Run) -> PageFigure:
    """Show the main score of every fold."""
    alt = f"{scoring.NAMES[run.main_score]} of the folds, for {', '.join(map(short_name, run.systems))}"
    return add_figure(run, run.main_score, figures.draw_scores(run), alt)


def show_confusions(run: Run) -> list[PageFigure]:
    """Show the confusion matrix of every system; none where it would have too many labels to be read."""
    if run.task == "multi-label" or len(run.labels) > LABELS_OF_A_MATRIX:
        return []
    return [
        add_figure(run, f"confusion-{name}", figures.draw_confusions(run, name), f"Confusion matrix of {title}")
        for name, title in run.systems.items()
    ]


def tabulate_confusions(run: Run) -> list[SystemPart]:
    """Tabulate for every system the pairs of labels that it confuses most, in place of a matrix of many labels."""
    if run.task == "multi-label" or len(run.labels) <= LABELS_OF_A_MATRIX:
        return []
    tables = {}
    for name in run.systems:
        pairs = metrics.find_confused_pairs(run.select_predictions(name), CONFUSED_PAIRS)
        rows = [[row["truth"], row["prediction"], str(row["tracks"])] for row in pairs.to_dict("records")]
        tables[name] = Table(["true label", "predicted label", "tracks"], rows, kind="words")
    return part_by_system(run, tables)


def show_label_scores(run: Run) -> list[PageFigure]:
    """Show the scores of the labels for every system."""
    return [
        add_figure(run, f"labels-{name}", figures.draw_label_scores(run, name), f"Scores of the labels by {title}")
        for name, title in run.systems.items()
    ]


def show_pairs(run: Run) -> list[PageFigure]:
    """Show which labels stand together: in the tracks, and as the best system gives them."""
    best = str(run.summary.set_index("architecture")[run.main_score].fillna(0).idxmax())
    rows = run.select_predictions(best)
    rows = rows[rows["seed"] == rows["seed"].min()]  # a row for each track
    titles = {"truth": "labels of the tracks", "prediction": f"labels that {short_name(best)} gives"}
    return [
        add_figure(run, f"pairs-{column}", figures.draw_pairs(auto_tagging.count_pairs(rows, column), title), title)
        for column, title in titles.items()
    ]


def show_learning_curves(run: Run) -> list[PageFigure]:
    """Show the learning curves of every system whose folds kept them."""
    return [
        add_figure(
            run,
            f"curves-{name}",
            figures.draw_learning_curves(histories, short_name(name)),
            f"Learning curves of {title}",
        )
        for name, title in run.systems.items()
        if (histories := run.read_histories(name))
    ]


def show_taggrams(run: Run) -> list[SystemPart]:
    """Show for every system the right and the wrong prediction of the highest probability."""
    shown: dict[str, list[PageFigure]] = {}
    for name in run.systems:
        shown[name] = []
        for fold, track in run.read_surest_taggrams(name):
            kind = _name_kind(track)
            has_lstm = SYSTEMS[name].lstm is not None
            figure = figures.draw_track_taggram(track, run.front_end.chunk_seconds, so_far=has_lstm)
            alt = f"Taggram of a track of {track.truth} that {short_name(name)} labels {track.prediction}"
            if track.is_best is None:
                caption = f"The {kind} prediction of {short_name(name)} of the highest probability ({fold})"
            else:
                score = f"average precision {100 * track.probability:.0f} %"
                caption = f"The track that {short_name(name)} ranks {kind} ({fold}, {score})"
            caption += f": {track.path}"
            shown[name].append(add_figure(run, f"taggram-{kind}-{name}", figure, alt, caption))
    return part_by_system(run, shown)


def _name_kind(track: TrackTaggram) -> str:
    words = ("right", "wrong") if track.is_best is None else ("best", "worst")
    return words[0] if track.is_right else words[1]


def show_filters(run: Run) -> list[SystemPart]:
    """Show for every system the filters that the channels of one fold learnt."""
    shown: dict[str, list[PageFigure]] = {}
    for name in run.systems:
        fold, channels = run.read_filters(name)
        shown[name] = []
        for channel, kernels in channels.items():
            figure = figures.draw_filters(kernels, run.front_end, f"{short_name(name)}, channel {channel}")
            alt = f"Filters of channel {channel} of {short_name(name)} as pictures"
            caption = f"Channel {channel} ({LISTENS_TO[channel]}) of {short_name(name)}, trained for {fold}"
            shown[name].append(add_figure(run, f"filters-{channel}-{name}", figure, alt, caption))
    return part_by_system(run, shown)


def tabulate_labels(run: Run) -> list[SystemPart]:
    """Tabulate for every system the scores of each label, over all folds and seeds."""
    if run.task == "multi-label":
        return part_by_system(run, {name: _tabulate_tags(run, name) for name in run.systems})
    tables = {}
    for name in run.systems:
        scores = metrics.score_labels(run.select_predictions(name)).reindex(run.labels)
        rows = [
            [
                str(label),
                f"{row['tracks']:.0f}",
                *(_format_share(row[score]) for score in ("precision", "recall", "f1")),
            ]
            for label, row in scores.fillna({"tracks": 0}).iterrows()
        ]
        tables[name] = Table(["label", "tracks", "precision %", "recall %", "F1 %"], rows)
    return part_by_system(run, tables)


def _tabulate_tags(run: Run, architecture: str) -> Table:
    columns = ["roc_auc", "average_precision", "precision", "recall", "f1"]
    scores = auto_tagging.score_labels(run.select_predictions(architecture))
    rows = [
        [str(label), f"{row['tracks']:.0f}", *(_format_share(row[column]) for column in columns)]
        for label, row in scores.iterrows()
    ]
    return Table(["label", "tracks", "ROC-AUC %", "average precision %", "precision %", "recall %", "F1 %"], rows)


def _format_share(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f}"


def describe_origin(run: Run) -> dict[str, str]:
    """Describe when, how long, on what and with what the run was made: terms and their details."""
    config = run.config
    return {
        "date": _format_dates([start["date"] for start in config["started"]]),
        "seeds": ", ".join(map(str, sorted(set(run.predictions["seed"])))),
        "time": f"{timedelta(seconds=round(run.seconds))} (h:min:s) of training and testing, all folds together",
        "tracks": str(config["tracks"]),
        "labels": ", ".join(run.labels),
        "recipe": _format_settings(config["recipe"]),
        "front end": _format_settings(config["front_end"]),
        "versions": _format_settings(config["versions"]),
    }


def _format_dates(starts: list[str]) -> str:
    first, *later = starts
    return f"{first}, continued {counted(len(later), 'time')}, last {later[-1]}" if later else first


def _format_settings(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
