"""Whether a client still waits for its answer: WSGI does not tell, the connection does."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator

import numpy as np
from werkzeug.exceptions import ClientDisconnected


def pass_while_connected(blocks: Iterator[np.ndarray], connection: socket.socket | None) -> Iterator[np.ndarray]:
    """Pass blocks on until the client has left.

    Args:
        blocks: Of a waveform, (samples,).
        connection: The client's, whose request has been read; None where the server does not give it.

    Raises:
        ClientDisconnected: The client has left.
    """
    for block in blocks:
        if connection is not None and has_left(connection):
            raise ClientDisconnected
        yield block


def has_left(connection: socket.socket) -> bool:
    """Find out whether the client has closed its connection, or the half of it on which it sends."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        if not selector.select(timeout=0):
            return False
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except ConnectionError:
        return True
