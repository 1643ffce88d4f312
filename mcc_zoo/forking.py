"""Processes that were forked after TensorFlow had started, in which it would wait for ever.

A fork has the memory of its parent and none of its threads. TensorFlow gives its work to threads that are not there.
"""

from __future__ import annotations

import os
import sys

_lacks_threads = False


def check_threads() -> None:
    """Refuse to go on in a process in which TensorFlow would wait for ever.

    Raises:
        RuntimeError: The process was forked after TensorFlow had started.
    """
    if _lacks_threads:
        raise RuntimeError(
            "this process was forked after TensorFlow had started, whose threads are not in it, so a model would wait "
            "for ever: start processes with multiprocessing.get_context('spawn'), or fork before a model is loaded and "
            "load it in the child"
        )


def _has_started() -> bool:
    """Check whether TensorFlow has made its threads: when it first computed something, not when it was imported.

    No public function tells without starting it. Where this module of TensorFlow is another one, it counts as started.
    """
    if "tensorflow" not in sys.modules:
        return False
    context = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", True)
    return context is not None and getattr(context, "_initialized", True)


def _note_fork() -> None:
    global _lacks_threads
    _lacks_threads = _lacks_threads or _has_started()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_note_fork)
