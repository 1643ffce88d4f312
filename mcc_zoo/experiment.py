"""Folds x seeds x systems: `cross_validate` compares systems honestly, `train` fits one on all tracks.

The finished folds of a run lie in its folder `units`, one folder each, made under a temporary name and renamed. A run
that was interrupted goes on at the next unfinished fold, and further systems or seeds can be added to it later.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from rich.progress import TaskID

from mcc_zoo import evaluation, folds, pipeline, results, training, workers
from mcc_zoo.architectures import build, named
from mcc_zoo.datasets import Track
from mcc_zoo.paper import ARCHITECTURES, FRONT_ENDS, RECIPES, SYSTEMS, WARM_STARTS, FrontEnd, Recipe
from mcc_zoo.progress import progress_bar
from mcc_zoo.warm_start import WarmStart, trained_on
from mcc_zoo.wording import without_path

ROW = ["seed", "fold", "architecture", "path", "group"]
RESERVED = {*ROW, "truth", "prediction", "majority_vote", "chunks", "chunks_right"}
CHANNELS = "chunk_network.npz"  # weights for warm starts
LEARNT = 0.98  # of the cross-entropy of guessing: channels that are not below it have nothing to start from
Job = tuple[int, int, str]  # seed, fold and architecture
TRAINING_ORDER_SEED = 1_000  # folds of one seed get seeds of their own from here


@dataclass(frozen=True)
class Settings:
    """What makes a run's figures: two runs with equal settings give equal figures.

    Attributes:
        dataset: Its name; the results lie in results_dir/dataset/run.
        architectures: Systems to compare, of `mcc_zoo.ARCHITECTURES`.
        folds: Number of folds.
        seeds: How many times the folds and the weights are drawn anew.
        seed: The first of these seeds.
        split: As for `mcc_zoo.folds.draw`.
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


@dataclass(frozen=True)
class Corpus:
    """A dataset's readable tracks with their features.

    Attributes:
        tracks: In the dataset's order.
        features: One for each track.
        labels: Class names, sorted.
        classes: (tracks,) numbers of the tracks' labels.
        refused: Path and reason of each track that could not be read.
    """

    tracks: list[Track]
    features: list[pipeline.Features]
    labels: list[str]
    classes: np.ndarray
    refused: pd.DataFrame


def prepare(tracks: Sequence[Track], cache: pipeline.FeatureCache, quiet: bool = False) -> Corpus:
    """Decode every track into the cache; unreadable ones are set aside with the reason, and said aloud.

    Raises:
        ValueError: No track is readable, or a label is the name of a column of predictions.csv.
    """
    with progress_bar(quiet) as bar:
        task = bar.add_task("reading tracks", total=len(tracks))
        found = cache.prepare(tracks, lambda done, _: bar.update(task, completed=done))
    pairs = [(t, f) for t, f in zip(tracks, found, strict=True) if isinstance(f, pipeline.Features)]
    refused = [(t, str(f)) for t, f in zip(tracks, found, strict=True) if not isinstance(f, pipeline.Features)]
    for _, reason in refused:
        print(f"set aside: {reason}", file=sys.stderr)
    if not pairs:
        raise ValueError(f"none of {len(tracks)} tracks could be read" + (f": {refused[0][1]}" if refused else ""))
    rows = [(track.name, without_path(reason, str(track.path))) for track, reason in refused]
    kept, features = [track for track, _ in pairs], [f for _, f in pairs]
    labels = sorted({track.label for track in kept})
    if taken := RESERVED & set(labels):
        raise ValueError(f"label {min(taken)!r} is the name of a column of predictions.csv: rename the label")
    classes = np.array([labels.index(track.label) for track in kept])
    return Corpus(kept, features, labels, classes, pd.DataFrame(rows, columns=["path", "reason"]))


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
        device: As for `mcc_zoo.training.strategy`.
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
    splits = {seed: folds.draw(corpus.tracks, settings.split, settings.folds, seed) for seed in seeds}
    results.write_config(
        run_dir,
        identity(corpus, settings, splits[settings.seed]),
        {
            "labels": corpus.labels,
            "architectures": settings.architectures,
            "seeds": settings.seeds,
            "groups_on_both_sides": folds.groups_on_both_sides(corpus.tracks, list(itertools.chain(*splits.values()))),
        },
    )
    results.write(run_dir / "refused.csv", corpus.refused.to_csv(index=False))
    jobs = [(s, fold, a) for s in seeds for fold in range(len(splits[s])) for a in settings.architectures]
    todo = [job for job in jobs if not results.unit_dir(run_dir, *job).exists()]
    task = functools.partial(_unit, corpus, splits, settings, run_dir, device)
    processes = processes or workers.processes_for(len(todo), device)

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
                bar.update(shown[job], completed=epochs, description=_described(_name(job), logs))

        # those that others start from come first
        later = settings.recipe.warm_start and set(WARM_STARTS)
        waves = ([job for job in todo if bool(later and job[2] in later) == late] for late in (False, True))
        for job, score in itertools.chain.from_iterable(workers.each(task, w, processes, report) for w in waves):
            finished.add(job)
            if job in shown:
                bar.remove_task(shown.pop(job))
            bar.advance(overall)
            bar.console.print(f"{_name(job)}: {score}", highlight=False, soft_wrap=True)
    return results.collect(run_dir, settings.dataset)


