"""A stand-in for TensorFlow Serving, for tests and benchmarks."""

from serving.stand_in.batches import Batching
from serving.stand_in.server import StandIn

__all__ = ["Batching", "StandIn"]
