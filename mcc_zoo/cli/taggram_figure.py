"""A taggram as a figure."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Collection, Container
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from mcc_zoo.cli.common import fail, written_whole
from mcc_zoo.experiment.report.figures import draw_taggram

if TYPE_CHECKING:
    from mcc_zoo.inference.result import Result
    from mcc_zoo.inference.tagger import Tagger

MOST_NAME_BYTES = 255  # of a name in a folder
MOST_LABELS = 15  # that a figure shows


def name_figures(files: Collection[str], output: Path) -> list[Path]:
    """Choose the path of each file's figure: `output` itself, or in that folder a name of its own, after the file's.

    >>> [path.name for path in name_figures(["a/song.mp3", "song.wav", "b/song.mp3"], Path("figures"))]
    ['song.mp3.png', 'song.wav.png', 'song.mp3-2.png']
    """
    if output.suffix.lower() == ".png":
        if len(files) > 1:
            fail(f"--output={output} holds the figure of one input and {len(files)} were given: name a folder")
        return [output]
    if output.suffix and not os.path.isdir(output):
        fail(f"--output={output} has the suffix {output.suffix!r}: name a .png file, or a folder")
    names: dict[str, None] = {}
    for file in files:
        names[_name_figure(Path(file).name, names)] = None
    return [output / name for name in names]


def _name_figure(name: str, taken: Container[str]) -> str:
    """Name a figure after its file: with a number where that name is taken, and cut where it would be too long."""
    ends = itertools.chain([".png"], (f"-{number}.png" for number in itertools.count(2)))
    named = (_cut(name, MOST_NAME_BYTES - len(end)) + end for end in ends)
    return next(figure for figure in named if figure not in taken)


def _cut(name: str, most_bytes: int) -> str:
    name = name[:most_bytes]
    while len(os.fsencode(name)) > most_bytes:
        name = name[:-1]
    return name


def draw(result: Result, tagger: Tagger, title: str) -> Figure:
    """Draw a taggram.

    Args:
        result: Of a file that was not refused.
        tagger: The tagger that gave the result.
        title: Stands above, before the most probable label.

    Returns:
        A figure: seconds from left to right, the first label on top, probability from 0 to 1 as colour. Beside each
        label stands its probability for the whole track. Of more than `MOST_LABELS` labels it shows those that the
        track has most of, the strongest on top, and the colours end at the highest tenth.
    """
    shown = list(result.tags.items()) if len(result.tags) <= MOST_LABELS else result.top(MOST_LABELS)
    labels = [f"{label}  {100 * probability:.0f} %" for label, probability in shown]
    taggram = result.taggram[:, [tagger.labels.index(label) for label, _ in shown]]
    seconds = tagger.front_end.chunk_seconds
    figure = Figure(figsize=(10.0, 2.0 + 0.35 * len(shown)), layout="constrained")  # inches
    starts = np.arange(1, result.windows) * tagger.metadata.training_chunks
    axes = draw_taggram(figure, taggram, labels, seconds, starts, tagger.has_lstm)
    if len(shown) < len(result.tags):  # none of many tags is likely: the colours end where its probabilities do
        axes.get_images()[0].set_clim(0, np.ceil(10 * taggram.max()) / 10)
    axes.set_title(f"{title}: {result.tag}", parse_math=False)
    return figure


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with written_whole(path) as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the file's name has it
        figure.savefig(file, format="png", dpi=120)
