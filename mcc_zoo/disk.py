"""A disk that does not take what is written: one error for all writers, and its message is one sentence.

Libraries report a full disk each in its own way. Measured on a file system without room: Python, pandas, pyarrow,
zipfile and Matplotlib raise an OSError with its number and without a path; shutil.copytree a `shutil.Error` without
either; TensorFlow a ResourceExhaustedError, which is also what it raises without memory. All repeat the operating
system's own words, and by these they are recognised. Two say nothing of use, so they never write to a disk here but to
memory: libsndfile ("System error") and HDF5, which may even end the process.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

MAKE_ROOM = "make room on its disk and try again"
REMEDIES = {  # of the faults by which a disk is full
    errno.ENOSPC: MAKE_ROOM,
    errno.EDQUOT: MAKE_ROOM,
    errno.EFBIG: "allow larger files (ulimit -f) and try again",
}
OTHER_REMEDY = "see that a file can be written there"


class WriteError(OSError):
    """A file or folder cannot be written; the message is one sentence. It takes number, reason and path of an OSError.

    Attributes:
        what: What was being written, such as "the feature cache" or "--output="; "" where the path says it.
        instead: What would do besides the remedy, such as "name another folder"; may be "".
    """

    what = ""
    instead = ""

    def __str__(self) -> str:
        """Say what was being written, where, why it cannot be and what would do."""
        space = " " if self.what and not self.what.endswith("=") else ""
        named = f"{self.what}{space}{self.filename}" if self.filename else self.what or "a file"
        remedies = [REMEDIES.get(self.errno or 0, OTHER_REMEDY), *([self.instead] if self.instead else [])]
        return f"{named} cannot be written ({self.strerror}): {', or '.join(remedies)}"


@contextlib.contextmanager
def explained(
    path: str | os.PathLike[str] | None = None, what: str = "", instead: str = "", *, any_fault: bool = False
) -> Iterator[None]:
    """Raise `WriteError` where the block raises because a disk is full, whichever library writes there.

    A `WriteError` from within keeps its path, and gets what it lacks of the rest.

    Args:
        path: What cannot be written then.
        what: As in `WriteError`.
        instead: As in `WriteError`.
        any_fault: Also for any other OSError, where the block does nothing but write.
    """
    try:
        yield
    except Exception as error:
        refusal = explain(error, path, what, instead, any_fault=any_fault)
        if refusal is None or refusal in (error, error.__cause__):
            raise
        raise refusal from error


def explain(
    error: Exception,
    path: str | os.PathLike[str] | None = None,
    what: str = "",
    instead: str = "",
    *,
    any_fault: bool = False,
) -> WriteError | None:
    """Make the `WriteError` of an error as `explained` does, or return the one that it came from.

    Returns:
        None where the error has nothing to do with writing.
    """
    for known in (error, error.__cause__):
        if isinstance(known, WriteError):
            known.what, known.instead = known.what or what, known.instead or instead
            return known
    if fault := _find_full_disk(error):
        reason = os.strerror(fault)
    elif any_fault and isinstance(error, OSError):
        fault, reason = error.errno or 0, error.strerror or str(error)
    else:
        return None
    refusal = WriteError(fault, reason, _choose_path(path, getattr(error, "filename", None)))
    refusal.what, refusal.instead = what, instead
    return refusal


def _choose_path(path: str | os.PathLike[str] | None, named: object) -> str | None:
    """Choose the path to name: that which was being written, unless the error names one that lies elsewhere."""
    other = os.fsdecode(named) if isinstance(named, (str, bytes)) else ""
    if path is None or (other and Path(path).absolute().parent not in Path(other).absolute().parents):
        return other or None
    return os.fspath(path)


def _find_full_disk(error: Exception) -> int:
    """Find by which fault an error says that a disk is full; 0 if it does not."""
    number, text = getattr(error, "errno", None), str(error)
    return next((fault for fault in REMEDIES if number == fault or os.strerror(fault) in text), 0)
