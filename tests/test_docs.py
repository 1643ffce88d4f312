"""The figures in the documentation are those of the published runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = (ROOT / "docs/results.md").read_text(encoding="utf-8")
SUMMARIES = sorted((ROOT / "experiments/results").glob("*-summary.md"))


def rows_of(text: str) -> list[list[str]]:
    """List the cells of all rows of a text's tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_there_are_published_runs():
    names = ["emotion-60s", "emotion", "genre-60s", "genre", "moods"]
    assert [path.name for path in SUMMARIES] == [f"{name}-summary.md" for name in names]


@pytest.mark.parametrize("summary", SUMMARIES, ids=lambda path: path.stem)
def test_results_have_the_tables_of_the_published_runs(summary):
    systems, claims = 0, 0
    for name, folds, *figures in rows_of(summary.read_text(encoding="utf-8")):
        if not folds.isdecimal():  # a heading
            continue
        if " over " in name:
            claims += 1
            row = [name, folds, *figures]
        else:
            systems += 1
            row = [name.split(":")[0], *figures]  # "R3: CNNs (T+P+B)"; the folds are in the text
        assert f"| {' | '.join(row)} |" in RESULTS
    assert (systems, claims) == ((9, 9) if summary.stem in ("genre-summary", "emotion-summary") else (4, 4))


def test_the_readme_has_figures_of_the_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    figures = re.findall(r"\d+\.\d ± \d+\.\d", readme)
    assert len(figures) == 12
    assert all(figure in RESULTS for figure in figures)


def test_the_readme_names_the_pages_that_there_are():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", readme)
    assert len(links) >= 8
    assert [link for link in links if not (ROOT / link).exists()] == []
