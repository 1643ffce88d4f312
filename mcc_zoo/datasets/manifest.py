"""Your own music, listed in a CSV table."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

from mcc_zoo.datasets.base import DatasetError, Track
from mcc_zoo.datasets.tables import Row, read_rows


def read_manifest(csv_path: Path | str) -> list[Track]:
    r"""List the tracks of a CSV table with the columns path and label, and optionally group and fold.

    Relative paths are relative to the table. Other columns are ignored. Messages count rows as a spreadsheet does: the
    header is row 1. A group (artist, album) is kept on one side of a split; a fold is a whole number, given for every
    row or for none.

    Args:
        csv_path: A comma-separated table in UTF-8, with or without byte-order mark.

    Returns:
        The tracks in the order of the table. A track's name is its path relative to the table.

    Raises:
        DatasetError: If the table cannot be read, lacks a column, has a row without path or label, names a file twice
            or one that does not exist, has fewer than two labels, a label of several lines, or a fold that is no whole
            number or that only some rows have.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("a.wav", "b.wav"):
        ...     (folder / name).touch()
        >>> _ = (folder / "mine.csv").write_text("path,label,group\na.wav,fast,Ann\nb.wav,slow,Bob\n")
        >>> [(track.name, track.label, track.group) for track in read_manifest(folder / "mine.csv")]
        [('a.wav', 'fast', 'Ann'), ('b.wav', 'slow', 'Bob')]
    """
    path = Path(csv_path)
    tracks = parse_manifest(path)
    absent = [track for track in tracks if not os.path.isfile(track.path)]
    if absent:
        raise DatasetError(
            f"{path}: {len(absent)} of {len(tracks)} files do not exist, the first is {absent[0].name!r}, looked for "
            f"at {str(absent[0].path)!r}. Paths are relative to the table; correct or remove these rows"
        )
    return tracks


def parse_manifest(path: Path) -> list[Track]:
    """List a manifest's tracks as `read_manifest` does, whether or not their files exist."""
    rows = read_rows(path, ("path", "label"))
    row_of: dict[str, int] = {}
    tracks: list[Track] = []
    for row in rows:
        name = _read_name(row)
        if (first := row_of.setdefault(name, row.number)) != row.number:
            raise DatasetError(
                f"{path}: rows {first} and {row.number} are both {row.get_text('path')!r}; keep one row per file"
            )
        fold = row.get_whole_number("fold") if row.get_text("fold") else None
        tracks.append(Track(path.parent / name, name, _read_label(row), row.get_text("group"), fold))
    without = [row for row, track in zip(rows, tracks, strict=True) if track.fold is None]
    if 0 < len(without) < len(tracks):
        raise DatasetError(f"{without[0]} has no fold, other rows have one; give a fold to every row, or to none")
    labels = sorted({track.label for track in tracks})
    if len(labels) < 2:
        raise DatasetError(f"{path}: {len(tracks)} rows with the labels {labels}; a tagger needs at least two labels")
    return tracks


def _read_name(row: Row) -> str:
    """Read a row's path relative to the table, normalised, so that two spellings of one path are detected."""
    text = row.get_text("path")
    if not text:
        raise DatasetError(f"{row} has no path")
    if "\0" in text:
        raise DatasetError(f"{row}: path {text!r} has a NUL character, which no file name can have")
    if "\\" in text and not os.path.exists(row.table.parent / text):  # written on Windows, read elsewhere
        text = PureWindowsPath(text).as_posix()
    if os.path.isabs(text):
        folder = row.table.parent.resolve()
        text = os.path.relpath(text, folder) if Path(os.path.normpath(text)).is_relative_to(folder) else text
    return Path(os.path.normpath(text)).as_posix()


def _read_label(row: Row) -> str:
    text = row.get_text("label")
    if not text:
        raise DatasetError(f"{row} has no label")
    if len(text.splitlines()) > 1:
        raise DatasetError(f"{row}: label {text!r} has a line break; a label is one line")
    return text
