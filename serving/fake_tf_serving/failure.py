"""What comes instead of outputs."""

from __future__ import annotations

import grpc


class Failure(Exception):
    """A request that fails, with the code that gRPC gives it; REST's follows from it."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.code = code


def make_refusal(message: str) -> Failure:
    """Make the failure of a bad request: INVALID_ARGUMENT, 400 over REST."""
    return Failure(grpc.StatusCode.INVALID_ARGUMENT, message)
