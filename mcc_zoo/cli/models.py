"""The commands about a model itself: models, show, verify and convert."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mcc_zoo.catalogue.rows import Row
from mcc_zoo.cli.common import REFUSED, fail, find_export, say
from mcc_zoo.cli.options import ExportArgument
from mcc_zoo.cli.output import stream_csv
from mcc_zoo.export.metadata import ExportError, ExportMetadata
from mcc_zoo.export.model_card import describe_score
from mcc_zoo.inference.locate import find_exports
from mcc_zoo.tensorflow_start import import_tensorflow, quiet
from mcc_zoo.text import escape_unprintable

app = typer.Typer()


@app.command("models", epilog="Example: mcc-zoo models ")
def list_models() -> None:
    """List the models that commands take by name: their labels, scores and folders.

    Models are searched for in the folder that the environment variable MCC_ZOO_MODELS names, in ./exported_models, and
    among those installed with mcc_zoo. If a name is found twice, the first counts. Each model is listed with its newest
    version. A pipe gets CSV.

    Exit status: 0, or 1 if the description of a model cannot be read.
    """
    rows, unreadable = [], []
    for folder in find_exports():
        try:
            rows.append(_make_row(folder, ExportMetadata.read(folder)))
        except ExportError as error:
            unreadable.append(str(error))
    if sys.stdout.isatty():
        typer.echo("\n\n".join(map(_describe, rows)))
    else:
        stream_csv(rows, sys.stdout)
    for message in unreadable:
        say(message)
    if not (rows or unreadable):
        say("no models found: set MCC_ZOO_MODELS to a folder of exports, or go to where ./exported_models is")
    if unreadable:
        raise typer.Exit(REFUSED)


@app.command(epilog="Example: mcc-zoo show mcclstm_pretrained")
def show(export: ExportArgument) -> None:
    """Show a model's card: labels, signatures, training data, scores, versions and limits.

    Exit status: 0, or 2 if the model is not found or its folder is not complete.
    """
    folder = find_export(export)
    try:
        card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
        metadata = ExportMetadata.read(folder)
    except (ExportError, OSError) as error:
        fail(str(error))
    say(f"{folder}: {describe_score(metadata)}")
    typer.echo(card, nl=False)


@app.command(epilog="Example: mcc-zoo verify mcclstm_pretrained")
def verify(export: ExportArgument) -> None:
    """Check that a model is as it was exported: file hashes, then stored predictions.

    Each difference is printed on a line. If a file has changed, the model is not loaded and its predictions are not
    checked.

    Exit status: 0 unchanged, 1 changed, 2 the model is not found, 130 after Ctrl-C.
    """
    folder = find_export(export)
    import_tensorflow()
    from mcc_zoo.export.verify import find_differences

    with quiet():
        changes = find_differences(folder)
    for change in changes:
        typer.echo(escape_unprintable(change))
    if changes:
        say(f"{folder} is not as it was exported: copy it again, or export it again")
        raise typer.Exit(REFUSED)
    typer.echo(escape_unprintable(f"{folder}: file hashes and predictions are as exported"))


@app.command(
    epilog="Example: mcc-zoo convert mcclstm_pretrained tags.onnx\n\n"
    "Example: mcc-zoo convert mcclstm_pretrained tags.tflite --seconds 10"
)
def convert(
    export: ExportArgument,
    output: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT", help="The .tflite or .onnx file to write; it replaces one that is there."),
    ],
    seconds: Annotated[
        float | None,
        typer.Option(help="Length of the clips that the file reads; by default one window, as `mcc-zoo tag` reads."),
    ] = None,
) -> None:
    """Convert a model to one file that runs without TensorFlow: .tflite for LiteRT, .onnx for ONNX Runtime.

    The file has the input audio (1, samples), float32, mono, full scale 1, at the model's sample rate, and the outputs
    tags and descriptor. The number of samples is fixed: runtimes refuse any other, so the program that uses the file
    has to cut longer audio and to refuse shorter audio. Samples that are not finite give tags that are not finite.

    The file is written only if it answers noise and a tone as the model does, within 1e-4 of logits and descriptor.

    This command needs the extra convert: pip install 'mcc_zoo[convert]'

    Exit status: 0, 2 the command cannot be carried out, 130 after Ctrl-C.
    """
    folder = find_export(export)
    import_tensorflow()
    from mcc_zoo import conversion

    try:
        with quiet():
            written = conversion.convert(folder, output, seconds)
    except (ExportError, conversion.ConversionError) as error:
        fail(str(error))
    say(
        f"wrote {written.path}: audio (1, {written.samples}) at {written.sample_rate} Hz, "
        f"{written.samples / written.sample_rate:.2f} s; differs from the model by at most {written.difference:.1e}"
    )


def _make_row(folder: Path, metadata: ExportMetadata) -> Row:
    return {
        "name": escape_unprintable(folder.parent.name),
        "version": int(folder.name),
        "architecture": metadata.architecture,
        "task": metadata.task,
        "labels": ", ".join(metadata.labels),
        "score": describe_score(metadata),
        "folder": escape_unprintable(str(folder)),
    }


def _describe(row: Row) -> str:
    """Describe a model for a terminal: its name, which is never wrapped, and a line for each of its facts."""
    name, *facts = row
    return "\n".join([row[name], *(f"  {fact:12}  {row[fact]}" for fact in facts)])
