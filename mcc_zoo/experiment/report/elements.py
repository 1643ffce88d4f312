"""Tables and figures of the page, as its template reads them."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from matplotlib.figure import Figure

from mcc_zoo.experiment.report import figures
from mcc_zoo.experiment.report.run import Run

COLUMNS_OF_A_PHONE = 5  # of a table of figures


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows.

    Attributes:
        head: Names of the columns.
        rows: Cells of each row.
        kind: "numbers", or "words" for cells that may break into several lines.
    """

    head: list[str]
    rows: list[list[str]]
    kind: str = "numbers"

    @classmethod
    def from_markdown(cls, markdown: str) -> Table:
        """Parse a table of `mcc_zoo.experiment.summary`, so that the page and summary.md cannot differ."""
        head, _, *rows = [line[2:-2].split(" | ") for line in markdown.splitlines()]
        return cls(head, rows)

    @property
    def is_wide(self) -> bool:
        """Whether a phone shows a part of the columns only."""
        return len(self.head) > COLUMNS_OF_A_PHONE


@dataclass(frozen=True)
class PageFigure:
    """A drawn figure.

    Attributes:
        base64: The PNG file in base64.
        alt: What it shows, for those who do not see it.
        caption: Stands below; may be "".
        percent: Its width in percent of the page's.
    """

    base64: str
    alt: str
    caption: str
    percent: int

    @property
    def is_wide(self) -> bool:
        """Whether the figure is wider than the page."""
        return self.percent > 100


@dataclass(frozen=True)
class SystemPart:
    """What the page shows of one system, which the reader can open and close.

    Attributes:
        title: The system's.
        is_best: Whether the system has the best score of those that have such a part.
        content: A table or figures.
    """

    title: str
    is_best: bool
    content: Table | list[PageFigure]


def add_figure(run: Run, name: str, figure: Figure, alt: str, caption: str = "") -> PageFigure:
    """Draw a figure, and write it to `figures/NAME.png` in the run's folder.

    Args:
        run: The run.
        name: Of the file, without suffix.
        figure: Not drawn yet.
        alt: As in `PageFigure`.
        caption: As in `PageFigure`.
    """
    png = figures.encode_png(figure)
    run.write(f"figures/{name}.png", png)
    percent = round(100 * figure.get_figwidth() / figures.WIDTH)
    return PageFigure(base64.b64encode(png).decode(), alt, caption, percent)


def part_by_system(run: Run, contents: dict[str, list[PageFigure]] | dict[str, Table]) -> list[SystemPart]:
    """Make a part for each system that has content; that of the best one of them is open at first."""
    kept = {name: content for name, content in contents.items() if content}
    if not kept:
        return []
    best = run.summary.set_index("architecture").loc[list(kept), run.main_score].fillna(0).idxmax()
    return [SystemPart(run.systems[name], name == best, content) for name, content in kept.items()]
