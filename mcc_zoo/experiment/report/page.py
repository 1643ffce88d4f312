"""The sections of the page and what they are made of.

A further section is a further function in `SECTIONS`: it takes the run and returns HTML, or an empty string where it
has nothing to say.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from html import escape

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_fscore_support

from mcc_zoo.evaluation import significance
from mcc_zoo.experiment import summary
from mcc_zoo.experiment.report import figures
from mcc_zoo.experiment.report.run import Run
from mcc_zoo.experiment.report.template import PAGE
from mcc_zoo.paper import REPORTED, SYSTEMS, short_name
from mcc_zoo.text import counted

LISTENS_TO = {"P": "pitch and timbre", "T": "tempo and rhythm", "B": "bass and kick"}  # Sec. 2.2
COLUMNS_OF_A_PHONE = 5  # of a table of figures


def render(run: Run) -> str:
    """Lay out the page of a run, and write its figures into the run's folder `figures`."""
    with style.context(figures.STYLE):
        body = "\n".join(section(run) for section in SECTIONS)
    return PAGE.substitute(title=escape(f"{run.dataset}: report of {run.name}"), body=body)


def _headline(run: Run) -> str:
    counts = [counted(len(run.summary), "system"), counted(run.folds, "fold"), counted(len(run.labels), "label")]
    return f"<h1>{escape(run.dataset)}</h1>\n<p>{', '.join(counts)}, run {escape(run.name)}</p>"


def _result(run: Run) -> str:
    best = run.summary[np.isclose(run.summary["accuracy"], run.summary["accuracy"].max())]
    folds, verb, level = best["folds"].iloc[0], "labels", ""
    if len(best) > 1:
        verb, level = "label", "level as "
    rank = f", {level}the best of {len(run.summary)} systems," if len(run.summary) > 1 else ""
    claim = f"{' and '.join(best['system'])}{rank} {verb}"
    share = f"<strong>{summary.percent(best['accuracy'].iloc[0], best['std'].iloc[0])} %</strong>"
    how = f"mean ± standard deviation over {folds} folds" if folds > 1 else "one fold, so no standard deviation"
    return f'<p class="result">{claim} {share} of the test tracks rightly ({how}).</p>'


def _cautions(run: Run) -> str:
    cautions = summary.cautions(run.predictions, run.config, run.dataset)
    return "\n".join(f'<p class="caution"><strong>Warning:</strong> {text}</p>' for text in cautions)


def _systems(run: Run) -> str:
    # summary.md's own lines and sentences, so that page and file cannot differ
    lines = [line[2:-2].split(" | ") for line in summary.scores_as_markdown(run.summary).splitlines()]
    notes = [
        "Accuracies are mean ± standard deviation over folds (divisor n − 1), in percent of test tracks. "
        "Differences smaller than that spread say little.",
        *summary.described(run.predictions, run.config),
    ]
    if same_tracks := summary.same_tracks(run.predictions):
        notes.append(same_tracks)
    if reported := REPORTED.get(run.dataset):
        others = [
            f"{short_name(name)} {summary.percent(own.mean, own.std)}"
            for name, own in reported.items()
            if name not in run.systems
        ]
        notes.append(f"{summary.PAPERS_SPLIT} It also has {', '.join(others)}.")
    return "\n".join(["<h2>Systems</h2>", _table(lines[0], lines[2:]), *(f"<p>{escape(note)}</p>" for note in notes)])


def _claims(run: Run) -> str:
    lines = [
        line[2:-2].split(" | ")
        for line in summary.differences_as_markdown(significance.compare(run.predictions)).splitlines()
    ]
    if not lines:
        return ""
    text = (
        "What the paper claims, on the seeds of which both systems have all folds: difference of accuracy in points, "
        "its mean over its standard deviation (effect), and how likely so large a difference is by luck. p is of the "
        "corrected resampled t-test (Nadeau and Bengio 2003), which allows for folds that share training tracks; Holm "
        "corrects it for the number of claims. Wilcoxon's test allows for neither."
    )
    return f"<h2>Does each step help?</h2>\n<p>{text}</p>\n{_table(lines[0], lines[2:])}"


