"""An export with new labels: its descriptor, frozen or not, under a new softmax, tested fold by fold and exported.

On a frozen descriptor a softmax is a multinomial logistic regression, whose optimum scikit-learn finds: there is no
learning rate and no number of epochs to choose, only how much large weights are penalised. Validation tracks choose it.
Unfrozen, training goes on from there, with all weights, at a low rate.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import statistics
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from rich.progress import Progress
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from mcc_zoo import datasets
from mcc_zoo.audio.decoders import DecoderName
from mcc_zoo.datasets.splits import Split, describe_rare_label, describe_split, draw_splits
from mcc_zoo.evaluation import metrics
from mcc_zoo.experiment import summary
from mcc_zoo.experiment.corpus import Corpus, prepare
from mcc_zoo.experiment.fold import evaluation_set, predict_tracks, training_set
from mcc_zoo.experiment.provenance import command_line
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.export.saved_model import FACTS, check_arguments, export_model
from mcc_zoo.features.cache import FeatureCache
from mcc_zoo.inference.tagger import Tagger, load
from mcc_zoo.models.architectures import with_labels
from mcc_zoo.paper import SYSTEMS
from mcc_zoo.progress import progress_bar
from mcc_zoo.recipes import RECIPES, Recipe
from mcc_zoo.training import fit
from mcc_zoo.training.batches import excerpts

PENALTIES = tuple(10.0**power for power in range(-4, 2))  # scikit-learn's C, for standardised descriptors
ITERATIONS = 300  # of its solver
LEAST_SPREAD = 0.01  # of a value of the descriptor, as a share of the largest
UNFROZEN_RATE = 0.1  # factor of the recipe's learning rate


@dataclass(frozen=True)
class Readings:
    """What the softmax reads of all tracks: steps of their windows, each track weighing 1 in all.

    Attributes:
        values: (steps, D). With an LSTM the last step of each window, else each chunk.
        classes: (steps,) numbers of the tracks' labels.
        weights: (steps,) shares of the track.
        tracks: (steps,) numbers of the tracks.
    """

    values: np.ndarray
    classes: np.ndarray
    weights: np.ndarray
    tracks: np.ndarray

    def of(self, tracks: np.ndarray) -> Readings:
        """Take those of the tracks with these numbers."""
        own = np.isin(self.tracks, tracks)
        return Readings(*(getattr(self, field.name)[own] for field in fields(self)))


def finetune(
    folder: str | os.PathLike[str],
    manifest: str | os.PathLike[str],
    exports_dir: str | os.PathLike[str] = "exported_models",
    name: str | None = None,
    *,
    unfreeze: bool = False,
    epochs: int | None = None,
    folds: int = 5,
    split: str = "auto",
    seed: int = 0,
    licence: str = "not stated",
    cache_dir: str | os.PathLike[str] | None = None,
    decoder: DecoderName = "soundfile",
    quiet: bool = False,
) -> Path:
    """Put new labels on an export's descriptor, test it by cross-validation, and export the refit on all tracks.

    Front end, mean and std stay those of the export. Tracks that cannot be read are set aside, and said aloud.

    Args:
        folder: The export: a version's folder, or that of all versions, of which the newest is taken.
        manifest: CSV file with the columns path, label[, group][, fold], as for `mcc_zoo.datasets.read_manifest`.
        exports_dir: Where the new export goes.
        name: Of the new export; that of the old one and the manifest's, joined by "_", by default.
        unfreeze: Train all weights, at a tenth of the recipe's rate, from where the new softmax alone has got.
        epochs: Of that training at most, instead of the recipe's; validation tracks choose how many.
        folds: Of the cross-validation, three at least.
        split: As for `mcc_zoo.datasets.splits.draw_splits`: by group where the manifest has groups.
        seed: Draws folds, and the order of training.
        licence: Of the music, for the model card.
        cache_dir: Where log-mel features are kept for a next time; nowhere by default.
        decoder: Who decodes the tracks, as for `mcc_zoo.load`.
        quiet: No progress bars.

    Returns:
        The folder of the new version. Its card and mcc_zoo.json say what it was fine-tuned from, and its score.

    Raises:
        mcc_zoo.ExportError: There is no export, or it cannot be read.
        ValueError: The manifest is no manifest, a label has too few readable tracks, or folds or name are impossible.
    """
    tagger = load(folder, decoder)
    dataset = Path(manifest).stem
    name = name or f"{tagger.facts['name']}_{dataset}"
    check_arguments(name, tagger.facts["max_seconds"], tagger.front_end)
    if epochs is not None and (not unfreeze or epochs < 1):
        raise ValueError(f"epochs={epochs!r}: give 1 or more, with unfreeze; a softmax alone is trained without epochs")
    settings = Settings(
        dataset,
        architectures=(tagger.model.name,),
        folds=folds,
        seed=seed,
        split=split,
        recipe=_recipe(tagger.facts, epochs),
        front_end=tagger.front_end,
    )
    tracks = datasets.read_manifest(Path(manifest))
    draw_splits(tracks, split, folds, seed)  # what is impossible is refused before hours of decoding
    if rare := describe_rare_label(tracks, split, folds):
        print(f"warning: {rare}", file=sys.stderr)
    with _kept_or_not(cache_dir) as cache:
        corpus = prepare(tracks, FeatureCache(cache, tagger.front_end, tagger.decoder), quiet)
        _check_labels(tracks, corpus, Path(manifest))
        with progress_bar(quiet) as bar:
            model, trained_epochs, predictions = _tested_and_trained(tagger, corpus, settings, unfreeze, bar)
    provenance = _provenance(tagger, corpus, settings, predictions, trained_epochs, licence)
    return export_model(model, exports_dir, name, provenance, tagger.facts["max_seconds"])


def _recipe(facts: dict[str, Any], epochs: int | None) -> Recipe:
    """Take the recipe by which the export was trained, or ours where it does not say; windows as in its training."""
    own = facts.get("recipe", {})
    recipe = Recipe(**own) if set(own) == {field.name for field in fields(Recipe)} else RECIPES["tuned"]
    return replace(
        recipe,
        max_chunks=facts["training_chunks"],
        max_epochs=epochs or recipe.max_epochs,
        warm_rate=UNFROZEN_RATE,
        warm_frozen=False,
    )


@contextlib.contextmanager
def _kept_or_not(folder: str | os.PathLike[str] | None) -> Iterator[str | os.PathLike[str]]:
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield temporary


def _check_labels(tracks: Sequence[datasets.Track], corpus: Corpus, manifest: Path) -> None:
    if lost := sorted({track.label for track in tracks} - set(corpus.labels)):
        raise ValueError(
            f"{manifest}: no track labelled {lost[0]!r} could be read ({': '.join(corpus.refused.iloc[0])}): replace "
            "these files, or take the label out"
        )


def _tested_and_trained(
    tagger: Tagger, corpus: Corpus, settings: Settings, unfreeze: bool, bar: Progress
) -> tuple[keras.Model, int, pd.DataFrame]:
    """Cross-validate, then train on all tracks: the model, its epochs, and the rows of predictions.csv."""
    splits = draw_splits(corpus.tracks, settings.split, settings.folds, settings.seed)
    readings = _readings(tagger.model, corpus, settings, bar)
    rows: list[dict[str, Any]] = []
    losses: list[list[float]] = []  # of each fold and penalty
    best_epochs: list[int] = []
    for fold, part in enumerate(bar.track(splits, description="testing, fold by fold")):
        losses.append([_loss(readings, part, penalty) for penalty in PENALTIES])
        penalty = PENALTIES[int(np.argmin(losses[-1]))]
        model = _with_new_softmax(tagger.model, corpus.labels, readings.of(part.train), penalty)
        if unfreeze:
            best_epochs.append(_train_all(model, corpus, settings, part.train, part.validation, None, bar))
        found = predict_tracks(model, corpus, part.test, settings)
        rows += [{"seed": settings.seed, "fold": fold, "architecture": model.name, **row} for row in found]
    everything = np.arange(len(corpus.tracks))
    penalty = PENALTIES[int(np.argmin(np.mean(losses, axis=0)))]
    model = _with_new_softmax(tagger.model, corpus.labels, readings, penalty)
    epochs = int(statistics.median(best_epochs)) if unfreeze else 0
    if unfreeze:
        _train_all(model, corpus, settings, everything, None, epochs, bar)
    return model, epochs, pd.DataFrame(rows)


def _readings(model: keras.Model, corpus: Corpus, settings: Settings, bar: Progress) -> Readings:
    everything = np.arange(len(corpus.tracks))
    windows = excerpts(corpus.features, settings.recipe.max_chunks)
    batches = evaluation_set(corpus, everything, settings)
    shown = bar.track(batches, total=int(batches.cardinality()), description="describing tracks")
    read = fit.softmax_inputs(model, shown, len(windows))
    chunks = np.array([features.chunks for features in corpus.features])
    weights = [np.full(len(steps), 1 / chunks[track]) for steps, track in zip(read, windows[:, 0], strict=True)]
    if SYSTEMS[model.name].lstm is not None:  # a window's tags are those of its last step
        read, weights = [steps[-1:] for steps in read], [own.sum(keepdims=True) for own in weights]
    tracks = np.repeat(windows[:, 0], [len(steps) for steps in read])
    return Readings(np.concatenate(read), corpus.classes[tracks], np.concatenate(weights), tracks)


def _with_new_softmax(model: keras.Model, labels: Sequence[str], readings: Readings, penalty: float) -> keras.Model:
    """Copy a model, under the softmax that is best for what it reads."""
    copy = with_labels(model, labels)
    copy.get_layer("sequence_network").get_layer("steps").set_weights(_softmax(readings, penalty))
    return copy


def _loss(readings: Readings, part: Split, penalty: float) -> float:
    """Cross-entropy of validation tracks after training on a split's training tracks."""
    kernel, bias = _softmax(readings.of(part.train), penalty)
    held_out = readings.of(part.validation)
    scores = log_softmax(held_out.values @ kernel + bias, axis=1)
    return -float(np.average(scores[np.arange(len(scores)), held_out.classes], weights=held_out.weights))


