"""Jobs in processes of their own: all done, reported, and ended with the one that started them."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf

from mcc_zoo.experiment import process_pool


def squared(job, report):
    report(job, "begun")
    return job**2, os.getpid(), tf.config.threading.get_intra_op_parallelism_threads()


def killed(job, report):
    os.kill(os.getpid(), signal.SIGKILL)


def diverged(job, report):
    raise FloatingPointError(f"job {job}: the loss was not finite")


def sleeping(folder, job, report):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(600)


def holding(folder, job, report):
    held = Path(folder) / "held"
    if job == 1:
        report("begun")
        process_pool._messages._wlock.acquire()  # as a worker that is killed while it reports
        held.touch()
        time.sleep(600)
    wait_for(held.exists, bool)
    raise FloatingPointError("the loss was not finite")


def hold_twice(folder):
    for _ in process_pool.run_each(functools.partial(holding, folder), [1, 2], 2, print):
        pass


def sleep_twice(folder):
    for _ in process_pool.run_each(functools.partial(sleeping, folder), [1, 2], 2, print):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_every_job_is_done_and_reported_once(processes):
    reported = []
    done = dict(process_pool.run_each(squared, [1, 2, 3, 4, 5], processes, lambda *message: reported.append(message)))
    assert {job: result[0] for job, result in done.items()} == {1: 1, 2: 4, 3: 9, 4: 16, 5: 25}
    assert sorted(reported) == [(job, "begun") for job in (1, 2, 3, 4, 5)]
    pids = {result[1] for result in done.values()}
    assert (os.getpid() in pids) == (processes == 1)
    if processes == 2:
        assert {result[2] for result in done.values()} == {max(1, os.cpu_count() // 2)}


@pytest.mark.slow
def test_a_process_that_dies_is_said():
    with pytest.raises(ValueError, match="one of 2 training processes died, .*fewer --jobs"):
        list(process_pool.run_each(killed, [1, 2, 3], 2, print))


@pytest.mark.slow
def test_an_error_of_a_job_comes_out():
    with pytest.raises(FloatingPointError, match="the loss was not finite"):
        list(process_pool.run_each(diverged, [1, 2, 3], 2, print))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_process_pool_end_with_their_starter(how, tmp_path):
    with start("sleep_twice", tmp_path) as starter:
        workers_of = wait_for(
            lambda: [p for p in tmp_path.iterdir() if p.name.isdigit()], lambda found: len(found) == 2
        )
        starter.send_signal(how)
        try:
            starter.communicate(timeout=60)
        finally:
            starter.kill()
    alive = wait_for(lambda: [p.name for p in workers_of if is_running(int(p.name))], lambda found: not found)
    assert not alive


@pytest.mark.slow
def test_the_starter_ends_though_a_worker_holds_the_queue(tmp_path):
    with start("hold_twice", tmp_path) as starter:
        try:
            said = starter.communicate(timeout=300)[1].decode()
        finally:
            starter.kill()
    assert said.endswith("FloatingPointError: the loss was not finite\n")


def start(function, folder):
    """Start a function of this module in a process of its own, which may start others."""
    script = folder / "script.py"
    script.write_text(
        "import signal, test_process_pool\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins without it\n"
        f"    test_process_pool.{function}({str(folder)!r})"
    )
    paths = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{Path(process_pool.__file__).parents[2]}"}
    return subprocess.Popen([sys.executable, script], env=paths, stderr=subprocess.PIPE)


def wait_for(look, enough, seconds=60):
    end = time.monotonic() + seconds
    while not enough(found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_processes_follow_cores_memory_and_jobs(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": (64 << 30) // 4096}.__getitem__)
    assert process_pool.choose_processes(100) == 8
    assert process_pool.choose_processes(3) == 3
    assert process_pool.choose_processes(0) == 1
    assert process_pool.choose_processes(100, "gpu") == process_pool.choose_processes(100, "cpu", "tpu") == 1
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": (7 << 30) // 4096}.__getitem__)
    assert process_pool.choose_processes(100) == 2
