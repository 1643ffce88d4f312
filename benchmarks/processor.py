"""Which processor gives the figures."""

from __future__ import annotations

import platform
import re

from mcc_zoo.training.processor import BFLOAT16, list_features, read_description

FEATURES = (*BFLOAT16, "avx512f", "avx2")  # those that make most difference first


def describe_processor() -> str:
    """Describe the processor: its model and the widest of its vector instructions."""
    text = read_description()
    models = re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = models[0] if models else platform.processor() or platform.machine()
    found = [feature for feature in FEATURES if feature in list_features(text)]
    return f"{name} with {found[0].upper()}" if found else name
