"""Tables, figures and one HTML page of an experiment, made from the files of its run folder alone.

`run` reads the folder, `figures` draws, `page` gathers the data of each section for the template `page.html.j2`.
"""

from __future__ import annotations

import os
from pathlib import Path

from mcc_zoo.disk import explained
from mcc_zoo.experiment.report.page import render
from mcc_zoo.experiment.report.run import Run, read_run

__all__ = ["Run", "read_run", "write_report"]


def write_report(run_dir: str | os.PathLike[str], dataset: str) -> Path:
    """Write figures/*.png and report.html of a run, each whole or not at all.

    Args:
        run_dir: The folder of a run that `mcc_zoo.experiment.cross_validation.cross_validate` has finished.
        dataset: The dataset's name; if the paper has it, the paper's scores stand beside ours.

    Returns:
        Path of report.html.

    Raises:
        ValueError: The folder is not that of a finished run, or one of its files is damaged.
        mcc_zoo.disk.WriteError: A file cannot be written.
    """
    run = read_run(run_dir, dataset)
    with explained(run.folder, "the report"):
        return run.write("report.html", render(run).encode())
