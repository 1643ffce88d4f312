"""What the processor can do, as Linux tells."""

from __future__ import annotations

import re
from pathlib import Path

BFLOAT16 = ("amx_bf16", "avx512_bf16")  # as /proc/cpuinfo spells them


def read_description() -> str:
    """Read what Linux says of the processor; "" elsewhere."""
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def list_features(description: str) -> set[str]:
    """List the processor's instructions in a description of `read_description`."""
    flags = re.search(r"^flags\s*:\s*(.+)$", description, re.MULTILINE)
    return set(flags.group(1).split()) if flags else set()


def has_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16, rather than converting it."""
    return not list_features(read_description()).isdisjoint(BFLOAT16)
