"""Run the benchmarks: `python -m benchmarks [front_end training ...] [--quick]`; without a name it runs all.

Each table is written to benchmarks/results and into benchmarks/README.md, between the markers with its name. The first
table of each benchmark is drawn in benchmarks/figures: bars of its first column of numbers, named by those before.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import math
import os
import platform
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.interleaved import ENVIRONMENTS, HERE
from benchmarks.processor import describe_processor

BENCHMARKS = (
    "tagging", "growth", "catalogue", "start_up", "front_end", "training", "matrix_product", "serving", "signatures",
)  # fmt: skip
LIBRARIES = ("tensorflow", "keras", "numpy", "scipy", "librosa")
OURS, OTHERS = "#D55E00", "#0072B2"  # Okabe and Ito: safe for the colour-blind


def main() -> None:
    """Run the benchmarks that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time mcc_zoo beside other libraries.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"benchmarks to run: {', '.join(BENCHMARKS)}; all by default"
    )
    parser.add_argument("--quick", action="store_true", help="run at tiny sizes; print tables, write nothing")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}: choose of {', '.join(BENCHMARKS)}")
    for benchmark in arguments.names or BENCHMARKS:
        tables = importlib.import_module(f"benchmarks.{benchmark}").run(arguments.quick)
        for name, table in tables.items():
            print(f"{name}\n\n{format_table(table)}")
        if not arguments.quick:
            write_results(benchmark, tables, HERE)


def write_results(benchmark: str, tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Write a benchmark's tables and figure below a folder, and its tables into the README there."""
    for kind in ("results", "figures"):
        (folder / kind).mkdir(exist_ok=True)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    command, picture = f"python -m benchmarks {benchmark}", f"![{next(iter(tables))}](figures/{benchmark}.png)\n\n"
    for name, table in tables.items():
        table.to_csv(folder / "results" / f"{re.sub(r'[^a-z]+', '_', name)}.csv", index=False)
        readme = replace_section(readme, name, f"{picture}{format_table(table)}\n{describe_run(command)}\n")
        picture = ""  # of the first table alone
    (folder / "README.md").write_text(readme, encoding="utf-8")
    draw_bars(next(iter(tables.values()))).savefig(folder / "figures" / f"{benchmark}.png")


def replace_section(readme: str, name: str, text: str) -> str:
    """Put a text between the markers of a name.

    Raises:
        ValueError: The README has no such markers.
    """
    start, end = f"<!-- {name} -->\n", f"<!-- end {name} -->"
    if start not in readme or end not in readme:
        raise ValueError(f"benchmarks/README.md has no place for {name!r}: give it the lines {start.strip()} and {end}")
    before, after = readme.split(start)[0], readme.split(end)[1]
    return f"{before}{start}\n{text}\n{end}{after}"


def format_table(table: pd.DataFrame) -> str:
    """Format a table in Markdown, numbers to three digits."""
    right = [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    lines = [list(table.columns), ["--:" if numeric else "---" for numeric in right]]
    lines += [[format_cell(cell) for cell in row] for row in table.itertuples(index=False)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def format_cell(cell: object) -> str:
    """Format a number to three digits, a whole number in full, and anything else as it is.

    >>> [format_cell(cell) for cell in (12345.6, 0.01234, 2007994, float("nan"), "librosa")]
    ['12,346', '0.0123', '2,007,994', '', 'librosa']
    """
    if isinstance(cell, float):
        return "" if math.isnan(cell) else f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def describe_run(command: str) -> str:
    """Describe a run of a command: date, machine and versions."""
    versions = ", ".join(f"{name} {version}" for name, version in list_versions())
    return (
        f"{datetime.date.today()}, `{command}`; {describe_processor()}, {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, {versions}."
    )


def list_versions() -> Iterator[tuple[str, str]]:
    """List the versions of the libraries here, and of the library that each other environment is named after."""
    for name in LIBRARIES:
        yield name, metadata.version(name)
    for folder in sorted(ENVIRONMENTS.glob("*/lib/python*/site-packages")):
        environment = folder.relative_to(ENVIRONMENTS).parts[0]
        for found in metadata.distributions(name=environment, path=[str(folder)]):
            yield environment, found.version


def draw_bars(table: pd.DataFrame) -> Figure:
    """Draw the first column of numbers as bars that can be read on a phone; a panel for each group of rows."""
    numbers = str(table.select_dtypes("number").columns[0])
    *groups, names = table.columns[: table.columns.get_loc(numbers)]
    panels = [(title, rows) for (title,), rows in table.groupby(groups, sort=False)] if groups else [("", table)]
    drawn = Figure(figsize=(7, 1 + 0.5 * len(table) + 0.7 * len(panels)), dpi=120, layout="constrained")
    heights = [len(rows) for _, rows in panels]
    all_axes = drawn.subplots(len(panels), squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, (title, rows) in zip(all_axes, panels, strict=True):
        ours = rows[names].str.startswith(("mcc_zoo", "mcc-zoo"))
        bars = axes.barh(rows[names], rows[numbers], color=[OURS if own else OTHERS for own in ours])
        axes.bar_label(bars, [format_cell(value) for value in rows[numbers]], padding=4, fontsize=14)
        axes.set_title(title, fontsize=14, loc="left")
        axes.tick_params(labelsize=14)
        axes.locator_params(axis="x", nbins=4)
        axes.margins(x=0.2)
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
    all_axes[-1].set_xlabel(numbers, fontsize=14)
    return drawn


if __name__ == "__main__":
    main()
