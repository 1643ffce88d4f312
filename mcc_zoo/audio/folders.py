"""Find audio files in folders."""

from __future__ import annotations

import os
from pathlib import Path

from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.decoders import FFMPEG_SUFFIXES, SUFFIXES

AUDIO_SUFFIXES = frozenset(suffix for suffixes in (SUFFIXES | FFMPEG_SUFFIXES).values() for suffix in suffixes)


def find(folder: str | os.PathLike[str], suffixes: frozenset[str] = AUDIO_SUFFIXES) -> list[Path]:
    """List the audio files of a folder and its subfolders.

    Hidden files and folders are left out, and so are the "._" files that macOS writes to other disks. Links to files
    are listed, links to folders are not followed.

    Args:
        folder: The folder to search.
        suffixes: Suffixes of the files to list, in lower case.

    Returns:
        Sorted paths, each beginning with `folder`, of regular files with one of the suffixes in upper or lower case.

    Raises:
        AudioError: `folder` is not a folder, or it or a subfolder cannot be listed.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("b.WAV", "a.mp3", "._a.mp3", "notes.txt"):
        ...         (pathlib.Path(folder) / name).touch()
        ...     [path.name for path in find(folder)]
        ['a.mp3', 'b.WAV']
    """
    found: list[Path] = []
    for parent, subfolders, names in os.walk(folder, onerror=_refuse_folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        paths = [Path(parent, name) for name in names if not name.startswith(".")]
        found += [path for path in paths if path.suffix.lower() in suffixes and path.is_file()]
    return sorted(found)


def _refuse_folder(error: OSError) -> None:
    """Raise for a folder that `os.walk` would skip."""
    raise AudioError(
        f"{error.filename!r}: cannot be listed as a folder ({error.strerror}); give a folder that can be read"
    ) from error
