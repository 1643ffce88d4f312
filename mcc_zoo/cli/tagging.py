"""The commands that read audio files with a model: tag, describe and taggram."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mcc_zoo.cli import output as tables
from mcc_zoo.cli.common import escape_unprintable, list_inputs, load_tagger, say, summarise, tag_inputs
from mcc_zoo.cli.options import DecoderOption, ExportArgument, InputsArgument, SequenceOption
from mcc_zoo.extras import require

app = typer.Typer()


@app.command(
    epilog="Example: mcc-zoo tag mcclstm_emotify_genre song.mp3 more_songs --output tags.csv\n\n"
    "Example: mcc-zoo tag mcclstm_emotify_genre more_songs | sort"
)
def tag(
    export: ExportArgument,
    inputs: InputsArgument,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Write a .csv, .json or .parquet file when all is read."),
    ] = None,
    sequence: SequenceOption = "windows",
    decoder: DecoderOption = "auto",
    top: Annotated[
        int, typer.Option(min=1, help="Number of tags per file in the table on a terminal. CSV and files hold all.")
    ] = 3,
) -> None:
    """Tag audio files of any length, format and sample rate.

    A terminal gets a table, in which "read" is the length of the whole chunks that were read. A pipe gets CSV, one row
    as soon as its file is read. --output writes a file instead.

    There is one row per file, even if the file is refused, with the columns path, status (ok, silent or refused),
    reason, tag (the most probable label), chunks and seconds (the length that was read), windows (how many were
    averaged), and probability_LABEL for each label. A model that gives a track many labels has the column tags too:
    those whose probability reaches the model's threshold, separated by "|". A file that is given twice gets one row.

    A path with control characters, or with bytes that are not UTF-8, is written as a URI that leads back to the file:
    file:///music/caf%E9.wav. So is a path that begins with "file:".

    Exit status: 0 all files tagged, 1 some refused or silent, 2 the command cannot be carried out, 130 after Ctrl-C.
    """
    write = tables.choose_writer(output, tables.TABLES) if output else None
    tagger = load_tagger(export, decoder)
    results = tag_inputs(tagger, list_inputs(inputs), sequence, "tagging")
    found = (tables.make_tag_row(result, tagger) for result in results)
    if output and write:
        rows = tables.write_rows(found, write, output)
    elif sys.stdout.isatty():
        rows = list(found)
        tables.print_table(tables.make_tag_table(rows, top))
    else:
        rows = tables.stream_csv(found, sys.stdout)  # named before the progress bar redirects it to standard error
    summarise(rows, tagger)


@app.command(
    epilog="Example: mcc-zoo describe mcclstm_emotify_genre my_music --output descriptors.parquet\n\n"
    'Example in Python: pandas.read_parquet("descriptors.parquet")'
)
def describe(
    export: ExportArgument,
    inputs: InputsArgument,
    output: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="The .parquet or .npz file to write.")],
    chunks: Annotated[bool, typer.Option("--chunks", help="Also write the descriptor of each chunk.")] = False,
    sequence: SequenceOption = "windows",
    decoder: DecoderOption = "auto",
) -> None:
    """Write the high-level descriptor of each track, for similarity search or a classifier of your own.

    Parquet: one row per file with the columns path, status, reason, tag, chunks, seconds and windows as in mcc-zoo
    tag; descriptor (D float32 values, empty for a refused file); with --chunks also chunk_descriptors (one list per
    chunk).

    npz: arrays of the same names. descriptor is (files, D), NaN for refused files; chunk_descriptors is (chunks, F),
    the chunks of the first file first.

    Exit status: 0 all files described, 1 some refused, 2 the command cannot be carried out, 130 after Ctrl-C.
    """
    write = tables.choose_writer(output, tables.DESCRIPTORS)
    tagger = load_tagger(export, decoder)
    results = tag_inputs(tagger, list_inputs(inputs), sequence, "describing")
    found = (tables.make_descriptor_row(result, tagger, chunks) for result in results)
    summarise(tables.write_rows(found, write, output), tagger)


@app.command(
    "taggram",
    epilog="Example: mcc-zoo taggram mcclstm_emotify_genre song.mp3 --output song.png\n\n"
    "Example: mcc-zoo taggram mcclstm_emotify_genre my_music --output figures",
)
def draw_taggrams(
    export: ExportArgument,
    inputs: InputsArgument,
    output: Annotated[
        Path, typer.Option(metavar="FILE|FOLDER", help="A .png file for one input, or a folder for any number.")
    ],
    sequence: SequenceOption = "windows",
    decoder: DecoderOption = "auto",
) -> None:
    """Draw the tags of a track over time: seconds from left to right, one row per label, probability as colour.

    If the model has an LSTM, each column shows the tags so far, not the tags of that chunk alone. If a track is read
    in windows, a white line marks where a window starts anew. Figures in a folder are named after their files:
    song.mp3.png. A name that is too long for a figure is cut.

    Exit status: 0 all files drawn, 1 some refused, 2 the command cannot be carried out, 130 after Ctrl-C.
    """
    require("matplotlib", "plot")
    from mcc_zoo.cli.taggram_figure import draw, name_figures, write_figure

    files = list_inputs(inputs)
    paths = name_figures(files, output)
    tagger = load_tagger(export, decoder)
    rows = []
    for path, result in zip(paths, tag_inputs(tagger, files, sequence, "drawing"), strict=True):
        rows.append(tables.make_row(result, tagger))
        if result.status == "ok":
            write_figure(draw(result, tagger, escape_unprintable(Path(result.path).name)), path)
        else:
            say(result.reason)
    drawn = sum(row["status"] == "ok" for row in rows)
    if drawn:
        say(f"wrote {output}" if os.path.isfile(output) else f"wrote {drawn} figures into {output}")
    summarise(rows, tagger)
