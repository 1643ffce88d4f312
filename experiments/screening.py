"""The choice of recipe `tuned`: what each change to a recipe does, measured on validation tracks.

    python -m experiments.screening --manifest=EMOTIFY/genre.csv --split=grouped --folds=5

Each trial is a run of R3 and MCCLSTM on the same folds, with one entry of `TRIALS` changed in the recipe. No test
track of a fold is used; but the test tracks of one fold are the validation tracks of another, so a recipe chosen here
has been fitted a little to all of these tracks. MCCLSTM starts from the channels of its trial's R3; where a change
concerns the LSTM only, R3's folds are copied from the trial without it. The table has the mean validation accuracy and
cross-entropy over the folds, and is written after each trial. An interrupted screening continues where it stopped.
"""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from absl import flags

from experiments import common, devices
from mcc_zoo import datasets, recipes
from mcc_zoo.atomic import PART, publish_folder, write_text
from mcc_zoo.datasets.splits import draw_splits
from mcc_zoo.disk import explained
from mcc_zoo.experiment.corpus import Corpus, prepare
from mcc_zoo.experiment.identity import identify_run
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.features.cache import FeatureCache
from mcc_zoo.text import choose

BEFORE: dict[str, Any] = {"warm_start": True, "warm_rate": 1.0, "warm_frozen": False}  # what every trial changes
TUNED: dict[str, Any] = {"warm_frozen": True, "warm_rate": 0.3}  # the choice
TRIALS: dict[str, dict[str, Any]] = {
    "warm start": {},
    "from nothing": {"warm_start": False},
    "half the batch": {"batch_tracks": 8},
    "quarter of the batch": {"batch_tracks": 4},
    "half the rate": {"learning_rate": 5e-4},
    "twice the rate": {"learning_rate": 2e-3},
    "twelve epochs": {"max_epochs": 12},
    "forty epochs": {"max_epochs": 40},
    "no clipping": {"clip_norm": None},
    "Gaussian weights": {"initializer": "normal"},
    "plain log": {"compression": "log"},
    "a third of the rate": {"warm_rate": 0.3},
    "every step's loss": {"steps_loss": "every"},
    "frozen channels": {"warm_frozen": True},
    "frozen channels at a third of the rate": TUNED,
    "frozen channels at a tenth of the rate": {"warm_frozen": True, "warm_rate": 0.1},
    "frozen channels and every step's loss": {"warm_frozen": True, "steps_loss": "every"},
    "tuned and no clipping": TUNED | {"clip_norm": None},
    "tuned and Gaussian weights": TUNED | {"initializer": "normal"},
    "tuned without level": TUNED | {"level": "none"},
    "tuned and level of each chunk": TUNED | {"level": "chunk"},
    "tuned and plain log and level of each chunk": TUNED | {"level": "chunk", "compression": "log"},
}
OF_THE_LSTM = {*BEFORE, "steps_loss"}  # fields that R3 does not use

MANIFEST = flags.DEFINE_string("manifest", None, "CSV file with the columns path, label, group.", required=True)
ONLY = flags.DEFINE_list("trials", list(TRIALS), "Trials to run, by name.")

flags.adopt_module_key_flags(common)


