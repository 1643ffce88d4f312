"""The model behind the page: an export loaded here, or TF Serving at an address; both take TF Serving's REST requests.

Of the protocol the loaded export answers what the page needs: `POST /v1/models/NAME:predict` with the signatures that
take audio, in the columnar form ("inputs").
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from mcc_zoo.export import rest
from mcc_zoo.export.rest import BAD_REQUEST

SIGNATURES = ("serving_default", "taggram")  # those whose only input is audio
ANSWER_SECONDS = 120.0
BAD_GATEWAY = 502

Outputs = dict[str, np.ndarray]


class ModelError(Exception):
    """What comes instead of outputs; the message is a sentence.

    Attributes:
        status: Of HTTP: 400 where the request is refused, 502 where the server cannot be used.
    """

    def __init__(self, message: str, status: int = BAD_REQUEST) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status


class Model(Protocol):
    """What the page asks."""

    def predict(self, signature: str, audio: np.ndarray) -> Outputs:
        """Ask a signature about clips (batch, samples) and return its outputs.

        Raises:
            ModelError: It refuses them, or does not answer.
        """

    def exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Answer a REST request as it came, with status and JSON; the path begins with /v1/ and is not quoted.

        Raises:
            ModelError: There is no answer.
        """


class LoadedModel:
    """An export in this process.

    Args:
        folder: Of its version.
        name: Under which the REST protocol has it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """Load it as TF Serving would."""
        self._path = rest.predict_path(name)
        self._saved = tf.saved_model.load(str(folder))  # its signatures live as long as it does

    def predict(self, signature: str, audio: np.ndarray) -> Outputs:
        """As `Model`."""
        try:
            outputs = self._saved.signatures[signature](audio=tf.constant(audio, tf.float32))
        except tf.errors.InvalidArgumentError as error:
            raise ModelError(rest.extract_reason(error.message)) from error
        return _refuse_bad_clips({name: value.numpy() for name, value in outputs.items()})

    def exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """As `Model`."""
        if (method, path) != ("POST", self._path):
            raise ModelError(f"{method} {path} is not answered here: ask POST {self._path}", 404)
        return rest.OK, rest.encode_answer(self.predict(*_read_request(body)))


class ServedModel:
    """A model that TF Serving serves.

    Args:
        server: Its address, http://HOST:8501.
        name: The model's.
    """

    def __init__(self, server: str, name: str) -> None:
        """Connect to nothing yet."""
        self.server, self.name = server.rstrip("/"), name
        self._rest = rest.RestServer(self.server, ANSWER_SECONDS)

    def predict(self, signature: str, audio: np.ndarray) -> Outputs:
        """As `Model`. Samples are rounded to seven digits after the point, half a step of 24 bits."""
        body = rest.encode_request(signature, {"audio": audio})
        status, answer = self.exchange("POST", rest.predict_path(self.name), body)
        try:
            outputs = _refuse_bad_clips(rest.decode_answer(status, answer))
            return {name: np.asarray(values, np.float32) for name, values in outputs.items()}
        except rest.RestError as error:
            reason = str(error)
        except (TypeError, ValueError):
            reason = "its outputs are not numbers"
        if status == BAD_REQUEST:
            raise ModelError(reason)
        raise ModelError(
            f"model {self.name!r} at --server={self.server} did not answer (HTTP {status}): {reason}", BAD_GATEWAY
        )

    def exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """As `Model`: what comes and goes is passed on unread."""
        try:
            return self._rest.exchange(method, path, body)
        except rest.ServerUnreachable as error:
            raise ModelError(str(error), BAD_GATEWAY) from error


def _refuse_bad_clips(outputs: dict[str, Any]) -> dict[str, Any]:
    """Return outputs without `error`, which is empty.

    Raises:
        ModelError: It is not.
    """
    if error := rest.read_error(outputs):
        raise ModelError(error)
    return {name: values for name, values in outputs.items() if name != "error"}


def _read_request(body: bytes) -> tuple[str, np.ndarray]:
    """Read the signature and the clips (batch, samples) of a request.

    Raises:
        ModelError: It is none.
    """
    try:
        signature, values = rest.decode_request(body, "audio", SIGNATURES[0])
        audio = np.asarray(values)
    except ValueError as error:
        raise ModelError(
            f'the request cannot be read ({error}): send {{"signature_name": "taggram", "inputs": {{"audio": '
            "[[...]]}}"
        ) from error
    if signature not in SIGNATURES:
        raise ModelError(f"signature_name={signature!r} is not answered here: choose one of {', '.join(SIGNATURES)}")
    if audio.dtype.kind not in "fiu" or audio.ndim != 2:
        raise ModelError(f"audio is {audio.dtype} {audio.shape}: send numbers, a batch of clips (batch, samples)")
    return signature, audio
