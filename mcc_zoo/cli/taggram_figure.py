"""A taggram as a figure."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from mcc_zoo.cli.common import fail, written_whole
from mcc_zoo.experiment.report.figures import draw_taggram

if TYPE_CHECKING:
    from mcc_zoo.inference.result import Result
    from mcc_zoo.inference.tagger import Tagger


def name_figures(files: Collection[str], output: Path) -> list[Path]:
    """Choose the path of each file's figure: `output` itself, or in that folder a name after the file's.

    >>> [path.name for path in name_figures(["a/song.mp3", "song.wav", "b/song.mp3"], Path("figures"))]
    ['song.mp3.png', 'song.wav.png', 'song.mp3-2.png']
    """
    if output.suffix.lower() == ".png":
        if len(files) > 1:
            fail(f"--output={output} holds the figure of one input and {len(files)} were given: name a folder")
        return [output]
    if output.suffix and not output.is_dir():
        fail(f"--output={output} has the suffix {output.suffix!r}: name a .png file, or a folder")
    paths, taken = [], Counter[str]()
    for name in (Path(file).name for file in files):
        taken[name] += 1
        paths.append(output / (f"{name}-{taken[name]}.png" if taken[name] > 1 else f"{name}.png"))
    return paths


def draw(result: Result, tagger: Tagger, title: str) -> Figure:
    """Draw a taggram.

    Args:
        result: Of a file that was not refused.
        tagger: The tagger that gave the result.
        title: Stands above, before the most probable label.

    Returns:
        A figure: seconds from left to right, the first label on top, probability from 0 to 1 as colour. Beside each
        label stands its probability for the whole track.
    """
    labels = [f"{label}  {100 * probability:.0f} %" for label, probability in result.tags.items()]
    seconds = tagger.front_end.chunk_seconds
    figure = Figure(figsize=(10.0, 2.0 + 0.35 * len(tagger.labels)), layout="constrained")  # inches
    starts = np.arange(1, result.windows) * tagger.metadata.training_chunks
    axes = draw_taggram(figure, result.taggram, labels, seconds, starts, tagger.has_lstm)
    axes.set_title(f"{title}: {result.tag}", parse_math=False)
    return figure


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with written_whole(path) as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the file's name has it
        figure.savefig(file, format="png", dpi=120)
