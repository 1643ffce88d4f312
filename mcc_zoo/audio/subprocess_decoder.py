"""Decoding in a process of its own, so that a file that crashes or hangs the decoder costs one row, not the job.

`serve` is the other end: it reads requests, a line of JSON each, from its standard input and answers on its standard
output with messages: eight bytes that say how many samples follow (0 ends a file, a negative number announces that many
bytes of an error's text), then the samples as float32. It imports TensorFlow for tensorflow-io alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import numpy as np

from mcc_zoo.audio import decoders
from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.decoders import Name
from mcc_zoo.audio.reading import read_blocks

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

HEAD = struct.Struct("<q")
TIMEOUT_SECONDS = 120.0
# With the search path of this process the other one imports what this one would.
START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from mcc_zoo.audio.subprocess_decoder import main; main()"
)
PIPE_BYTES = 1 << 20  # six seconds of audio, so that the decoder seldom waits for its reader


class IsolatedDecoder:
    """Reads audio files as `mcc_zoo.audio.reading.read_blocks` does, in a process that is started anew when it dies.

    Use it in a `with` statement. One file at a time: an iterator that was left early ends with the next call.

    Args:
        timeout: Seconds without a block after which the decoder counts as hung.
        decoder: Who decodes, as in `mcc_zoo.audio.reading.read_blocks`.

    Raises:
        ValueError: The decoder is not installed.
    """

    def __init__(self, timeout: float = TIMEOUT_SECONDS, decoder: Name = "soundfile") -> None:
        """Start nothing yet."""
        decoders.check(decoder)
        self.timeout = timeout
        self.decoder = decoder
        self._process: subprocess.Popen[bytes] | None = None
        self._busy = False

    def read_blocks(
        self,
        path: str | os.PathLike[str],
        sample_rate: int,
        block_samples: int,
        *,
        max_seconds: float | None = None,
    ) -> Iterator[np.ndarray]:
        """Yield the file's blocks: float32 arrays (block_samples,), the last one may be shorter.

        Raises:
            mcc_zoo.audio.checks.AudioError: The file is refused, or the decoder crashed or hung on it.
        """
        if self._busy:
            self.close()  # an iterator was left early, and its blocks still lie in the pipe
        process = self._started()
        self._busy = True
        request = {
            "path": os.fspath(path),
            "sample_rate": sample_rate,
            "block_samples": block_samples,
            "max_seconds": max_seconds,
            "decoder": self.decoder,
        }
        try:
            _stream(process.stdin).write(json.dumps(request).encode() + b"\n")
            _stream(process.stdin).flush()
            while (count := HEAD.unpack(self._receive(process, HEAD.size))[0]) > 0:
                yield np.frombuffer(self._receive(process, 4 * count), np.float32)
            error = self._receive(process, -count).decode() if count < 0 else None
        except TimeoutError:
            self._end(process)
            raise AudioError(
                f"{path}: the decoder gave nothing for {self.timeout:.0f} s: is it an audio file?"
            ) from None
        except (EOFError, OSError, ValueError):
            self._end(process)
            raise AudioError(f"{path}: the decoder crashed on it: the file is damaged, or made to do that") from None
        self._busy = False
        if error is not None:
            raise AudioError(error)

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

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", START, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # decoders write warnings of their own there
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},  # tensorflow-io's TensorFlow would take the GPU
            )
            with contextlib.suppress(AttributeError, OSError):  # where the system has no such call or allows no more
                fcntl.fcntl(_stream(self._process.stdout), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return self._process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                _stream(stream).close()
        if process is self._process:  # an iterator of an earlier process does not end a later one
            self._process, self._busy = None, False

    def _receive(self, process: subprocess.Popen[bytes], size: int) -> bytearray:
        pipe = _stream(process.stdout).fileno()
        data = bytearray(size)
        missing = memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while missing:
                if not selector.select(self.timeout):
                    raise TimeoutError
                count = os.readv(pipe, [missing])
                if not count:
                    raise EOFError
                missing = missing[count:]
        return data


def _stream(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # both are pipes, as `_started` asks for
    return pipe


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more: the other end of `IsolatedDecoder`."""
    decoders.process_is_its_own = True
    for line in requests:
        try:
            for block in read_blocks(**json.loads(line)):
                answers.write(HEAD.pack(len(block)))
                answers.write(block.data)
            answers.write(HEAD.pack(0))
        except Exception as error:  # whatever it is, it is this file's row and no other's
            text = str(error).encode() or repr(error).encode()
            answers.write(HEAD.pack(-len(text)) + text)
        answers.flush()


def main() -> None:
    """Run the decoder process."""
    with os.fdopen(os.dup(1), "wb") as pipe:
        os.dup2(2, 1)  # whatever a decoder prints is no answer
        serve(sys.stdin.buffer, pipe)
