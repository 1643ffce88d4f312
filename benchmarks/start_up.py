"""From the start of a process to its end, beside `import tensorflow`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.interleaved import Peer, measure, summarise
from benchmarks.tagging import SECONDS, export_fresh_model, synthesise_music, write_file

BASE, TAG = "import tensorflow", "mcc-zoo tag EXPORT one.wav"
LEAN = "import tensorflow without optional packages"  # as programs do, and with the layers of the zoo


def run(quick: bool) -> dict[str, pd.DataFrame]:
    """Start each program seven times; quick: twice."""
    program = str(Path(sys.executable).with_name("mcc-zoo"))
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "one.wav"
        write_file(wav, synthesise_music(0, SECONDS))
        commands = {
            BASE: (sys.executable, "-c", "import tensorflow"),
            LEAN: (sys.executable, "-c", "from mcc_zoo.tensorflow_start import import_tensorflow as f; f()"),
            "import mcc_zoo": (sys.executable, "-c", "import mcc_zoo"),
            "mcc-zoo --version": (program, "--version"),
            TAG: (program, "tag", str(export_fresh_model(Path(folder))), str(wav)),
        }
        peers = [Peer(name, "command.py", command) for name, command in commands.items()]
        times = measure(peers, {}, rounds=2 if quick else 7, warm_up=1, title="start-up")
    printed = times.groupby("peer")["value"].first()[TAG]
    if ",ok," not in printed:
        raise RuntimeError(f"{TAG} did not tag: {printed}")
    found = summarise(times, BASE)
    return {
        "start-up": pd.DataFrame(
            {
                "process": found["peer"],
                "seconds": (1 / found["rate"]).round(2),
                "spread": found["spread"].round(3),
                f"times {BASE}": found["ratio"].round(2),
            }
        )
    }
