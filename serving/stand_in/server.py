"""A stand-in for TensorFlow Serving, for tests and benchmarks: not TensorFlow Serving, and not for production.

It runs in the process that makes it, loads exports with `tf.saved_model.load`, and answers in the shape of TF
Serving's specification: the REST predict API (rows and columns, signature names, versions and labels, base64, errors),
the status and metadata of models, and gRPC's PredictionService.Predict. It takes the same ModelServerConfig, and looks
for versions at every request, where TF Serving polls.

Its messages are its own, its speed says nothing of TF Serving's, and where it batches, requests of another length wait
for a batch of their own, where TF Serving refuses them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from serving.stand_in.batches import Batches, Batching, Job, call
from serving.stand_in.failure import Arrays, Failure
from serving.stand_in.rest import Handler, HttpServer


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
        self._batches = Batches(batching) if batching else None
        self._http = HttpServer(("127.0.0.1", 0), type("Handler", (Handler,), {"stand_in": self}))
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
            return version, self._batches.answer(Job(function, given))
        return version, call(function, given)

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
