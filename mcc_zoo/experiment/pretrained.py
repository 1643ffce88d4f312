"""Training that starts from an export."""

from __future__ import annotations

from dataclasses import replace

import keras

from mcc_zoo.experiment.settings import Settings
from mcc_zoo.export.consistency import load_whole_model
from mcc_zoo.export.metadata import ExportMetadata
from mcc_zoo.inference.locate import latest
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.recipes import Recipe
from mcc_zoo.training.warm_start import WarmStart


def read_start(settings: Settings) -> WarmStart | None:
    """Read the weights that the settings start from; None where they start from nothing.

    Raises:
        mcc_zoo.ExportError: The export is not there, or not as it was written.
    """
    if settings.start_from is None:
        return None
    folder = latest(settings.start_from)
    return WarmStart.from_model(load_whole_model(folder, ExportMetadata.read(folder)))


def adapt_recipe(settings: Settings) -> Recipe:
    """Adapt the recipe to what is frozen; it is as it was where the settings start from nothing."""
    if settings.start_from is None:
        return settings.recipe
    return replace(settings.recipe, warm_start=False, warm_frozen=settings.frozen != "nothing")


def freeze(model: keras.Model, settings: Settings) -> None:
    """Freeze the chunk network if the settings freeze the descriptor. Frozen channels are not trained anyway."""
    if settings.start_from is not None and settings.frozen == "descriptor":
        Classifier(model).chunk_network.trainable = False


def unfreeze(model: keras.Model) -> None:
    """Let everything be trained again, for whoever loads the export."""
    Classifier(model).chunk_network.trainable = True
