"""Decode audio in a process of its own, so that a file on which the decoder crashes or hangs costs that file alone.

`IsolatedDecoder` starts the process; `main` is what runs in it. It reads requests, one line of JSON each, from its
standard input and writes messages to its standard output: eight bytes, a signed integer, then a body. A positive
integer is the number of float32 samples that follow, 0 ends a file, and a negative integer is the number of bytes of an
error message. The process imports no TensorFlow, except for tensorflow-io.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO

import numpy as np

from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.decoders import DECODERS, Decoder, DecoderName, find_decoder
from mcc_zoo.audio.reading import decode_blocks

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]

MESSAGE_HEADER = struct.Struct("<q")
TIMEOUT_SECONDS = 120.0
# While this process is stopped, or its container is suspended, clocks go on: that costs the slice in which it happens.
SLICES = 120  # of the timeout
# The process gets this process's search path, so that both import the same modules.
START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from mcc_zoo.audio.subprocess_decoder import main; main(sys.argv[2])"
)
# Exit statuses of a process that the system, or somebody, ended; a crash has others.
FROM_OUTSIDE = (-signal.SIGTERM, -getattr(signal, "SIGKILL", signal.SIGTERM))
PIPE_BYTES = 1 << 20  # six seconds of audio at 44,100 Hz, so that the decoder seldom waits for its reader


class _EndedFromOutsideError(Exception):
    """The process was ended by a signal that neither a decoder's crash nor this process sends."""