def screen() -> Path:
    """Run the trials and return the table's path."""
    asked = common.make_settings(f"{Path(MANIFEST.value).stem}-screening")
    folder = Path(flags.FLAGS.results_dir) / asked.dataset
    tracks = datasets.read_manifest(Path(MANIFEST.value))
    table = folder / "screening.csv"
    for trial in ONLY.value:
        choose(trial, TRIALS, "--trials")
    for flag in ("export", "run"):
        if flags.FLAGS[flag].value:
            raise ValueError(f"--{flag}={flags.FLAGS[flag].value}: a screening exports nothing and names its own runs")
    for trial in ONLY.value:
        settings = change_settings(asked, TRIALS[trial])
        cache_dir = flags.FLAGS.cache_dir or Path(flags.FLAGS.results_dir) / "cache"
        cache = FeatureCache(cache_dir, settings.front_end, flags.FLAGS.decoder)
        corpus = prepare(tracks, cache, flags.FLAGS.quiet)
        print(f"{trial}: {json.dumps(TRIALS[trial])}")
        run_dir = folder / name_folder(trial)
        if (lender := find_lender(trial)) and has_same_channels(folder / name_folder(lender), corpus, settings):
            architectures = set(settings.architectures) & set(recipes.WARM_STARTS.values())
            copy_folds(folder / name_folder(lender), run_dir, architectures)
        devices.cross_validate(corpus, settings, run_dir)
        with explained(table, "the results"):
            write_text(table, summarise(folder).to_csv(index=False))
    print(summarise(folder).to_string(index=False))
    return table


def change_settings(asked: Settings, changes: dict[str, Any]) -> Settings:
    """Apply a trial's changes to recipe and front end."""
    of_front_end = {name: value for name, value in changes.items() if name in ("compression", "level")}
    of_recipe = BEFORE | {name: value for name, value in changes.items() if name not in of_front_end}
    return dataclasses.replace(
        asked,
        recipe=dataclasses.replace(asked.recipe, **of_recipe),
        front_end=dataclasses.replace(asked.front_end, **of_front_end),
        on_validation=True,
    )


def find_lender(trial: str) -> str | None:
    """Name the other trial that has the same changes except those of the LSTM, if there is one."""
    own = {name: value for name, value in TRIALS[trial].items() if name not in OF_THE_LSTM}
    return next((other for other, changes in TRIALS.items() if changes == own and other != trial), None)


def has_same_channels(lender: Path, corpus: Corpus, settings: Settings) -> bool:
    """Whether a run has the same tracks, folds and settings, except those of the LSTM."""
    if not (lender / "config.json").exists():
        return False
    splits = draw_splits(corpus.tracks, settings.split, settings.folds, settings.seed)
    wanted = json.loads(json.dumps(identify_run(corpus, settings, splits)))
    found = json.loads((lender / "config.json").read_text(encoding="utf-8"))
    for config in (wanted, found):
        config["recipe"] = {name: value for name, value in config["recipe"].items() if name not in OF_THE_LSTM}
    return all(found.get(name) == value for name, value in wanted.items())


def copy_folds(source: Path, run_dir: Path, architectures: set[str]) -> None:
    """Copy the finished folds of these systems from one run to another."""
    for result in source.glob("units/*/fold.json"):
        copy = run_dir / "units" / result.parent.name
        if result.parent.suffix == PART:
            continue
        if json.loads(result.read_text())["architecture"] in architectures and not copy.exists():
            unfinished = copy.with_name(copy.name + PART)
            with explained(copy, "the results"):
                shutil.copytree(result.parent, unfinished, dirs_exist_ok=True)
                publish_folder(unfinished, copy)


def name_folder(trial: str) -> str:
    """Name the folder of a trial."""
    return trial.replace(" ", "-").replace("'", "")


def summarise(folder: Path) -> pd.DataFrame:
    """Tabulate the finished trials: means over folds, a row per trial and system."""
    rows = []
    for trial in TRIALS:
        path = folder / name_folder(trial) / "folds.csv"
        if path.exists():
            for architecture, own in pd.read_csv(path).groupby("architecture"):
                rows.append(
                    {
                        "trial": trial,
                        "architecture": architecture,
                        "folds": len(own),
                        "accuracy": round(100 * own["validation_accuracy"].mean(), 2),
                        "std": round(100 * own["validation_accuracy"].std(), 2),
                        "cross_entropy": round(own["validation_cross_entropy"].mean(), 4),
                        "best_epoch": own["best_epoch"].median(),
                        "seconds": round(own["seconds"].mean(), 1),
                    }
                )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    common.start(screen)
