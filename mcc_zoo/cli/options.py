"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mcc_zoo.audio.decoders import DecoderName

Mode = Literal["windows", "whole"]  # as of `mcc_zoo.Tagger`, whose module imports TensorFlow
EngineName = Literal["local", "ray"]

EXPORT_HELP = (
    "A model's name (see mcc-zoo models), or a folder: exported_models/NAME, or one version of it, "
    "exported_models/NAME/2."
)
ExportArgument = Annotated[Path, typer.Argument(metavar="EXPORT", help=EXPORT_HELP)]
_WHAT_IS_READ = (
    "Audio files; folders, which are searched for audio files; globs in quotes, such as 'music/*.mp3'; addresses that "
    "fsspec reads, such as s3://music/song.mp3 (pip install 'mcc_zoo[remote]')."
)
InputsArgument = Annotated[list[str], typer.Argument(metavar="INPUT...", help=_WHAT_IS_READ)]
OptionalInputsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="INPUT", show_default=False, help=_WHAT_IS_READ)
]
FilesFromOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Read paths or addresses from a file: one per line, or a .csv or .parquet file with a column of them. "
        "- reads lines from standard input. Paths are relative to the current folder.",
    ),
]
ColumnOption = Annotated[str, typer.Option(metavar="NAME", help="The column of paths in a list that is a table.")]
EngineOption = Annotated[
    EngineName,
    typer.Option(
        help="What does the work, for a folder as --output. local: the cores of this machine. ray: those of a Ray "
        "cluster (pip install 'mcc_zoo[cluster]')."
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="A running Ray cluster, or auto for that of this machine; else one is started."
    ),
]
SequenceOption = Annotated[
    Mode,
    typer.Option(
        help="How to read long tracks. windows: average windows as long as the longest training track, at most 32 "
        "chunks. whole: read the track as one sequence."
    ),
]
DecoderOption = Annotated[
    DecoderName,
    typer.Option(
        help="The audio decoder. auto: soundfile where it reads the file whole, else av. soundfile: WAV, FLAC, Ogg, "
        "MP3 and more. av: these, M4A, AAC, WMA and more, by FFmpeg. tfio: WAV, FLAC, Ogg and MP3 by tensorflow-io "
        "(pip install 'mcc_zoo[tfio]')."
    ),
]
LabelColumnsOption = Annotated[
    str, typer.Option(metavar="NAMES", help="Of a manifest: columns of 0 and 1, each a label, such as guitar,slow.")
]
