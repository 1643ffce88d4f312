"""The two tasks: one label a track, as in the paper, or any number of labels (auto-tagging)."""

from __future__ import annotations

from typing import Literal, get_args

Task = Literal["single-label", "multi-label"]
SEPARATOR = "|"  # between the labels of a track, wherever they stand in one cell
TASKS: tuple[Task, ...] = get_args(Task)
