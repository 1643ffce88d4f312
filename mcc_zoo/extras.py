"""Packages of an extra: imported where they are needed, and named in one sentence where they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType


class MissingExtraError(ImportError):
    """A package of an extra is not installed; the message is one sentence that says how to install it."""


def require(module: str, extra: str) -> ModuleType:
    """Import a module that only an extra of mcc_zoo installs.

    Args:
        module: Its full name.
        extra: Name of the extra in setup.cfg.

    Returns:
        The module.

    Raises:
        MissingExtraError: It cannot be imported.

    >>> require("json", "train").loads("[1]")
    [1]
    >>> require("no_such_module", "train")
    Traceback (most recent call last):
    ...
    mcc_zoo.extras.MissingExtraError: no_such_module is needed here (No module named 'no_such_module'): pip install 'mcc_zoo[train]'
    """  # noqa: E501 the message is one line
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"{module} is needed here ({error}): pip install 'mcc_zoo[{extra}]'") from error