def _softmax(readings: Readings, penalty: float) -> list[np.ndarray]:
    """Fit a softmax: its kernel (D, labels) and bias (labels,)."""
    values = readings.values.astype(float)
    mean, std = values.mean(axis=0), values.std(axis=0)
    scale = np.maximum(std, LEAST_SPREAD * std.max() or 1.0)  # what hardly ever moves must not be blown up
    regression = LogisticRegression(C=penalty, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # to end early is to penalise a little more
        regression.fit((values - mean) / scale, readings.classes, sample_weight=readings.weights)
    kernel, bias = regression.coef_, regression.intercept_
    if len(bias) == 1:  # of two classes it scores the second alone
        kernel, bias = np.concatenate([-kernel, kernel]) / 2, np.concatenate([-bias, bias]) / 2
    kernel = kernel / scale
    return [kernel.T, bias - kernel @ mean]


def _train_all(
    model: keras.Model,
    corpus: Corpus,
    settings: Settings,
    tracks: np.ndarray,
    validation: np.ndarray | None,
    epochs: int | None,
    bar: Progress,
) -> int:
    """Train all weights in place and return the best epoch."""
    keras.utils.set_random_seed(settings.seed)
    task = bar.add_task("training all weights", total=epochs or settings.recipe.max_epochs)
    shown = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: bar.update(task, completed=epoch + 1))
    fitted = fit.fit(
        model,
        training_set(corpus, tracks, settings, settings.seed, tf.distribute.get_strategy()),
        None if validation is None else evaluation_set(corpus, validation, settings),
        settings.recipe,
        epochs=epochs,
        seed=settings.seed,
        warm=True,
        callbacks=[shown],
    )
    bar.remove_task(task)
    return fitted.best_epoch