def _spread(run: Run) -> str:
    alt = f"Accuracies of the folds, for {', '.join(map(short_name, run.systems))}"
    image = _image(run, "accuracy", figures.accuracy_figure(run), alt)
    text = (
        "A point is one fold, the line the median of all. A box, where there are folds enough, spans the middle half."
    )
    return _gallery("Accuracy of each fold", text, [image])


def _confusions(run: Run) -> str:
    images = [
        _image(run, f"confusion-{name}", figures.confusion_figure(run, name), f"Confusion matrix of {title}")
        for name, title in run.systems.items()
    ]
    text = (
        "Tracks by their label (rows) and what the system says (columns), all folds and seeds together. "
        "The darker, the larger the share of the row."
    )
    return _gallery("Confusions", text, images)


def _curves(run: Run) -> str:
    images = [
        _image(run, f"curves-{name}", figures.curves_figure(histories, short_name(name)), f"Learning curves of {title}")
        for name, title in run.systems.items()
        if (histories := run.histories(name))
    ]
    text = (
        "A thin line is one fold, the bold one their mean while at least half of the folds are still trained. "
        "Training figures are means over an epoch, taken with dropout on; validation figures are taken after it, "
        "without dropout, and can so be the better ones."
    )
    return _gallery("Learning curves", text, images) if images else ""


def _taggrams(run: Run) -> str:
    seconds = run.front_end.chunk_seconds
    parts: dict[str, list[str]] = {}
    for name in run.systems:
        parts[name] = []
        for fold, track in run.taggrams(name):
            kind = "right" if track.is_right else "wrong"
            figure = figures.taggram_figure(track, seconds, SYSTEMS[name].lstm is not None)
            alt = f"Taggram of a track of {track.truth} that {short_name(name)} labels {track.prediction}"
            caption = f"The {kind} label that {short_name(name)} is surest of ({fold}): {track.path}"
            parts[name].append(_image(run, f"taggram-{kind}-{name}", figure, alt, caption))
    text = (
        f"What a system says of a track, a column each {seconds:.2f} s. Without an LSTM a column is of that piece of "
        "music alone; with one it is of all that was heard so far, and begins anew at a white line. Shown are, of all "
        "tested tracks, the one that is labelled rightly with the highest probability and the one that is labelled "
        "wrongly with the highest."
    )
    return _of_each_system(run, "Taggrams", text, parts)


def _filters(run: Run) -> str:
    parts: dict[str, list[str]] = {}
    for name in run.systems:
        fold, channels = run.filters(name)
        parts[name] = []
        for channel, kernels in channels.items():
            figure = figures.filters_figure(kernels, run.front_end, f"{short_name(name)}, channel {channel}")
            alt = f"Filters of channel {channel} of {short_name(name)} as pictures"
            caption = f"Channel {channel} ({LISTENS_TO[channel]}) of {short_name(name)}, trained for {fold}"
            parts[name].append(_image(run, f"filters-{channel}-{name}", figure, alt, caption))
    text = (
        "What the channels of one fold learnt to listen for. Where a filter is red, more energy than the mean raises "
        "its output; where it is blue, it lowers it. Smooth stripes and patches are something learnt; noise is how "
        "each of them started. Each picture has its own scale of colours. What differs from fold to fold is chance."
    )
    return _of_each_system(run, "Learnt filters", text, parts)


def _labels(run: Run) -> str:
    tables = {}
    for name in run.systems:
        own = run.rows(name)
        scores = precision_recall_fscore_support(
            own["truth"], own["prediction"], labels=run.labels, average=None, zero_division=np.nan
        )
        rows = [
            [label, str(tracks), *("–" if np.isnan(share) else f"{100 * share:.1f}" for share in shares)]
            for label, *shares, tracks in zip(run.labels, *scores, strict=True)
        ]
        tables[name] = [_table(["label", "tracks", "precision %", "recall %", "F1 %"], rows)]
    text = (
        "Of all folds and seeds together. Precision: how many of the tracks that got the label have it. "
        "Recall: how many of the tracks that have it got it. F1: their harmonic mean. "
        "A dash: nothing to divide by."
    )
    return _of_each_system(run, "Labels", text, tables)


