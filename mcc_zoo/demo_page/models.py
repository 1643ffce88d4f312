"""The model behind the page: an export loaded here, or TF Serving at an address; both take TF Serving's REST requests.

Of the protocol the loaded export answers what the page needs: `POST /v1/models/NAME:predict` with the signatures that
take audio, in the columnar form ("inputs").
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import numpy as np
import requests
import tensorflow as tf

SIGNATURES = ("serving_default", "taggram")  # those whose only input is audio
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0
BAD_REQUEST, BAD_GATEWAY = 400, 502

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
        self._path = predict_path(name)
        self._saved = tf.saved_model.load(str(folder))  # its signatures live as long as it does

    def predict(self, signature: str, audio: np.ndarray) -> Outputs:
        """As `Model`."""
        try:
            outputs = self._saved.signatures[signature](audio=tf.constant(audio, tf.float32))
        except tf.errors.InvalidArgumentError as error:
            raise ModelError(sentence(error.message)) from error
        return {name: value.numpy() for name, value in outputs.items()}

    def exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """As `Model`."""
        if (method, path) != ("POST", self._path):
            raise ModelError(f"{method} {path} is not answered here: ask POST {self._path}", 404)
        signature, audio = _request(body)
        outputs = self.predict(signature, audio)
        return 200, json.dumps({"outputs": {name: value.tolist() for name, value in outputs.items()}}).encode()


class ServedModel:
    """A model that TF Serving serves.

    Args:
        server: Its address, http://HOST:8501.
        name: The model's.
    """

    def __init__(self, server: str, name: str) -> None:
        """Connect to nothing yet."""
        self.server, self.name = server.rstrip("/"), name

    def predict(self, signature: str, audio: np.ndarray) -> Outputs:
        """As `Model`. Samples are rounded to seven digits after the point, half a step of 24 bits."""
        rows = audio.astype("float64").round(7).tolist()
        body = json.dumps({"signature_name": signature, "inputs": {"audio": rows}}).encode()
        status, answer = self.exchange("POST", predict_path(self.name), body)
        try:
            said = json.loads(answer)
            if status == 200:
                return {name: np.asarray(values, np.float32) for name, values in said["outputs"].items()}
            reason = sentence(said["error"])
        except (AttributeError, KeyError, TypeError, ValueError):
            reason = "it does not speak TF Serving's REST protocol"
        if status == BAD_REQUEST:
            raise ModelError(reason)
        raise ModelError(
            f"model {self.name!r} at --server={self.server} did not answer (HTTP {status}): {reason}", BAD_GATEWAY
        )

    def exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """As `Model`: what comes and goes is passed on unread."""
        try:
            response = requests.request(
                method,
                self.server + quote(path, safe="/:"),
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                allow_redirects=False,
            )
        except (requests.RequestException, ValueError) as error:
            raise ModelError(
                f"no TF Serving answers at --server={self.server} ({type(error).__name__}): start it, as in "
                "serving/README.md, or give its address",
                BAD_GATEWAY,
            ) from error
        return response.status_code, response.content


def predict_path(name: str) -> str:
    """Give the path of a model's predictions, not quoted."""
    return f"/v1/models/{name}:predict"


def sentence(message: str) -> str:
    r"""Keep what a person can use of a failed assertion's message; another message stays as it is.

    >>> sentence("Graph execution error: assertion failed: [audio is too short; it has] [100] [[{{node a/Assert}}]]")
    'audio is too short; it has 100'
    """
    found = re.search(r"assertion failed: \[(.*?)\]\s*(?:\[\[|$)", message, re.DOTALL)
    return found[1].replace("] [", " ") if found else message.strip()


def _request(body: bytes) -> tuple[str, np.ndarray]:
    """Read the signature and the clips (batch, samples) of a request.

    Raises:
        ModelError: It is none.
    """
    try:
        request: Any = json.loads(body)
        inputs = request["inputs"]
        audio = np.asarray(inputs["audio"] if isinstance(inputs, dict) else inputs)
        signature = request.get("signature_name") or SIGNATURES[0]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ModelError(
            f'the request cannot be read ({error!r}): send {{"signature_name": "taggram", "inputs": {{"audio": '
            "[[...]]}}"
        ) from error
    if signature not in SIGNATURES:
        raise ModelError(f"signature_name={signature!r} is not answered here: choose one of {', '.join(SIGNATURES)}")
    if audio.dtype.kind not in "fiu" or audio.ndim != 2:
        raise ModelError(f"audio is {audio.dtype} {audio.shape}: send numbers, a batch of clips (batch, samples)")
    return signature, audio
