"""The run folder and the page that all tests of the report read."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.html_page import Page
from helpers.run_folders import Experiment

from mcc_zoo.experiment import report


@pytest.fixture(scope="session")
def report_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    refused = [("bad/<one>.wav", 'bad/<one>.wav: is empty: "replace" it'), ("bad/two.wav", "bad/two.wav: 2 bytes")]
    return Experiment(refused=refused).write(tmp_path_factory.mktemp("results") / "tuned & grouped")


@pytest.fixture(scope="session")
def page(report_dir: Path) -> Page:
    return Page(report.write_report(report_dir, "gtzan").read_text(encoding="utf-8"))
