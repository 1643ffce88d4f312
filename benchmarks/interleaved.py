"""Times of peers in separate processes: a round asks each peer once, so that all are measured under the same load.

A machine's speed changes from minute to minute. Times of different runs cannot be compared; ratios within a round can.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pandas as pd
from rich.progress import track

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent / ".venv-bench"  # made by `make bench`, one for each peer that cannot share ours
DROPPED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # where they are set, they slow the peers that use OpenBLAS


@dataclass(frozen=True)
class Peer:
    """One side of a comparison.

    Attributes:
        name: Its name in the tables.
        script: A file of benchmarks/peers that calls `serve`.
        arguments: Arguments of the script.
        environment: Folder below .venv-bench whose Python runs it; "" is the Python that runs now.
        variables: Further environment variables.
    """

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    environment: str = ""
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def python(self) -> Path:
        """The interpreter that runs it."""
        return ENVIRONMENTS / self.environment / "bin" / "python" if self.environment else Path(sys.executable)

    @property
    def log(self) -> Path:
        """The file that its standard error is written to."""
        return ENVIRONMENTS / f"{self.name.replace('/', ' ')}.log"


def measure(
    peers: Sequence[Peer], request: Mapping[str, Any], *, rounds: int = 7, warm_up: int = 2, title: str = ""
) -> pd.DataFrame:
    """Send every peer the same request, round after round.

    Args:
        peers: Each is started once and stays until the end.
        request: Arguments of each peer's work.
        rounds: Counted rounds.
        warm_up: Rounds before them that do not count: tracing, compiling, filling of caches.
        title: Title of the progress bar.

    Returns:
        A row for each peer and round: peer, round, seconds, cpu_seconds, value.

    Raises:
        RuntimeError: A peer did not answer; its last lines are in the message.
    """
    with contextlib.ExitStack() as stack:
        running = [(peer, stack.enter_context(_start(peer))) for peer in peers]
        rows = []
        for count in track(range(-warm_up, rounds), description=title or "rounds", disable=not sys.stderr.isatty()):
            for peer, process in running:
                answer = _ask(peer, process, request)
                rows += [{"peer": peer.name, "round": count, **answer}] if count >= 0 else []
    return pd.DataFrame(rows)


def summarise(times: pd.DataFrame, ours: str, work: float = 1.0) -> pd.DataFrame:
    """Summarise the rounds: a row for each peer, fastest first.

    Args:
        times: As `measure` gives it.
        ours: Name of the peer that the others are compared with.
        work: How much one request does, in any unit.

    Returns:
        Columns peer, rate (work per second, median), spread (interquartile range of the rate over its median) and
        ratio (how many times as fast `ours` is: the median over rounds).
    """
    seconds = times.pivot(index="round", columns="peer", values="seconds")
    rates = work / seconds
    quartiles = rates.quantile([0.25, 0.75])
    found = pd.DataFrame(
        {
            "rate": rates.median(),
            "spread": (quartiles.loc[0.75] - quartiles.loc[0.25]) / rates.median(),
            "ratio": seconds.div(seconds[ours], axis=0).median(),
        }
    )
    return found.sort_values("rate", ascending=False).reset_index()


@contextlib.contextmanager
def _start(peer: Peer) -> Iterator[subprocess.Popen[str]]:
    if not peer.python.exists():
        raise RuntimeError(
            f"{peer.name} needs the environment {ENVIRONMENTS.name}/{peer.environment}: run `make bench`"
        )
    variables = {name: value for name, value in os.environ.items() if name not in DROPPED}
    variables |= {"TF_CPP_MIN_LOG_LEVEL": "2", **dict(peer.variables)}
    command = [str(peer.python), str(HERE / "peers" / peer.script), *peer.arguments]
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (
        peer.log.open("w") as errors,
        subprocess.Popen(
            command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            _read_answer(peer, process)  # it is ready
            yield process
        finally:
            process.kill()
            with contextlib.suppress(BrokenPipeError):  # a request that a dead peer did not read
                _require_pipe(process.stdin).close()


def _ask(peer: Peer, process: subprocess.Popen[str], request: Mapping[str, Any]) -> dict[str, Any]:
    with contextlib.suppress(BrokenPipeError):  # it has died since: there is no answer either, and that is said
        _require_pipe(process.stdin).write(json.dumps(request) + "\n")
        _require_pipe(process.stdin).flush()
    return _read_answer(peer, process)


def _read_answer(peer: Peer, process: subprocess.Popen[str]) -> dict[str, Any]:
    line = _require_pipe(process.stdout).readline()
    if not line:
        raise RuntimeError(f"{peer.name} ended with {process.wait()}: {peer.log.read_text()[-2_000:]}")
    return json.loads(line)


def _require_pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None  # Popen was asked for pipes
    return stream
