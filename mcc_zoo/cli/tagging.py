"""The commands that read audio files with a model: tag, describe and taggram."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mcc_zoo.catalogue.inputs import Inputs
from mcc_zoo.catalogue.job import Job, hash_export
from mcc_zoo.catalogue.rows import make_descriptor_row, make_row, make_tag_row
from mcc_zoo.cli import output as tables
from mcc_zoo.cli.catalogue import check_engine, is_folder, write_shards
from mcc_zoo.cli.common import (
    Tally,
    fail,
    find_decoder,
    find_export,
    list_inputs,
    load_tagger,
    say,
    summarise,
    tag_inputs,
)
from mcc_zoo.cli.options import (
    AddressOption,
    ColumnOption,
    DecoderOption,
    EngineOption,
    ExportArgument,
    FilesFromOption,
    InputsArgument,
    OptionalInputsArgument,
    SequenceOption,
)
from mcc_zoo.extras import require
from mcc_zoo.text import counted, escape_unprintable

app = typer.Typer()


@app.command(
    epilog="Example: mcc-zoo tag mcclstm_pretrained song.mp3 more_songs --output tags.csv\n\n"
    "Example: mcc-zoo tag mcclstm_pretrained more_songs | sort\n\n"
    "Example: mcc-zoo tag mcclstm_pretrained --files-from paths.txt --output catalogue/"
)
def tag(
    export: ExportArgument,
    inputs: OptionalInputsArgument = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|FOLDER/",
            help="Write a .csv, .json or .parquet file when all is read; or, if it ends with / or is a folder, Parquet "
            "files into that folder, from time to time.",
        ),
    ] = None,
    files_from: FilesFromOption = None,
    column: ColumnOption = "path",
    sequence: SequenceOption = "windows",
    decoder: DecoderOption = "auto",
    engine: EngineOption = "local",
    address: AddressOption = None,
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
    file:///music/caf%E9.wav. So is a path that begins with "file:", unless it is a URI that was given.

    For many files --output is a folder: its Parquet files also have the columns descriptor and export (a hash of it).
    After a kill the same command goes on: a path that has a row there is not read again. SIGTERM ends it within ten
    seconds, and all finished rows are kept.

    Exit status: 0 all files tagged, 1 some refused or silent (rows from before count), 2 the command cannot be carried
    out, 130 after Ctrl-C, 143 after SIGTERM.
    """
    given = _gather(inputs, files_from, column)
    check_engine(engine, address, output)
    if output and is_folder(output):
        find_decoder(decoder)
        folder = find_export(export)
        job = Job("tag", folder, hash_export(folder), sequence, decoder)
        return write_shards(job, given, output, engine, address)
    write = tables.choose_writer(Path(output), tables.TABLES) if output else None
    files = list_inputs(given)
    tagger, tally = load_tagger(export, decoder), Tally()
    results = tag_inputs(tagger, files, sequence, "tagging")
    found = tally.watch(make_tag_row(result, tagger) for result in results)
    if output and write:
        tables.write_rows(found, write, Path(output))
    elif sys.stdout.isatty():
        tables.print_table(tables.make_tag_table(found, top))
    else:
        tables.stream_csv(found, sys.stdout)  # named before the progress bar redirects it to standard error
    summarise(tally, tagger.metadata)


@app.command(
    epilog="Example: mcc-zoo describe mcclstm_pretrained my_music --output descriptors.parquet\n\n"
    'Example in Python: pandas.read_parquet("descriptors.parquet")'
)
def describe(
    export: ExportArgument,
    output: Annotated[
        str,
        typer.Option(
            metavar="FILE|FOLDER/",
            help="The .parquet or .npz file to write; or, if it ends with / or is a folder, a folder of Parquet files, "
            "as for mcc-zoo tag.",
        ),
    ],
    inputs: OptionalInputsArgument = None,
    chunks: Annotated[bool, typer.Option("--chunks", help="Also write the descriptor of each chunk.")] = False,
    files_from: FilesFromOption = None,
    column: ColumnOption = "path",
    sequence: SequenceOption = "windows",
    decoder: DecoderOption = "auto",
    engine: EngineOption = "local",
    address: AddressOption = None,
) -> None:
    """Write the high-level descriptor of each track, for similarity search or a classifier of your own.

    Parquet: one row per file with the columns path, status, reason, tag, chunks, seconds and windows as in mcc-zoo
    tag; descriptor (D float32 values, empty for a refused or silent file); with --chunks also chunk_descriptors (one
    list per chunk).

    npz: arrays of the same names. descriptor is (files, D), NaN for a refused or silent file; chunk_descriptors is
    (chunks, F), the chunks of the first file first.

    Exit status: 0 all files described, 1 some refused or silent (rows from before count), 2 the command cannot be
    carried out, 130 after Ctrl-C, 143 after SIGTERM.
    """
    given = _gather(inputs, files_from, column)
    check_engine(engine, address, output)
    if is_folder(output):
        find_decoder(decoder)
        folder = find_export(export)
        job = Job("describe", folder, hash_export(folder), sequence, decoder, chunks)
        return write_shards(job, given, output, engine, address)
    write = tables.choose_writer(Path(output), tables.DESCRIPTORS)
    files = list_inputs(given)
    tagger, tally = load_tagger(export, decoder), Tally()
    results = tag_inputs(tagger, files, sequence, "describing")
    found = tally.watch(make_descriptor_row(result, tagger, chunks) for result in results)
    tables.write_rows(found, write, Path(output))
    summarise(tally, tagger.metadata)


def _gather(inputs: list[str] | None, files_from: str | None, column: str) -> Inputs:
    if not (inputs or files_from):
        fail("nothing to read was given: name files or folders, or a list of them with --files-from")
    return Inputs(inputs or (), files_from or "", column)


@app.command(
    "taggram",
    epilog="Example: mcc-zoo taggram mcclstm_pretrained song.mp3 --output song.png\n\n"
    "Example: mcc-zoo taggram mcclstm_pretrained my_music --output figures",
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

    Of more than 15 labels it shows the strongest. If the model has an LSTM, each column shows the tags so far, not the
    tags of that chunk alone. If a track is read in windows, a white line marks where a window starts anew. Figures in a
    folder are named after their files: song.mp3.png. A name that is too long for a figure is cut.

    Exit status: 0 all files drawn, 1 some refused or silent, 2 the command cannot be carried out, 130 after Ctrl-C.
    """
    require("matplotlib", "plot")
    from mcc_zoo.cli.taggram_figure import draw, name_figures, write_figure

    files = list_inputs(Inputs(inputs))
    paths = name_figures(files, output)
    tagger, tally = load_tagger(export, decoder), Tally()
    for path, result in zip(paths, tag_inputs(tagger, files, sequence, "drawing"), strict=True):
        tally.add(make_row(result, tagger))
        if result.status == "ok":
            write_figure(draw(result, tagger, escape_unprintable(Path(result.path).name)), path)
        else:
            say(result.reason)
    if drawn := tally.rows - tally.silent - tally.refused:
        say(f"wrote {output}" if os.path.isfile(output) else f"wrote {counted(drawn, 'figure')} into {output}")
    summarise(tally, tagger.metadata)
