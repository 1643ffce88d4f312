"""Asynchronous training beside synchronous training: accuracy, staleness and speed, on one fold and several seeds.

    python -m benchmarks.asynchronous --results_dir=results/asynchronous demo/corpus/manifest.csv EMOTIFY/genre.csv:20

Each manifest may be followed by the most epochs to train. A system is trained on the first of five
folds of seed 0, as `python -m experiments.manifest` trains it: synchronously, and asynchronously by local workers.
Seeds draw weights and the order of the tracks. What is done already is not done again, so that the same command goes
on after an end. Tables are written into benchmarks/README.md, between the markers with their names.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from benchmarks.__main__ import HERE, describe_run, format_table, replace_section
from mcc_zoo import datasets
from mcc_zoo.datasets.fixed_splits import write_lists
from mcc_zoo.datasets.splits import draw_splits

FOLDS = 5
EPOCHS = 60  # unless the command says otherwise
WORKERS = (0, 1, 2)  # 0 is synchronous training
TABLES = ("asynchronous training", "asynchronous training, speed")


def main() -> None:
    """Train what is missing, and write the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.asynchronous", description="Compare asynchronous with synchronous training."
    )
    parser.add_argument("manifests", nargs="+", metavar="MANIFEST[:EPOCHS]", help="CSV with the columns path and label")
    parser.add_argument("--results_dir", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--system", default="r3", help="what to train (default: r3)")
    parser.add_argument("--recipe", default="paper", help="paper (plain SGD) or tuned (default: paper)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of weights and order (default: 3)")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS, help="0 is synchronous (default: 0 1 2)")
    parser.add_argument("--quick", action="store_true", help="print the tables, write nothing into the README")
    arguments = parser.parse_args()
    rows = []
    for named in arguments.manifests:
        manifest, _, epochs = named.partition(":")
        for workers in arguments.workers:
            rows += run(arguments, Path(manifest), int(epochs or EPOCHS), workers)
    tables = dict(zip(TABLES, summarise(pd.DataFrame(rows)), strict=True))
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    for name, table in tables.items():
        print(f"{name}\n\n{format_table(table)}")
        section = f"{format_table(table)}\n{describe_run(name_command())}\n"
        readme = readme if arguments.quick else replace_section(readme, name, section)
    (HERE / "README.md").write_text(readme, encoding="utf-8")


def run(arguments: argparse.Namespace, manifest: Path, epochs: int, workers: int) -> list[dict[str, Any]]:
    """Train on one fold with several seeds, and return a row for each."""
    system, results_dir = arguments.system, arguments.results_dir
    tracks = datasets.read_manifest(manifest)
    split = draw_splits(tracks, "auto", FOLDS, 0)[0]
    parts = {"train": split.train, "valid": split.validation, "test": split.test}
    name = f"{manifest.absolute().parent.name}-{manifest.stem}"
    lists = write_lists(
        results_dir / "splits" / name, {part: [tracks[i].name for i in own] for part, own in parts.items()}
    )
    spread = ["--strategy=parameter_server", f"--local_workers={workers}"] if workers else ["--jobs=1"]
    flags = {
        "manifest": manifest, "split": lists, "seeds": arguments.seeds, "architectures": system,
        "recipe": arguments.recipe, "max_epochs": epochs, "results_dir": results_dir,
        "run": f"{name}-{system}-{arguments.recipe}-{workers}workers-{epochs}epochs",
    }  # fmt: skip
    command = [sys.executable, "-m", "experiments.manifest", *spread, *(f"--{key}={own}" for key, own in flags.items())]
    subprocess.run(command, check=True)
    folders = sorted((results_dir / manifest.stem / str(flags["run"]) / "units").iterdir())
    return [read_fold(folder, name, workers) for folder in folders if (folder / "fold.json").exists()]


def read_fold(folder: Path, name: str, workers: int) -> dict[str, Any]:
    """Read what one training came to."""
    facts = json.loads((folder / "fold.json").read_text())
    history = pd.read_csv(folder / "history.csv")
    events = EventAccumulator(str(folder / "logs" / "train"))
    events.Reload()
    seconds = np.diff([event.wall_time for event in events.Tensors("epoch_loss")])
    return {
        "data": name,
        "training": f"asynchronous, {workers} worker{'s' * (workers > 1)}" if workers else "synchronous",
        "test": facts["test"],
        "accuracy": 100 * facts["accuracy"],
        "cross-entropy": facts["validation_cross_entropy"],
        "best": facts["best_epoch"],
        "epochs": facts["epochs"],
        "mean": history["staleness"].mean() if workers else np.nan,
        "most": history["staleness_most"].max() if workers else np.nan,
        "seconds": float(np.median(seconds)),
        "rate": facts["train"] / float(np.median(seconds)),
    }


def summarise(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tabulate the trainings: accuracy and staleness, and speed."""
    accuracy, speed = [], []
    for (data, training), own in rows.groupby(["data", "training"], sort=False):
        named = {"data": data, "training": training, "seeds": len(own)}
        accuracy.append(
            {
                **named,
                "test tracks": int(own["test"].iloc[0]),
                "accuracy %": f"{own['accuracy'].mean():.1f} ± {own['accuracy'].std():.1f}",
                "of each seed": ", ".join(f"{value:.1f}" for value in own["accuracy"]),
                "validation cross-entropy": f"{own['cross-entropy'].mean():.3f} ± {own['cross-entropy'].std():.3f}",
                "best epochs": ", ".join(str(value) for value in own["best"]),
                "epochs": ", ".join(str(value) for value in own["epochs"]),
                "mean staleness": own["mean"].mean(),
                "largest": own["most"].max(),
            }
        )
        speed.append(
            {
                **named,
                "tracks a second": own["rate"].median(),
                "seconds an epoch": own["seconds"].median(),
                "of each seed": ", ".join(f"{value:.2f}" for value in own["seconds"]),
            }
        )
    return pd.DataFrame(accuracy), pd.DataFrame(speed)


def name_command() -> str:
    """Name the command as it was given, but for the folders that its files are in."""
    given = [argument for argument in sys.argv[1:] if not argument.startswith("--results_dir")]
    shown = ["/".join(Path(argument).parts[-2:]) if "/" in argument else argument for argument in given]
    return " ".join(["python -m benchmarks.asynchronous --results_dir=FOLDER", *shown])


if __name__ == "__main__":
    main()
