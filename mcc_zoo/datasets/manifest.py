"""Your own music, listed in a CSV table."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path, PureWindowsPath

from mcc_zoo.datasets.base import DatasetError, Track
from mcc_zoo.datasets.tables import Row, read_columns, read_rows
from mcc_zoo.tasks import SEPARATOR

RESERVED = {"", "path", "group", "fold"}  # no columns of a label
FLAGS = {"0": False, "0.0": False, "1": True, "1.0": True}  # pandas writes 1.0 where a column once had an empty cell


def read_manifest(csv_path: Path | str, label_columns: Sequence[str] = ()) -> list[Track]:
    r"""List the tracks of a CSV table with the columns path and label or labels, and optionally group and fold.

    The labels are in one of three forms. `label`: each track has one. `labels`: each has any number, separated by `|`;
    an empty cell is a track without labels. Or each label has a column of 0 and 1; `label_columns` names these columns.

    Relative paths are relative to the table. Other columns are ignored. Messages count rows as a spreadsheet does: the
    header is row 1. A group (artist, album) is kept on one side of a split; a fold is a whole number, given for every
    row or for none.

    Args:
        csv_path: A comma-separated table in UTF-8, with or without byte-order mark.
        label_columns: The columns of 0 and 1, in upper or lower case; these names are the labels.

    Returns:
        The tracks in the order of the table. A track's name is its path relative to the table.

    Raises:
        DatasetError: If the table cannot be read, lacks a column, has labels in more than one form, has a row without
            path or label, names a file twice or one that does not exist, has fewer than two labels, one that all or
            none of the tracks have, a label of several lines, a cell of a label column that is not 0 or 1, or a fold
            that is no whole number or that only some rows have.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("a.wav", "b.wav"):
        ...     (folder / name).touch()
        >>> _ = (folder / "mine.csv").write_text("path,label,group\na.wav,fast,Ann\nb.wav,slow,Bob\n")
        >>> [(track.name, track.label, track.group) for track in read_manifest(folder / "mine.csv")]
        [('a.wav', 'fast', 'Ann'), ('b.wav', 'slow', 'Bob')]
        >>> _ = (folder / "tags.csv").write_text("path,labels\na.wav,fast|guitar\nb.wav,\n")
        >>> [track.labels for track in read_manifest(folder / "tags.csv")]
        [('fast', 'guitar'), ()]
    """
    path = Path(csv_path)
    tracks = parse_manifest(path, label_columns)
    absent = [track for track in tracks if not os.path.isfile(track.path)]
    if absent:
        raise DatasetError(
            f"{path}: {len(absent)} of {len(tracks)} files do not exist, the first is {absent[0].name!r}, looked for "
            f"at {str(absent[0].path)!r}. Paths are relative to the table; correct or remove these rows"
        )
    return tracks


def parse_manifest(path: Path, label_columns: Sequence[str] = ()) -> list[Track]:
    """List a manifest's tracks as `read_manifest` does, whether or not their files exist."""
    named = {name.strip().lower(): name.strip() for name in label_columns}
    form = _find_form(path, label_columns, set(named))
    rows = read_rows(path, ("path", *(named or [form])))
    row_of: dict[str, int] = {}
    tracks: list[Track] = []
    for row in rows:
        name = _read_name(row)
        if (first := row_of.setdefault(name, row.number)) != row.number:
            raise DatasetError(
                f"{path}: rows {first} and {row.number} are both {row.get_text('path')!r}; keep one row per file"
            )
        fold = row.get_whole_number("fold") if row.get_text("fold") else None
        label, labels = ("", _read_labels(row, named)) if form != "label" else (_read_label(row), None)
        tracks.append(Track(path.parent / name, name, label, row.get_text("group"), fold, labels))
    without = [row for row, track in zip(rows, tracks, strict=True) if track.fold is None]
    if 0 < len(without) < len(tracks):
        raise DatasetError(f"{without[0]} has no fold, other rows have one; give a fold to every row, or to none")
    _check_labels(path, tracks, named)
    return tracks


def _find_form(path: Path, label_columns: Sequence[str], named: Set[str]) -> str:
    """Find the column with the labels: `label`, `labels`, or "" where each label has a column of its own."""
    columns = read_columns(path)
    forms = [name for name in ("label", "labels") if name in columns and name not in named]
    if len(named) < len(label_columns) or RESERVED & named:
        raise DatasetError(
            f"{path}: label_columns={','.join(label_columns)}: name each label's column once, and not path, group, fold"
        )
    if named and forms:
        raise DatasetError(
            f"{path}: has the column {forms[0]}, so its labels are not in columns of 0 and 1: leave label_columns out, "
            f"or remove that column"
        )
    if len(forms) > 1:
        raise DatasetError(
            f"{path}: has the columns label and labels: keep label where each track has one, else labels"
        )
    if "path" in columns and not named and not forms:
        raise DatasetError(
            f"{path}: lacks label: give it a column label with one name per row, or labels with names separated by |, "
            f"or name its columns of 0 and 1 as label_columns; found {', '.join(map(repr, columns))}"
        )
    return "" if named else (forms or ["label"])[0]


def _check_labels(path: Path, tracks: Sequence[Track], named: Mapping[str, str]) -> None:
    counts = Counter(label for track in tracks for label in track.all_labels)
    if tracks and (never := [name for name in named.values() if not counts[name]]):
        raise DatasetError(f"{path}: no row has a 1 in the column {never[0]}; leave it out of label_columns")
    if len(counts) < 2:
        raise DatasetError(
            f"{path}: {len(tracks)} rows with the labels {sorted(counts)}; a tagger needs at least two labels"
        )
    if always := [label for label, count in counts.items() if count == len(tracks)]:
        raise DatasetError(f"{path}: every row has the label {always[0]!r}, which tells nothing apart; leave it out")


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
    text = _check_line(row, row.get_text("label"))
    if not text:
        raise DatasetError(f"{row} has no label")
    return text


def _read_labels(row: Row, named: Mapping[str, str]) -> tuple[str, ...]:
    """Read a row's labels from its columns of 0 and 1, or from its one cell of names."""
    if named:
        return tuple(label for column, label in named.items() if _read_flag(row, column))
    names = (_check_line(row, name.strip()) for name in row.get_text("labels").split(SEPARATOR))
    return tuple(dict.fromkeys(name for name in names if name))


def _read_flag(row: Row, column: str) -> bool:
    text = row.get_text(column)
    if text not in FLAGS:  # an empty cell is no 0: perhaps nobody listened for this label
        raise DatasetError(f"{row}: {column} is {text!r}: write 1 where the track has this label, else 0")
    return FLAGS[text]


def _check_line(row: Row, label: str) -> str:
    if len(label.splitlines()) > 1:
        raise DatasetError(f"{row}: label {label!r} has a line break; a label is one line")
    return label
