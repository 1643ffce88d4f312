"""The command that trains: finetune."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mcc_zoo.cli.common import REFUSED, fail, find_decoder, find_export, say
from mcc_zoo.cli.options import EXPORT_HELP, DecoderOption, LabelColumnsOption
from mcc_zoo.export.metadata import ExportError, ExportMetadata
from mcc_zoo.export.model_card import format_score
from mcc_zoo.inference.locate import PRETRAINED
from mcc_zoo.tensorflow_start import import_tensorflow
from mcc_zoo.text import escape_unprintable

app = typer.Typer()
ManifestArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MANIFEST",
        help="CSV file with one row per track and the columns path (relative to the file) and label, or labels (names "
        "with | between them); optional: group (an artist or album, whose tracks stay on one side of every split) and "
        "fold.",
    ),
]
StartFromOption = Annotated[Path, typer.Option(metavar="EXPORT", help=f"What to start from. {EXPORT_HELP}")]
NameOption = Annotated[
    str | None, typer.Option(help="Name of the new model; by default EXPORT_MANIFEST, of the two names.")
]
ExportDirOption = Annotated[
    Path, typer.Option(metavar="FOLDER", file_okay=False, help="Where to export it: FOLDER/NAME/1, then 2, ...")
]
UnfreezeOption = Annotated[
    bool,
    typer.Option(
        "--unfreeze",
        help="Train all weights, at a tenth of the usual learning rate. Takes much longer; needs many tracks.",
    ),
]
EpochsOption = Annotated[
    int | None,
    typer.Option(min=1, help="With --unfreeze: the most epochs; the best one is chosen on validation tracks."),
]
FoldsOption = Annotated[int, typer.Option(min=3, help="Number of folds of the cross-validation.")]
SplitOption = Annotated[
    str,
    typer.Option(
        help="grouped: tracks of a group stay together. random: they do not. PATH.csv: a table with the columns path "
        "and fold. auto: the manifest's column fold if it has one, else grouped, or random where no track has a group."
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the folds and of the training order.")]
LicenceOption = Annotated[str, typer.Option(help="Licence of the music, for the model card.")]
CacheDirOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", file_okay=False, help="Keep decoded features here for another run.")
]


@app.command(
    epilog="Example: mcc-zoo finetune my_music/labels.csv\n\n"
    'Example: mcc-zoo finetune moods.csv --start-from my_tagger --unfreeze --name moods --licence "CC BY 4.0"'
)
def finetune(
    manifest: ManifestArgument,
    start_from: StartFromOption = Path(PRETRAINED),
    name: NameOption = None,
    export_dir: ExportDirOption = Path("exported_models"),
    unfreeze: UnfreezeOption = False,
    epochs: EpochsOption = None,
    folds: FoldsOption = 5,
    split: SplitOption = "auto",
    seed: SeedOption = 0,
    licence: LicenceOption = "not stated",
    cache_dir: CacheDirOption = None,
    decoder: DecoderOption = "auto",
    label_columns: LabelColumnsOption = "",
) -> None:
    """Train the pretrained model, or another, on labels of your own, and export it.

    By default only a new output layer is trained, on the model's descriptors: this takes little longer than decoding,
    and works with about ten tracks per label. --unfreeze then trains all weights.

    The score is cross-validated on your tracks; the exported model is trained on all of them. Files that are
    damaged or silent are set aside; a file that is not there stops the command. The folder of the new model is printed.

    Exit status: 0 exported, 1 exported but some tracks were set aside, 2 not exported, 130 after Ctrl-C.
    """
    found_decoder = find_decoder(decoder)
    folder = find_export(start_from)
    import_tensorflow()
    import tensorflow as tf

    from mcc_zoo import finetuning

    tf.get_logger().setLevel("ERROR")  # it warns about retracing once per fold, because each fold has a new model
    try:
        exported = finetuning.finetune(
            manifest,
            folder,
            export_dir,
            name,
            unfreeze=unfreeze,
            epochs=epochs,
            folds=folds,
            split=split,
            seed=seed,
            licence=licence,
            cache_dir=cache_dir,
            decoder=found_decoder,
            label_columns=label_columns.split(",") if label_columns else (),
            quiet=not sys.stderr.isatty(),
        )
    except (ExportError, ValueError, FloatingPointError, OSError) as error:
        fail(str(error))
    _report(exported.folder)


def _report(folder: Path) -> None:
    """Print the score and the folder of a new model, and end with status 1 if tracks were set aside."""
    metadata = ExportMetadata.read(folder)
    majority, count = metadata.majority, metadata.set_aside
    guess = f"always saying {majority.label} would give {majority.percent:.1f} %" if majority else "guessing gives 50 %"
    say(f"{format_score(metadata)}, cross-validated on {metadata.tracks} tracks; {guess}")
    say(metadata.limits[0])
    typer.echo(escape_unprintable(f"exported to {folder}" if sys.stdout.isatty() else str(folder)))
    if count:
        say(f"{count} track{'s were' if count > 1 else ' was'} set aside, see the reason{'s' * (count > 1)} above")
        raise typer.Exit(REFUSED)
