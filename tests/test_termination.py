"""SIGTERM raises where the main thread is, and ends the process if that does not help."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mcc_zoo
from mcc_zoo.termination import TERMINATED, interrupt_on_sigterm

START = (
    "import hashlib, sys, time\nfrom mcc_zoo import termination\n"
    "termination.GRACE = float(sys.argv[1])\nwith termination.interrupt_on_sigterm('ended\\n'):\n"
    "    try:\n        print(flush=True)\n"
)
RAISED = "        time.sleep(600)\n    except termination.Terminated:\n        sys.exit('kept')\n"
LOST = "        time.sleep(600)\n    except KeyboardInterrupt:\n        time.sleep(600)\n"
# As in TensorFlow: no signal interrupts it.
IN_C = LOST.replace("time.sleep(600)", "hashlib.pbkdf2_hmac('sha256', b'', b'', 1 << 30)", 1)


@pytest.mark.parametrize(
    ("work", "grace", "status", "said"),
    [(RAISED, "100", 1, "kept\n"), (LOST, "0.2", TERMINATED, "ended\n"), (IN_C, "0.2", TERMINATED, "ended\n")],
)
def test_sigterm_raises_or_ends_the_process(work: str, grace: str, status: int, said: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(mcc_zoo.__file__).parents[1])}
    command = [sys.executable, "-c", START + work, grace]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "\n"  # it has begun
        process.terminate()
        try:
            assert process.communicate(timeout=60)[1] == said
        finally:
            process.kill()
    assert process.returncode == status


def test_after_the_block_all_is_as_before() -> None:
    handler = signal.getsignal(signal.SIGTERM)
    for _ in range(2):
        with interrupt_on_sigterm():
            assert signal.getsignal(signal.SIGTERM) != handler
        assert signal.getsignal(signal.SIGTERM) == handler
        assert signal.set_wakeup_fd(-1) == -1
