"""The version of the package, and those of the libraries that figures depend on."""

from __future__ import annotations

import contextlib
import platform
from importlib.metadata import PackageNotFoundError, version

__version__ = "0.1.0"


def library_versions() -> dict[str, str]:
    """Return the versions that a figure depends on; scikit-learn, which draws the folds, may be missing."""
    found = {"mcc_zoo": __version__, "python": platform.python_version()}
    for name in ("tensorflow", "keras", "numpy", "scikit-learn"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