def _refused(run: Run) -> str:
    if run.refused.empty:
        return ""
    table = _table(["track", "reason"], run.refused.to_numpy().tolist(), kind="words")
    return f"<h2>Tracks set aside</h2>\n<p>{counted(len(run.refused), 'track')} could not be read.</p>\n{table}"


def _origin(run: Run) -> str:
    config = run.config
    facts = {
        "date": _dates([start["date"] for start in config["started"]]),
        "seeds": ", ".join(map(str, sorted(set(run.predictions["seed"])))),
        "time": f"{timedelta(seconds=round(run.seconds))} (h:min:s) of training and testing, all folds together",
        "tracks": str(config["tracks"]),
        "labels": ", ".join(run.labels),
        "recipe": _settings(config["recipe"]),
        "front end": _settings(config["front_end"]),
        "versions": _settings(config["versions"]),
    }
    terms = "\n".join(f"<dt>{name}</dt><dd>{escape(fact)}</dd>" for name, fact in facts.items())
    commands = dict.fromkeys(start["command"] for start in config["started"])
    blocks = "\n".join(f"<pre>{_words(command)}</pre>" for command in commands)
    return f"<h2>How it was made</h2>\n{blocks}\n<dl>\n{terms}\n</dl>"


def _words(command: str) -> str:
    return " ".join(f"<span>{escape(word)}</span>" for word in command.split(" "))


def _dates(starts: list[str]) -> str:
    return (
        starts[0]
        if len(starts) == 1
        else f"{starts[0]}, continued {counted(len(starts) - 1, 'time')}, last {starts[-1]}"
    )


SECTIONS = (
    _headline,
    _result,
    _cautions,
    _systems,
    _claims,
    _spread,
    _confusions,
    _curves,
    _taggrams,
    _filters,
    _labels,
    _refused,
    _origin,
)


def _of_each_system(run: Run, title: str, text: str, parts: dict[str, list[str]]) -> str:
    """Lay out what each system has, to be opened; that of the best system is open. Systems may have nothing."""
    parts = {name: own for name, own in parts.items() if own}
    if not parts:
        return ""
    best = run.summary.set_index("architecture").loc[list(parts), "accuracy"].idxmax()
    folds = [
        f"<details{' open' if name == best else ''}><summary>{run.systems[name]}</summary>\n{_grid(own)}\n</details>"
        for name, own in parts.items()
    ]
    return "\n".join([f"<h2>{title}</h2>\n<p>{text}</p>", *folds])


def _gallery(title: str, text: str, images: list[str]) -> str:
    return f"<h2>{title}</h2>\n<p>{text}</p>\n{_grid(images)}"


def _grid(boxes: list[str]) -> str:
    joined = "\n".join(boxes)
    return f'<div class="grid">\n{joined}\n</div>'


def _image(run: Run, name: str, figure: Figure, alt: str, caption: str = "") -> str:
    """Write a figure into the run's folder and return it as HTML, in a box that scrolls if it is wide."""
    picture = figures.png(figure)
    run.write(f"figures/{name}.png", picture)
    percent = 100 * figure.get_figwidth() / figures.WIDTH
    wide = ""
    if percent > 100:  # keeps its print legible
        wide = f' style="width:{percent:.0f}%;max-width:none"'
        caption = f"{caption} The picture scrolls sideways.".strip()
    data = base64.b64encode(picture).decode()
    image = f'<div class="scroll"><img src="data:image/png;base64,{data}" alt="{escape(alt)}"{wide}></div>'
    return f"<figure>{image}{f'<figcaption>{escape(caption)}</figcaption>' if caption else ''}</figure>"


def _table(head: list[str], rows: list[list[str]], kind: str = "numbers") -> str:
    """Lay out a table whose first column names the rows."""
    heads = "".join(f'<th scope="col">{cell.replace(" %", "&nbsp;%")}</th>' for cell in head)
    body = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    hint = '\n<p class="hint">Swipe the table sideways to see all of it.</p>' if len(head) > COLUMNS_OF_A_PHONE else ""
    return (
        f'<div class="scroll"><table class="{kind}">\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>{hint}"
    )


def _settings(recorded: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in recorded.items())
