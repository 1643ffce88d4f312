"""The systems as parameters of a test: the everyday tests take the smallest, the others are marked as slow.

MCCLSTM is the export of most other tests, and the tests of the architectures take all systems every day.
"""

from __future__ import annotations

import pytest

import mcc_zoo

MANY = "-many"  # ends the name of an export of many labels a track
MARKED_SYSTEMS = [pytest.param(name, marks=[] if name == "r0" else pytest.mark.slow) for name in mcc_zoo.ARCHITECTURES]
_MANY_LABELS = {name: pytest.param(f"{name}{MANY}", marks=pytest.mark.slow) for name in mcc_zoo.ARCHITECTURES}
EXPORTS = [*MARKED_SYSTEMS, *_MANY_LABELS.values()]
# The last activation is all that differs between the tasks: three systems show whether a reader takes it.
SOME_EXPORTS = [*MARKED_SYSTEMS, *(_MANY_LABELS[name] for name in ("r0", "mcclstm", "mcclstm_fused"))]
