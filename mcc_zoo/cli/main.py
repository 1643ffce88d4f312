"""The application: its commands, and --version."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated, NoReturn

import typer

from mcc_zoo.cli import datasets, models, page, tagging, training
from mcc_zoo.cli.common import IMPOSSIBLE, say
from mcc_zoo.cli.standard_output import OutputError, checked_output
from mcc_zoo.disk import explain
from mcc_zoo.extras import MissingExtraError
from mcc_zoo.process_limits import explain_limit
from mcc_zoo.version import __version__

app = typer.Typer(
    name="mcc-zoo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Tag and describe music with models that take the waveform, train them on your own labels, and check "
    "datasets. Each command has its own help: mcc-zoo tag --help.",
)
for commands in (tagging, models, training, datasets, page):
    app.add_typer(commands.app)


def main() -> None:
    """Run `mcc-zoo`; the console entry point."""
    try:
        with checked_output():
            app()
    except (MissingExtraError, OutputError) as error:
        _end(str(error))
    except Exception as error:
        if refusal := explain(error) or explain_limit(error):
            _end(str(refusal))
        raise


def _end(message: str) -> NoReturn:
    with contextlib.suppress(OSError):  # standard error may be on the same full disk
        say(f"error: {message}")
    sys.exit(IMPOSSIBLE)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mcc-zoo {__version__}")
        raise typer.Exit


@app.callback(epilog="Example: mcc-zoo tag mcclstm_pretrained my_music --output tags.csv")
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...
