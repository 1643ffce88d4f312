"""A cluster of processes on this machine, for a training with parameter servers.

One process imports TensorFlow and forks the workers and the parameter server, which takes a fraction of the time that
each would need to import it. It starts a worker again that has died. A parameter server is not started again, because
the weights are gone with it. All end with the process that started them, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

from mcc_zoo.tensorflow_start import import_tensorflow

if __name__ == "__main__":
    import_tensorflow()  # in silence, before the next line does

from mcc_zoo.training.cluster import POLL_SECONDS, SERVER, WORKER, Cluster  # noqa: E402

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def start_local_cluster(workers: int) -> Iterator[Cluster]:
    """Start a parameter server and so many workers on loopback for the block; yields the cluster to connect to.

    Each worker computes with its share of the cores.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(workers + 2)]
        chief, server, *others = [f"{LOOPBACK}:{one.getsockname()[1]}" for one in sockets]
    cluster = Cluster(chief, tuple(others), (server,))
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-m", "mcc_zoo.training.local_cluster", cluster.to_json()]
    # A session of its own: Ctrl-C is for the starter, which ends the others.
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield cluster
        finally:
            process.terminate()


class _Nursery:
    """The processes of a cluster, as children of this process, which computes nothing.

    Args:
        cluster: Their addresses.
    """

    def __init__(self, cluster: Cluster) -> None:
        """Fork all processes."""
        self._cluster = cluster
        self._threads = max(1, (os.cpu_count() or 1) // len(cluster.workers))
        self._children: dict[int, tuple[str, int]] = {}
        for role in (SERVER, WORKER):
            for index in range(len(cluster.addresses[role])):
                self._fork(role, index)

    def _fork(self, role: str, index: int) -> None:
        pid = os.fork()
        if pid:
            self._children[pid] = role, index
            return
        threading.Thread(target=_end_with_starter, daemon=True).start()
        replace(self._cluster, role=role, index=index).serve(self._threads)

    def watch(self) -> None:
        """Start workers again that die, until the process that started this one is gone."""
        while not _is_starter_gone():
            pid, status = os.waitpid(-1, os.WNOHANG)
            while pid:
                role, index = self._children.pop(pid)
                if role == WORKER:
                    code = os.waitstatus_to_exitcode(status)
                    print(f"worker {index} has died (status {code}) and is started again", file=sys.stderr)
                    self._fork(role, index)
                pid, status = os.waitpid(-1, os.WNOHANG)

    def end(self) -> None:
        """End all processes."""
        for pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _is_starter_gone() -> bool:
    """Wait a little for the end of standard input, on which nothing is ever written."""
    return bool(select.select([sys.stdin], [], [], POLL_SECONDS)[0])


def _end_with_starter() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def main(config: str) -> None:
    """Keep the cluster that a TF_CONFIG describes running until the process that started this one ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    nursery = _Nursery(Cluster.read(config))
    try:
        nursery.watch()
    finally:
        nursery.end()


if __name__ == "__main__":
    main(sys.argv[1])
