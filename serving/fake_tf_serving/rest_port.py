"""The REST port: predictions, and the status and metadata of models."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from tensorflow_serving.apis import model_pb2

from serving.fake_tf_serving.failure import Failure, make_refusal
from serving.fake_tf_serving.models import ServedModels
from serving.fake_tf_serving.rest_values import parse_request, read_columns, read_rows, write_columns, write_rows

URL = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?(?P<verb>:predict|/metadata)?"
)
CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.INTERNAL: 500,
}


class HttpServer(ThreadingHTTPServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = 128  # with the default of five, some of sixteen clients would wait a second and try again

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that did not wait for its answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers requests; a subclass has the models."""

    models: ServedModels
    protocol_version = "HTTP/1.1"  # connections are kept open
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer with the status or the metadata of a model."""
        with self._answer_failures():
            spec, verb = self._read_spec()
            if verb == ":predict":
                raise _make_path_refusal(self.command, self.path)
            self._send(200, self.models.describe_signatures(spec) if verb else self.models.describe_status(spec))

    def do_POST(self) -> None:
        """Answer with predictions."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self._answer_failures():
            spec, verb = self._read_spec()
            if verb != ":predict":
                raise _make_path_refusal(self.command, self.path)
            request = parse_request(body)
            spec.signature_name = request.get("signature_name", "")
            rows = "instances" in request
            read = read_rows if rows else read_columns
            values = request["instances" if rows else "inputs"]
            _, outputs = self.models.predict(spec, lambda wanted: read(values, wanted))
            self._send(200, {"predictions": write_rows(outputs)} if rows else {"outputs": write_columns(outputs)})

    def log_message(self, *_: Any) -> None:
        """Say nothing on standard error."""

    def _read_spec(self) -> tuple[model_pb2.ModelSpec, str | None]:
        found = URL.fullmatch(self.path)
        if not found:
            raise _make_path_refusal(self.command, self.path)
        spec = model_pb2.ModelSpec(name=found["name"])
        if found["version"]:
            spec.version.value = int(found["version"])
        elif found["label"]:
            spec.version_label = found["label"]
        return spec, found["verb"]

    @contextlib.contextmanager
    def _answer_failures(self) -> Iterator[None]:
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


def _make_path_refusal(method: str, path: str) -> Failure:
    return make_refusal(f"Malformed request: {method} {path}")
