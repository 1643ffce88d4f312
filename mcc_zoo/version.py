"""The version of the package, and those of the libraries that figures depend on."""

from __future__ import annotations

import platform
from importlib.metadata import version

__version__ = "0.1.0"


def library_versions() -> dict[str, str]:
    """Return the versions that a figure depends on; scikit-learn draws the folds."""
    found = {"mcc_zoo": __version__, "python": platform.python_version()}
    return found | {name: version(name) for name in ("tensorflow", "keras", "numpy", "scikit-learn")}
