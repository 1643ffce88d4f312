"""A fake of TensorFlow Serving, a test double for the clients' tests and the benchmarks; not for production.

It runs in the process that makes it, loads exports with `tf.saved_model.load`, and answers in the shape of TF
Serving's specification: the REST predict API (rows and columns, signature names, versions and labels, base64, errors),
the status and metadata of models, and gRPC's PredictionService.Predict. It takes the same ModelServerConfig, and looks
for versions at every request, where TF Serving polls. It shares no code with the clients, so that a mistake in theirs
shows.

Its messages are its own, and its speed is not TF Serving's. Where it batches, a request that fails, or whose rows have
another shape, fails all of its batch, as in TF Serving.
"""

from serving.fake_tf_serving.batching import Batching
from serving.fake_tf_serving.server import FakeTFServing

__all__ = ["Batching", "FakeTFServing"]
