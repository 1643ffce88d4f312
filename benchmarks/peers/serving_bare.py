"""The bare model call: the export's signature, called one time after the other on the audio of a recorded request."""

import base64
import sys
import time
from pathlib import Path

import tensorflow as tf
from serve import serve
from tensorflow_serving.apis import predict_pb2

recorded = predict_pb2.PredictRequest.FromString(Path(sys.argv[2]).read_bytes())
audio = tf.constant(tf.make_ndarray(recorded.inputs["audio"]))
loaded = tf.saved_model.load(sys.argv[1])
signature = loaded.signatures["serving_default"]


def work(requests):
    """Call it so many times."""
    latencies = []
    for _ in range(requests):
        start = time.perf_counter()
        tags = signature(audio=audio)["tags"].numpy()
        latencies.append(time.perf_counter() - start)
    answer = predict_pb2.PredictResponse(outputs={"tags": tf.make_tensor_proto(tags)})
    return {"latencies": latencies, "answer": base64.b64encode(answer.SerializeToString()).decode()}


serve(work)
