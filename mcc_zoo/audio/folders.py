"""Find audio files in folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
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
    return dict(walk(folder, suffixes))


def walk(
    folder: str | bytes | os.PathLike[str], suffixes: frozenset[str] = AUDIO_SUFFIXES
) -> Iterator[tuple[Path, AudioError | None]]:
    """List what `find_with_errors` does, in the same order, one by one: memory holds one folder and those around it."""
    waiting: list[os.DirEntry[str] | str] = [os.fsdecode(folder)]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, str) or _is_folder(entry):
            try:
                waiting += _list_backwards(entry)
            except OSError as error:
                reason = f"cannot be listed as a folder ({error.strerror}); give a folder that can be read"
                yield Path(entry), AudioError(os.fspath(entry), reason)
        elif os.path.splitext(entry.name)[1].lower() in suffixes and _may_be_file(entry):
            yield Path(entry), None


def _list_backwards(folder: str | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    """List a folder without what is hidden, the last name first; a link to a folder holds nothing."""
    if isinstance(folder, os.DirEntry) and folder.is_symlink():
        return []
    with os.scandir(os.fspath(folder)) as entries:
        seen = (entry for entry in entries if not entry.name.startswith("."))
        return sorted(seen, key=lambda entry: entry.name, reverse=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # it may not be looked at
        return False


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    """Check whether an entry may be a regular file; where that is forbidden to know, reading it gives the reason."""
    try:
        return entry.is_file(follow_symlinks=False) or Path(entry).is_file()
    except OSError:
        return True
