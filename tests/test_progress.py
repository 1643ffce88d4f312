"""Progress: what a terminal has room for, and what a notebook gets."""

from __future__ import annotations

import warnings

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


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rich take this process for a notebook's kernel, in which ipywidgets is not installed."""
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("mcc_zoo.progress._has_ipywidgets", lambda: False)


@pytest.mark.usefixtures("notebook")
def test_a_notebook_without_ipywidgets_gets_a_line_at_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # rich warns where it cannot draw a bar
        with progress_bar(quiet=False) as bar:
            assert list(bar.track(range(25), description="reading")) == list(range(25))
            task = bar.add_task("fold [1]", total=None)
            bar.update(task, completed=1, total=2, description="fold [1]: 81 %")
            bar.console.print("a line of its own")
            bar.advance(task)
            bar.remove_task(task)
    lines = [line.split(", ")[0] for line in capsys.readouterr().err.splitlines()]
    tenths = (3, 5, 8, 10, 13, 15, 18, 20, 23, 25)
    assert lines == [
        *(f"reading: {done}/25" for done in tenths),
        "fold [1]: 81 %: 1/2",
        "a line of its own",
        "fold [1]: 81 %: 2/2",
    ]


@pytest.mark.usefixtures("notebook")
def test_a_quiet_bar_prints_nothing_in_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(quiet=True) as bar:
        assert list(bar.track(range(25))) == list(range(25))
    assert capsys.readouterr() == ("", "")


def test_a_notebook_with_ipywidgets_gets_richs_own_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("mcc_zoo.progress._has_ipywidgets", lambda: True)
    monkeypatch.setattr("rich.progress.Progress.start", lambda bar: None)  # it would ask for ipywidgets
    with progress_bar(quiet=False) as bar:
        assert type(bar).__name__ == "Progress" and bar.console.is_jupyter
