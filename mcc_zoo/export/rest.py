"""TF Serving's REST protocol: requests and answers of `POST /v1/models/NAME:predict`, and the exchange with a server.

The serving clients, the demo page and the benchmarks all speak it by this module. Requests are in the columnar form:
`{"signature_name": "taggram", "inputs": {"audio": [[0.1, ...]]}}`, answered by `{"outputs": {"taggram": ...}}` or, with
a status other than 200, by `{"error": "..."}`. Nothing here imports TensorFlow or numpy; `RestServer` needs requests.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import numpy as np

OK, BAD_REQUEST, TOO_LATE = 200, 400, 504
BUSY = (502, 503)  # statuses of a server that starts or whose queue is full
CONNECT_SECONDS = 10.0


class RestError(Exception):
    """The server's answer is an error; the message is its reason, in plain text.

    Attributes:
        status: Of HTTP: 400 where the request is refused.
    """

    def __init__(self, status: int, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.status = status


class ServerUnreachable(Exception):
    """No answer came; the message names the address and what to do."""


class AnswerLate(ServerUnreachable):
    """The server took the request, and did not answer in time."""


@dataclass(frozen=True)
class RestServer:
    """The REST port of a server.

    Attributes:
        address: http://HOST:8501.
        answer_seconds: Time to wait for an answer.
        retries: How often a request is sent again to a server that takes no connection or is busy.
        follow_redirects: Whether an answer that names another address is followed.
    """

    address: str
    answer_seconds: float
    retries: int = 0
    follow_redirects: bool = False

    def exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Send a request, and return the answer's status and body as they are.

        Args:
            method: GET or POST.
            path: Begins with /v1/; not percent-encoded.
            body: JSON.

        Raises:
            AnswerLate: No answer within `answer_seconds`.
            ServerUnreachable: No connection, or the address is no URL.
        """
        import requests

        try:
            with requests.Session() as session:
                self._retry(session)
                response = session.request(
                    method,
                    self.address.rstrip("/") + quote(path, safe="/:"),
                    data=body,
                    headers={"Content-Type": "application/json"},
                    timeout=(min(CONNECT_SECONDS, self.answer_seconds), self.answer_seconds),
                    allow_redirects=self.follow_redirects,
                )
        except (requests.RequestException, ValueError) as error:
            kind = AnswerLate if isinstance(error, requests.ReadTimeout) else ServerUnreachable
            raise kind(
                f"no TF Serving answers at --server={self.address} ({type(error).__name__}): start it, as in "
                "serving/README.md, or give its address"
            ) from error
        return response.status_code, response.content

    def _retry(self, session: Any) -> None:
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry

        # A prediction changes nothing on the server, so that it can be asked for again. One that was not answered in
        # time would not be answered in time the next time either.
        retry = Retry(
            self.retries,
            read=False,
            status_forcelist=BUSY,
            allowed_methods=None,
            backoff_factor=0.2,
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))


def predict_path(model: str, version: int | None = None, label: str | None = None) -> str:
    """Return the path of a model's predictions, of one version where a number or a label names it.

    >>> predict_path("my_tagger", label="stable")
    '/v1/models/my_tagger/labels/stable:predict'
    """
    if version is not None:
        model = f"{model}/versions/{version}"
    elif label is not None:
        model = f"{model}/labels/{label}"
    return f"/v1/models/{model}:predict"


def encode_request(signature: str, inputs: Mapping[str, np.ndarray | Sequence[bytes]]) -> bytes:
    """Write a request.

    Samples are rounded to seven digits after the point, half a step of 24 bits, because the nearest double of a float32
    takes twice as many.

    Args:
        signature: Name of a signature of the export.
        inputs: A batch for each input: audio (batch, samples) float, or a list of files.
    """
    return json.dumps(
        {"signature_name": signature, "inputs": {name: _encode_batch(batch) for name, batch in inputs.items()}}
    ).encode()


def _encode_batch(batch: np.ndarray | Sequence[bytes]) -> list[Any]:
    if isinstance(batch, Sequence):
        return [{"b64": base64.b64encode(row).decode()} for row in batch]
    return batch.astype("float64").round(7).tolist()


def decode_request(body: bytes, input_name: str, default_signature: str) -> tuple[Any, Any]:
    """Read the signature's name and the values of its one input, neither of which has been checked.

    Raises:
        ValueError: The body is no request in the columnar form.

    >>> decode_request(b'{"inputs": [[0.5]]}', "audio", "serving_default")
    ('serving_default', [[0.5]])
    """
    try:
        request: Any = json.loads(body)
        inputs = request["inputs"]
        values = inputs[input_name] if isinstance(inputs, dict) else inputs
        return request.get("signature_name") or default_signature, values
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(repr(error)) from error


def encode_answer(outputs: Mapping[str, np.ndarray]) -> bytes:
    """Write the answer with these outputs."""
    return json.dumps({"outputs": {name: value.tolist() for name, value in outputs.items()}}).encode()


def decode_answer(status: int, body: bytes) -> dict[str, Any]:
    """Read the outputs by name, as nested lists.

    Raises:
        RestError: The answer is an error, or not in TF Serving's protocol.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        answer = {}
    outputs, error = answer.get("outputs"), answer.get("error")
    if status == OK and isinstance(outputs, dict):
        return outputs
    raise RestError(status, extract_reason(str(error or "it does not speak TF Serving's REST protocol")))


def read_error(outputs: Mapping[str, Any]) -> str:
    """Read why a clip of an answer was refused: the first sentence in its output `error`, "" where there is none.

    Exports of earlier versions have no such output. They refuse the whole request.

    >>> read_error({"tags": [[0.0, 0.0]], "error": [b"wav_bytes is empty"]}), read_error({"tags": [[0.1, 0.9]]})
    ('wav_bytes is empty', '')
    """
    sentences = (text.decode() if isinstance(text, bytes) else str(text) for text in outputs.get("error", ()))
    return next(filter(None, sentences), "")


def extract_reason(message: str) -> str:
    r"""Reduce a server's message to plain text: no names of nodes, no brackets of assertions.

    >>> extract_reason("assertion failed: [audio is too short; it has] [100]\n\t [[{{node model/Assert}}]]")
    'audio is too short; it has 100'
    """
    message = message.rpartition("assertion failed: ")[2]
    message = re.split(r"\s*\[\[\{\{|\s*\[Op:", message)[0]
    message = re.sub(r"\{\{[^}]*\}\}\s*", "", message).strip()
    if message.startswith("[") and message.endswith("]"):
        message = message[1:-1].replace("] [", " ")
    return " ".join(message.split())
