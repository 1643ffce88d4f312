"""Tables, figures and one HTML page of an experiment, from the files of its run folder alone.

`run` reads the folder, `figures` draws, `page` lays out in `template`.
"""

from __future__ import annotations

import os
from pathlib import Path

from mcc_zoo.experiment.report.page import render
from mcc_zoo.experiment.report.run import Run, read_run

__all__ = ["Run", "read_run", "write_report"]


def write_report(run_dir: str | os.PathLike[str], dataset: str) -> Path:
    """Write a run's figures/*.png and report.html, each whole or not at all.

    Args:
        run_dir: As `mcc_zoo.experiment.cross_validation.cross_validate` leaves it.
        dataset: The dataset's name; the paper's figures of the same name stand beside ours.

    Returns:
        Path of report.html.

    Raises:
        ValueError: The folder is not that of a finished run, or one of its files is damaged.
    """
    run = read_run(run_dir, dataset)
    return run.write("report.html", render(run).encode())
