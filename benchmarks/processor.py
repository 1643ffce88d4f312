"""Which processor gives the figures."""

from __future__ import annotations

import platform
import re
from pathlib import Path

BFLOAT16 = ("amx_bf16", "avx512_bf16")
FEATURES = (*BFLOAT16, "avx512f", "avx2")  # as /proc/cpuinfo spells them, those that make most difference first


def describe_processor() -> str:
    """Describe the processor: its model and the widest of its vector instructions."""
    text = _read_information()
    models = re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = models[0] if models else platform.processor() or platform.machine()
    found = [feature for feature in FEATURES if feature in _list_features(text)]
    return f"{name} with {found[0].upper()}" if found else name


def has_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16, rather than converting it."""
    return not _list_features(_read_information()).isdisjoint(BFLOAT16)


def _list_features(text: str) -> set[str]:
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    return set(flags.group(1).split()) if flags else set()


def _read_information() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:  # no Linux
        return ""
