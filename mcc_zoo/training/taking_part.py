"""The part that this process has in a training: alone, as a coordinator, as a worker or as a parameter server."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from mcc_zoo.training.cluster import COORDINATOR, NAMES, Cluster, connect
from mcc_zoo.training.devices import Distribution
from mcc_zoo.training.local_cluster import start_local_cluster

TF_CONFIG = "TF_CONFIG"  # TensorFlow's variable of the environment


def choose_distribution(strategy: str, tpu: str, local_workers: int | None) -> Distribution:
    """Say how a training is spread, by flags and by TF_CONFIG.

    Args:
        strategy: As for `Distribution`.
        tpu: Likewise; None or "" where none is named.
        local_workers: Workers to start on this machine, or None.

    Raises:
        ValueError: They contradict each other, or TF_CONFIG is needed and describes no cluster.
    """
    if tpu and strategy != "tpu":
        raise ValueError(f"--tpu={tpu}: add --strategy=tpu, or leave it out")
    if local_workers and strategy != "parameter_server":
        raise ValueError(f"--local_workers={local_workers}: add --strategy=parameter_server, or leave it out")
    if strategy != "parameter_server":
        return Distribution(strategy, tpu or "")
    config = os.environ.get(TF_CONFIG)
    if not config:
        raise ValueError(
            "--strategy=parameter_server: TF_CONFIG, which describes the cluster, is not set: set it on each machine, "
            "or add --local_workers=2 to start workers on this one"
        )
    return Distribution(strategy, cluster=Cluster.read(config))


@contextlib.contextmanager
def take_part(strategy: str, tpu: str, local_workers: int | None) -> Iterator[None]:
    """Run the block as the coordinator, connected to its cluster; or without a cluster.

    With `local_workers` a cluster on this machine is started for the block, and TF_CONFIG describes it meanwhile. A
    process that TF_CONFIG makes a worker or a parameter server serves until it is ended, or its coordinator is gone,
    and exits.

    Raises:
        ValueError: As for `choose_distribution`; or a process of the cluster does not answer.
    """
    with contextlib.ExitStack() as stack:
        if strategy == "parameter_server" and local_workers:
            if TF_CONFIG in os.environ:
                raise ValueError(
                    f"--local_workers={local_workers}: TF_CONFIG is set too, which describes another cluster: "
                    "leave one of the two out"
                )
            cluster = stack.enter_context(start_local_cluster(local_workers))
            os.environ[TF_CONFIG] = cluster.to_json()
            stack.callback(os.environ.pop, TF_CONFIG)
        found = choose_distribution(strategy, tpu, local_workers).cluster
        if found and found.role != COORDINATOR:
            print(f"{NAMES[found.role]} {found.index}: serving at {found.own_address}", file=sys.stderr)
            found.serve()
            sys.exit()
        if found:
            connect(found)
        yield
