"""Files and folders that are written whole or not at all.

What is written gets a temporary name beside its target, is forced to the disk, and is then renamed. A reader sees the
old file or the new one, also after a crash of the process or of the machine, never a part of one. What cannot be
written is a `mcc_zoo.disk.WriteError` and leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, TextIO, overload

from mcc_zoo.disk import explain, explained

ON_WINDOWS = os.name == "nt"
PART = ".part"  # suffix of what is not finished; a process that is killed may leave such a file behind
NAME_CHARACTERS = 40  # of the target's name in the temporary one: 255 bytes are allowed, and a character has up to 4
# Of folders that this user may not list, and of file systems that cannot force a folder to the disk.
WITHOUT_FOLDER_SYNC = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)


@overload
def open_atomically(path: str | os.PathLike[str]) -> contextlib.AbstractContextManager[BinaryIO]: ...
@overload
def open_atomically(
    path: str | os.PathLike[str], mode: Literal["wb", "w+b"]
) -> contextlib.AbstractContextManager[BinaryIO]: ...
@overload
def open_atomically(path: str | os.PathLike[str], mode: Literal["w"]) -> contextlib.AbstractContextManager[TextIO]: ...
def open_atomically(path: str | os.PathLike[str], mode: str = "wb") -> contextlib.AbstractContextManager[Any]:
    """Open a file for writing that replaces `path` when the block ends, and leaves `path` as it was if it raises.

    The temporary file is made at once, so a folder that cannot be written to is found before any work. Its name is its
    own, so that processes and threads may write the same file at the same time; the last one to finish wins.

    Args:
        path: The file. Its folder has to exist.
        mode: "wb" for bytes, "w+b" for bytes that are read again, "w" for UTF-8 text with line ends as they are given.

    Returns:
        A context manager that gives the open file. The block must not close it.

    Raises:
        ValueError: The mode is another one.
        mcc_zoo.disk.WriteError: The file cannot be written or renamed.
    """
    if mode not in ("wb", "w+b", "w"):
        raise ValueError(f"mode={mode!r}: choose wb, w+b or w")
    return _replacing(Path(path), mode)


@contextlib.contextmanager
def _replacing(path: Path, mode: str) -> Iterator[IO[Any]]:
    part = path.with_name(f".{path.name[:NAME_CHARACTERS]}.{os.getpid()}-{secrets.token_hex(4)}{PART}")
    text: dict[str, Any] = {"encoding": "utf-8", "newline": ""} if mode == "w" else {}
    in_block = False
    try:
        with contextlib.suppress(FileNotFoundError):
            os.lstat(path)  # refuses a name that is too long now, and not when all is written
        with open(part, mode.replace("w", "x"), **text) as file:
            in_block = True  # where an error may be about another file, unless a disk is full
            yield file
            in_block = False
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        refusal = explain(error, path, any_fault=not in_block) if isinstance(error, Exception) else None
        if refusal is None or refusal in (error, error.__cause__):
            raise
        raise refusal from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace a file by UTF-8 text, whole or not at all."""
    with open_atomically(path, "w") as file:
        file.write(text)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Replace a file by bytes, whole or not at all."""
    with open_atomically(path) as file:
        file.write(content)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they do not exist.

    Raises:
        mcc_zoo.disk.WriteError: It cannot be made.
    """
    with explained(folder, any_fault=True):
        folder.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def temporary_folder(prefix: str = "mcc_zoo-", parent: Path | None = None) -> Iterator[Path]:
    """Make a folder for temporary files, which is removed when the block ends.

    Args:
        prefix: Of its name.
        parent: Where it lies; in the system's folder for temporary files by default.

    Raises:
        mcc_zoo.disk.WriteError: It cannot be made, or its disk is full while the block writes there.
    """
    instead = "" if parent else "name another folder in TMPDIR"
    with explained(None, "the temporary folder", instead, any_fault=True):
        made = tempfile.TemporaryDirectory(prefix=prefix, dir=parent)
    with made as name, explained(name, "the temporary folder", instead):
        yield Path(name)


def publish_folder(finished: Path, folder: Path) -> None:
    """Force a finished folder and all that is in it to the disk, then rename it.

    Args:
        finished: The folder under its temporary name, on the same disk as `folder`.
        folder: The name that it gets. It must not exist; POSIX systems also take an empty folder.

    Raises:
        OSError: `folder` holds something, or the rename is refused. `finished` stays where it is.
    """
    for path in [*finished.rglob("*"), finished]:
        sync(path)
    finished.rename(folder)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Force a file, or the entries of a folder, to the disk. Windows cannot do so with folders and does it by itself.

    Raises:
        OSError: The disk refuses it.
    """
    is_folder = path.is_dir()
    if is_folder and ON_WINDOWS:
        return
    try:
        descriptor = os.open(path, os.O_RDWR if ON_WINDOWS else os.O_RDONLY)  # Windows syncs what it may write to
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if not (is_folder and error.errno in WITHOUT_FOLDER_SYNC):
            raise
