"""Tag audio files by a model that TF Serving serves, over REST: `python -m serving.rest_client --help`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from mcc_zoo.export import rest
from serving.client import RETRIES, Answer, Ask, build_app, run_app
from serving.options import Options, ServerUnusable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the client and return its exit status."""
    return run_app(app, arguments)


@contextlib.contextmanager
def connect(options: Options) -> Iterator[Ask]:
    """Give the function that asks the server; nothing is sent yet.

    Raises:
        typer.BadParameter: --server is no URL.
    """
    if not options.server.startswith(("http://", "https://")):
        raise typer.BadParameter(f"--server={options.server!r}: give a URL, such as http://localhost:8501")
    server = rest.RestServer(options.server, options.timeout, RETRIES, follow_redirects=True)
    yield lambda file, value: ask(server, options, file, value)


def encode(options: Options, value: Any) -> bytes:
    """Write a request: audio (samples,) float32, or the bytes of a WAV file."""
    batch = [value] if isinstance(value, bytes) else value[None]
    return rest.encode_request(options.signature, {options.input: batch})


def ask(server: rest.RestServer, options: Options, file: str, value: Any) -> Answer:
    """Send a request and return its outputs.

    Raises:
        RequestRefused: The server refused this one, or did not answer in time.
        ServerUnusable: There is no server, or it has no such model, version or label.
    """
    sent = encode(options, value)
    options.record_request(file, "json", sent)
    try:
        answer = server.exchange("POST", rest.predict_path(options.model, options.version, options.label), sent)
        return rest.decode_answer(*answer)
    except rest.AnswerLate:
        raise options.as_late() from None
    except rest.ServerUnreachable as error:
        raise ServerUnusable(str(error)) from error
    except rest.RestError as error:
        of_the_file = error.status in (rest.BAD_REQUEST, rest.TOO_LATE)  # a server that is late for one may do others
        raise options.as_error(f"HTTP {error.status}", str(error), of_the_file) from None


app = build_app("REST", "http://localhost:8501", connect)

if __name__ == "__main__":
    sys.exit(main())
