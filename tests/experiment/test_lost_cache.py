"""Entries of the feature cache that are deleted or cut while a training reads them."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import write_tone

from mcc_zoo.datasets import Track, splits
from mcc_zoo.experiment import refit
from mcc_zoo.experiment.corpus import Corpus, call_with_cache, prepare
from mcc_zoo.experiment.cross_validation import run_fold
from mcc_zoo.experiment.fold import FoldRun
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.experiment.subset import Subset
from mcc_zoo.features.cache import CacheError, FeatureCache, check_after_failure
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.recipes import RECIPES
from mcc_zoo.training.warm_start import WarmStart, open_training_features

FRONT_END = FRONT_ENDS["22k"]
RECIPE = dataclasses.replace(RECIPES["tuned"], max_epochs=3, batch_tracks=2)
SETTINGS = Settings("tones", ("r0",), 3, split="random", recipe=RECIPE, front_end=FRONT_END)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Nine tracks of three chunks."""
    tracks = []
    for i in range(9):
        path = write_tone(tmp_path / f"{i}.wav", 300.0 + 700 * (i % 3), 11.5, seed=i)
        tracks.append(Track(path, path.name, ("a", "b", "c")[i % 3]))
    made = prepare(tracks, FeatureCache(tmp_path / "cache", FRONT_END), quiet=True)
    assert {features.chunks for features in made.features} == {3}
    return made


def make_fold(corpus: Corpus, run_dir: Path) -> FoldRun:
    (split, *_) = splits.draw_splits(corpus.tracks, "random", 3, 0)
    return FoldRun(corpus, split, SETTINGS, 0, 0, "r0", run_dir, "cpu")


def delete(entry: Path) -> None:
    entry.unlink()


def cut(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes()[:9_999])


def cut_after_a_chunk(entry: Path) -> None:
    """What is left are whole chunks, which a reader that does not count would pad with zeros."""
    entry.write_bytes(entry.read_bytes()[: 128 + 4 * 40 * 80])


def empty(entry: Path) -> None:
    entry.write_bytes(b"")


def replace_by_folder(entry: Path) -> None:
    entry.unlink()
    entry.mkdir()
    (entry / "something").touch()


def delete_the_cache(entry: Path) -> None:
    shutil.rmtree(entry.parent)


HARMS = [cut_after_a_chunk, cut, delete, empty, replace_by_folder, delete_the_cache]


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMS)
def test_a_training_whose_cache_is_lost_begins_again_with_one_made_anew(
    corpus: Corpus, harm: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fold = make_fold(corpus, tmp_path / "run")
    entry = corpus.features[fold.split.train[0]].path
    content = entry.read_bytes()
    epochs: list[int] = []

    def report(_: str, epoch: int, *__: Any) -> None:
        epochs.append(epoch)
        if len(epochs) == 1:
            harm(entry)

    result = run_fold(fold, report)
    assert result.epochs == 3 and len(epochs) > 3  # the first try did not come to its end
    assert len(pd.read_csv(fold.folder / "predictions.csv")) == 3
    assert all(features.path.exists() for features in corpus.features) and entry.read_bytes() == content
    said = capsys.readouterr().err
    assert said.count(f"the cached features {entry} were lost while in use (") == 1 or harm is delete_the_cache
    assert "they are made anew" in said


@pytest.mark.slow
def test_what_cannot_be_made_anew_is_named(corpus: Corpus, tmp_path: Path) -> None:
    fold = make_fold(corpus, tmp_path / "run")
    number = fold.split.train[0]
    track, entry = corpus.tracks[number], corpus.features[number].path

    def report(*_: Any) -> None:
        track.path.unlink(missing_ok=True)
        entry.unlink(missing_ok=True)

    with pytest.raises(CacheError) as refusal:
        run_fold(fold, report)
    assert str(refusal.value) == (
        f"the cached features {entry} were lost, and cannot be made anew from {track.path} "
        f"('{track.path}': no such file; check the path): start again"
    )


@pytest.mark.slow
def test_a_refit_goes_on_likewise(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, calls, real = corpus.features[0].path, [], Subset.build_model

    def build_and_lose(*arguments: Any) -> keras.Model:
        calls.append(len(calls))
        if calls == [0]:
            entry.unlink()
        return real(*arguments)

    monkeypatch.setattr(Subset, "build_model", build_and_lose)
    assert refit.train(corpus, SETTINGS, "r0", 1, device="cpu", quiet=True).name
    assert calls == [0, 1] and entry.exists()


def test_other_failures_of_a_training_stay_what_they_are(corpus: Corpus) -> None:
    def fail() -> None:
        raise tf.errors.InvalidArgumentError(None, None, "no such operation")

    with pytest.raises(tf.errors.InvalidArgumentError, match="no such operation"):
        call_with_cache(corpus, fail)


def test_without_a_cache_the_lost_entry_is_named(corpus: Corpus) -> None:
    corpus = dataclasses.replace(corpus, cache=None)
    lost = corpus.features[4].path
    lost.unlink()
    batches = Subset(corpus, np.arange(9), SETTINGS).make_evaluation_batches()
    with pytest.raises(CacheError, match=rf"{lost} were lost while in use \(No such file or directory\)"):
        call_with_cache(corpus, lambda: list(batches))


def test_lost_channel_features_are_named(corpus: Corpus, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPES["tuned"], warm_frozen=True)
    settings = dataclasses.replace(SETTINGS, architectures=("r2",), recipe=recipe)
    everything = Subset(corpus, np.arange(9), settings)
    model = everything.build_model("r2", tf.distribute.get_strategy())
    start = WarmStart({}, 1)
    with (
        pytest.raises(CacheError, match=r"channels-\w+/3\.f32 were lost while in use"),
        open_training_features(model, corpus.features, recipe, start, tmp_path) as features,
    ):
        features[3].path.unlink()
        behind = Subset(dataclasses.replace(corpus, features=features), np.arange(9), settings)
        list(behind.make_evaluation_batches())
    assert not list(tmp_path.glob("channels-*"))


def test_an_entry_that_is_whole_has_no_fault(corpus: Corpus) -> None:
    assert [features.find_fault() for features in corpus.features] == [""] * 9
    with pytest.raises(ValueError, match="mine"), check_after_failure(corpus.features):
        raise ValueError("mine")
