"""TF Serving's REST interface: requests by rows and columns, and answers."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2

from serving.stand_in.failure import Arrays, Failure

if TYPE_CHECKING:
    from serving.stand_in.server import StandIn

URL = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?(?P<verb>:predict|/metadata)?"
)


CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.INTERNAL: 500,
}


class HttpServer(ThreadingHTTPServer):
    """A server of REST requests, a thread each."""

    daemon_threads = True
    request_queue_size = 128  # of the five by default some of sixteen clients would wait a second for the next try

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over clients that did not wait for their answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Reads a request and answers it by a `StandIn`."""

    stand_in: StandIn
    protocol_version = "HTTP/1.1"  # connections stay
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer the status or metadata of a model."""
        with self._failures():
            spec, verb = self._spec()
            if verb == ":predict":
                raise _malformed(self.command, self.path)
            self._send(200, self.stand_in.metadata(spec) if verb else self.stand_in.status(spec))

    def do_POST(self) -> None:
        """Answer a request for predictions."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self._failures():
            spec, verb = self._spec()
            if verb != ":predict":
                raise _malformed(self.command, self.path)
            request = _parsed(body)
            spec.signature_name = request.get("signature_name", "")
            rows = "instances" in request
            read = _from_rows if rows else _from_columns
            values = request["instances" if rows else "inputs"]
            _, outputs = self.stand_in.predict(spec, lambda wanted: read(values, wanted))
            self._send(200, {"predictions": _as_rows(outputs)} if rows else {"outputs": _as_columns(outputs)})

    def log_message(self, *_: Any) -> None:
        """Say nothing on standard error."""

    def _spec(self) -> tuple[model_pb2.ModelSpec, str | None]:
        found = URL.fullmatch(self.path)
        if not found:
            raise _malformed(self.command, self.path)
        spec = model_pb2.ModelSpec(name=found["name"])
        if found["version"]:
            spec.version.value = int(found["version"])
        elif found["label"]:
            spec.version_label = found["label"]
        return spec, found["verb"]

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except Failure as error:
            self._send(CODES[error.code], {"error": str(error)})

    def _send(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _malformed(method: str, path: str) -> Failure:
    return Failure(grpc.StatusCode.INVALID_ARGUMENT, f"Malformed request: {method} {path}")


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except ValueError as error:
        raise Failure(grpc.StatusCode.INVALID_ARGUMENT, f"JSON Parse error: {error}") from error
    if not isinstance(request, dict) or ("instances" in request) == ("inputs" in request):
        raise Failure(
            grpc.StatusCode.INVALID_ARGUMENT,
            "Request must be a JSON object with either 'instances' or 'inputs', and not both",
        )
    return request


def _from_rows(rows: Any, wanted: dict[str, tf.TensorSpec]) -> Arrays:
    if not isinstance(rows, list) or not rows:
        raise Failure(grpc.StatusCode.INVALID_ARGUMENT, "'instances' must be a list that is not empty")
    if not _names_inputs(rows[0]):
        return _from_columns(rows, wanted)
    if any(not _names_inputs(row) or row.keys() != rows[0].keys() for row in rows):
        raise Failure(grpc.StatusCode.INVALID_ARGUMENT, "'instances' must all name the same inputs")
    return _from_columns({name: [row[name] for row in rows] for name in rows[0]}, wanted)


def _from_columns(columns: Any, wanted: dict[str, tf.TensorSpec]) -> Arrays:
    if not _names_inputs(columns):
        if len(wanted) != 1:
            raise Failure(grpc.StatusCode.INVALID_ARGUMENT, f"inputs must be named: {sorted(wanted)}")
        columns = {next(iter(wanted)): columns}
    return {name: _array(name, value, wanted[name]) if name in wanted else value for name, value in columns.items()}


def _names_inputs(value: Any) -> bool:
    return isinstance(value, dict) and set(value) != {"b64"}  # which is a value: a string of bytes


def _array(name: str, value: Any, spec: tf.TensorSpec) -> np.ndarray:
    try:
        if spec.dtype == tf.string:
            return np.array(_as_bytes(value), dtype=object)
        array = np.asarray(value)
        if array.dtype.kind not in "fiub" or array.dtype == object:
            raise ValueError("not all values are numbers, or lists differ in length")
        return array.astype(spec.dtype.as_numpy_dtype)
    except ValueError as error:
        raise Failure(
            grpc.StatusCode.INVALID_ARGUMENT, f"JSON Value of {name} is no {spec.dtype.name} tensor: {error}"
        ) from error


def _as_bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_bytes(item) for item in value]
    if isinstance(value, dict) and isinstance(value.get("b64"), str):
        return base64.b64decode(value["b64"], validate=True)
    if isinstance(value, str):
        return value.encode()
    raise ValueError(f"{value!r} is no string")


def _as_rows(outputs: Arrays) -> list[Any]:
    columns = {name: _as_json(name, value) for name, value in outputs.items()}
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _as_columns(outputs: Arrays) -> Any:
    columns = {name: _as_json(name, value) for name, value in outputs.items()}
    return next(iter(columns.values())) if len(columns) == 1 else columns


def _as_json(name: str, value: np.ndarray) -> Any:
    if value.dtype != object:
        return value.tolist()
    return _as_texts(value.tolist(), _in_base64 if name.endswith("_bytes") else bytes.decode)


def _as_texts(value: Any, as_text: Callable[[bytes], Any]) -> Any:
    return [_as_texts(item, as_text) for item in value] if isinstance(value, list) else as_text(value)


def _in_base64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}
