"""The fake server: models behind two ports of this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from serving.fake_tf_serving.batching import Batching
from serving.fake_tf_serving.grpc_port import PredictionService
from serving.fake_tf_serving.models import ServedModels
from serving.fake_tf_serving.rest_port import Handler, HttpServer


class FakeTFServing:
    """A test double of TensorFlow Serving. Use it in a `with` statement.

    Attributes:
        models: What is served; its `busy` and `delay` make it fail or wait.
        rest: Its URL, http://127.0.0.1:PORT.
        grpc: Its address, 127.0.0.1:PORT.
    """

    def __init__(self, config: model_server_config_pb2.ModelServerConfig, batching: Batching | None = None) -> None:
        """Take two free ports.

        Args:
            config: As TF Serving's --model_config_file.
            batching: None answers each request by itself.
        """
        self.models = ServedModels(config, batching)
        self._http = HttpServer(("127.0.0.1", 0), type("Handler", (Handler,), {"models": self.models}))
        self._grpc = grpc.server(ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", -1)])
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(self.models), self._grpc)
        self.rest = f"http://127.0.0.1:{self._http.server_port}"
        self.grpc = f"127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> FakeTFServing:
        """Start to listen."""
        Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._grpc.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(grace=None).wait()
        self.models.close()
