"""Progress bars: what a terminal has room for."""

from __future__ import annotations

import pytest

from mcc_zoo.progress import progress_bar


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_counts_and_times_are_not_cut(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with progress_bar(quiet=False) as bar:
        bar.add_task("mcclstm, seed 0, fold 3: train 81 %, validation 70 %", total=160, completed=16)
    lines = capsys.readouterr().err.splitlines()
    assert "16/160 0:00:00 left -:--:--" in " ".join(lines[0].split())
    words = " ".join(" ".join(line[: columns - 40] for line in lines).split())
    assert all(word in words for word in ("mcclstm,", "81 %", "validation")) and "…" not in words
    assert all(len(line) <= columns for line in lines)
