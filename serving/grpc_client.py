"""Tag audio files by a model that TF Serving serves, over gRPC: `python -m serving.grpc_client --help`.

Four bytes a sample where JSON takes ten, and no text to parse: the faster of the two where samples are sent.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import typer

from mcc_zoo.export.rest import extract_reason
from mcc_zoo.tensorflow_start import quiet
from serving.client import RETRIES, Answer, Ask, build_app, run_app
from serving.options import Options

with quiet():  # TensorFlow, which the stubs import too, writes lines of its own
    import tensorflow as tf
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2_grpc

OF_THE_FILE = (  # FAILED_PRECONDITION: clips of other lengths were in its batch
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
)
RETRY_POLICY = {
    "maxAttempts": 1 + RETRIES,
    "initialBackoff": "0.2s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
CHANNEL_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": RETRY_POLICY}]})),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the client and return its exit status."""
    return run_app(app, arguments)


@contextlib.contextmanager
def connect(options: Options) -> Iterator[Ask]:
    """Open a channel and give the function that asks the server.

    Raises:
        typer.BadParameter: --server is no address.
    """
    if "://" in options.server or ":" not in options.server:
        raise typer.BadParameter(f"--server={options.server!r}: give HOST:PORT, such as localhost:8500")
    with grpc.insecure_channel(options.server, CHANNEL_OPTIONS) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        yield lambda file, value: ask(stub, options, file, value)


def encode(options: Options, value: Any) -> predict_pb2.PredictRequest:
    """Write a request: audio (samples,) float32, or the bytes of a WAV file."""
    spec = model_pb2.ModelSpec(name=options.model, signature_name=options.signature)
    if options.version is not None:
        spec.version.value = options.version
    elif options.label is not None:
        spec.version_label = options.label
    batch = [value] if isinstance(value, bytes) else value[None]
    return predict_pb2.PredictRequest(model_spec=spec, inputs={options.input: tf.make_tensor_proto(batch)})


def ask(stub: prediction_service_pb2_grpc.PredictionServiceStub, options: Options, file: str, value: Any) -> Answer:
    """Send a request and return its outputs.

    Raises:
        RequestRefused: The server refused this one, or did not answer in time.
        ServerUnusable: There is no server, or it has no such model, version or label.
    """
    sent = encode(options, value)
    options.record_request(file, "pb", sent.SerializeToString())
    try:
        response = stub.Predict(sent, timeout=options.timeout)
    except grpc.RpcError as error:
        code, reason = error.code(), extract_reason(error.details() or "")
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            raise options.as_late() from None
        if code == grpc.StatusCode.UNAVAILABLE:
            reason += "; if it is not running, start it as in serving/README.md"
        raise options.as_error(code.name, reason, of_the_file=code in OF_THE_FILE) from None
    return {name: tf.make_ndarray(tensor).tolist() for name, tensor in response.outputs.items()}


app = build_app("gRPC", "localhost:8500", connect)

if __name__ == "__main__":
    sys.exit(main())
