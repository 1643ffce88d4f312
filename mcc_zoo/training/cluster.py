"""The cluster of a training with parameter servers: who is in it, and how its processes find each other.

A cluster has one coordinator (`chief`), which runs the experiment; workers, which compute gradients; and parameter
servers (`ps`), which hold the weights. Workers and servers are plain TensorFlow servers: the coordinator sends them
graphs, and workers read cached features by themselves.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

COORDINATOR, WORKER, SERVER = "chief", "worker", "ps"  # TensorFlow's names
NAMES = {COORDINATOR: "coordinator", WORKER: "worker", SERVER: "parameter server"}
EXAMPLE = '{"cluster": {"chief": ["HOST:PORT"], "worker": [...], "ps": [...]}, "task": {"type": "worker", "index": 0}}'
START_SECONDS = 300.0  # in which all processes of a cluster have to answer
# Without an answer of the coordinator, after which the others end: a new one cannot connect to those of an old one.
COORDINATOR_SECONDS = 10.0
POLL_SECONDS = 0.2
CLOSING_SECONDS = 5.0
MOST_WAITING = 64  # threads of a process that wait for another one


@dataclass(frozen=True)
class Cluster:
    """A cluster, and which of its processes this one is.

    Attributes:
        coordinator: HOST:PORT of the coordinator.
        workers: Those of the workers.
        servers: Those of the parameter servers.
        role: `chief`, `worker` or `ps`.
        index: Number of this process among those of its role, from 0.
    """

    coordinator: str
    workers: tuple[str, ...]
    servers: tuple[str, ...]
    role: str = COORDINATOR
    index: int = 0

    @classmethod
    def read(cls, config: str) -> Cluster:
        """Read the value of TF_CONFIG, such as `EXAMPLE`.

        Raises:
            ValueError: It is something else.
        """
        try:
            described = json.loads(config)
            addresses = {role: tuple(own) for role, own in described["cluster"].items()}
            role, index = described["task"]["type"], int(described["task"]["index"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"TF_CONFIG={config!r} describes no cluster ({type(error).__name__}: {error}): it has to be like "
                f"{EXAMPLE}"
            ) from None
        _check(addresses, role, index)
        return cls(addresses[COORDINATOR][0], addresses[WORKER], addresses[SERVER], role, index)

    def to_json(self) -> str:
        """Return the value of TF_CONFIG for this process."""
        return json.dumps({"cluster": self.addresses, "task": {"type": self.role, "index": self.index}})

    @property
    def own_address(self) -> str:
        """Return the address of this process."""
        return self.addresses[self.role][self.index]

    @property
    def addresses(self) -> dict[str, list[str]]:
        """Return the addresses of each role."""
        return {COORDINATOR: [self.coordinator], WORKER: [*self.workers], SERVER: [*self.servers]}

    def list_silent(self) -> list[str]:
        """List the workers and parameter servers that do not answer, in words."""
        return [
            f"{NAMES[role]} {index} at {address}"
            for role in (SERVER, WORKER)
            for index, address in enumerate(self.addresses[role])
            if not _answers(address)
        ]

    def find_lost_server(self) -> str:
        """Name a parameter server that has ended, in words; "" if all answer for some seconds.

        A process that ends closes its connections, which is how the others find out, a moment before its port.
        """
        ends = time.monotonic() + CLOSING_SECONDS
        while not (lost := [name for name in self.list_silent() if name.startswith(NAMES[SERVER])]):
            if time.monotonic() > ends:
                return ""
            time.sleep(POLL_SECONDS)
        return lost[0]

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until all workers and parameter servers answer.

        Raises:
            ValueError: One does not.
        """
        ends = time.monotonic() + seconds
        while silent := self.list_silent():
            if time.monotonic() > ends:
                raise ValueError(
                    f"{silent[0]} does not answer after {seconds:.0f} s: start it by the same command, with a "
                    "TF_CONFIG whose task is its own"
                )
            time.sleep(POLL_SECONDS)

    def serve(self, threads: int = 0) -> None:
        """Be a worker or a parameter server until the process is ended, or some time after the coordinator has ended.

        Args:
            threads: To compute one operation with; 0 takes all cores.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # Python's handlers would wait for the server's end
        _let_calls_fail()
        threading.Thread(target=self._end_after_coordinator, daemon=True).start()
        # With one thread between operations a worker that waits for a parameter server would wait for ever.
        options = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=threads, inter_op_parallelism_threads=MOST_WAITING
        )
        spec = tf.train.ClusterSpec(self.addresses)
        tf.distribute.Server(spec, job_name=self.role, task_index=self.index, protocol="grpc", config=options).join()

    def _end_after_coordinator(self) -> None:
        last = math.inf
        while time.monotonic() - last < COORDINATOR_SECONDS:
            last = time.monotonic() if _answers(self.coordinator) else last
            time.sleep(COORDINATOR_SECONDS / 12)
        print(f"{NAMES[self.role]} {self.index}: the coordinator at {self.coordinator} has ended", file=sys.stderr)
        os._exit(0)


@functools.cache
def connect(cluster: Cluster) -> tf.distribute.ParameterServerStrategy:
    """Connect the coordinator to the others of its cluster, once, before this process computes anything by TensorFlow.

    Raises:
        ValueError: A process of the cluster does not answer.
    """
    _let_calls_fail()
    cluster.wait_until_ready()
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster.addresses), task_type=COORDINATOR, task_id=0, rpc_layer="grpc"
    )
    return tf.distribute.ParameterServerStrategy(resolver)


def _check(addresses: Mapping[str, tuple[str, ...]], role: str, index: int) -> None:
    if unknown := sorted({*addresses} - {*NAMES}):
        raise ValueError(f"TF_CONFIG names processes of the kind {unknown[0]!r}: the kinds are {', '.join(NAMES)}")
    for kind, name in NAMES.items():
        if not addresses.get(kind):
            raise ValueError(f"TF_CONFIG names no {name}: add an address HOST:PORT under {kind!r}")
    if len(addresses[COORDINATOR]) > 1:
        raise ValueError(f"TF_CONFIG names {len(addresses[COORDINATOR])} coordinators: leave one under 'chief'")
    for address in (address for own in addresses.values() for address in own):
        host, _, port = str(address).rpartition(":")
        if not (host and port.isdecimal()):
            raise ValueError(f"TF_CONFIG has the address {address!r}: it has to be HOST:PORT, as in 10.0.0.7:2222")
    if role not in addresses or not 0 <= index < len(addresses[role]):
        raise ValueError(
            f"TF_CONFIG says that this process is {role!r} number {index}, which its cluster does not have"
        )


def _let_calls_fail() -> None:
    """Let calls to a process that is gone fail: otherwise the caller waits for it for ever."""
    os.environ["GRPC_FAIL_FAST"] = "use_caller"


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1.0):
        return True
    return False
