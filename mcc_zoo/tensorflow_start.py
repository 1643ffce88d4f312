"""Start TensorFlow as programs need it: without the lines that it writes to standard error, and with oneDNN.

Programs use it (`mcc-zoo`, `python -m experiments.NAME`). The library does not: standard error and the environment
belong to the program that imports it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator

from mcc_zoo.process_limits import caution_of_address_space

INTERRUPTED = 130  # exit status after Ctrl-C


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what is written to standard error, unless the block fails; TF_CPP_MIN_LOG_LEVEL=0 lets everything through.

    TensorFlow writes to the file descriptor, not to `sys.stderr`. Where all disks are full, so that no temporary file
    can be made, nothing is dropped.
    """
    file = None
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") != "0":
        with contextlib.suppress(OSError):
            file = tempfile.TemporaryFile()  # noqa: SIM115 closed below
    if file is None:
        yield
        return
    before = os.dup(2)
    with file as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        except BaseException:
            written.seek(0)
            with contextlib.suppress(OSError):  # standard error may be on a full disk
                os.write(before, written.read())
            raise
        finally:
            os.dup2(before, 2)
            os.close(before)


def import_tensorflow() -> None:
    """Import TensorFlow and let it look for GPUs, in silence; Ctrl-C meanwhile ends the process without a traceback.

    oneDNN is switched on, unless TF_ENABLE_ONEDNN_OPTS says otherwise. TensorFlow leaves it off on processors without
    AVX512_VNNI, where training with it takes a third of the time (BUILD_NOTES.md, "Training"). Processes that this one
    starts inherit the setting.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if caution := caution_of_address_space():
        print(caution, file=sys.stderr)
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        with quiet():
            _choose_temporary_folder()
            import tensorflow as tf

            tf.config.list_physical_devices()
    finally:
        signal.signal(signal.SIGINT, before)


def _choose_temporary_folder() -> None:
    """Name a folder for temporary files where the disk of each is full: TensorFlow asks for its name when imported."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        tempfile.tempdir = os.environ.get("TMPDIR", "/tmp")
