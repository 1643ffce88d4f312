"""What each lever of training does, judged by validation tracks alone: how recipe `tuned` was chosen.

    python -m experiments.screening --manifest=EMOTIFY/genre.csv --split=grouped --folds=5

Each trial is a run of R3 and MCCLSTM with the changes of `TRIALS` to the recipe, on the same folds; test tracks are
not looked at. The table has the mean validation accuracy and cross-entropy of the folds, and is written anew after
each trial. An interrupted screening goes on where it was.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
from absl import flags

from experiments import common
from mcc_zoo import datasets, experiment, pipeline, results

TRIALS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "warm start": {"warm_start": True},
    "warm start at a third of the rate": {"warm_start": True, "warm_rate": 0.3},
    "warm start and every step's loss": {"warm_start": True, "warm_rate": 0.3, "steps_loss": "every"},
    "warm start and last step": {"warm_start": True, "warm_rate": 0.3, "pooling": "last"},
    "warm start and chunk loss": {"warm_start": True, "warm_rate": 0.3, "chunk_loss": 0.5},
    "last step": {"pooling": "last"},
    "every step's loss": {"steps_loss": "every"},
    "chunk loss": {"chunk_loss": 0.5},
    "LSTM dropout": {"lstm_dropout": 0.3},
    "random offset": {"random_offset": True},
    "excerpts from half a track": {"shortest_excerpt": 0.5},
    "gain": {"gain_db": 6.0},
    "masks": {"masked_bands": 6, "masked_frames": 12},
    "mixup": {"mixup": 0.4},
    "label smoothing": {"label_smoothing": 0.1},
    "average of weights": {"average": 0.99},
    "AdamW": {"optimizer": "adamw", "weight_decay": 0.05},
    "twice the rate": {"learning_rate": 2e-3},
    "half the rate": {"learning_rate": 5e-4},
    "no clipping": {"clip_norm": None},
    "forty epochs": {"max_epochs": 40},
    "Gaussian weights": {"initializer": "normal"},
}

MANIFEST = flags.DEFINE_string("manifest", None, "CSV file with the columns path, label, group.", required=True)
ONLY = flags.DEFINE_list("trials", list(TRIALS), "Trials to run, by name.")

flags.adopt_module_key_flags(common)


def screen() -> Path:
    """Run the trials and return the table's path."""
    name = Path(MANIFEST.value).stem
    asked = common.settings(f"{name}-screening")
    folder = Path(flags.FLAGS.results_dir) / asked.dataset
    cache = pipeline.FeatureCache(flags.FLAGS.cache_dir or Path(flags.FLAGS.results_dir) / "cache", asked.front_end)
    corpus = experiment.prepare(datasets.manifest(Path(MANIFEST.value)), cache, flags.FLAGS.quiet)
    table = folder / "screening.csv"
    for trial in ONLY.value:
        recipe = dataclasses.replace(asked.recipe, **TRIALS[trial])
        settings = dataclasses.replace(asked, recipe=recipe, on_validation=True)
        print(f"{trial}: {json.dumps(TRIALS[trial])}")
        run_dir = folder / slug(trial)
        experiment.cross_validate(corpus, settings, run_dir, processes=flags.FLAGS.jobs, quiet=flags.FLAGS.quiet)
        results.write(table, summary(folder).to_csv(index=False))
    print(summary(folder).to_string(index=False))
    return table


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
