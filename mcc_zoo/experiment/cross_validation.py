"""Cross-validation: folds x seeds x systems.

The result of each fold lies in a folder of its own below `units` in the run's folder, written under a temporary name
and renamed. An interrupted run continues with the next unfinished fold; systems and seeds can be added later.
"""

from __future__ import annotations

import functools
import itertools
import os
from pathlib import Path

import pandas as pd

from mcc_zoo.atomic import make_folder, write_text
from mcc_zoo.datasets.splits import count_groups_on_both_sides, describe_split, draw_splits, is_fixed_split
from mcc_zoo.disk import explained
from mcc_zoo.experiment import process_pool, run_folder
from mcc_zoo.experiment.corpus import Corpus, call_with_cache, shuffle_labels
from mcc_zoo.experiment.epoch_reports import FoldBars, describe_result, report_epochs
from mcc_zoo.experiment.fold import FoldResult, FoldRun
from mcc_zoo.experiment.identity import identify_run
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.locks import hold
from mcc_zoo.progress import progress_bar
from mcc_zoo.training.devices import ONE_MACHINE, Distribution

RESULTS = "the results"


def cross_validate(
    corpus: Corpus,
    settings: Settings,
    run_dir: str | os.PathLike[str],
    *,
    device: str = "auto",
    distribution: Distribution = ONE_MACHINE,
    processes: int | None = 1,
    quiet: bool = False,
) -> pd.DataFrame:
    """Train and test every system on every fold and write the run's tables.

    Args:
        corpus: As `mcc_zoo.prepare` gives it.
        settings: What to compare and how.
        run_dir: Folder of the run. Finished folds of the same settings that lie there are kept.
        device: As for `mcc_zoo.training.devices.make_strategy`.
        distribution: How each training is spread over devices and machines. The settings have its number of workers.
        processes: How many folds are trained at a time, each in a process with its share of the cores; None chooses
            for this machine. With more than one, a script that calls this needs `if __name__ == "__main__":`.
        quiet: No progress bars and no lines.

    Returns:
        The rows of predictions.csv, in order of architecture, seed, fold and track.

    Raises:
        ValueError: The folds are impossible, a device or strategy is not there, a parameter server is gone, or the
            folder holds a run of other settings.
        mcc_zoo.locks.InUseError: Another process is at work in the folder.
        mcc_zoo.disk.WriteError: The folder cannot be written. Finished folds are kept.
    """
    run_dir = Path(run_dir)
    with explained(run_dir, RESULTS):
        make_folder(run_dir.parent)
        with hold(run_dir):
            return _run_folds(corpus, settings, run_dir, device, distribution, processes, quiet)


def _run_folds(
    corpus: Corpus,
    settings: Settings,
    run_dir: Path,
    device: str,
    distribution: Distribution,
    processes: int | None,
    quiet: bool,
) -> pd.DataFrame:
    if settings.shuffle_labels:
        corpus = shuffle_labels(corpus, settings.seed)
    seeds = range(settings.seed, settings.seed + settings.seeds)
    splits = {seed: draw_splits(corpus.tracks, settings.split, settings.folds, seed) for seed in seeds}
    run_folder.write_config(
        run_dir,
        identify_run(corpus, settings, splits[settings.seed]),
        {
            "labels": corpus.labels,
            "architectures": settings.architectures,
            "seeds": settings.seeds,
            "split_taken": describe_split(corpus.tracks, settings.split),
            "groups_on_both_sides": count_groups_on_both_sides(corpus.tracks, list(itertools.chain(*splits.values()))),
        },
    )
    write_text(run_dir / "refused.csv", corpus.refused.to_csv(index=False))
    folds = [
        FoldRun(
            corpus,
            split,
            settings,
            seed,
            fold,
            architecture,
            run_dir,
            device,
            distribution,
            keeps_model=is_fixed_split(settings.split),
        )
        for seed in seeds
        for fold, split in enumerate(splits[seed])
        for architecture in settings.architectures
    ]
    unfinished = [fold for fold in folds if not fold.is_finished()]
    processes = processes or process_pool.choose_processes(len(unfinished), device, distribution.strategy)
    with progress_bar(quiet) as bar:
        bars = FoldBars(bar, len(folds), len(folds) - len(unfinished), settings.recipe.max_epochs)
        for needs_channels in (False, True):  # folds that lend their channels to others come first
            wave = [fold for fold in unfinished if (fold.lender is not None) == needs_channels]
            for fold, result in process_pool.run_each(run_fold, wave, processes, bars.report):
                bars.finish(fold.name, describe_result(result, settings.on_validation))
    return run_folder.collect(run_dir, settings.dataset)


def run_fold(fold: FoldRun, report: process_pool.Report) -> FoldResult:
    """Run a fold, and report its name, epochs and Keras's logs after each epoch."""
    callbacks = [report_epochs(functools.partial(report, fold.name))]
    with explained(fold.folder, RESULTS):
        return call_with_cache(fold.corpus, lambda: fold.run(callbacks))
