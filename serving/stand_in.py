"""A stand-in for TensorFlow Serving, for tests and benchmarks: not TensorFlow Serving, and not for production.

It runs in the process that makes it, loads exports with `tf.saved_model.load`, and answers in the shape of TF
Serving's specification: the REST predict API (rows and columns, signature names, versions and labels, base64, errors),
the status and metadata of models, and gRPC's PredictionService.Predict. It takes the same ModelServerConfig, and looks
for versions at every request, where TF Serving polls.

Its messages are its own, its speed says nothing of TF Serving's, and where it batches, requests of another length wait
for a batch of their own, where TF Serving refuses them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

URL = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?(?P<verb>:predict|/metadata)?"
)
CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.INTERNAL: 500,
}
Arrays = dict[str, np.ndarray]


class Failure(Exception):
    """A request that fails, with the code that gRPC gives it; REST's follows from it."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Batching:
    """How requests are joined.

    Attributes:
        rows: At most so many.
        seconds: The first one waits for others so long.
        threads: Batches that are computed at a time.
    """

    rows: int = 16
    seconds: float = 0.002
    threads: int = 2


@dataclass(frozen=True)
class _Job:
    function: Any
    inputs: Arrays
    outputs: Future[Arrays] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What two jobs have in common that can be joined."""
        return id(self.function), *((name, value.shape[1:]) for name, value in sorted(self.inputs.items()))

    @property
    def rows(self) -> int:
        return len(next(iter(self.inputs.values())))


class StandIn:
    """Models behind two ports of this machine. Use it in a `with` statement.

    Attributes:
        rest: Its URL, http://127.0.0.1:PORT.
        grpc: Its address, 127.0.0.1:PORT.
        busy: So many requests for predictions are refused as by a full queue, one after the other.
        delay: Seconds that each prediction takes longer.
    """

    def __init__(self, config: model_server_config_pb2.ModelServerConfig, batching: Batching | None = None) -> None:
        """Take the configuration; base paths and all are TF Serving's.

        Args:
            config: Models, version policies and labels. It can be changed while the server runs.
            batching: None answers each request by itself.
        """
        self.config = config
        self.busy = 0
        self.delay = 0.0
        self._loaded: dict[Path, Any] = {}
        self._lock = threading.Lock()
        self._batches = _Batches(batching) if batching else None
        self._http = _HttpServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stand_in": self}))
        self._grpc = grpc.server(ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", -1)])
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Servicer(self), self._grpc)
        self.rest = f"http://127.0.0.1:{self._http.server_port}"
        self.grpc = f"127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> StandIn:
        """Start to listen."""
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._grpc.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(grace=None).wait()
        if self._batches:
            self._batches.close()

    def versions(self, name: str) -> list[int]:
        """List a model's versions that its policy lets live, the newest first.

        Raises:
            Failure: There is no such model, or none of its versions.
        """
        model = self._model(name)
        there = {int(path.name) for path in Path(model.base_path).glob("*") if path.name.isdecimal()}
        policy = model.model_version_policy
        kind = policy.WhichOneof("policy_choice")
        newest_first = sorted(there, reverse=True)
        if kind == "specific":
            found = [version for version in newest_first if version in policy.specific.versions]
        else:
            found = newest_first if kind == "all" else newest_first[: policy.latest.num_versions or 1]
        if not found:
            raise Failure(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        return found

    def version(self, spec: model_pb2.ModelSpec) -> int:
        """Choose the version that a request asks for: by number, by label, or the newest.

        Raises:
            Failure: There is none.
        """
        there = self.versions(spec.name)
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            labels = self._model(spec.name).version_labels
            if spec.version_label not in labels:
                raise Failure(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"Unrecognized servable version label: {spec.version_label}",
                )
            wanted = labels[spec.version_label]
        else:
            wanted = spec.version.value if choice == "version" else there[0]
        if wanted not in there:
            raise Failure(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Specific({spec.name}, {wanted})")
        return wanted

    def predict(
        self, spec: model_pb2.ModelSpec, inputs: Callable[[dict[str, tf.TensorSpec]], Arrays]
    ) -> tuple[int, Arrays]:
        """Answer a request.

        Args:
            spec: Model, version and signature.
            inputs: Given the signature's inputs, gives their values.

        Returns:
            The version that answered, and its outputs.

        Raises:
            Failure: With the code and message of the answer.
        """
        with self._lock:
            refused, self.busy = self.busy > 0, max(0, self.busy - 1)
        if refused:
            raise Failure(grpc.StatusCode.UNAVAILABLE, "The batch scheduling queue to which this task was sent is full")
        time.sleep(self.delay)
        version = self.version(spec)
        signature = spec.signature_name or "serving_default"
        signatures = self._signatures(self._folder(spec.name, version))
        if signature not in signatures:
            raise Failure(
                grpc.StatusCode.INVALID_ARGUMENT,
                f'Serving signature name: "{signature}" not found in signature def',
            )
        function = signatures[signature]
        wanted = function.structured_input_signature[1]
        given = _checked(inputs(wanted), wanted)
        if self._batches:
            return version, self._batches.answer(_Job(function, given))
        return version, _call(function, given)

    def metadata(self, spec: model_pb2.ModelSpec) -> dict[str, Any]:
        """Describe the signatures of a version, as GetModelMetadata's JSON."""
        version = self.version(spec)
        saved = saved_model_pb2.SavedModel()
        saved.ParseFromString((self._folder(spec.name, version) / "saved_model.pb").read_bytes())
        signatures = {
            name: json_format.MessageToDict(found, preserving_proto_field_name=True)
            for name, found in saved.meta_graphs[0].signature_def.items()
        }
        return {
            "model_spec": {"name": spec.name, "signature_name": "", "version": str(version)},
            "metadata": {"signature_def": {"signature_def": signatures}},
        }

    def status(self, spec: model_pb2.ModelSpec) -> dict[str, Any]:
        """List a model's versions, or the one asked for, as GetModelStatus's JSON."""
        asked = spec.WhichOneof("version_choice")
        versions = [self.version(spec)] if asked else self.versions(spec.name)
        ok = {"error_code": "OK", "error_message": ""}
        return {
            "model_version_status": [{"version": str(found), "state": "AVAILABLE", "status": ok} for found in versions]
        }

    def _model(self, name: str) -> model_server_config_pb2.ModelConfig:
        for model in self.config.model_config_list.config:
            if model.name == name:
                return model
        raise Failure(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({name})")

    def _folder(self, name: str, version: int) -> Path:
        return Path(self._model(name).base_path) / str(version)

    def _signatures(self, folder: Path) -> Mapping[str, Any]:
        with self._lock:
            if folder not in self._loaded:
                self._loaded[folder] = tf.saved_model.load(str(folder))
            return self._loaded[folder].signatures


def _checked(given: Arrays, wanted: dict[str, tf.TensorSpec]) -> Arrays:
    if given.keys() != wanted.keys():
        raise Failure(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"input size does not match signature: got {sorted(given)}, expected {sorted(wanted)}",
        )
    for name, spec in wanted.items():
        if not spec.shape.is_compatible_with(given[name].shape):
            raise Failure(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"Tensor {name} has shape {list(given[name].shape)}, expected {spec.shape}",
            )
    return given


def _call(function: Any, inputs: Arrays) -> Arrays:
    try:
        outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
    except tf.errors.InvalidArgumentError as error:
        raise Failure(grpc.StatusCode.INVALID_ARGUMENT, error.message) from error
    except tf.errors.OpError as error:
        raise Failure(grpc.StatusCode.INTERNAL, error.message) from error
    return {name: value.numpy() for name, value in outputs.items()}


class _Batches:
    """A queue that joins requests for one signature whose rows have one shape."""

    def __init__(self, batching: Batching) -> None:
        self._batching = batching
        self._waiting: SimpleQueue[_Job | None] = SimpleQueue()
        self._pool = ThreadPoolExecutor(batching.threads)
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def answer(self, job: _Job) -> Arrays:
        self._waiting.put(job)
        return job.outputs.result()

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join()
        self._pool.shutdown()

    def _collect(self) -> None:
        while (first := self._waiting.get()) is not None:
            jobs, rows, deadline = [first], first.rows, time.monotonic() + self._batching.seconds
            last = False
            while rows < self._batching.rows and not last:
                try:
                    job = self._waiting.get(timeout=max(0.0, deadline - time.monotonic()))
                except Empty:
                    break
                last = job is None
                if job:
                    jobs.append(job)
                    rows += job.rows
            for kind in {job.kind for job in jobs}:
                self._pool.submit(self._run, [job for job in jobs if job.kind == kind])
            if last:
                return

    def _run(self, jobs: list[_Job]) -> None:
        joined = {name: np.concatenate([job.inputs[name] for job in jobs]) for name in jobs[0].inputs}
        try:
            outputs = _call(jobs[0].function, joined)
        except Failure as error:
            for job in jobs:
                job.outputs.set_exception(error)
            return
        start = 0
        for job in jobs:
            job.outputs.set_result({name: value[start : start + job.rows] for name, value in outputs.items()})
            start += job.rows


class _Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in

    def Predict(self, request: Any, context: grpc.ServicerContext) -> predict_pb2.PredictResponse:
        spec = request.model_spec
        try:
            version, outputs = self._stand_in.predict(spec, lambda wanted: _from_protos(request.inputs, wanted))
        except Failure as error:
            context.abort(error.code, str(error))
        answered = model_pb2.ModelSpec(name=spec.name, signature_name=spec.signature_name or "serving_default")
        answered.version.value = version
        tensors = {name: tf.make_tensor_proto(value) for name, value in outputs.items()}
        return predict_pb2.PredictResponse(model_spec=answered, outputs=tensors)


def _from_protos(given: Mapping[str, Any], wanted: dict[str, tf.TensorSpec]) -> Arrays:
    for name, tensor in given.items():
        if name in wanted and tensor.dtype != wanted[name].dtype.as_datatype_enum:
            raise Failure(grpc.StatusCode.INVALID_ARGUMENT, f"input {name} must be of type {wanted[name].dtype.name}")
    try:
        return {name: tf.make_ndarray(tensor) for name, tensor in given.items()}
    except (TypeError, ValueError) as error:
        raise Failure(grpc.StatusCode.INVALID_ARGUMENT, f"tensor cannot be parsed: {error}") from error


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # of the five by default some of sixteen clients would wait a second for the next try

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # of a client that did not wait for its answer
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn
    protocol_version = "HTTP/1.1"  # connections stay
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        with self._failures():
            spec, verb = self._spec()
            if verb == ":predict":
                raise _malformed(self.command, self.path)
            self._send(200, self.stand_in.metadata(spec) if verb else self.stand_in.status(spec))

    def do_POST(self) -> None:
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
