"""The systems as parameters of a test: the everyday tests take two of them, the others are marked as slow."""

from __future__ import annotations

import pytest

import mcc_zoo

QUICK = ("r0", "r4")  # without and with an LSTM
MARKED_SYSTEMS = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in mcc_zoo.ARCHITECTURES]
