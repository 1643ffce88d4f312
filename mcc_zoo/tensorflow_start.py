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
from typing import Any

from mcc_zoo.process_limits import caution_of_address_space

INTERRUPTED = 130  # exit status after Ctrl-C
# Keras imports these wherever they are installed, for wrappers and pictures that no program here uses.
_NOT_FOR_KERAS = ("IPython", "matplotlib", "pandas", "sklearn")


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

    Keras is imported as if some packages were not installed, which is faster (benchmarks/README.md, "Start-up"). They
    can be imported afterwards, but `keras.wrappers` and `keras.visualization` do not work.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if caution := caution_of_address_space():
        print(caution, file=sys.stderr)
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        with quiet(), _hide(_NOT_FOR_KERAS):
            _choose_temporary_folder()
            import tensorflow as tf

            tf.config.list_physical_devices()
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _hide(packages: tuple[str, ...]) -> Iterator[None]:
    """Let an import of these packages fail, unless they are imported already."""
    hidden: dict[str, Any] = dict.fromkeys(name for name in packages if name not in sys.modules)
    sys.modules.update(hidden)  # None: not installed
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _choose_temporary_folder() -> None:
    """Name a folder for temporary files where the disk of each is full: TensorFlow asks for its name when imported."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        tempfile.tempdir = os.environ.get("TMPDIR", "/tmp")
