"""One writer at a time: what a process is writing is refused to others, with its process id."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nothing is held
    fcntl = None  # type: ignore[assignment]

from mcc_zoo.atomic import NAME_CHARACTERS
from mcc_zoo.disk import explained


class InUseError(ValueError):
    """Another process is writing the same file or folder."""


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold a file or a folder for this process while the block runs.

    A file beside it, `.NAME.lock`, has the process id of the holder. The operating system takes the lock back when the
    process ends, however it ends, so that nothing has to be removed after a kill. The file is removed with the lock.

    Args:
        path: The file or folder; it need not exist, its own folder has to.

    Raises:
        InUseError: Another process holds it, or this one already does.
        mcc_zoo.disk.WriteError: The lock cannot be written beside it.
    """
    if fcntl is None:
        yield
        return
    lock = path.with_name(f".{path.name[:NAME_CHARACTERS]}.lock")
    with explained(path, any_fault=True):
        descriptor = _open_locked(lock, path)
    try:
        with explained(path, any_fault=True):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()  # while it is held, so that nobody takes it between the two
        os.close(descriptor)


def _open_locked(lock: Path, path: Path) -> int:
    """Open the lock file and lock it; once more where its last holder removed it in between."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock.exists() and os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace") or "another"
            os.close(descriptor)
            raise InUseError(
                f"{path} is being written by process {holder}: wait until it is done, end it, or name another"
            ) from None
        os.close(descriptor)
