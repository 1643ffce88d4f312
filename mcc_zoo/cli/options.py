"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mcc_zoo.audio.decoders import DecoderName

Mode = Literal["windows", "whole"]  # as of `mcc_zoo.Tagger`, whose module imports TensorFlow

ExportArgument = Annotated[
    Path,
    typer.Argument(
        metavar="EXPORT",
        help="A model's name (see mcc-zoo models), or a folder: exported_models/NAME, or one version of it, "
        "exported_models/NAME/2.",
    ),
]
InputsArgument = Annotated[
    list[str],
    typer.Argument(metavar="INPUT...", help="Audio files, and folders that are searched for audio files."),
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