def _provenance(
    tagger: Tagger, corpus: Corpus, settings: Settings, predictions: pd.DataFrame, epochs: int, licence: str
) -> dict[str, Any]:
    """Say what the export comes from, for its card and its mcc_zoo.json."""
    facts = tagger.facts
    counts = np.bincount(corpus.classes)
    source = f'"{facts["dataset"]}"' if "dataset" in facts else "music that is not stated"
    limits = [
        f'Its descriptor was learnt on {source}. If the tracks of "{settings.dataset}", or others of their artists, '
        "were among that music, its score is not one on new music."
    ]
    if leak := summary.leak(predictions, settings.dataset, settings.split):
        limits.append(f"Its score is not one on new music: {leak}")
    return {
        "recipe": asdict(settings.recipe),
        "dataset": settings.dataset,
        "licence": licence,
        "tracks": len(corpus.tracks),
        "set_aside": len(corpus.refused),
        "epochs": epochs,
        "training_chunks": min(settings.recipe.max_chunks, max(features.chunks for features in corpus.features)),
        "scores": {
            **metrics.export_scores(predictions, settings.dataset, tagger.model.name),
            "split": describe_split(corpus.tracks, settings.split),
            "seeds": settings.seeds,
        },
        "majority": {"label": corpus.labels[int(counts.argmax())], "percent": 100 * float(counts.max() / counts.sum())},
        "finetuned_from": {
            "name": facts["name"],
            "version": tagger.folder.name,
            "sha256": hashlib.sha256((tagger.folder / FACTS).read_bytes()).hexdigest(),
            "dataset": facts.get("dataset", "not stated"),
            "licence": facts.get("licence", "not stated"),
        },
        "command": command_line(),
        "limits": limits,
    }
