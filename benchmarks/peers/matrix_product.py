"""Products of large float32 matrices, or additions to vectors too long for any cache.

Arguments: `numpy`, `torch` or `tensorflow`; `product` or `addition`; how often a round does it.
"""

import importlib
import sys

import numpy as np
from serve import serve

SIDE, LENGTH = 2_048, 2**26
FROM_NUMPY = {"numpy": "asarray", "torch": "from_numpy", "tensorflow": "constant"}
name, operation, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3])
library = importlib.import_module(name)
random = np.random.default_rng(0)
values = random.random(LENGTH if operation == "addition" else (SIDE, SIDE), np.float32)
operand, result = (getattr(library, FROM_NUMPY[name])(array) for array in (values, values.copy()))


def work() -> float:
    """Do it, and give one number of the result."""
    for _ in range(repeats):
        # Sums go where the last ones went: new memory each time would measure the kernel's page faults.
        found = library.add(operand, 1, out=result) if operation == "addition" else library.matmul(operand, operand)
    return float(found[(-1,) * found.ndim])


serve(work)
