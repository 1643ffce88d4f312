"""Tag audio files by a model that TF Serving serves, over gRPC: `python -m serving.grpc_client --help`.

Four bytes a sample where JSON takes ten, and no text to parse: the faster of the two where samples are sent.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import grpc

from mcc_zoo.silence import quiet
from serving.client import RETRIES, Answer, Request, failure, late, parser, recorded, run, sentence

with quiet():  # TensorFlow, which the stubs import too, writes lines of its own
    import tensorflow as tf
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2_grpc

EXAMPLE = "python -m serving.grpc_client my_tagger song.mp3 more/*.flac --label=stable"
OF_THE_FILE = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED)
RETRY_POLICY = {
    "maxAttempts": 1 + RETRIES,
    "initialBackoff": "0.2s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
OPTIONS: list[tuple[str, Any]] = [
    ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": RETRY_POLICY}]})),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the client and return its exit status."""
    commands = parser("gRPC", "localhost:8500", EXAMPLE)
    arguments = commands.parse_args(argv)
    if "://" in arguments.server or ":" not in arguments.server:
        commands.error(f"--server={arguments.server!r}: give HOST:PORT, such as localhost:8500")
    with grpc.insecure_channel(arguments.server, OPTIONS) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        return run(arguments, lambda request: ask(stub, arguments, request))


def message(request: Request) -> predict_pb2.PredictRequest:
    """Put a request into a protocol buffer."""
    spec = model_pb2.ModelSpec(name=request.model, signature_name=request.signature)
    if request.version is not None:
        spec.version.value = request.version
    elif request.label is not None:
        spec.version_label = request.label
    value = [request.value] if isinstance(request.value, bytes) else request.value[None]
    return predict_pb2.PredictRequest(model_spec=spec, inputs={request.input: tf.make_tensor_proto(value)})


def ask(
    stub: prediction_service_pb2_grpc.PredictionServiceStub, arguments: argparse.Namespace, request: Request
) -> Answer:
    """Send a request and return its outputs.

    Raises:
        RequestRefused: The server refused this one, or did not answer in time.
        ServerUnusable: There is no server, or it has no such model, version or label.
    """
    sent = message(request)
    recorded(arguments, request, "pb", sent.SerializeToString())
    try:
        response = stub.Predict(sent, timeout=arguments.timeout)
    except grpc.RpcError as error:
        code, reason = error.code(), sentence(error.details() or "")
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            raise late(arguments) from None
        if code == grpc.StatusCode.UNAVAILABLE:
            reason += "; if it is not running, start it as in serving/README.md"
        raise failure(arguments, code.name, reason, of_the_file=code in OF_THE_FILE) from None
    return {name: tf.make_ndarray(tensor).tolist() for name, tensor in response.outputs.items()}


if __name__ == "__main__":
    sys.exit(main())
