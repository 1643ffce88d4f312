"""Progress bars, on a terminal and in a notebook."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

WIDEST_BAR = 40  # characters
LINES_PER_TASK = 10  # at most, in a notebook that cannot redraw a bar


@contextlib.contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """Show progress and the time left on standard error.

    A notebook shows a bar if ipywidgets is installed, else a line at each tenth of the work.

    Args:
        quiet: Show nothing.

    Yields:
        The bar, on which tasks are added and advanced.
    """
    console = Console(stderr=True, quiet=quiet)
    if console.is_jupyter and not _has_ipywidgets():  # rich would warn at each bar
        console = Console(stderr=True, quiet=quiet, force_jupyter=False)
        yield _Lines(console=console, disable=True, auto_refresh=False)
        return
    with Progress(*_columns(console.width), console=console, disable=quiet) as bar:
        yield bar


class _Lines(Progress):
    """Tasks that print a line at each tenth of their work, where nothing that was printed can be redrawn.

    It is never started, so that rich draws no bar.
    """

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task, as rich does, and print a line if it has come far enough."""
        self._change(task_id, lambda: super(_Lines, self).update(task_id, **changes))

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Advance a task, as rich does, and print a line if it has come far enough."""
        self._change(task_id, lambda: super(_Lines, self).advance(task_id, advance))

    def _change(self, task_id: TaskID, change: Callable[[], None]) -> None:
        task = self._tasks[task_id]
        before = _tenths(task)
        change()
        if _tenths(task) > before and task.total:
            left = TimeRemainingColumn(elapsed_when_finished=False).render(task)
            counts = f"{task.completed:g}/{task.total:g}"
            self.console.print(f"{task.description}: {counts}, {left} left", markup=False, highlight=False)


def _tenths(task: Task) -> int:
    return int(LINES_PER_TASK * task.completed / task.total) if task.total else 0


def _has_ipywidgets() -> bool:
    return importlib.util.find_spec("ipywidgets") is not None


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    """Make the columns. A long description goes on in a second line, so that no number is cut."""
    return (
        TextColumn("{task.description}", table_column=Column(no_wrap=False)),
        BarColumn(min(WIDEST_BAR, width // 8), table_column=Column(no_wrap=True)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False, table_column=Column(no_wrap=True)),
    )
