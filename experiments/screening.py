"""What each lever of training does, judged by validation tracks alone: how recipe `tuned` was chosen.

    python -m experiments.screening --manifest=EMOTIFY/genre.csv --split=grouped --folds=5

Each trial is a run of R3 and MCCLSTM with the changes of `TRIALS` to the recipe, on the same folds. The test tracks of
a fold are not looked at; but those of one fold are the validation tracks of another, so that a recipe chosen here has
been fitted, a little, to all of these tracks. Levers are tried on top of the warm start, MCCLSTM going on from the R3
of its trial; where a lever concerns the LSTM alone, R3 is that of the trial without it. The table has the mean
validation accuracy and cross-entropy of the folds, and is written anew after each trial. An interrupted screening goes
on where it was.
"""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from absl import flags

from experiments import common
from mcc_zoo import datasets, recipes
from mcc_zoo.atomic import write_text
from mcc_zoo.datasets.splits import draw_splits
from mcc_zoo.experiment import cross_validation
from mcc_zoo.experiment.corpus import Corpus, prepare
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.features.cache import FeatureCache
from mcc_zoo.text import named

BEFORE: dict[str, Any] = {
    "pooling": "mean",
    "warm_start": True,
    "warm_rate": 1.0,
    "warm_frozen": False,
}  # the changes start from here
TUNED: dict[str, Any] = {"warm_frozen": True, "pooling": "last", "warm_rate": 0.3}  # what `tuned` came to
TRIALS: dict[str, dict[str, Any]] = {
    "warm start": {},
    "from nothing": {"warm_start": False},
    "half the batch": {"batch_tracks": 8},
    "quarter of the batch": {"batch_tracks": 4},
    "half the rate": {"learning_rate": 5e-4},
    "twice the rate": {"learning_rate": 2e-3},
    "twelve epochs": {"max_epochs": 12},
    "forty epochs": {"max_epochs": 40},
    "forty epochs and random offset": {"max_epochs": 40, "random_offset": True},
    "AdamW": {"optimizer": "adamw", "weight_decay": 0.05},
    "no clipping": {"clip_norm": None},
    "Gaussian weights": {"initializer": "normal"},
    "average of weights": {"average": 0.99},
    "label smoothing": {"label_smoothing": 0.1},
    "mixup": {"mixup": 0.4},
    "gain": {"gain_db": 6.0},
    "masks": {"masked_bands": 6, "masked_frames": 12},
    "random offset": {"random_offset": True},
    "excerpts from half a track": {"shortest_excerpt": 0.5},
    "plain log": {"compression": "log"},
    "a third of the rate": {"warm_rate": 0.3},
    "every step's loss": {"steps_loss": "every"},
    "last step": {"pooling": "last"},
    "chunk loss": {"chunk_loss": 0.5},
    "LSTM dropout": {"lstm_dropout": 0.3},
    "frozen channels": {"warm_frozen": True},
    "frozen channels at a third of the rate": {"warm_frozen": True, "warm_rate": 0.3},
    "frozen channels at a tenth of the rate": {"warm_frozen": True, "warm_rate": 0.1},
    "frozen channels and every step's loss": {"warm_frozen": True, "steps_loss": "every"},
    "frozen channels and LSTM dropout": {"warm_frozen": True, "lstm_dropout": 0.5},
    "frozen channels and label smoothing": {"warm_frozen": True, "label_smoothing": 0.1},
    "frozen channels and masks": {"warm_frozen": True, "masked_bands": 6, "masked_frames": 12},
    "frozen channels and last step": {"warm_frozen": True, "pooling": "last"},
    "frozen channels and last step and LSTM dropout": {"warm_frozen": True, "pooling": "last", "lstm_dropout": 0.5},
    "frozen channels and last step at a third of the rate": TUNED,
    "tuned and chunk loss": TUNED | {"chunk_loss": 0.5},
    "tuned and AdamW": TUNED | {"optimizer": "adamw", "weight_decay": 0.05},
    "tuned and no clipping": TUNED | {"clip_norm": None},
    "tuned and Gaussian weights": TUNED | {"initializer": "normal"},
    "tuned and excerpts from half a track": TUNED | {"shortest_excerpt": 0.5},
    "tuned and mixup": TUNED | {"mixup": 0.4},
    "tuned and average of weights": TUNED | {"average": 0.99},
    "tuned and label smoothing": TUNED | {"label_smoothing": 0.1},
}
OF_THE_LSTM = {*BEFORE, "steps_loss", "chunk_loss", "lstm_dropout"}  # R3 reads none of them

