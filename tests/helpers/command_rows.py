"""The rows that `mcc-zoo` writes: their columns, and a check that they are the tagger's."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcc_zoo.inference.result import Result

FIXED = ["path", "status", "reason", "tag", "chunks", "seconds", "windows"]
LABELS = ["path", "slow, sad", "Übermut"]
COLUMNS = [*FIXED, *(f"probability_{label}" for label in LABELS)]

Run = Callable[..., Any]


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def reason_alone(result: Result) -> str:
    """Why a file was refused, without its name, which stands in the column path."""
    return result.reason.removeprefix(f"'{result.path}': ")


def assert_rows_agree(rows: list[dict[str, Any]], expected: dict[str, Result], rtol: float = 1e-6) -> None:
    """Each file has its one row, with the tagger's numbers."""
    assert [row["path"] for row in rows] == list(expected)
    for row, result in zip(rows, expected.values(), strict=True):
        assert list(row) == COLUMNS
        assert (row["status"], row["reason"] or "", row["tag"] or "") == (
            result.status,
            reason_alone(result),
            result.tag,
        )
        assert result.path not in (row["reason"] or "")
        assert (int(row["chunks"]), int(row["windows"])) == (len(result.taggram), result.windows)
        assert float(row["seconds"]) == pytest.approx(len(result.taggram) * 81_920 / 44_100, abs=1e-3)
        found = [row[f"probability_{label}"] for label in LABELS]
        if result.status == "ok":
            np.testing.assert_allclose(np.array(found, float), list(result.tags.values()), rtol=rtol)
        else:
            assert all(value in ("", None) or np.isnan(value) for value in found)


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
