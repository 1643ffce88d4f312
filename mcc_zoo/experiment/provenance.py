"""Where an export comes from: the command and the data."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def command_line() -> str:
    """Return the command that runs now, as a user would type it."""
    script = Path(sys.argv[0])
    start = ["python", "-m", f"{script.parent.name}.{script.stem}"] if script.suffix == ".py" else [script.name]
    return shlex.join([*start, *sys.argv[1:]])
