"""The models behind the fake server: versions, labels, signatures, and the answer to a request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.fake_tf_serving.batching import Arrays, Batching, BatchQueue, Job, call_signature
from serving.fake_tf_serving.failure import Failure, make_refusal


class ServedModels:
    """Models by name, loaded when they are first asked.

    Attributes:
        config: Models, version policies and labels, TF Serving's. It can be changed while the server runs.
        busy: This number of requests is refused, as by a full queue.
        delay: Seconds that each prediction takes longer.
    """

    def __init__(self, config: model_server_config_pb2.ModelServerConfig, batching: Batching | None) -> None:
        """Load nothing yet."""
        self.config = config
        self.busy = 0
        self.delay = 0.0
        self._loaded: dict[Path, Any] = {}
        self._lock = threading.Lock()
        self._queue = BatchQueue(batching) if batching else None

    def close(self) -> None:
        """Stop the threads that compute batches."""
        if self._queue:
            self._queue.close()

    def list_versions(self, name: str) -> list[int]:
        """List the versions of a model that its policy serves, the newest first.

        Raises:
            Failure: There is no such model, or none of its versions.
        """
        model = self._find_model(name)
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

    def choose_version(self, spec: model_pb2.ModelSpec) -> int:
        """Choose the version that a request asks for: by number, by label, or the newest.

        Raises:
            Failure: There is none.
        """
        there = self.list_versions(spec.name)
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            labels = self._find_model(spec.name).version_labels
            if spec.version_label not in labels:
                raise make_refusal(f"Unrecognized servable version label: {spec.version_label}")
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
        version = self.choose_version(spec)
        signature = spec.signature_name or "serving_default"
        signatures = self._signatures(self._folder(spec.name, version))
        if signature not in signatures:
            raise make_refusal(f'Serving signature name: "{signature}" not found in signature def')
        function = signatures[signature]
        wanted = function.structured_input_signature[1]
        given = _check_inputs(inputs(wanted), wanted)
        if self._queue:
            return version, self._queue.answer(Job(function, given))
        return version, call_signature(function, given)

    def describe_signatures(self, spec: model_pb2.ModelSpec) -> dict[str, Any]:
        """Describe the signatures of a version, as GetModelMetadata's JSON."""
        version = self.choose_version(spec)
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

    def describe_status(self, spec: model_pb2.ModelSpec) -> dict[str, Any]:
        """List a model's versions, or the one asked for, as GetModelStatus's JSON."""
        asked = spec.WhichOneof("version_choice")
        versions = [self.choose_version(spec)] if asked else self.list_versions(spec.name)
        ok = {"error_code": "OK", "error_message": ""}
        return {
            "model_version_status": [{"version": str(found), "state": "AVAILABLE", "status": ok} for found in versions]
        }

    def _find_model(self, name: str) -> model_server_config_pb2.ModelConfig:
        for model in self.config.model_config_list.config:
            if model.name == name:
                return model
        raise Failure(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({name})")

    def _folder(self, name: str, version: int) -> Path:
        return Path(self._find_model(name).base_path) / str(version)

    def _signatures(self, folder: Path) -> Mapping[str, Any]:
        with self._lock:
            if folder not in self._loaded:
                self._loaded[folder] = tf.saved_model.load(str(folder))
            return self._loaded[folder].signatures


def _check_inputs(given: Arrays, wanted: dict[str, tf.TensorSpec]) -> Arrays:
    if given.keys() != wanted.keys():
        raise make_refusal(f"input size does not match signature: got {sorted(given)}, expected {sorted(wanted)}")
    for name, spec in wanted.items():
        if not spec.shape.is_compatible_with(given[name].shape):
            raise make_refusal(f"Tensor {name} has shape {list(given[name].shape)}, expected {spec.shape}")
    return given
