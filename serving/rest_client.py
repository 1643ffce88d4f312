"""Tag audio files by a model that TF Serving serves, over REST: `python -m serving.rest_client --help`."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Sequence
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from serving.client import RETRIES, Answer, Request, ServerUnusable, failure, late, parser, recorded, run, sentence

EXAMPLE = "python -m serving.rest_client my_tagger song.mp3 more/*.flac --label=stable"
BUSY = (502, 503, 504)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the client and return its exit status."""
    commands = parser("REST", "http://localhost:8501", EXAMPLE)
    arguments = commands.parse_args(argv)
    if not arguments.server.startswith(("http://", "https://")):
        commands.error(f"--server={arguments.server!r}: give a URL, such as http://localhost:8501")
    with requests.Session() as session:
        # A prediction changes nothing on the server, so it can be asked for again. One that was not answered in time
        # would not be the next time either.
        retry = Retry(
            RETRIES, read=False, status_forcelist=BUSY, allowed_methods=None, backoff_factor=0.2, raise_on_status=False
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        return run(arguments, lambda request: ask(session, arguments, request))


def url(server: str, request: Request) -> str:
    """Address a request: the model, and its version or label where one is asked for."""
    which = ""
    if request.version is not None:
        which = f"/versions/{request.version}"
    elif request.label is not None:
        which = f"/labels/{quote(request.label, safe='')}"
    return f"{server.rstrip('/')}/v1/models/{quote(request.model, safe='')}{which}:predict"


def body(request: Request) -> bytes:
    """Put a request into JSON, in the columnar form.

    Samples are rounded to seven digits after the point, half a step of 24 bits, because the nearest double of a float32
    takes twice as many.
    """
    if isinstance(request.value, bytes):
        row = {"b64": base64.b64encode(request.value).decode()}
    else:
        row = request.value.astype("float64").round(7).tolist()
    return json.dumps({"signature_name": request.signature, "inputs": {request.input: [row]}}).encode()


def ask(session: requests.Session, arguments: argparse.Namespace, request: Request) -> Answer:
    """Send a request and return its outputs.

    Raises:
        RequestRefused: The server refused this one, or did not answer in time.
        ServerUnusable: There is no server, or it has no such model, version or label.
    """
    sent = body(request)
    recorded(arguments, request, "json", sent)
    try:
        response = session.post(
            url(arguments.server, request),
            data=sent,
            headers={"Content-Type": "application/json"},
            timeout=(min(10.0, arguments.timeout), arguments.timeout),
        )
    except requests.ReadTimeout:
        raise late(arguments) from None
    except (requests.RequestException, ValueError) as error:
        raise ServerUnusable(
            f"no TF Serving answers at --server={arguments.server} ({type(error).__name__}): start it, as in "
            "serving/README.md, or give its address"
        ) from error
    return _answer(response, arguments)


def _answer(response: requests.Response, arguments: argparse.Namespace) -> Answer:
    try:
        said = response.json()
    except ValueError:
        said = {}
    if response.ok and isinstance(said, dict) and isinstance(said.get("outputs"), dict):
        return said["outputs"]
    error = said.get("error") if isinstance(said, dict) else None
    reason = sentence(str(error or "it does not speak TF Serving's REST protocol"))
    raise failure(arguments, f"HTTP {response.status_code}", reason, of_the_file=response.status_code == 400)


if __name__ == "__main__":
    sys.exit(main())
