"""Find audio files in folders."""

from __future__ import annotations

import os
from pathlib import Path

from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.decoders import FFMPEG_SUFFIXES, SUFFIXES

AUDIO_SUFFIXES = frozenset(suffix for suffixes in (SUFFIXES | FFMPEG_SUFFIXES).values() for suffix in suffixes)


def find(folder: str | bytes | os.PathLike[str], suffixes: frozenset[str] = AUDIO_SUFFIXES) -> list[Path]:
    """List the audio files of a folder and its subfolders.

    A subfolder that cannot be listed stands in the list for its files: a tagger refuses it, as one file.

    Hidden files and folders are left out, and so are the "._" files that macOS writes to other disks. Links to files
    are listed, links to folders are not followed.

    Args:
        folder: The folder to search.
        suffixes: Suffixes of the files to list, in lower case.

    Returns:
        Sorted paths, each beginning with `folder`, of regular files with one of the suffixes in upper or lower case.

    Raises:
        AudioError: `folder` is not a folder, or cannot be listed.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("b.WAV", "a.mp3", "._a.mp3", "notes.txt"):
        ...         (pathlib.Path(folder) / name).touch()
        ...     [path.name for path in find(folder)]
        ['a.mp3', 'b.WAV']
    """
    found = find_with_errors(folder, suffixes)
    if error := found.get(Path(os.fsdecode(folder))):
        raise error
    return list(found)


def find_with_errors(
    folder: str | bytes | os.PathLike[str], suffixes: frozenset[str] = AUDIO_SUFFIXES
) -> dict[Path, AudioError | None]:
    """List audio files as `find` does, and say why a folder gives none.

    Args:
        folder: As for `find`.
        suffixes: As for `find`.

    Returns:
        For each file None, for each folder that cannot be listed (`folder` itself among them) the error; by path.
    """
    found: dict[Path, AudioError | None] = {}

    def note_folder(error: OSError) -> None:
        found[Path(error.filename)] = AudioError(
            error.filename, f"cannot be listed as a folder ({error.strerror}); give a folder that can be read"
        )

    for parent, subfolders, names in os.walk(os.fsdecode(folder), onerror=note_folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        paths = [Path(parent, name) for name in names if not name.startswith(".")]
        found |= {path: None for path in paths if path.suffix.lower() in suffixes and _may_be_file(path)}
    return {path: found[path] for path in sorted(found)}


def _may_be_file(path: Path) -> bool:
    """Check whether a path may be a regular file; where that is forbidden to know, reading it gives the reason."""
    try:
        return path.is_file()
    except OSError:
        return True
