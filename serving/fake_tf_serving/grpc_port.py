"""The gRPC port: PredictionService.Predict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2_grpc

from serving.fake_tf_serving.batching import Arrays
from serving.fake_tf_serving.failure import Failure, make_refusal
from serving.fake_tf_serving.models import ServedModels


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """TF Serving's prediction service, of which Predict is answered."""

    def __init__(self, models: ServedModels) -> None:
        """Take the models to ask."""
        self._models = models

    def Predict(self, request: Any, context: grpc.ServicerContext) -> predict_pb2.PredictResponse:
        """Answer a request; a failure ends it with its code."""
        spec = request.model_spec
        try:
            version, outputs = self._models.predict(spec, lambda wanted: _read_tensors(request.inputs, wanted))
        except Failure as error:
            context.abort(error.code, str(error))
        answered = model_pb2.ModelSpec(name=spec.name, signature_name=spec.signature_name or "serving_default")
        answered.version.value = version
        tensors = {name: tf.make_tensor_proto(value) for name, value in outputs.items()}
        return predict_pb2.PredictResponse(model_spec=answered, outputs=tensors)


def _read_tensors(given: Mapping[str, Any], wanted: dict[str, tf.TensorSpec]) -> Arrays:
    for name, tensor in given.items():
        if name in wanted and tensor.dtype != wanted[name].dtype.as_datatype_enum:
            raise make_refusal(f"input {name} must be of type {wanted[name].dtype.name}")
    try:
        return {name: tf.make_ndarray(tensor) for name, tensor in given.items()}
    except (TypeError, ValueError) as error:
        raise make_refusal(f"tensor cannot be parsed: {error}") from error
