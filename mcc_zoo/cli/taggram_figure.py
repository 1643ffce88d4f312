"""A taggram as a picture."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mcc_zoo.cli.common import fail, written_whole
from mcc_zoo.experiment.report.figures import draw_taggram
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Tagger


def picture_paths(files: Collection[str], output: Path) -> list[Path]:
    """Name the picture of each file: `output` itself, or in that folder a name after the file's.

    >>> [path.name for path in picture_paths(["a/song.mp3", "song.wav", "b/song.mp3"], Path("pictures"))]
    ['song.mp3.png', 'song.wav.png', 'song.mp3-2.png']
    """
    if output.suffix.lower() == ".png":
        if len(files) > 1:
            fail(f"--output={output} holds the picture of one input and {len(files)} were given: name a folder")
        return [output]
    if output.suffix and not output.is_dir():
        fail(f"--output={output} has the suffix {output.suffix!r}: name a .png file, or a folder")
    paths, taken = [], Counter[str]()
    for name in (Path(file).name for file in files):
        taken[name] += 1
        paths.append(output / (f"{name}-{taken[name]}.png" if taken[name] > 1 else f"{name}.png"))
    return paths


def picture(result: Result, tagger: Tagger, title: str) -> Figure:
    """Draw a taggram.

    Args:
        result: Of a file that was not refused.
        tagger: Whose result it is.
        title: Stands above, before the most probable label.

    Returns:
        A figure: seconds from left to right, the first label on top, probability from 0 to 1 as colour. Beside each
        label stands what the whole track got.
    """
    labels = [f"{label}  {100 * probability:.0f} %" for label, probability in result.tags.items()]
    seconds = tagger.front_end.chunk_seconds
    figure = Figure(figsize=(10.0, 2.0 + 0.35 * len(tagger.labels)), layout="constrained")  # inches
    starts = np.arange(1, result.windows) * tagger.metadata.training_chunks
    axes = draw_taggram(figure, result.taggram, labels, seconds, starts, tagger.has_lstm)
    axes.set_title(f"{title}: {result.tag}", parse_math=False)
    return figure


def save_picture(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with written_whole(path) as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the name of the picture's file has it
        figure.savefig(file, format="png", dpi=120)
