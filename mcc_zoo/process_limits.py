"""Limits of a process (ulimit) that are too low for its work: a sentence in place of a traceback or of silence."""

from __future__ import annotations

import errno
import os

OPEN_FILES, PROCESSES, ADDRESS_SPACE = "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_AS"
REMEDIES = {
    errno.EMFILE: ("allow more open files", "ulimit -n", OPEN_FILES),
    errno.ENFILE: ("close other programs", "ulimit -n", OPEN_FILES),
    errno.EAGAIN: ("allow more processes and threads", "ulimit -u", PROCESSES),
    errno.ENOMEM: ("free memory, or allow this process more", "ulimit -v", ADDRESS_SPACE),
}
GIB = 2**30
SPACE_OF_TENSORFLOW = 8 * GIB  # it took 3 to 7 on two cores, and takes more with more


def explain_limit(error: BaseException) -> str:
    """Say which limit an error comes from, and what would do.

    Returns:
        A sentence; "" where the error has nothing to do with limits.
    """
    if isinstance(error, MemoryError):
        number = errno.ENOMEM
    elif isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        number = errno.EAGAIN
    else:
        number = (error.errno or 0) if isinstance(error, OSError) else 0
    if number not in REMEDIES:
        return ""
    remedy, command, name = REMEDIES[number]
    limit = _read_limit(name)
    now = "" if limit is None else f", which is {limit // 1024 if name == ADDRESS_SPACE else limit} now"
    return f"this process lacks what it needs ({os.strerror(number)}): {remedy} ({command}{now})"


def caution_of_address_space() -> str:
    """Return a caution for a process that TensorFlow may end without a word: "" where its address space suffices."""
    limit = _read_limit(ADDRESS_SPACE)
    if limit is None or limit >= SPACE_OF_TENSORFLOW:
        return ""
    return (
        f"ulimit -v allows this process {limit / GIB:.1f} GiB of address space, and TensorFlow takes 3 to 7: if it "
        "ends without a word, allow more"
    )


def _read_limit(name: str) -> int | None:
    """Read a limit; None if there is none."""
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    limit = resource.getrlimit(getattr(resource, name))[0]
    return None if limit == resource.RLIM_INFINITY else int(limit)
