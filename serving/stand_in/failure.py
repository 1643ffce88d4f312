"""A request that fails, and the arrays of one that does not."""

from __future__ import annotations

import grpc
import numpy as np

Arrays = dict[str, np.ndarray]


class Failure(Exception):
    """A request that fails, with the code that gRPC gives it; REST's follows from it."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.code = code
