"""One system trained on all tracks, for an export."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np

from mcc_zoo.experiment.corpus import Corpus, call_with_cache
from mcc_zoo.experiment.epoch_reports import describe_training, report_epochs
from mcc_zoo.experiment.pretrained import adapt_recipe, freeze, read_start, unfreeze
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.experiment.subset import Subset
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.progress import progress_bar
from mcc_zoo.recipes import WARM_STARTS
from mcc_zoo.training.devices import ONE_MACHINE, Distribution, make_strategy
from mcc_zoo.training.fit import fit
from mcc_zoo.training.warm_start import WarmStart, open_training_features


def train(
    corpus: Corpus,
    settings: Settings,
    architecture: str,
    epochs: int,
    *,
    channels_epochs: int | None = None,
    device: str = "auto",
    distribution: Distribution = ONE_MACHINE,
    quiet: bool = False,
) -> keras.Model:
    """Train a system on all tracks for a fixed number of epochs, for an export.

    Args:
        corpus: As `mcc_zoo.prepare` gives it.
        settings: Seed, recipe, front end and precision are used.
        architecture: The system.
        epochs: For example the folds' median best epoch (`mcc_zoo.experiment.run_folder.find_best_epochs`).
        channels_epochs: Epochs of the system that a warm start takes channels from; `epochs` by default, 0 for no warm
            start.
        device: As for `mcc_zoo.training.devices.make_strategy`.
        distribution: Likewise.
        quiet: No progress bar.

    Returns:
        The trained model, in float32.

    Raises:
        FloatingPointError: The loss became infinite or NaN.
        ValueError: The device or strategy is unknown or not there, or a parameter server is gone.
    """
    return call_with_cache(
        corpus, lambda: _train(corpus, settings, architecture, epochs, channels_epochs, device, distribution, quiet)
    )


def _train(
    corpus: Corpus,
    settings: Settings,
    architecture: str,
    epochs: int,
    channels_epochs: int | None,
    device: str,
    distribution: Distribution,
    quiet: bool,
) -> keras.Model:
    start, recipe = read_start(settings), adapt_recipe(settings)
    name = f"{architecture} on all tracks" + (f", from {settings.start_from}" if start else "")
    if recipe.warm_start and architecture in WARM_STARTS and channels_epochs != 0:
        lender = WARM_STARTS[architecture]
        lent = train(
            corpus, settings, lender, channels_epochs or epochs, device=device, distribution=distribution, quiet=quiet
        )
        start = WarmStart.from_network(Classifier(lent).chunk_network, channels_epochs or epochs)
        name += f", from {lender}'s channels"
    keras.utils.set_random_seed(settings.seed)
    strategy, everything = make_strategy(device, distribution), np.arange(len(corpus.tracks))
    model = Subset(corpus, everything, settings).build_model(architecture, strategy, start)
    freeze(model, settings)
    with (
        open_training_features(model, corpus.features, recipe, start, None) as features,
        progress_bar(quiet) as bar,
    ):
        task = bar.add_task(name, total=epochs)
        training = Subset(replace(corpus, features=features), everything, settings)
        fit(
            model,
            training.make_training_batches(settings.seed, strategy),
            None,
            recipe,
            epochs=epochs,
            warm=start is not None,
            cluster=distribution.cluster,
            callbacks=[
                report_epochs(
                    lambda done, logs: bar.update(task, completed=done, description=describe_training(name, logs))
                )
            ],
        )
    unfreeze(model)
    return Classifier(model).in_float32()
