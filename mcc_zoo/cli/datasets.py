"""The command about datasets: validate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mcc_zoo import datasets
from mcc_zoo.cli.common import REFUSED, fail, find_decoder
from mcc_zoo.cli.options import DecoderOption, LabelColumnsOption
from mcc_zoo.progress import progress_bar
from mcc_zoo.text import escape_unprintable

app = typer.Typer()
MANIFEST = "manifest"  # a table of one's own


@app.command(
    epilog="Example: mcc-zoo validate gtzan ~/datasets/gtzan\n\nExample: mcc-zoo validate manifest my_music/labels.csv"
)
def validate(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help=f"One of {', '.join(datasets.DATASETS)}, or {MANIFEST}.")
    ],
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|CSV",
            help="The dataset's folder; for manifest a CSV file with columns path, label (or labels, separated by |).",
        ),
    ],
    headers_only: Annotated[
        bool,
        typer.Option("--headers-only", help="Decode no audio: much faster, but damaged files are not noticed."),
    ] = False,
    label_columns: LabelColumnsOption = "",
    decoder: DecoderOption = "auto",
) -> None:
    """Check a copy of a dataset: which files are missing, which cannot be decoded, which do not belong to it.

    For a manifest, the tracks and groups of each label are counted too.

    Exit status: 0 complete, 1 not complete, 2 the folder is not that dataset, 130 after Ctrl-C.
    """
    if dataset not in (*datasets.DATASETS, MANIFEST):
        fail(f"DATASET={dataset!r} is not known: choose one of {', '.join(datasets.DATASETS)}, {MANIFEST}")
    if label_columns and dataset != MANIFEST:
        fail(f"--label-columns={label_columns}: the labels of {dataset} are known; only {MANIFEST} has such columns")
    found_decoder = find_decoder(decoder)
    with progress_bar(quiet=not sys.stderr.isatty()) as bar:
        task = bar.add_task("checking", total=None)
        try:
            check = datasets.check_dataset(
                datasets.DATASETS.get(dataset),
                folder,
                decode=not headers_only,
                decoder=found_decoder,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
                label_columns=label_columns.split(",") if label_columns else (),
            )
        except datasets.DatasetError as error:
            fail(str(error))
    for line in check.format_lines():
        typer.echo(escape_unprintable(line))
    if not check.is_complete:
        raise typer.Exit(REFUSED)
