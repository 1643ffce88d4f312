"""One system on one fold: trained, tested and kept."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mcc_zoo.datasets import splits
from mcc_zoo.evaluation import pooling
from mcc_zoo.experiment import fold_details, run_folder
from mcc_zoo.experiment.corpus import ROW, Corpus, pick
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.features import cache
from mcc_zoo.models.architectures import build
from mcc_zoo.paper import SYSTEMS
from mcc_zoo.progress import progress_bar
from mcc_zoo.recipes import WARM_STARTS
from mcc_zoo.training import batches, devices, fit
from mcc_zoo.training.warm_start import WarmStart, trained_on

CHANNELS = "chunk_network.npz"  # weights for warm starts
LEARNT = 0.98  # of the cross-entropy of guessing: channels that are not below it have nothing to start from
Job = tuple[int, int, str]  # seed, fold and architecture
TRAINING_ORDER_SEED = 1_000  # folds of one seed get seeds of their own from here


def run_unit(
    corpus: Corpus,
    split: splits.Split,
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
    fold_details.write_taggrams(temporary, rows, taggrams, corpus.labels)
    fold_details.write_filters(temporary, model.get_layer("chunk_network"))
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
        "validation_cross_entropy": float(best[fit.MONITOR]),
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
    split: splits.Split,
    settings: Settings,
    job: Job,
    start: WarmStart | None,
    strategy: tf.distribute.Strategy,
    callbacks: list[keras.callbacks.Callback],
    folder: Path,
) -> tuple[keras.Model, fit.Fit]:
    """Build and train one system on one fold, from where a warm start says if there is one."""
    seed, fold, architecture = job
    keras.backend.clear_session()
    keras.utils.set_random_seed(TRAINING_ORDER_SEED * (seed + 1) + fold)
    model = _built(corpus, split.train, settings, architecture, strategy, settings.precision, start)
    with trained_on(model, corpus.features, settings.recipe, start, folder) as (features, recipe):
        material, own = replace(corpus, features=features), replace(settings, recipe=recipe)
        fitted = fit.fit(
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
    mean, std = cache.mean_and_std(pick(corpus.features, indices), front_end)
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
    split: splits.Split,
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
    unit = run_folder.fold_dir(folder.parents[1], *source)
    if (unit / CHANNELS).exists():
        facts = json.loads((unit / "fold.json").read_text())
        start, loss = WarmStart.load(unit / CHANNELS, facts["best_epoch"]), facts["validation_cross_entropy"]
    else:
        model, fitted = _fitted(corpus, split, settings, source, None, strategy, [], folder.parent)
        start = WarmStart.of(model.get_layer("chunk_network"), fitted.best_epoch)
        loss = fitted.history[fit.MONITOR].min()
    return start if loss < LEARNT * _loss_of_guessing(corpus, split) else None


def _loss_of_guessing(corpus: Corpus, split: splits.Split) -> float:
    """Cross-entropy of the validation tracks' labels where each label gets its share of the training tracks."""
    shares = np.bincount(corpus.classes[split.train], minlength=len(corpus.labels)) / len(split.train)
    return float(-np.log(shares[corpus.classes[split.validation]]).mean())


def training_set(
    corpus: Corpus, indices: np.ndarray, settings: Settings, seed: int, strategy: tf.distribute.Strategy
) -> tf.data.Dataset:
    """Batch the tracks with these indices for training, with static shapes on a TPU."""
    return batches.training_batches(
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
    return batches.evaluation_batches(
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
    windows = batches.excerpts(pick(corpus.features, indices), settings.recipe.max_chunks)
    taggrams = fit.predict(model, evaluation_set(corpus, indices, settings), len(windows))
    return [[taggrams[i] for i in np.flatnonzero(windows[:, 0] == position)] for position in range(len(indices))]


def prediction_rows(
    taggrams: Sequence[Sequence[np.ndarray]], corpus: Corpus, indices: np.ndarray, architecture: str
) -> list[dict]:
    """Make the rows of `predict_tracks` from what `track_taggrams` gives."""
    has_lstm = SYSTEMS[architecture].lstm is not None
    rows = []
    for index, own in zip(indices, taggrams, strict=True):
        row = pooling.make_prediction_row(own, int(corpus.classes[index]), corpus.labels, has_lstm)
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
        epochs: Cross-validation's median best epoch, say (`mcc_zoo.experiment.run_folder.find_best_epochs`).
        channels_epochs: Of the system that a warm start begins with; `epochs` by default, 0 starts from nothing.
        device: As for `mcc_zoo.training.devices.strategy`.
        quiet: No progress bar.
    """
    start = None
    if settings.recipe.warm_start and architecture in WARM_STARTS and channels_epochs != 0:
        before = channels_epochs or epochs
        source = train(corpus, settings, WARM_STARTS[architecture], before, device=device, quiet=quiet)
        start = WarmStart.of(source.get_layer("chunk_network"), before)
    keras.utils.set_random_seed(settings.seed)
    strategy, indices = devices.strategy(device), np.arange(len(corpus.tracks))
    model = _built(corpus, indices, settings, architecture, strategy, settings.precision, start)
    with (
        trained_on(model, corpus.features, settings.recipe, start, None) as (features, recipe),
        progress_bar(quiet) as bar,
    ):
        material, own = replace(corpus, features=features), replace(settings, recipe=recipe)
        everything = training_set(material, indices, own, settings.seed, strategy)
        name = f"{architecture} on all tracks" + (f", from {WARM_STARTS[architecture]}'s channels" if start else "")
        task = bar.add_task(name, total=epochs)
        shown = reporting(lambda done, logs: bar.update(task, completed=done, description=described(name, logs)))
        fit.fit(
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


def reporting(report: Callable[[int, dict[str, float]], None]) -> keras.callbacks.Callback:
    """Report each epoch's end and logs."""
    return keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: report(0, {}),
        on_epoch_end=lambda epoch, logs: report(epoch + 1, logs),
    )


def described(name: str, logs: dict[str, float]) -> str:
    """Describe a training by its last accuracies."""
    shares = {"train": "tags_accuracy", "validation": "val_tags_accuracy"}
    parts = [f"{what} {100 * logs[key]:.0f} %" for what, key in shares.items() if key in logs]
    return f"{name}: {', '.join(parts)}" if parts else name
