"""The systems as parameters of a test: the everyday tests take the smallest, the others are marked as slow.

MCCLSTM is the export of most other tests. The tests of the architectures take one system of each kind every day: CNNs
of one channel and of three, an LSTM, and no channels.
"""

from __future__ import annotations

import pytest

import mcc_zoo

MANY = "-many"  # ends the name of an export of many labels a track
MARKED_SYSTEMS = [pytest.param(name, marks=[] if name == "r0" else pytest.mark.slow) for name in mcc_zoo.ARCHITECTURES]
EVERY_KIND = ("r0", "r3", "mcclstm", "mlp")
SYSTEMS_BY_KIND = [
    pytest.param(name, marks=[] if name in EVERY_KIND else pytest.mark.slow) for name in mcc_zoo.ARCHITECTURES
]
_MANY_LABELS = {name: pytest.param(f"{name}{MANY}", marks=pytest.mark.slow) for name in mcc_zoo.ARCHITECTURES}
EXPORTS = [*MARKED_SYSTEMS, *_MANY_LABELS.values()]
# The last activation is all that differs between the tasks: three systems show whether a reader takes it.
SOME_EXPORTS = [*MARKED_SYSTEMS, *(_MANY_LABELS[name] for name in ("r0", "mcclstm", "mcclstm_fused"))]
