"""Descriptions of clusters, flags that contradict each other, and processes that end with their coordinator."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time

import pytest
from helpers.clusters import ENVIRONMENT

from mcc_zoo.training import cluster, taking_part
from mcc_zoo.training.cluster import Cluster
from mcc_zoo.training.devices import Distribution

ADDRESSES = {"chief": ["a:1"], "worker": ["b:2", "c:3"], "ps": ["d:4"]}


def config(addresses=ADDRESSES, role="worker", index=1) -> str:
    return json.dumps({"cluster": addresses, "task": {"type": role, "index": index}})


def test_tf_config_says_who_is_who():
    found = Cluster.read(config())
    assert found == Cluster("a:1", ("b:2", "c:3"), ("d:4",), "worker", 1)
    assert found.own_address == "c:3"
    assert Cluster.read(found.to_json()) == found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("not JSON", r"TF_CONFIG='not JSON' describes no cluster \(JSONDecodeError"),
        ("[]", "describes no cluster"),
        ('{"cluster": {}}', r"describes no cluster \(KeyError: 'task'\)"),
        (
            config({"chief": ["a:1"], "worker": ["b:2"]}),
            "names no parameter server: add an address HOST:PORT under 'ps'",
        ),
        (config({**ADDRESSES, "worker": []}), "names no worker"),
        (config({**ADDRESSES, "chief": ["a:1", "e:5"]}), "names 2 coordinators"),
        (config({**ADDRESSES, "evaluator": ["e:5"]}), "names processes of the kind 'evaluator'"),
        (config({**ADDRESSES, "ps": ["d"]}), "has the address 'd': it has to be HOST:PORT"),
        (config(index=2), "this process is 'worker' number 2, which its cluster does not have"),
        (config(role="master", index=0), "this process is 'master' number 0"),
    ],
)
def test_what_describes_no_cluster_is_refused_in_a_sentence(value, message):
    with pytest.raises(ValueError, match=message) as error:
        Cluster.read(value)
    assert "\n" not in str(error.value)


def test_who_does_not_answer_is_named():
    silent = Cluster("127.0.0.1:1", ("127.0.0.1:1",), ("127.0.0.1:1",))
    with pytest.raises(ValueError, match="parameter server 0 at 127.0.0.1:1 does not answer after 0 s: start it"):
        silent.wait_until_ready(seconds=0)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("default", "grpc://x:1", None), "--tpu=grpc://x:1: add --strategy=tpu"),
        (("mirrored", "", 2), "--local_workers=2: add --strategy=parameter_server"),
        (("parameter_server", "", None), "TF_CONFIG, which describes the cluster, is not set"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(flags, message, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match=message), taking_part.take_part(*flags):
        pass


def test_local_workers_and_tf_config_are_refused(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config())
    with (
        pytest.raises(ValueError, match="--local_workers=2: TF_CONFIG is set too"),
        taking_part.take_part("parameter_server", "", 2),
    ):
        pass


def test_other_strategies_take_no_notice_of_tf_config(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "not JSON")
    assert taking_part.choose_distribution("tpu", "local", None) == Distribution("tpu", "local")
    with taking_part.take_part("default", "", None):
        assert taking_part.choose_distribution("default", "", None).workers == 0


SERVE = """
import sys
import threading
from mcc_zoo.training import cluster
cluster.COORDINATOR_SECONDS = 0.6
cluster.Cluster.read(sys.argv[1]).serve(1)
"""


def find_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def test_a_server_whose_port_closes_after_its_connections_is_found(monkeypatch):
    chief, worker, server = find_ports(3)
    host, port = server.split(":")
    described = Cluster(chief, (worker,), (server,))
    with socket.create_server((host, int(port))) as listening:
        with monkeypatch.context() as patched:
            patched.setattr(cluster, "CLOSING_SECONDS", 0.3)
            assert described.find_lost_server() == ""  # the worker does not answer either, and is no server
        threading.Timer(0.5, listening.close).start()
        assert described.find_lost_server() == f"parameter server 0 at {server}"


@pytest.mark.slow
def test_a_worker_ends_after_its_coordinator():
    chief, worker, server = find_ports(3)
    described = Cluster(chief, (worker,), (server,), "worker", 0)
    host, port = chief.split(":")
    with socket.create_server((host, int(port))):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, described.to_json()], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
        )
        ends = time.monotonic() + 100
        while any(worker in silent for silent in described.list_silent()):
            assert time.monotonic() < ends
            time.sleep(0.2)
        assert process.poll() is None
        time.sleep(1.0)
    assert process.wait(60) == 0
    assert f"worker 0: the coordinator at {chief} has ended" in process.stderr.read()