def _unit(
    corpus: Corpus,
    splits: dict[int, list[folds.Split]],
    settings: Settings,
    run_dir: Path,
    device: str,
    job: Job,
    report: workers.Report,
) -> str:
    seed, fold, architecture = job
    return run_unit(
        corpus,
        splits[seed][fold],
        settings,
        job,
        results.unit_dir(run_dir, seed, fold, architecture),
        training.strategy(device),
        [_reporting(functools.partial(report, job))],
    )


def run_unit(
    corpus: Corpus,
    split: folds.Split,
    settings: Settings,
    job: Job,
    folder: Path,
    strategy: tf.distribute.Strategy,
    callbacks: list[keras.callbacks.Callback],
) -> str:
    """Train one system on one fold, test it, and put the results into `folder`, whole or not at all.

    Returns:
        A line that says how it went.
    """
    start = time.perf_counter()
    seed, fold, architecture = job
    temporary = folder.with_name(folder.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    logs = keras.callbacks.TensorBoard(temporary / "logs", write_graph=False)
    start_from = _warm_start(corpus, split, settings, job, folder, strategy)
    model, fitted = _fitted(corpus, split, settings, job, start_from, strategy, [*callbacks, logs], temporary)
    if settings.recipe.warm_start and architecture in WARM_STARTS.values():
        WarmStart.of(model.get_layer("chunk_network"), fitted.best_epoch).save(temporary / CHANNELS)
    tested = split.validation if settings.on_validation else split.test
    taggrams = track_taggrams(model, corpus, tested, settings)
    rows = prediction_rows(taggrams, corpus, tested, model.name)
    results.write_taggrams(temporary, rows, taggrams, corpus.labels)
    results.write_filters(temporary, model.get_layer("chunk_network"))
    for row in rows:
        row.update(seed=seed, fold=fold, architecture=architecture)
    table = pd.DataFrame(rows)[[*ROW, *[c for c in rows[0] if c not in ROW]]]
    table.to_csv(temporary / "predictions.csv", index=False)
    fitted.history.to_csv(temporary / "history.csv", index=False)
    best = fitted.history.iloc[fitted.best_epoch - 1]
    standardise = model.get_layer("front_end").get_layer("standardise")
    facts: dict[str, Any] = {
        "seed": seed,
        "fold": fold,
        "architecture": architecture,
        "train": len(split.train),
        "validation": len(split.validation),
        "test": len(split.test),
        "mean": float(standardise.input_mean),
        "std": float(standardise.input_variance**0.5),
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "channels_best_epoch": start_from.best_epoch if start_from else 0,
        "validation_accuracy": float(best["val_tags_accuracy"]),
        "validation_cross_entropy": float(best[training.MONITOR]),
        "accuracy": float((table["truth"] == table["prediction"]).mean()),
        "seconds": round(time.perf_counter() - start, 1),
    }
    (temporary / "fold.json").write_text(json.dumps(facts, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    return (
        f"accuracy {100 * facts['accuracy']:.1f} % of {len(tested)} "
        f"{'validation' if settings.on_validation else 'test'} tracks "
        f"(epoch {facts['best_epoch']} of {facts['epochs']}, {facts['seconds']:.0f} s)"
    )


def _fitted(
    corpus: Corpus,
    split: folds.Split,
    settings: Settings,
    job: Job,
    start: WarmStart | None,
    strategy: tf.distribute.Strategy,
    callbacks: list[keras.callbacks.Callback],
    folder: Path,
) -> tuple[keras.Model, training.Fit]:
    """Build and train one system on one fold, from where a warm start says if there is one."""
    seed, fold, architecture = job
    keras.backend.clear_session()
    keras.utils.set_random_seed(TRAINING_ORDER_SEED * (seed + 1) + fold)
    model = _built(corpus, split.train, settings, architecture, strategy, settings.precision, start)
    with trained_on(model, corpus.features, settings.recipe, start, folder) as (features, recipe):
        material, own = replace(corpus, features=features), replace(settings, recipe=recipe)
        fitted = training.fit(
            model,
            training_set(material, split.train, own, seed, strategy),
            evaluation_set(material, split.validation, own),
            recipe,
            seed=seed,
            warm=start is not None,
            callbacks=callbacks,
        )
    return _in_float32(model, corpus, split.train, settings, strategy), fitted


def _built(
    corpus: Corpus,
    indices: np.ndarray,
    settings: Settings,
    architecture: str,
    strategy: tf.distribute.Strategy,
    precision: str = "float32",
    start: WarmStart | None = None,
) -> keras.Model:
    """Build a system for the tracks with these indices, with the channels of a warm start if there is one."""
    front_end, recipe = settings.front_end, settings.recipe
    mean, std = pipeline.mean_and_std(pick(corpus.features, indices), front_end)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        with strategy.scope():
            model = build(architecture, corpus.labels, front_end=front_end, recipe=recipe, mean=mean, std=std)
    finally:
        keras.config.set_dtype_policy(before)
    if start:
        start.give(model.get_layer("chunk_network"))
    return model


def _in_float32(
    model: keras.Model, corpus: Corpus, indices: np.ndarray, settings: Settings, strategy: tf.distribute.Strategy
) -> keras.Model:
    """Return the same model with all of its arithmetic in float32."""
    if settings.precision == "float32":
        return model
    same = _built(corpus, indices, settings, model.name, strategy)
    same.set_weights(model.get_weights())
    return same


def _warm_start(
    corpus: Corpus,
    split: folds.Split,
    settings: Settings,
    job: Job,
    folder: Path,
    strategy: tf.distribute.Strategy,
) -> WarmStart | None:
    """Return what a warm start takes from the system without an LSTM, trained now if no fold has it.

    None where that system did not learn to tell the validation tracks apart: on music that only its order tells apart,
    a bag of chunks ends with channels that have forgotten the chunks.
    """
    seed, fold, architecture = job
    if not settings.recipe.warm_start or architecture not in WARM_STARTS:
        return None
    source = (seed, fold, WARM_STARTS[architecture])
    unit = results.unit_dir(folder.parents[1], *source)
    if (unit / CHANNELS).exists():
        facts = json.loads((unit / "fold.json").read_text())
        start, loss = WarmStart.load(unit / CHANNELS, facts["best_epoch"]), facts["validation_cross_entropy"]
    else:
        model, fitted = _fitted(corpus, split, settings, source, None, strategy, [], folder.parent)
        start = WarmStart.of(model.get_layer("chunk_network"), fitted.best_epoch)
        loss = fitted.history[training.MONITOR].min()
    return start if loss < LEARNT * _loss_of_guessing(corpus, split) else None


def _loss_of_guessing(corpus: Corpus, split: folds.Split) -> float:
    """Cross-entropy of the validation tracks' labels where each label gets its share of the training tracks."""
    shares = np.bincount(corpus.classes[split.train], minlength=len(corpus.labels)) / len(split.train)
    return float(-np.log(shares[corpus.classes[split.validation]]).mean())


def training_set(
    corpus: Corpus, indices: np.ndarray, settings: Settings, seed: int, strategy: tf.distribute.Strategy
) -> tf.data.Dataset:
    """Batch the tracks with these indices for training, with static shapes on a TPU."""
    return pipeline.training_batches(
        pick(corpus.features, indices),
        corpus.classes[indices],
        batch_tracks=settings.recipe.batch_tracks,
        max_chunks=settings.recipe.max_chunks,
        seed=seed,
        static_shapes=isinstance(strategy, tf.distribute.TPUStrategy),
        random_offset=settings.recipe.random_offset,
    )


def evaluation_set(corpus: Corpus, indices: np.ndarray, settings: Settings) -> tf.data.Dataset:
    """Batch the tracks with these indices for validation and test."""
    return pipeline.evaluation_batches(
        pick(corpus.features, indices),
        corpus.classes[indices],
        batch_tracks=settings.recipe.batch_tracks,
        max_chunks=settings.recipe.max_chunks,
    )


def predict_tracks(model: keras.Model, corpus: Corpus, indices: np.ndarray, settings: Settings) -> list[dict]:
    """Predict the tracks with these indices: for each the columns of predictions.csv without seed and fold."""
    return prediction_rows(track_taggrams(model, corpus, indices, settings), corpus, indices, model.name)


def track_taggrams(
    model: keras.Model, corpus: Corpus, indices: np.ndarray, settings: Settings
) -> list[list[np.ndarray]]:
    """Predict the tracks with these indices: for each its windows, (chunks, labels) probabilities."""
    windows = pipeline.excerpts(pick(corpus.features, indices), settings.recipe.max_chunks)
    taggrams = training.predict(model, evaluation_set(corpus, indices, settings), len(windows))
    return [[taggrams[i] for i in np.flatnonzero(windows[:, 0] == position)] for position in range(len(indices))]


def prediction_rows(
    taggrams: Sequence[Sequence[np.ndarray]], corpus: Corpus, indices: np.ndarray, architecture: str
) -> list[dict]:
    """Make the rows of `predict_tracks` from what `track_taggrams` gives."""
    has_lstm = SYSTEMS[architecture].lstm is not None
    rows = []
    for index, own in zip(indices, taggrams, strict=True):
        row = evaluation.prediction_row(own, int(corpus.classes[index]), corpus.labels, has_lstm)
        rows.append({"path": corpus.tracks[index].name, "group": corpus.tracks[index].group, **row})
    return rows


def train(
    corpus: Corpus,
    settings: Settings,
    architecture: str,
    epochs: int,
    *,
    channels_epochs: int | None = None,
    device: str = "auto",
    quiet: bool = False,
) -> keras.Model:
    """Train a system on all tracks for a fixed number of epochs, for an export.

    Args:
        corpus: As `prepare` gives it.
        settings: Seed, recipe and front end are used.
        architecture: The system.
        epochs: Cross-validation's median best epoch, say (`mcc_zoo.results.best_epochs`).
        channels_epochs: Of the system that a warm start begins with; `epochs` by default, 0 starts from nothing.
        device: As for `mcc_zoo.training.strategy`.
        quiet: No progress bar.
    """
    start = None
    if settings.recipe.warm_start and architecture in WARM_STARTS and channels_epochs != 0:
        before = channels_epochs or epochs
        source = train(corpus, settings, WARM_STARTS[architecture], before, device=device, quiet=quiet)
        start = WarmStart.of(source.get_layer("chunk_network"), before)
    keras.utils.set_random_seed(settings.seed)
    strategy, indices = training.strategy(device), np.arange(len(corpus.tracks))
    model = _built(corpus, indices, settings, architecture, strategy, settings.precision, start)
    with (
        trained_on(model, corpus.features, settings.recipe, start, None) as (features, recipe),
        progress_bar(quiet) as bar,
    ):
        material, own = replace(corpus, features=features), replace(settings, recipe=recipe)
        everything = training_set(material, indices, own, settings.seed, strategy)
        name = f"{architecture} on all tracks" + (f", from {WARM_STARTS[architecture]}'s channels" if start else "")
        task = bar.add_task(name, total=epochs)
        shown = _reporting(lambda done, logs: bar.update(task, completed=done, description=_described(name, logs)))
        training.fit(
            model,
            everything,
            None,
            recipe,
            epochs=epochs,
            seed=settings.seed,
            warm=start is not None,
            callbacks=[shown],
        )
    return _in_float32(model, corpus, indices, settings, strategy)


def with_shuffled_labels(corpus: Corpus, seed: int) -> Corpus:
    """Deal the labels out anew among the tracks."""
    order = np.random.default_rng(seed).permutation(len(corpus.tracks))
    tracks = [
        Track(t.path, t.name, corpus.tracks[i].label, t.group, t.fold)
        for t, i in zip(corpus.tracks, order, strict=True)
    ]
    return Corpus(tracks, corpus.features, corpus.labels, corpus.classes[order], corpus.refused)


def pick(items: Sequence, indices: np.ndarray) -> list:
    """Take the items with these indices."""
    return [items[i] for i in indices]


def fingerprint(corpus: Corpus) -> dict[str, Any]:
    """Tell a corpus by its number of tracks and by a hash of their names, labels, groups and contents."""
    listing = sorted(
        (t.name, t.label, t.group, f.path.name) for t, f in zip(corpus.tracks, corpus.features, strict=True)
    )
    return {"tracks": len(listing), "tracks_sha256": hashlib.sha256(json.dumps(listing).encode()).hexdigest()}


def identity(corpus: Corpus, settings: Settings, splits: Sequence[folds.Split]) -> dict[str, Any]:
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


def _reporting(report: Callable[[int, dict[str, float]], None]) -> keras.callbacks.Callback:
    return keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: report(0, {}),
        on_epoch_end=lambda epoch, logs: report(epoch + 1, logs),
    )


def _described(name: str, logs: dict[str, float]) -> str:
    shares = {"train": "tags_accuracy", "validation": "val_tags_accuracy"}
    parts = [f"{what} {100 * logs[key]:.0f} %" for what, key in shares.items() if key in logs]
    return f"{name}: {', '.join(parts)}" if parts else name