MANIFEST = flags.DEFINE_string("manifest", None, "CSV file with the columns path, label, group.", required=True)
ONLY = flags.DEFINE_list("trials", list(TRIALS), "Trials to run, by name.")

flags.adopt_module_key_flags(common)


def screen() -> Path:
    """Run the trials and return the table's path."""
    asked = common.settings(f"{Path(MANIFEST.value).stem}-screening")
    folder = Path(flags.FLAGS.results_dir) / asked.dataset
    tracks = datasets.read_manifest(Path(MANIFEST.value))
    table = folder / "screening.csv"
    for trial in ONLY.value:
        named(trial, TRIALS, "--trials")
    for flag in ("export", "run"):
        if flags.FLAGS[flag].value:
            raise ValueError(f"--{flag}={flags.FLAGS[flag].value}: a screening exports nothing and names its own runs")
    for trial in ONLY.value:
        settings = changed(asked, TRIALS[trial])
        cache_dir = flags.FLAGS.cache_dir or Path(flags.FLAGS.results_dir) / "cache"
        cache = FeatureCache(cache_dir, settings.front_end, flags.FLAGS.decoder)
        corpus = prepare(tracks, cache, flags.FLAGS.quiet)
        print(f"{trial}: {json.dumps(TRIALS[trial])}")
        run_dir = folder / slug(trial)
        if (lender := with_the_same_channels(trial)) and same_channels(folder / slug(lender), corpus, settings):
            take_units(folder / slug(lender), run_dir, set(settings.architectures) & set(recipes.WARM_STARTS.values()))
        cross_validation.cross_validate(
            corpus, settings, run_dir, device=flags.FLAGS.device, processes=flags.FLAGS.jobs, quiet=flags.FLAGS.quiet
        )
        write_text(table, summary(folder).to_csv(index=False))
    print(summary(folder).to_string(index=False))
    return table


def changed(asked: Settings, changes: dict[str, Any]) -> Settings:
    """Put a trial's changes into the recipe, or into the front end."""
    of_front_end = {name: value for name, value in changes.items() if name == "compression"}
    of_recipe = BEFORE | {name: value for name, value in changes.items() if name not in of_front_end}
    return dataclasses.replace(
        asked,
        recipe=dataclasses.replace(asked.recipe, **of_recipe),
        front_end=dataclasses.replace(asked.front_end, **of_front_end),
        on_validation=True,
    )


def with_the_same_channels(trial: str) -> str | None:
    """Name the trial that has all changes of this one but those of the LSTM, if it is another."""
    own = {name: value for name, value in TRIALS[trial].items() if name not in OF_THE_LSTM}
    return next((other for other, changes in TRIALS.items() if changes == own and other != trial), None)


def same_channels(lender: Path, corpus: Corpus, settings: Settings) -> bool:
    """Tell whether a run was of the same tracks, folds and settings, but for levers that concern the LSTM alone."""
    if not (lender / "config.json").exists():
        return False
    splits = draw_splits(corpus.tracks, settings.split, settings.folds, settings.seed)
    wanted = json.loads(json.dumps(cross_validation.identity(corpus, settings, splits)))
    there = json.loads((lender / "config.json").read_text(encoding="utf-8"))
    for facts in (wanted, there):
        facts["recipe"] = {name: value for name, value in facts["recipe"].items() if name not in OF_THE_LSTM}
    return all(there.get(name) == value for name, value in wanted.items())


def take_units(source: Path, run_dir: Path, architectures: set[str]) -> None:
    """Copy the finished folds of systems that a trial's lever does not concern."""
    for unit in source.glob("units/*/fold.json"):
        copy = run_dir / "units" / unit.parent.name
        if unit.parent.suffix == ".part":
            continue
        if json.loads(unit.read_text())["architecture"] in architectures and not copy.exists():
            shutil.copytree(unit.parent, copy.with_name(copy.name + ".part"), dirs_exist_ok=True)
            copy.with_name(copy.name + ".part").rename(copy)


def slug(trial: str) -> str:
    """Name a trial's folder."""
    return trial.replace(" ", "-").replace("'", "")


def summary(folder: Path) -> pd.DataFrame:
    """Gather the trials that are done: means over folds, and the difference from the first trial in both measures."""
    rows = []
    for trial in TRIALS:
        path = folder / slug(trial) / "folds.csv"
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
