"""What both clients share: the command line, a row of JSON for each file, exit statuses.

Nothing here imports TensorFlow or numpy before a file has to be decoded, so that `--wav` starts at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer

from mcc_zoo.disk import explain
from mcc_zoo.export.rest import read_error
from serving.files import open_reader
from serving.options import MAX_SECONDS, Options, RequestRefused, ServerUnusable

ALL_TAGGED, SOME_REFUSED, IMPOSSIBLE, INTERRUPTED = 0, 1, 2, 130  # exit statuses, as of mcc-zoo
RETRIES = 3  # of a request that a server which starts or is full has not answered
ROWS = (
    "One line of JSON for each file goes to standard output: path, status (ok or refused), reason, tag (the most "
    "probable label) and tags (the probability of each label); with --descriptors also descriptor."
)
STATUSES = "Exit status: 0 all files tagged, 1 some refused, 2 the server or the export cannot be used, 130 Ctrl-C."


def require_positive(value: float) -> float:
    """Refuse a number of seconds that is not positive and finite."""
    if not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value:g}: give a positive number of seconds, such as 60")
    return value


Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="Name of the model on the server, as in models.config: my_tagger.")
]
Files = Annotated[list[str], typer.Argument(metavar="FILE", help="Audio files: song.mp3 albums/*.flac.")]
Server = Annotated[str, typer.Option(help="Address of TF Serving.")]
Version = Annotated[
    int | None,
    typer.Option(min=0, help="Version of the model: --version 2. Without it the server takes the newest."),
]
Label = Annotated[
    str | None,
    typer.Option(help="Label of a version in models.config, in place of --version: --label stable."),
]
Wav = Annotated[
    bool,
    typer.Option(
        "--wav",
        help="Send WAV files as they are, at any rate; the server decodes them (signature tag_wav). Without it files "
        "of all formats are decoded here and sent as samples (signature serving_default).",
    ),
]
Export = Annotated[
    Path | None,
    typer.Option(
        help="Copy of the served export, whose labels and sample rate are needed without --wav: --export "
        "exports/my_tagger.",
        show_default="exported_models/MODEL",
    ),
]
Decoder = Annotated[
    str,
    typer.Option(
        metavar="auto|soundfile|av|tfio",
        help="What decodes the files; auto is soundfile where it reads a file whole, else av. Not used with --wav.",
    ),
]
Descriptors = Annotated[bool, typer.Option("--descriptors", help="Print the descriptor of each track too.")]
MaxSeconds = Annotated[
    float,
    typer.Option(
        callback=require_positive, help="Refuse longer files, in seconds: --max-seconds 300. Not used with --wav."
    ),
]
Timeout = Annotated[
    float, typer.Option(callback=require_positive, help="Seconds to wait for an answer: --timeout 120.")
]
Record = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Write each request into this folder too, as it is sent: --record requests."),
]

Answer = Mapping[str, Any]  # outputs by name, as nested lists
Ask = Callable[[str, Any], Answer]  # a file's path, and what `files` read of it, to the answer
Connect = Callable[[Options], AbstractContextManager[Ask]]


def build_app(protocol: str, default_server: str, connect: Connect) -> typer.Typer:
    """Build the command line of a client.

    Args:
        protocol: REST or gRPC.
        default_server: The default of --server.
        connect: Gives the function that sends a file's value and returns the outputs. The function raises
            `RequestRefused` or `ServerUnusable`; `connect` raises `typer.BadParameter` where --server is no address.
    """
    name = f"python -m serving.{protocol.lower()}_client"
    app = typer.Typer(
        name=name,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )

    @app.command(
        help=f"Tag audio files with a model that TF Serving serves, over {protocol}.\n\n{ROWS}\n\n{STATUSES}",
        epilog=f"Example: {name} my_tagger song.mp3 albums/*.flac --label stable",
    )
    def tag(
        model: Model,
        files: Files,
        server: Server = default_server,
        version: Version = None,
        label: Label = None,
        wav: Wav = False,
        export: Export = None,
        decoder: Decoder = "auto",
        descriptors: Descriptors = False,
        max_seconds: MaxSeconds = MAX_SECONDS,
        timeout: Timeout = 60.0,
        record: Record = None,
    ) -> None:
        if version is not None and label is not None:
            raise typer.BadParameter("give --version or --label, not both")
        options = Options(
            model, files, server, version, label, wav, export, decoder, descriptors, max_seconds, timeout, record
        )
        with connect(options) as ask:
            raise typer.Exit(tag_files(options, ask))

    return app


def run_app(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run a client and return its exit status.

    Args:
        app: As `build_app` gives it.
        arguments: Of the command line; None is that of the process.
    """
    try:
        app(args=arguments)
    except SystemExit as end:
        return int(end.code or ALL_TAGGED)
    return ALL_TAGGED


def tag_files(options: Options, ask: Ask) -> int:
    """Tag the files, print a line of JSON for each, and return the exit status."""
    refused = 0
    try:
        for row in _make_rows(options, ask):
            refused += row["status"] != "ok"
            print(json.dumps(row, ensure_ascii=False), flush=True)
    except ServerUnusable as error:
        print(f"error: {error}", file=sys.stderr)
        return IMPOSSIBLE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the rows has enough of them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except OSError as error:
        if not (full := explain(error, what="standard output")):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"error: {full}", file=sys.stderr)
        return IMPOSSIBLE
    if refused:
        print(f"{refused} of {len(options.files)} files refused, see their reasons", file=sys.stderr)
    return SOME_REFUSED if refused else ALL_TAGGED


def _make_rows(options: Options, ask: Ask) -> Iterator[dict[str, Any]]:
    with open_reader(options) as (read, labels):
        for file in options.files:
            row: dict[str, Any] = {"path": file, "status": "ok", "reason": "", "tag": "", "tags": {}}
            try:
                answer = ask(file, read(file))
            except RequestRefused as error:
                reason = str(error)
                row |= {"status": "refused", "reason": reason if file in reason else f"{file}: {reason}"}
            else:
                row |= _read_answer(options, file, answer, labels)
            yield row


def _read_answer(options: Options, file: str, answer: Answer, labels: Sequence[str] | None) -> dict[str, Any]:
    """Read tag, tags and, where asked for, the descriptor; without labels the answer has them.

    Of a file that the model refuses, or in which it finds no sound, read the status and the reason.
    """
    try:
        if error := read_error(answer):
            return {"status": "refused", "reason": f"{file}: {error}"}
        if list(answer.get("is_silent", ())) == [True]:
            return {"status": "silent", "reason": f"{file}: silent, the model found no sound in it"}
        (tags,), (descriptor,) = answer["tags"], answer["descriptor"]
        names = labels or [_as_text(label) for label in answer["labels"][0]]
        named = dict(zip(names, tags, strict=True))
        row = {"tag": max(named, key=named.__getitem__), "tags": named}
    except (KeyError, TypeError, ValueError) as error:
        raise ServerUnusable(
            f"the answer of model {options.model!r} does not fit ({error!r}): is it an export of mcc_zoo, and the "
            f"one of --export={options.export_folder}?"
        ) from error
    return row | ({"descriptor": descriptor} if options.descriptors else {})


def _as_text(label: str | bytes) -> str:
    return label.decode() if isinstance(label, bytes) else label  # gRPC gives bytes