class IsolatedDecoder:
    """Reads audio files as `mcc_zoo.audio.reading.read_blocks` does, in a process that is restarted when it dies.

    Use it in a `with` statement. It reads one file at a time: the next call ends an iterator that was left early.

    Args:
        timeout: Seconds without a block after which the decoder counts as hung. Time in which this process is stopped
            does not count.
        decoder: The decoder, as in `mcc_zoo.audio.reading.read_blocks`.

    Raises:
        ValueError: The decoder is unknown or not installed.
    """

    def __init__(self, timeout: float = TIMEOUT_SECONDS, decoder: DecoderName | Decoder = "auto") -> None:
        """Find the decoder; the process starts with the first file."""
        self.timeout = timeout
        self.decoder = find_decoder(decoder)
        self._process: subprocess.Popen[bytes] | None = None
        self._busy = False
        self._reading = threading.Lock()

    def read_blocks(
        self,
        path: str | bytes | os.PathLike[str],
        sample_rate: int,
        block_samples: int,
        *,
        max_seconds: float | None = None,
    ) -> Iterator[np.ndarray]:
        """Yield the file's blocks: float32 arrays (block_samples,), the last one may be shorter.

        A decoder that somebody else ends, such as a system that lacks memory, is started again, and the file read on.

        Raises:
            mcc_zoo.audio.AudioError: The file is refused, or the decoder crashed or hung on it, or was ended twice.
            OSError: No process can be started.
        """
        path, done = os.fsdecode(path), 0
        try:
            for block in self._read_once(path, sample_rate, block_samples, max_seconds):
                done += 1
                yield block
        except _EndedFromOutsideError:
            try:
                yield from itertools.islice(self._read_once(path, sample_rate, block_samples, max_seconds), done, None)
            except _EndedFromOutsideError:
                raise AudioError(
                    path,
                    "the decoder was ended from outside twice, perhaps for lack of memory: free some, and try again",
                ) from None

    def _read_once(
        self, path: str, sample_rate: int, block_samples: int, max_seconds: float | None
    ) -> Iterator[np.ndarray]:
        """Yield the file's blocks; raises `_EndedFromOutsideError` where neither the file nor we ended the process."""
        if self._busy:
            self.close()  # an iterator was left early, and its blocks are still in the pipe
        process = self.start()
        self._busy = True
        request = {
            "path": path,
            "folder": _find_working_folder(path),
            "sample_rate": sample_rate,
            "block_samples": block_samples,
            "max_seconds": max_seconds,
        }
        try:
            _get_pipe(process.stdin).write(json.dumps(request).encode() + b"\n")
            _get_pipe(process.stdin).flush()
            while (count := MESSAGE_HEADER.unpack(self._receive(process, MESSAGE_HEADER.size))[0]) > 0:
                yield np.frombuffer(self._receive(process, 4 * count), np.float32)
            error = self._receive(process, -count).decode() if count < 0 else None
        except TimeoutError:
            self._end(process)
            raise AudioError(
                path, f"the decoder returned nothing for {self.timeout:.0f} s; check that it is an audio file"
            ) from None
        except (EOFError, OSError, ValueError):
            is_closed = process is not self._process  # by another thread, meanwhile
            status = _wait_briefly(process)
            self._end(process)
            if status in FROM_OUTSIDE and not is_closed:
                raise _EndedFromOutsideError from None
            raise AudioError(
                path, "the decoder crashed on it; the file is damaged, copy or download it again"
            ) from None
        self._busy = False
        if error is not None:
            raise AudioError(path, error)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._end(self._process)

    def __enter__(self) -> IsolatedDecoder:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def start(self) -> subprocess.Popen[bytes]:
        """Return the process, started now where none is running."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", START, json.dumps(sys.path), self.decoder.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # decoders write warnings there
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},  # tensorflow-io's TensorFlow would take the GPU
                process_group=0,  # Ctrl-C is for this process to handle: the file is not to blame for its decoder's end
            )
            with contextlib.suppress(AttributeError, OSError):  # the system lacks the call, or limits the size
                fcntl.fcntl(_get_pipe(self._process.stdout), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return self._process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process is self._process:  # an iterator of an earlier process must not end a later one
            self._process, self._busy = None, False  # first, so that a thread that reads knows who ended the process
        process.kill()
        process.wait()
        with self._reading:  # a thread that waits for a pipe is woken by its end, and not if the pipe is closed before
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    _get_pipe(stream).close()

    def _receive(self, process: subprocess.Popen[bytes], size: int) -> bytearray:
        data = bytearray(size)
        missing = memoryview(data)
        with self._reading, selectors.DefaultSelector() as selector:
            pipe = _get_pipe(process.stdout).fileno()
            selector.register(pipe, selectors.EVENT_READ)
            while missing:
                if not any(selector.select(self.timeout / SLICES) for _ in range(SLICES)):
                    raise TimeoutError
                count = os.readv(pipe, [missing])
                if not count:
                    raise EOFError
                missing = missing[count:]
        return data


def _wait_briefly(process: subprocess.Popen[bytes]) -> int | None:
    """Wait for the exit status of a process that has closed its pipes; None if it runs on."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(timeout=1)
    return None


def _find_working_folder(path: str) -> str | None:
    """Find the folder that a relative path is relative to: the process may have started in another one."""
    if os.path.isabs(path):
        return None
    try:
        return os.getcwd()
    except OSError:  # it was removed, and so there is no such file
        return None


def _get_pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # `start` makes both
    return pipe


def serve(requests: IO[bytes], messages: IO[bytes], decoder: Decoder) -> None:
    """Answer the requests of an `IsolatedDecoder` until its pipe closes."""
    for line in requests:
        try:
            request = json.loads(line)
            if folder := request.pop("folder"):
                os.chdir(folder)
            for block in decode_blocks(**request, decoder=decoder):
                messages.write(MESSAGE_HEADER.pack(len(block)))
                messages.write(block.data)
            messages.write(MESSAGE_HEADER.pack(0))
        except Exception as error:  # any error is about this file and no other
            text = (error.reason if isinstance(error, AudioError) else str(error) or repr(error)).encode()
            messages.write(MESSAGE_HEADER.pack(-len(text)) + text)
        messages.flush()


def main(decoder: DecoderName) -> None:
    """Run the decoder process."""
    with os.fdopen(os.dup(1), "wb") as pipe:
        os.dup2(2, 1)  # what a decoder prints must not get among the messages
        serve(sys.stdin.buffer, pipe, DECODERS[decoder])  # the parent checked that it is installed
