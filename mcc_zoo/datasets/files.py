"""Finding a dataset's files in the folders that people keep it in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mcc_zoo.audio.folders import AUDIO_SUFFIXES
from mcc_zoo.datasets.tables import EXCEL
from mcc_zoo.datasets.track import DatasetError

PREFERRED = (".au", ".wav")  # of a track that is there in several formats: what the archives hold, .au first
DEPTH = 5  # folders down that a reader looks: the archives unpack to three, people add their own


def list_files(folder: Path) -> list[Path]:
    """List every file in a folder, in a stable order, links followed.

    Hidden files and those more than `DEPTH` folders down are left out. Raises `DatasetError` where it is no folder.
    """
    if not os.path.isdir(folder):
        what = "is a file; unpack it and give the folder" if os.path.isfile(folder) else "does not exist"
        raise DatasetError(f"folder {str(folder)!r} {what}")
    found: list[Path] = []
    seen: set[str] = set()
    for here, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:  # a link back up shows the same files again
            folders.clear()
            continue
        seen.add(real)
        found += [Path(here, name) for name in sorted(names) if not name.startswith(".")]
        shown = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        shown.sort(key=lambda name: (os.path.islink(os.path.join(here, name)), name))  # a link may have another name
        folders[:] = shown if len(Path(here).relative_to(folder).parts) < DEPTH else []
    return found


def audio_of(files: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that are audio by their suffix."""
    return (path for path in files if path.suffix.lower() in AUDIO_SUFFIXES)


def first_named(files: Iterable[Path], pattern: str) -> Path | None:
    """Find the file of that name (a regular expression) nearest to the top; a CSV comes before an Excel table."""
    named = [path for path in files if re.fullmatch(pattern, path.name, re.IGNORECASE) and os.path.isfile(path)]
    return min(named, key=lambda path: (path.suffix.lower() in EXCEL, len(path.parts), path), default=None)


def one_each(candidates: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Choose one file for each key (a track's name without suffix), sorted by key.

    Two formats in one folder are one track; two folders are two copies, and raise `DatasetError`.
    """
    chosen: dict[str, Path] = {}
    for key, path in candidates:
        other = chosen.setdefault(key, path)
        if other.parent != path.parent:
            raise DatasetError(
                f"{key} lies in {str(other.parent)!r} and in {str(path.parent)!r}; give the folder of one copy"
            )
        chosen[key] = min(other, path, key=lambda path: (path.suffix.lower() not in PREFERRED, path.name.lower()))
    return dict(sorted(chosen.items()))
