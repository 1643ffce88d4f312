"""A loss that is not finite ends the fold with a sentence that names the tracks of its step."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.tone_folds import SPLIT, make_fold, prepare_tones

from mcc_zoo import recipes
from mcc_zoo.experiment.corpus import Corpus
from mcc_zoo.experiment.fold import FoldRun
from mcc_zoo.features.cache import FeatureCache, Features
from mcc_zoo.training import objective

pytest_plugins = ["helpers.run_scripts"]

STEP = re.compile(
    r"seed 0, fold 1, r0: the loss was not finite in step (\d) of epoch (\d): lower the recipe's learning rate "
    r"\((\S+)\), or look at the tracks of this step \((.*?)\)(?: and of the one before \((.*?)\))?(\. .*)?"
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return prepare_tones(tmp_path_factory.mktemp("tones"))


@pytest.fixture
def poison(corpus: Corpus) -> Iterator[None]:
    """Write values into cached features after they were read, as a bad disk or another program does."""
    whole: list[tuple[Path, bytes]] = []

    def write(number: int, value: float) -> str:
        features: Features = corpus.features[number]
        whole.append((features.path, features.path.read_bytes()))
        values = np.memmap(features.path, np.float32, "r+", features.offset, features.chunks * 40 * 80)
        values[:] = value
        return str(corpus.tracks[number].path)

    yield write
    for path, content in whole:
        path.write_bytes(content)


def fold_of(corpus: Corpus, run_dir: Path, level: str = "none", **recipe: float) -> FoldRun:
    fold = make_fold(corpus, run_dir, "r0", max_epochs=3, **recipe)
    settings = replace(fold.settings, front_end=replace(fold.settings.front_end, level=level))
    return replace(fold, settings=settings)


@pytest.mark.slow
@pytest.mark.parametrize("value", [np.nan, 1e38])
def test_the_tracks_of_the_step_are_named(corpus, poison, value, tmp_path, monkeypatch):
    path = poison(3, value)
    said = []
    for on_accelerator in (False, True):  # where many steps are one execution
        monkeypatch.setattr(objective, "is_on_accelerator", lambda strategy, on=on_accelerator: on)
        with pytest.raises(FloatingPointError) as raised:
            fold_of(corpus, tmp_path / str(on_accelerator)).run()
        said.append(str(raised.value))
    step, epoch, _, *tracks, damage = STEP.fullmatch(said[0]).groups()
    tracks = [names.split(", ") for names in tracks if names]
    assert epoch == "1" and len(tracks) == (1 if step == "1" else 2)
    assert all(len(names) <= 4 for names in tracks)  # 4 in a batch
    if np.isnan(value):
        assert path in tracks[0]
        assert damage.startswith(f". The cached features of {path} are not finite: remove the folder of the feature")
    else:  # the loss may be finite and its gradient not
        assert path in [*tracks[0], *tracks[-1]] and damage is None
    assert said[0] == said[1]
    assert not [*tmp_path.rglob("fold.json")]


def test_a_learning_rate_that_is_too_high_is_named(corpus, tmp_path):
    with pytest.raises(FloatingPointError) as raised:
        fold_of(corpus, tmp_path, learning_rate=1e30, clip_norm=None, schedule="constant").run()
    step, epoch, rate, tracks, before, damage = STEP.fullmatch(str(raised.value)).groups()
    assert (step, epoch, rate, damage) == ("2", "1", "1e+30", None)
    training = {str(corpus.tracks[number].path) for number in SPLIT.train}
    assert training > {*tracks.split(", "), *before.split(", ")}


@pytest.mark.parametrize(
    ("number", "level", "message"),
    [
        (2, "window", "seed 0, fold 1, the mean of the training tracks' log-mel values is not finite"),
        pytest.param(
            12,
            "none",
            r"the loss of the validation tracks was not finite after epoch 1: lower .* at the validation",
            marks=pytest.mark.slow,
        ),
        pytest.param(16, "none", r"the tags of {path} are not finite", marks=pytest.mark.slow),
    ],
)
def test_bad_features_are_named_wherever_they_are(corpus, poison, number, level, message, tmp_path):
    path = poison(number, np.nan)
    with pytest.raises(FloatingPointError, match=message.format(path=path)) as raised:
        fold_of(corpus, tmp_path, level).run()
    assert str(raised.value).count(path) == (2 if number == 16 else 1)
    assert "are not finite: remove the folder of the feature cache" in str(raised.value)


def test_a_cache_file_of_values_that_are_not_finite_is_made_anew(corpus):
    """Its checksum is right, so whatever wrote it did so on purpose."""
    track, features = corpus.tracks[0], corpus.features[0]
    cache = FeatureCache(features.path.parent, make_fold(corpus, Path(), "r0").settings.front_end)
    good = features.path.read_bytes()
    body = np.frombuffer(good[:-4], np.uint8).copy()
    body[features.offset :].view("<f4")[7] = np.nan
    features.path.write_bytes(body.tobytes() + zlib.crc32(body).to_bytes(4, "little"))
    assert cache.features(track.path) == features
    assert features.path.read_bytes() == good


@pytest.mark.slow
def test_an_experiment_ends_with_a_sentence_and_status_1(corpus, tmp_path, run_script, monkeypatch):
    rows = [f"{track.path},{track.label}" for track in corpus.tracks]
    (tmp_path / "music.csv").write_text("\n".join(["path,label", *rows]))
    recipe = replace(recipes.RECIPES["tuned"], learning_rate=1e30, clip_norm=None, batch_tracks=2)
    monkeypatch.setitem(recipes.RECIPES, "tuned", recipe)
    flags = ("--manifest=music.csv", "--architectures=r0", "--folds=3", "--front_end=22k", "--jobs=1", "--quiet")
    run = run_script("manifest", *flags)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    last = run.stderr.splitlines()[-1]
    assert last.startswith("error: seed 0, fold 0, r0: the loss was not finite in step ") and ".wav" in last
