"""The table of `make soak`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.soak import INPUTS, Tally, make_table

HERE = Path(__file__).parent
TESTS = """
from hypothesis import given, settings, strategies as st

def test_files(tally):
    tally.add("files", read=2, refused=1)

def test_more_files(tally):
    tally.add("files", read=1_000)

@settings(max_examples=30, database=None)
@given(st.integers())
def test_numbers(number):
    assert number == number

def test_a_loss(tally):
    tally.add("kills", goes_on=9)
    assert False
"""


@pytest.mark.slow
def test_the_page_says_what_passed(tmp_path: Path) -> None:
    page, tests = tmp_path / "page.md", tmp_path / "test_some.py"
    page.write_text("before\n<!-- soak -->\n<!-- end soak -->\nafter\n")
    tests.write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "conftest", "-p", "no:cacheprovider"]
    paths = os.pathsep.join(map(str, (HERE, HERE.parent)))
    done = subprocess.run(
        [*command, f"--rootdir={tmp_path}", f"--tally={page}", str(tests)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    before, table, after = page.read_text().partition("| tried | times | came out |\n")
    assert (before, bool(table)) == ("before\n<!-- soak -->\n\n", True)
    _, files, inputs, rest = after.split("\n", 3)
    assert files == "| files | 1,003 | read 1,002, refused 1 |"
    assert inputs == f"| {INPUTS} | 30 | held 30 |"
    assert "`make soak`" in rest and rest.endswith("<!-- end soak -->\nafter\n")


def test_counts_of_a_kind_are_added() -> None:
    reports = []
    for outcomes in ({"read": 2, "refused": 1}, {"refused": 3}):
        properties: list[tuple[str, object]] = [("another", 7)]
        Tally(properties).add("files", **outcomes)
        reports.append(pytest.TestReport("test", ("", 0, ""), {}, "passed", None, "call", user_properties=properties))
    (row,) = make_table(reports).to_dict("records")
    assert row == {"tried": "files", "times": 6, "came out": "read 2, refused 4"}
