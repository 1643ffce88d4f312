"""The commands."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import tensorflow as tf
import typer
from rich.console import Console

from mcc_zoo import conversion, datasets
from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.decoders import DecoderName
from mcc_zoo.cli.common import INTERRUPTED, REFUSED, conclude, fail, listed, loaded, printable, results, say, usable
from mcc_zoo.cli.output import DESCRIPTORS, TABLES, by_suffix, descriptor_row, row, save, stream_csv, tag_row, tag_table
from mcc_zoo.cli.taggram_figure import picture, picture_paths, save_picture
from mcc_zoo.conversion import ConversionError
from mcc_zoo.datasets import DATASETS
from mcc_zoo.export.metadata import ExportError
from mcc_zoo.export.model_card import accuracy, score_beside_chance
from mcc_zoo.export.saved_model import FACTS
from mcc_zoo.export.verify import differences
from mcc_zoo.finetuning import finetune as finetuned
from mcc_zoo.inference.locate import newest
from mcc_zoo.inference.tagger import Mode
from mcc_zoo.progress import progress_bar
from mcc_zoo.silence import quiet
from mcc_zoo.version import __version__

ExportArgument = Annotated[
    Path,
    typer.Argument(metavar="EXPORT", help="A model: exported_models/NAME, or one version, exported_models/NAME/2."),
]
InputsArgument = Annotated[
    list[str], typer.Argument(metavar="INPUT", help="Audio files, and folders that are searched for them.")
]
SequenceOption = Annotated[
    Mode,
    typer.Option(
        help="Tracks longer than those of the training: read windows of that length and average them, or read the "
        "whole track in one sequence."
    ),
]
DecoderOption = Annotated[
    DecoderName,
    typer.Option(
        help="Who decodes. soundfile: WAV, FLAC, Ogg, MP3 and more. av: these, M4A, AAC and WMA (pip install .[av]). "
        "tfio: tensorflow-io, WAV, FLAC, Ogg and MP3 (pip install .[tfio])."
    ),
]

app = typer.Typer(
    name="mcc-zoo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Tag and describe music with a model of mcc_zoo, and check datasets. Each command explains itself: "
    "mcc-zoo tag --help.",
)


def main() -> None:
    """Run `mcc-zoo`; the console entry point."""
    app()


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mcc-zoo {__version__}")
        raise typer.Exit


@app.callback(epilog="Example: mcc-zoo tag exported_models/mcclstm_emotify_genre my_music --output tags.csv")
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...


@app.command(
    epilog="Example: mcc-zoo tag exported_models/mcclstm_emotify_genre song.mp3 more_songs --output tags.csv\n\n"
    "Example: mcc-zoo tag exported_models/mcclstm_emotify_genre more_songs | sort"
)
def tag(
    export: ExportArgument,
    inputs: InputsArgument,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="A .csv, .json or .parquet file, whole or not at all."),
    ] = None,
    sequence: SequenceOption = "windows",
    decoder: DecoderOption = "soundfile",
    top: Annotated[
        int, typer.Option(min=1, help="Tags of each file that the table on a terminal shows. CSV and files hold all.")
    ] = 3,
) -> None:
    """Tag audio files of any length, format and sample rate.

    There is one row for each file, also for one that is refused: path, status (ok or refused), reason, tag (the most
    probable label), chunks that were read, the seconds that they span, windows that were averaged, and for each label
    a column probability_LABEL. A file that is named twice gets one row.

    Without --output a terminal gets a table, in which "read" is the length of the whole chunks that were read; a pipe
    or a file gets CSV, row by row.

    Exit status: 0 all tagged, 1 some inputs refused, 2 the command cannot be carried out, 130 Ctrl-C.
    """
    write = by_suffix(output, TABLES) if output else None
    tagger = loaded(export, decoder)
    found = (tag_row(result, tagger) for result in results(tagger, listed(inputs), sequence, "tagging"))
    if output and write:
        rows = save(found, write, output)
    elif sys.stdout.isatty():
        rows = list(found)
        Console(markup=False, highlight=False, emoji=False).print(tag_table(rows, top))
    else:
        rows = stream_csv(found, sys.stdout)  # named before the progress bar takes it over, to standard error
    conclude(rows, tagger)


@app.command(
    epilog="Example: mcc-zoo describe exported_models/mcclstm_emotify_genre my_music --output descriptors.parquet\n\n"
    'Example in Python: pandas.read_parquet("descriptors.parquet")'
)
def describe(
    export: ExportArgument,
    inputs: InputsArgument,
    output: Annotated[
        Path, typer.Option(metavar="FILE", dir_okay=False, help="A .parquet or .npz file, whole or not at all.")
    ],
    chunks: Annotated[bool, typer.Option("--chunks", help="Also write the descriptor of each chunk.")] = False,
    sequence: SequenceOption = "windows",
    decoder: DecoderOption = "soundfile",
) -> None:
    """Write the high-level descriptor of each track: what similarity search or a classifier of your own starts from.

    Parquet: a row a file with the columns path, status, reason, tag, chunks, seconds and windows as of mcc-zoo tag,
    descriptor (D float32; empty for a refused file), and with --chunks chunk_descriptors (a list for each chunk).

    npz: arrays of the same names; descriptor is (n, D), NaN for refused files, and chunk_descriptors has the chunks of
    all files one below the other.

    Exit status: 0 all described, 1 some inputs refused, 2 the command cannot be carried out, 130 Ctrl-C.
    """
    write = by_suffix(output, DESCRIPTORS)
    tagger = loaded(export, decoder)
    found = results(tagger, listed(inputs), sequence, "describing")
    conclude(save((descriptor_row(result, tagger, chunks) for result in found), write, output), tagger)


@app.command(
    epilog="Example: mcc-zoo taggram exported_models/mcclstm_emotify_genre song.mp3 --output song.png\n\n"
    "Example: mcc-zoo taggram exported_models/mcclstm_emotify_genre my_music --output pictures"
)
def taggram(
    export: ExportArgument,
    inputs: InputsArgument,
    output: Annotated[
        Path, typer.Option(metavar="FILE|FOLDER", help="A .png file for one input, or a folder for any number.")
    ],
    sequence: SequenceOption = "windows",
    decoder: DecoderOption = "soundfile",
) -> None:
    """Draw the tags of a track over time: a PNG with seconds across, labels down, and probability as colour.

    Of a model with an LSTM each column shows the tags so far, not those of its chunk alone; where a track is read in
    windows, each window starts anew at a white line. Pictures in a folder are named after their files: song.mp3.png.

    Exit status: 0 all drawn, 1 some inputs refused, 2 the command cannot be carried out, 130 Ctrl-C.
    """
    files = listed(inputs)
    paths = picture_paths(files, output)
    tagger = loaded(export, decoder)
    rows = []
    for path, result in zip(paths, results(tagger, files, sequence, "drawing"), strict=True):
        rows.append(row(result, tagger))
        if result.status == "ok":
            save_picture(picture(result, tagger, Path(rows[-1]["path"]).name), path)
        else:
            say(result.reason)
    drawn = sum(row["status"] == "ok" for row in rows)
    if drawn:
        say(f"wrote {output}" if output.is_file() else f"wrote {drawn} pictures into {output}")
    conclude(rows, tagger)


@app.command(epilog="Example: mcc-zoo show exported_models/mcclstm_emotify_genre")
def show(export: ExportArgument) -> None:
    """Show what a model is: labels, signatures, training, scores, chance, versions and limits, as MODEL_CARD.md says.

    Exit status: 0, or 2 when there is no whole export.
    """
    try:
        folder = newest(export)
        card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
        score = score_beside_chance(json.loads((folder / FACTS).read_text(encoding="utf-8")))
    except (ExportError, OSError) as error:
        fail(str(error))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        fail(f"{folder / FACTS} cannot be read ({error!r}): is the folder whole?")
    say(f"{folder}: {score}")
    typer.echo(card, nl=False)


@app.command(epilog="Example: mcc-zoo verify exported_models/mcclstm_emotify_genre")
def verify(export: ExportArgument) -> None:
    """Check that a model is what was exported: the hashes of its files, then its answers to the questions stored in it.

    A line is printed for each difference. Files that were changed are not loaded, so their answers are not asked.

    Exit status: 0 the same, 1 it differs, 2 there is no export, 130 Ctrl-C.
    """
    try:
        folder = newest(export)
    except ExportError as error:
        fail(str(error))
    with quiet():
        found = differences(folder)
    for sentence in found:
        typer.echo(printable(sentence))
    if found:
        say(f"{folder} is not what was exported: copy it again, or export it again")
        raise typer.Exit(REFUSED)
    typer.echo(printable(f"{folder}: files and answers are those that were exported"))


@app.command(
    epilog="Example: mcc-zoo demo-page exported_models/mcclstm_emotify_genre --folder my_music\n\n"
    "Example: mcc-zoo demo-page exported_models/mcclstm_emotify_genre --server http://tagging.example:8501"
)
def demo_page(
    export: ExportArgument,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="MUSIC", exists=True, file_okay=False, help="Tracks to compare with; read at the start."),
    ] = None,
    server: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Ask a TF Serving that serves this export under its name, such as http://localhost:8501. Without it "
            "this process answers.",
        ),
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="On this machine; 0 takes a free one.")] = 8080,
    decoder: DecoderOption = "soundfile",
) -> None:
    """Open a page on this machine to hear and see a track: its taggram and tags while it plays, and tracks like it.

    Needs the extra [page]. Nobody but this machine can reach the page. It asks the model by TF Serving's REST
    protocol; /v1/models/NAME:predict of the same address takes such requests too.

    Exit status: 130 after Ctrl-C, which ends it, 2 when it cannot be started.
    """
    try:
        from mcc_zoo import demo_page as page
    except ImportError as error:
        fail(f"mcc-zoo demo-page needs the extra [page] ({error}): pip install 'mcc_zoo[page]'")
    if server and not server.startswith(("http://", "https://")):
        fail(f"--server={server!r}: give a URL, such as http://localhost:8501")
    tagger = loaded(export, decoder)
    name, library = tagger.facts["name"], None
    with quiet():
        model = page.ServedModel(server, name) if server else page.LoadedModel(tagger.folder, name)
    if folder:
        try:
            library = page.Library.of(results(tagger, listed([str(folder)]), "windows", "describing"), folder)
        except AudioError as error:
            fail(str(error))
    try:
        listening = page.listening(page.DemoPage(tagger, model, library), port)
    except OSError as error:
        fail(f"--port={port} cannot be had ({os.strerror(error.errno or 0)}): give another, or 0 for a free one")
    say(f"http://{page.HOST}:{listening.port} shows {name}; Ctrl-C ends it")
    listening.serve_forever()
    raise typer.Exit(INTERRUPTED)  # the server takes Ctrl-C for itself


@app.command(
    epilog="Example: mcc-zoo convert exported_models/mcclstm_emotify_genre genre.onnx\n\n"
    "Example: mcc-zoo convert exported_models/mcclstm_emotify_genre genre.tflite --seconds 10"
)
def convert(
    export: ExportArgument,
    output: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT", help="A .tflite or .onnx file, whole or not at all; one there is replaced."),
    ],
    seconds: Annotated[
        float | None,
        typer.Option(help="Length of the clips that the file reads; by default that of the training tracks."),
    ] = None,
) -> None:
    """Convert a model to one file that runs without TensorFlow: .tflite for LiteRT, .onnx for ONNX Runtime.

    The file takes audio (1, samples) float32, mono, full scale 1, at the model's sample rate, and gives tags and
    descriptor. Its length is fixed: longer audio has to be cut and shorter audio refused by the program that uses it,
    and runtimes refuse any other length. It checks nothing else: samples that are not finite give tags that are not.

    It is written only if its answers to noise and to a tone are those of the export, by 1e-4 of logits and descriptor.
    It takes the extra convert: pip install .[convert]

    Exit status: 0, 2 the command cannot be carried out, 130 Ctrl-C.
    """
    try:
        with quiet():
            made = conversion.convert(export, output, seconds)
    except (ExportError, ConversionError) as error:
        fail(str(error))
    say(
        f"wrote {made.path}: audio (1, {made.samples}) at {made.sample_rate} Hz, "
        f"{made.samples / made.sample_rate:.2f} s; at most {made.difference:.1e} away from the export"
    )


@app.command(
    epilog="Example: mcc-zoo validate gtzan ~/datasets/gtzan\n\nExample: mcc-zoo validate manifest my_music/labels.csv"
)
def validate(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=f"One of {', '.join(DATASETS)}, or manifest.")],
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Where it lies; for manifest a CSV with the columns path and label."),
    ],
    headers_only: Annotated[
        bool, typer.Option("--headers-only", help="Decode nothing: much faster, and misses files that are damaged.")
    ] = False,
    decoder: DecoderOption = "soundfile",
) -> None:
    """Check a copy of a dataset: what is missing, what does not decode, what does not belong there.

    Of a manifest the tracks and groups of each label are counted.

    Exit status: 0 complete, 1 not complete, 2 the folder is no such dataset, 130 Ctrl-C.
    """
    if dataset not in (*DATASETS, "manifest"):
        fail(f"DATASET={dataset!r} is not known: choose one of {', '.join(DATASETS)}, manifest")
    resolved = usable(decoder)
    with progress_bar(quiet=not sys.stderr.isatty()) as bar:
        task = bar.add_task("checking", total=None)
        try:
            found = datasets.check_dataset(
                DATASETS.get(dataset),
                folder,
                decode=not headers_only,
                decoder=resolved,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        except datasets.DatasetError as error:
            fail(str(error))
    for line in found.format_lines():
        typer.echo(printable(line))
    if not found.is_complete:
        raise typer.Exit(REFUSED)


@app.command(
    epilog="Example: mcc-zoo finetune exported_models/mcclstm_emotify_genre my_music/labels.csv\n\n"
    "Example: mcc-zoo finetune exported_models/mcclstm_emotify_genre moods.csv --unfreeze --name moods "
    '--licence "CC BY 4.0"'
)
def finetune(
    export: ExportArgument,
    manifest: Annotated[
        Path,
        typer.Argument(
            metavar="MANIFEST",
            help="CSV file with a row a track and the columns path (relative to the file), label, and if you like "
            "group: an artist, an album, which stay on one side of every split.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="Of the new model; by default that of the old one, _ and the manifest's.")
    ] = None,
    export_dir: Annotated[
        Path, typer.Option(metavar="FOLDER", file_okay=False, help="Where it goes: FOLDER/NAME/1, then 2, ...")
    ] = Path("exported_models"),
    unfreeze: Annotated[
        bool,
        typer.Option(
            "--unfreeze", help="Train all weights, at a tenth of the usual rate: for many tracks. It takes much longer."
        ),
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="With --unfreeze: at most so many; validation tracks choose how many.")
    ] = None,
    folds: Annotated[int, typer.Option(min=3, help="Of the cross-validation that gives the score.")] = 5,
    split: Annotated[
        str,
        typer.Option(
            help="grouped: tracks of a group stay together. random: they do not. PATH.csv: a table with the columns "
            "path and fold. auto: the manifest's column fold where it has one, else grouped."
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Draws the folds anew.")] = 0,
    licence: Annotated[str, typer.Option(help="Of the music, for the model card.")] = "not stated",
    cache_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", file_okay=False, help="Keep what was decoded, for another try; else it is not."),
    ] = None,
    decoder: DecoderOption = "soundfile",
) -> None:
    """Teach a model labels of your own, and export it again.

    The descriptor that the model has learnt stays as it is, and a new softmax reads it: that takes little more time
    than decoding, and works with some ten tracks a label. --unfreeze goes on from there and trains everything.

    The score is that of a cross-validation on your tracks. What is exported is trained on all of them; its card says
    what it was fine-tuned from. Files that cannot be read are set aside. The folder of the export is printed;
    a pipe or a file gets it without a word around it.

    Exit status: 0 exported, 1 exported but some tracks were set aside, 2 it cannot be done, 130 Ctrl-C.
    """
    usable(decoder)
    tf.get_logger().setLevel("ERROR")  # it warns of retracing, once a new model a fold
    try:
        folder = finetuned(
            export,
            manifest,
            export_dir,
            name,
            unfreeze=unfreeze,
            epochs=epochs,
            folds=folds,
            split=split,
            seed=seed,
            licence=licence,
            cache_dir=cache_dir,
            decoder=decoder,
            quiet=not sys.stderr.isatty(),
        )
    except (ExportError, ValueError, FloatingPointError, OSError) as error:
        fail(str(error))
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    scores, majority = facts["scores"], facts["majority"]
    say(
        f"{accuracy(scores)}, cross-validated on {facts['tracks']} tracks; always saying {majority['label']} would "
        f"give {majority['percent']:.1f} %"
    )
    say(facts["limits"][0])
    typer.echo(printable(f"exported to {folder}" if sys.stdout.isatty() else str(folder)))
    if count := facts["set_aside"]:
        say(f"{count} track{'s were' if count > 1 else ' was'} set aside, see the reason{'s' * (count > 1)} above")
        raise typer.Exit(REFUSED)
