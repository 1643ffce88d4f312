"""Find a dataset's files in the folder layouts in which it is distributed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mcc_zoo.audio.folders import AUDIO_SUFFIXES
from mcc_zoo.datasets.base import DatasetError
from mcc_zoo.datasets.tables import EXCEL

PREFERRED_SUFFIXES = (".au", ".wav")  # the formats of the archives, preferred where a track exists in several
MAX_DEPTH = 5  # levels of folders that are searched: the archives have three, users add their own


def list_files(folder: Path) -> list[Path]:
    """List every file in a folder, in a stable order; links are followed.

    Hidden files and those more than `MAX_DEPTH` levels down are left out.

    Raises:
        DatasetError: There is no such folder.
    """
    if not os.path.isdir(folder):
        fault = "is a file; unpack it and give the folder" if os.path.isfile(folder) else "does not exist"
        raise DatasetError(f"folder {str(folder)!r} {fault}")
    found: list[Path] = []
    seen: set[str] = set()
    for here, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:  # a link to a folder above would list the same files again
            folders.clear()
            continue
        seen.add(real)
        found += [Path(here, name) for name in sorted(names) if not name.startswith(".")]
        shown = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        shown.sort(key=lambda name: (os.path.islink(os.path.join(here, name)), name))  # a link may have another name
        folders[:] = shown if len(Path(here).relative_to(folder).parts) < MAX_DEPTH else []
    return found


def filter_audio(files: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that have a suffix of an audio format."""
    return (path for path in files if path.suffix.lower() in AUDIO_SUFFIXES)


def find_by_name(files: Iterable[Path], pattern: str) -> Path | None:
    """Find the file whose name matches a regular expression; CSV before Excel, then the one nearest to the top."""
    named = [path for path in files if re.fullmatch(pattern, path.name, re.IGNORECASE) and os.path.isfile(path)]
    return min(named, key=lambda path: (path.suffix.lower() in EXCEL, len(path.parts), path), default=None)


def choose_one_per_key(candidates: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Choose one file for each key (a track's name without suffix), sorted by key.

    Two formats in one folder are one track.

    Raises:
        DatasetError: Files of one key are in two folders: these are two copies of the dataset.
    """
    chosen: dict[str, Path] = {}
    for key, path in candidates:
        other = chosen.setdefault(key, path)
        if other.parent != path.parent:
            raise DatasetError(
                f"{key} is in {str(other.parent)!r} and in {str(path.parent)!r}; give the folder of one copy"
            )
        chosen[key] = min(
            other, path, key=lambda path: (path.suffix.lower() not in PREFERRED_SUFFIXES, path.name.lower())
        )
    return dict(sorted(chosen.items()))
