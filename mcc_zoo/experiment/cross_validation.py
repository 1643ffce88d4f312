"""Folds x seeds x systems: `cross_validate` compares systems honestly.

The finished folds of a run lie in its folder `units`, one folder each, made under a temporary name and renamed. A run
that was interrupted goes on at the next unfinished fold, and further systems or seeds can be added to it later.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.progress import TaskID

from mcc_zoo.atomic import write_text
from mcc_zoo.datasets.splits import Split, count_groups_on_both_sides, draw_splits
from mcc_zoo.experiment import process_pool, run_folder
from mcc_zoo.experiment.corpus import Corpus, fingerprint, with_shuffled_labels
from mcc_zoo.experiment.fold import Job, described, reporting, run_unit
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.progress import progress_bar
from mcc_zoo.recipes import WARM_STARTS
from mcc_zoo.training import devices


def cross_validate(
    corpus: Corpus,
    settings: Settings,
    run_dir: str | os.PathLike[str],
    *,
    device: str = "auto",
    processes: int | None = 1,
    quiet: bool = False,
) -> pd.DataFrame:
    """Train and test every system on every fold and write the run's tables.

    Args:
        corpus: As `prepare` gives it.
        settings: What to compare and how.
        run_dir: Folder of the run. Where it holds finished folds of the same settings, they are kept.
        device: As for `mcc_zoo.training.devices.strategy`.
        processes: How many folds are trained at a time, each in a process with its share of the cores; None chooses
            for this machine. With more than one, a script that calls this needs `if __name__ == "__main__":`.
        quiet: No progress bars and no lines.

    Returns:
        The rows of predictions.csv, in order of architecture, seed, fold and track.

    Raises:
        ValueError: The folds are impossible, or the folder holds a run of other settings.
    """
    run_dir = Path(run_dir)
    if settings.shuffle_labels:
        corpus = with_shuffled_labels(corpus, settings.seed)
    seeds = range(settings.seed, settings.seed + settings.seeds)
    splits = {seed: draw_splits(corpus.tracks, settings.split, settings.folds, seed) for seed in seeds}
    run_folder.write_config(
        run_dir,
        identity(corpus, settings, splits[settings.seed]),
        {
            "labels": corpus.labels,
            "architectures": settings.architectures,
            "seeds": settings.seeds,
            "groups_on_both_sides": count_groups_on_both_sides(corpus.tracks, list(itertools.chain(*splits.values()))),
        },
    )
    write_text(run_dir / "refused.csv", corpus.refused.to_csv(index=False))
    jobs = [(s, fold, a) for s in seeds for fold in range(len(splits[s])) for a in settings.architectures]
    todo = [job for job in jobs if not run_folder.unit_dir(run_dir, *job).exists()]
    task = functools.partial(_unit, corpus, splits, settings, run_dir, device)
    processes = processes or process_pool.processes_for(len(todo), device)

    with progress_bar(quiet) as bar:
        if len(todo) < len(jobs):
            bar.console.print(f"{len(jobs) - len(todo)} of {len(jobs)} folds are there from before", highlight=False)
        overall = bar.add_task("folds", total=len(jobs), completed=len(jobs) - len(todo))
        shown: dict[Job, TaskID] = {}
        finished: set[Job] = set()  # a last report may come after the result

        def report(job: Job, epochs: int, logs: dict[str, float]) -> None:
            if job not in shown and job not in finished:
                shown[job] = bar.add_task(_name(job), total=settings.recipe.max_epochs)
            if job in shown:
                bar.update(shown[job], completed=epochs, description=described(_name(job), logs))

        # those that others start from come first
        later = settings.recipe.warm_start and set(WARM_STARTS)
        waves = ([job for job in todo if bool(later and job[2] in later) == late] for late in (False, True))
        for job, score in itertools.chain.from_iterable(process_pool.each(task, w, processes, report) for w in waves):
            finished.add(job)
            if job in shown:
                bar.remove_task(shown.pop(job))
            bar.advance(overall)
            bar.console.print(f"{_name(job)}: {score}", highlight=False, soft_wrap=True)
    return run_folder.collect(run_dir, settings.dataset)


def _unit(
    corpus: Corpus,
    splits: dict[int, list[Split]],
    settings: Settings,
    run_dir: Path,
    device: str,
    job: Job,
    report: process_pool.Report,
) -> str:
    seed, fold, architecture = job
    return run_unit(
        corpus,
        splits[seed][fold],
        settings,
        job,
        run_folder.unit_dir(run_dir, seed, fold, architecture),
        devices.strategy(device),
        [reporting(functools.partial(report, job))],
    )


def identity(corpus: Corpus, settings: Settings, splits: Sequence[Split]) -> dict[str, Any]:
    """Tell what makes a run's figures: settings, tracks and the folds of the first seed; units of others are not taken.

    Folds change with a split's file or lists, the order of a manifest's rows, and the library that draws them.
    """
    names = [
        [sorted(corpus.tracks[i].name for i in part.tolist()) for part in (split.train, split.validation, split.test)]
        for split in splits
    ]
    drawn = {"folds_sha256": hashlib.sha256(json.dumps(names).encode()).hexdigest()}
    return settings.fixed() | fingerprint(corpus) | drawn


def _name(job: Job) -> str:
    seed, fold, architecture = job
    return f"{architecture}, seed {seed}, fold {fold}"
