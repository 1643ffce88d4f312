"""The flags that say what is exported after an experiment, and the export."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pandas as pd
from absl import flags

from experiments import devices
from mcc_zoo.datasets import splits
from mcc_zoo.experiment import run_folder
from mcc_zoo.experiment.corpus import Corpus
from mcc_zoo.experiment.provenance import build_provenance
from mcc_zoo.experiment.refit import train
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.export.saved_model import check_arguments, export_model
from mcc_zoo.export.signatures import MAX_SECONDS
from mcc_zoo.paper import ARCHITECTURES
from mcc_zoo.recipes import WARM_STARTS

FLAGS = flags.FLAGS

flags.DEFINE_enum(
    "export",
    None,
    list(ARCHITECTURES),
    "After the comparison train this system on all tracks and export it; with one fixed split export what was tested.",
)
flags.DEFINE_string("export_dir", "exported_models", "Folder of all exports.")
flags.DEFINE_string("export_name", None, "Name of the export; ARCHITECTURE_DATASET by default.")
flags.DEFINE_string("licence", "not stated", "Licence of the training music, for the model card.")


def export_system(
    corpus: Corpus, settings: Settings, run_dir: Path, predictions: pd.DataFrame, limits: Sequence[str] = ()
) -> Path:
    """Export the system of --export with its scores: refitted on all tracks, or with a fixed split as it was tested."""
    if splits.is_fixed_split(settings.split):
        model, seed, facts = take_tested(run_dir)
        predictions, settings = predictions[predictions["seed"] == seed], replace(settings, seed=seed, seeds=1)
    else:
        model, facts = refit(corpus, settings, run_dir)
    thresholds = facts.pop("thresholds")
    provenance = build_provenance(
        corpus,
        settings,
        FLAGS.export,
        predictions,
        licence=FLAGS.licence,
        epochs=facts["epochs"],
        thresholds=thresholds,
        groups_on_both_sides=run_folder.read_config(run_dir).get("groups_on_both_sides", 0),
        limits=limits,
    )
    return export_model(model, FLAGS.export_dir, name_export(settings), {**provenance, **facts})


def take_tested(run_dir: Path) -> tuple[keras.Model, int, dict[str, Any]]:
    """Take the system of --export from a run on a fixed split.

    Returns:
        The model, its seed, and what its card says of the training.
    """
    path, fold = run_folder.find_tested_model(run_dir, FLAGS.export)
    facts = {
        "trained_on": "training tracks",
        "tracks": fold["train"],
        "epochs": fold["best_epoch"],
        "channels_epochs": fold["channels_best_epoch"],
        "thresholds": fold.get("thresholds"),
    }
    return keras.models.load_model(path, compile=False), fold["seed"], facts


def refit(corpus: Corpus, settings: Settings, run_dir: Path) -> tuple[keras.Model, dict[str, Any]]:
    """Train the system of --export on all tracks: the model, and what its card says of the training."""
    epochs, before = run_folder.find_best_epochs(run_dir, FLAGS.export)
    source = WARM_STARTS.get(FLAGS.export)
    if source and settings.recipe.warm_start and before and not FLAGS.quiet:
        print(f"{FLAGS.export} starts from the channels of {source}: {source} is trained first", file=sys.stderr)
    model = train(
        corpus,
        settings,
        FLAGS.export,
        epochs,
        channels_epochs=before,
        device=FLAGS.device,
        distribution=devices.make_distribution(),
        quiet=FLAGS.quiet,
    )
    return model, {
        "trained_on": "all tracks",
        "epochs": epochs,
        "channels_epochs": before,
        "thresholds": run_folder.find_thresholds(run_dir, FLAGS.export),
    }


def name_export(settings: Settings) -> str:
    """Name the export of --export."""
    return FLAGS.export_name or f"{FLAGS.export}_{settings.dataset}"


def check_export_name(settings: Settings) -> None:
    """Raise before the training what the export would raise after it."""
    try:
        check_arguments(name_export(settings), MAX_SECONDS, settings.front_end)
    except ValueError as error:
        raise ValueError(f"--export_name: {error}") from error
