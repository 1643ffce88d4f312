"""Disks without room: a limit on the size of files, which needs no rights, or a small file system that tests fill.

The limit is the process's own (RLIMIT_FSIZE): what is written past it fails in the kernel, for every library, as on a
full disk, though by another number (EFBIG). The file system is the folder that MCC_ZOO_FULL_DISK names.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = "MCC_ZOO_FULL_DISK"
PAGE = 4_096  # bytes; the least that a file takes of a tmpfs


@dataclass(frozen=True)
class Disk:
    """A disk that a test can leave with little room.

    Attributes:
        folder: Where to write.
        is_mounted: Whether it is a file system of its own, which gets full, and not a limit on the size of files.
    """

    folder: Path
    is_mounted: bool

    @contextlib.contextmanager
    def leave(self, room: int | None) -> Iterator[None]:
        """Leave room for so many bytes of each file, or of a mounted disk for so many pages; None for any number."""
        if room is None:
            yield
        elif self.is_mounted:
            free = shutil.disk_usage(self.folder).free - room * PAGE
            assert free > 0, f"the disk of {FOLDER} is too small: mount one of 64 MB"
            filler = self.folder.parent / "filler"
            filler.write_bytes(bytes(free))
            try:
                yield
            finally:
                filler.unlink()
        else:
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def open_disk(tmp_path: Path) -> Iterator[Disk]:
    """Make a folder on the mounted disk, if there is one, else in `tmp_path`."""
    mounted = os.environ.get(FOLDER)
    folder = Path(mounted or tmp_path) / "disk"
    folder.mkdir()
    yield Disk(folder, bool(mounted))
    shutil.rmtree(folder)
