"""Import TensorFlow without the lines that it writes to standard error.

`import mcc_zoo` does not use it: standard error belongs to the program that imports it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what is written to standard error, unless the work fails; TF_CPP_MIN_LOG_LEVEL=0 lets it through.

    TensorFlow writes to the file descriptor, past `sys.stderr`.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
        yield
        return
    before = os.dup(2)
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        try:
            yield
        except BaseException:
            heard.seek(0)
            os.write(before, heard.read())
            raise
        finally:
            os.dup2(before, 2)
            os.close(before)


def import_tensorflow() -> None:
    """Import TensorFlow and let it look for GPUs, in silence, and end quietly on Ctrl-C meanwhile."""
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        with quiet():
            import tensorflow as tf

            tf.config.list_physical_devices()
    finally:
        signal.signal(signal.SIGINT, before)
