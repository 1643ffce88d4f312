"""Progress that a person can follow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

WIDEST_BAR = 40  # characters


@contextlib.contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """Show progress with the time left, on standard error."""
    console = Console(stderr=True, quiet=quiet)
    with Progress(*_columns(console.width), console=console, disable=quiet) as bar:
        yield bar


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    """Make the columns: where they do not fit, the description goes on in a second line, and no number is cut."""
    return (
        TextColumn("{task.description}", table_column=Column(no_wrap=False)),
        BarColumn(min(WIDEST_BAR, width // 8), table_column=Column(no_wrap=True)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False, table_column=Column(no_wrap=True)),
    )
