"""Whether the systems of one run are better than those of another on the same folds.

    python -m benchmarks.compare_runs nothing=RUN_FOLDER pretrained=RUN_FOLDER ...

A run is the folder that an experiment or `benchmarks.mfcc_svm` wrote, with a name for the tables. The first is what the
others are compared with: each system with the same system of the first run or, if that is not there, with all of its
systems. Standard output gets the scores of all, and the paired tests with Holm's correction over all of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Hashable, Sequence
from pathlib import Path

import pandas as pd

from mcc_zoo.evaluation import metrics, scoring, significance
from mcc_zoo.experiment import summary
from mcc_zoo.paper import short_name


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a wrong argument or run ends it with one sentence and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare_runs", description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN", help="folders of runs, each with a name for the tables")
    try:
        print(compare_runs([read_run(text) for text in parser.parse_args(arguments).runs]))
    except ValueError as error:
        sys.exit(f"error: {error}")


def read_run(text: str) -> tuple[str, pd.DataFrame]:
    """Read the predictions of NAME=RUN.

    Raises:
        ValueError: It is not of that form, or the folder holds no predictions.
    """
    name, _, folder = text.partition("=")
    if not name or not folder:
        raise ValueError(f"{text}: give NAME=RUN, such as pretrained=results/genre/one")
    path = Path(folder) / "predictions.csv"
    if not path.is_file():
        raise ValueError(f"{text}: {path} is not there; give the folder of a finished run")
    return name, metrics.read_predictions(path)


def compare_runs(runs: Sequence[tuple[str, pd.DataFrame]]) -> str:
    """Score runs and test the others against the first: two Markdown tables.

    Args:
        runs: Name and predictions of each.

    Raises:
        ValueError: Two runs tested other tracks or labels in the same fold, or have the same name.
    """
    first, *others = runs
    tables, claims = [_name_systems(*first)], []
    for name, predictions in others:
        check_same_tracks(first[1], predictions, f"{first[0]} and {name}")
        tables.append(_name_systems(name, predictions))
        base = first[1]["architecture"].unique().tolist()
        for system in predictions["architecture"].unique():
            for worse in [system] if system in base else base:
                claims.append((_name_system(worse, first[0]), _name_system(system, name)))
    if len({name for name, _ in runs}) < len(runs):
        raise ValueError(f"{', '.join(name for name, _ in runs)}: two runs have the same name")
    found = pd.concat(tables, ignore_index=True)
    scores = summary.format_scores(scoring.summarise(found, ""))
    return f"{scores}\n{summary.format_differences(significance.compare_systems(found, claims))}"


def check_same_tracks(first: pd.DataFrame, second: pd.DataFrame, said: str) -> None:
    """Refuse predictions whose folds are not the same.

    Args:
        first: The rows of predictions.csv of one run.
        second: Those of another.
        said: How the message names them.

    Raises:
        ValueError: A fold of both has other tracks, or other labels of them.
    """
    own, theirs = (_list_tested_tracks(table) for table in (first, second))
    for key, tracks in own.items():
        if theirs.get(key, tracks) != tracks:
            seed, fold = key
            raise ValueError(
                f"{said} tested other tracks or labels in fold {fold} of seed {seed}; give the same manifest, split, "
                "folds and seed to both"
            )


def _list_tested_tracks(predictions: pd.DataFrame) -> dict[tuple[Hashable, ...], set[tuple[str, str]]]:
    """List the tracks and their labels of each seed and fold."""
    return {
        key: set(zip(rows["path"], rows["truth"], strict=True)) for key, rows in predictions.groupby(["seed", "fold"])
    }


def _name_systems(name: str, predictions: pd.DataFrame) -> pd.DataFrame:
    return predictions.assign(architecture=[_name_system(own, name) for own in predictions["architecture"]])


def _name_system(system: str, name: str) -> str:
    return f"{short_name(system)}, {name}"


if __name__ == "__main__":
    main()
