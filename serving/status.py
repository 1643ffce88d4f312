"""Say of each model of a TF Serving whether it is served: `python -m serving.status --help`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from mcc_zoo.export import rest
from serving.client import IMPOSSIBLE, require_positive, run_app

CONFIG = Path(__file__).with_name("models.config")
SERVED, NOT_SERVED = 0, 1  # exit statuses; 2: no server, or no list of models
AVAILABLE, FINE = "AVAILABLE", "OK"

app = typer.Typer(
    name="python -m serving.status",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@dataclass(frozen=True)
class Version:
    """A version of a model, as the server describes it.

    Attributes:
        number: Its number; "" where the server knows no version of the model.
        state: START, LOADING, AVAILABLE, UNLOADING or END, as TF Serving names them.
        error: Why it cannot be served; "" where there is no error.
    """

    number: str
    state: str
    error: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_app(app, arguments)


def ask(server: rest.RestServer, model: str) -> list[Version]:
    """Ask for the versions of a model.

    Raises:
        rest.ServerUnreachable: No server answers.
        ValueError: What answers is no TF Serving.
    """
    status, body = server.exchange("GET", f"/v1/models/{model}", b"")
    answer = json.loads(body)
    if status != rest.OK:
        return [Version("", "UNKNOWN", rest.extract_reason(str(answer["error"])))]
    return [
        Version(
            str(found["version"]),
            found["state"],
            "" if found["status"]["error_code"] == FINE else rest.extract_reason(found["status"]["error_message"]),
        )
        for found in answer["model_version_status"]
    ]


def read_names(config: Path) -> list[str]:
    """Read the names of the models in a models.config.

    Raises:
        typer.BadParameter: It cannot be read, or names no model.
    """
    try:
        parsed = text_format.Parse(config.read_text(encoding="utf-8"), ModelServerConfig())
    except (OSError, UnicodeError, text_format.ParseError) as error:
        raise typer.BadParameter(f"--config={config}: {error}: give the models.config of the server") from None
    if not (names := [model.name for model in parsed.model_config_list.config]):
        raise typer.BadParameter(f"--config={config}: names no model: give the models.config of the server")
    return names


@app.command(
    help="Print the state of each version of each model of a TF Serving.\n\nExit status: 0 each model has a version "
    "that is AVAILABLE, and none of its versions failed; 1 a model has none (LOADING, for example), or a version "
    "failed, with its error; 2 no server answers.",
    epilog="Example: python -m serving.status --server http://localhost:8501",
)
def status(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Names of models; by default all of --config.", show_default=False),
    ] = None,
    server: Annotated[str, typer.Option(help="Address of TF Serving's REST port.")] = "http://localhost:8501",
    config: Annotated[Path, typer.Option(help="The server's models.config.")] = CONFIG,
    timeout: Annotated[float, typer.Option(callback=require_positive, help="Seconds to wait for an answer.")] = 10.0,
) -> None:
    """Print a line for each version."""
    exit_status, connection = SERVED, rest.RestServer(server, timeout)
    try:
        for model in models or read_names(config):
            versions = ask(connection, model)
            for version in versions:
                typer.echo(" ".join(filter(None, (model, version.number, version.state, version.error))))
            if any(version.error for version in versions) or AVAILABLE not in {one.state for one in versions}:
                exit_status = NOT_SERVED
    except rest.ServerUnreachable as error:
        _fail(str(error))
    except (ValueError, KeyError, TypeError):
        _fail(f"what answers at --server={server} does not speak TF Serving's REST protocol: give its REST port")
    raise typer.Exit(exit_status)


def _fail(message: str) -> None:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(IMPOSSIBLE)


if __name__ == "__main__":
    sys.exit(main())
