"""What makes a run's figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from mcc_zoo.features.front_end import FRONT_ENDS, FrontEnd
from mcc_zoo.paper import ARCHITECTURES, SYSTEMS
from mcc_zoo.recipes import RECIPES, Recipe
from mcc_zoo.text import named


@dataclass(frozen=True)
class Settings:
    """What makes a run's figures: two runs with equal settings give equal figures.

    Attributes:
        dataset: Its name; the results lie in results_dir/dataset/run.
        architectures: Systems to compare, of `mcc_zoo.ARCHITECTURES`.
        folds: Number of folds.
        seeds: How many times the folds and the weights are drawn anew.
        seed: The first of these seeds.
        split: As for `mcc_zoo.datasets.splits.draw_splits`.
        recipe: How to train.
        front_end: What to train on.
        precision: Keras dtype policy to train under; what is trained predicts, and is exported, in float32.
        shuffle_labels: Deal the labels out anew among the tracks: a control that has to score at chance.
        on_validation: Predict the validation tracks of each fold, not its test tracks: for choices between recipes.
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
    on_validation: bool = False

    def __post_init__(self) -> None:
        """Refuse unknown systems and counts below one."""
        if not self.architectures:
            raise ValueError(f"--architectures is empty: name some of {', '.join(ARCHITECTURES)}, or all")
        for architecture in self.architectures:
            named(architecture, SYSTEMS, "--architectures")
        if self.seeds < 1:
            raise ValueError(f"--seeds={self.seeds}: at least one is needed")

    def fixed(self) -> dict[str, Any]:
        """Return what may not change when a run goes on; systems and seeds may be added."""
        facts = asdict(self)
        return {name: facts[name] for name in facts if name not in ("architectures", "seeds")}
