"""The settings of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mcc_zoo.features.front_end import FRONT_ENDS, FrontEnd
from mcc_zoo.paper import ARCHITECTURES, SYSTEMS
from mcc_zoo.recipes import RECIPES, Recipe
from mcc_zoo.text import choose

Frozen = Literal["nothing", "channels", "descriptor"]


@dataclass(frozen=True)
class Settings:
    """The settings of a run: equal settings on equal tracks give equal figures.

    Attributes:
        dataset: Its name; the results lie in results_dir/dataset/run.
        architectures: Systems to compare, of `mcc_zoo.ARCHITECTURES`.
        folds: Number of folds.
        seeds: How many times folds and weights are drawn.
        seed: The first of these seeds.
        split: As for `mcc_zoo.datasets.splits.draw_splits`.
        recipe: How to train.
        front_end: Parameters of the log-mel front end.
        precision: Keras dtype policy of the training; the trained model predicts, and is exported, in float32.
        shuffle_labels: Permute the labels among the tracks: a control, whose accuracy has to be at chance.
        start_from: Folder of the version of an export whose weights every system starts from, as far as it has layers
            of the same names and shapes; None starts from the recipe's initial weights.
        frozen: What stays as it was in the export: its `channels`; the `descriptor`, which is channels and fusion; or
            `nothing`.
        workers: Number of workers that train asynchronously, by `--strategy=parameter_server`; 0 trains synchronously.
        on_validation: Predict the validation tracks of each fold instead of its test tracks, to compare recipes.
    """

    dataset: str
    architectures: tuple[str, ...] = ARCHITECTURES
    folds: int = 10
    seeds: int = 1
    seed: int = 0
    split: str = "auto"
    recipe: Recipe = field(default_factory=lambda: RECIPES["tuned"])
    front_end: FrontEnd = field(default_factory=lambda: FRONT_ENDS["44k"])
    precision: str = "float32"
    shuffle_labels: bool = False
    start_from: str | None = None
    frozen: Frozen = "descriptor"
    on_validation: bool = False
    workers: int = 0

    def __post_init__(self) -> None:
        """Refuse unknown systems and counts below one."""
        if not self.architectures:
            raise ValueError(f"architectures is empty: name some of {', '.join(ARCHITECTURES)}, or all")
        for architecture in self.architectures:
            choose(architecture, SYSTEMS, "architectures")
            if self.start_from and not SYSTEMS[architecture].channels:
                raise ValueError(
                    f"start_from={self.start_from}: {architecture} has no channels that could start from it"
                )
        if self.seeds < 1:
            raise ValueError(f"seeds={self.seeds}: at least one is needed")
