"""Long forms of tests, and the table of what they tried and what came out: `make soak`."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd
import pytest

IS_SOAK = bool(os.environ.get("MCC_ZOO_SOAK"))
TALLY, INPUTS = "tally", "random inputs for the properties of chunks, batches, folds, pooling and the WAV parser"


def amount(usual: int, soak: int) -> int:
    """Return how much a test tries: usually, and in its long form."""
    return soak if IS_SOAK else usual


@dataclass
class Tally:
    """What a test tried, and what came out.

    Attributes:
        properties: The test's `user_properties`.
    """

    properties: list[tuple[str, object]] = field(default_factory=list)

    def add(self, what: str, **outcomes: int) -> None:
        """Note how often each outcome came, all of them sound: one that is not has to fail the test."""
        self.properties.append((TALLY, {"what": what, **outcomes}))


def count_inputs(item: pytest.Item) -> int:
    """Return how many inputs Hypothesis tried; 0 for a test that is not its."""
    return sum(map(int, re.findall(r"(\d+) passing", getattr(item, "hypothesis_statistics", ""))))


def make_table(reports: Iterable[pytest.TestReport]) -> pd.DataFrame:
    """Add up the tallies of the tests that passed: a row for each kind of attempt."""
    totals: dict[str, Counter[str]] = {}
    for report in reports:
        for name, value in report.user_properties:
            if name == TALLY and isinstance(value, dict):
                outcomes = {outcome: count for outcome, count in value.items() if outcome != "what"}
                totals.setdefault(str(value["what"]), Counter()).update(outcomes)
    rows = [
        {
            "tried": what,
            "times": sum(outcomes.values()),
            "came out": ", ".join(f"{outcome.replace('_', ' ')} {count:,}" for outcome, count in outcomes.items()),
        }
        for what, outcomes in sorted(totals.items())
    ]
    return pd.DataFrame(rows, columns=["tried", "times", "came out"])
