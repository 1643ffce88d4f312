"""Cross-validation end to end on small real files: what is written, what is resumed, what is refused."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import write_tone

from mcc_zoo.datasets import Track, splits
from mcc_zoo.evaluation import metrics, pooling
from mcc_zoo.experiment import cross_validation, fold_details, run_folder
from mcc_zoo.experiment.corpus import Corpus, pick, prepare
from mcc_zoo.experiment.fold import CHUNK_NETWORK_FILE, FoldRun
from mcc_zoo.experiment.identity import identify_run
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.features.cache import FeatureCache, mean_and_std
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.locks import InUseError, hold
from mcc_zoo.recipes import RECIPES

FRONT_END = FRONT_ENDS["22k"]
RECIPE = dataclasses.replace(
    RECIPES["tuned"], max_epochs=2, patience=4, learning_rate=4e-3, batch_tracks=2, warm_start=False
)
SETTINGS = Settings("tones", architectures=("r2",), folds=3, split="grouped", recipe=RECIPE, front_end=FRONT_END)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    """Low and high tones of six bands; two files cannot be read."""
    folder = tmp_path_factory.mktemp("tones")
    tracks = []
    for i in range(18):
        label, hertz = ("high", 2_400 + 5 * i) if i % 2 else ("low", 300 + 2 * i)
        path = write_tone(folder / f"{i:02}.wav", hertz, 4.0 if i % 4 < 2 else 7.5, seed=i)
        tracks.append(Track(path, path.name, label, f"band {i % 6 // 2 + 3 * (i // 9)}"))
    (folder / "broken.wav").write_bytes(b"RIFF but no more")
    tracks += [Track(folder / name, name, "low") for name in ("broken.wav", "missing.wav")]
    return prepare(tracks, FeatureCache(folder / "cache", FRONT_END), quiet=True)


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("results") / "run"
    return run_dir, cross_validation.cross_validate(corpus, SETTINGS, run_dir, device="cpu", quiet=True)


def test_unreadable_tracks_are_set_aside_and_said(corpus, run):
    assert len(corpus.tracks) == 18
    refused = pd.read_csv(run[0] / "refused.csv")
    assert refused["path"].tolist() == ["broken.wav", "missing.wav"]
    assert refused["reason"][1] == "no such file; check the path"


def test_every_track_is_tested_once_by_every_system(corpus, run):
    _, predictions = run
    for architecture in SETTINGS.architectures:
        own = predictions[predictions["architecture"] == architecture]
        assert sorted(own["path"]) == sorted(track.name for track in corpus.tracks)
    truth = {track.name: (track.label, track.group) for track in corpus.tracks}
    assert all(truth[row.path] == (row.truth, row.group) for row in predictions.itertuples())
    np.testing.assert_allclose(predictions[["high", "low"]].sum(axis=1), 1, atol=1e-5)


def test_folds_are_disjoint_by_group(run):
    _, predictions = run
    assert (predictions.groupby("group")["fold"].nunique() == 1).all()


def test_columns_are_those_of_the_contract(run):
    run_dir, predictions = run
    written = pd.read_csv(run_dir / "predictions.csv")
    assert written.columns.tolist() == [
        "seed", "fold", "architecture", "path", "group", "truth", "prediction", "majority_vote",
        "chunks", "chunks_right", "high", "low",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(written, predictions)
    splits = pd.read_csv(run_dir / "folds.csv")
    assert splits[["architecture", "seed", "fold"]].values.tolist() == [["r2", 0, fold] for fold in range(3)]
    assert splits.columns.tolist() == [
        "seed", "fold", "architecture", "train", "validation", "test", "mean", "std", "epochs", "best_epoch",
        "channels_best_epoch", "validation_accuracy", "validation_cross_entropy", "seconds", "accuracy",
    ]  # fmt: skip
    scores = metrics.score_folds(written).set_index(["architecture", "seed", "fold"])
    np.testing.assert_allclose(splits["accuracy"], scores.loc[splits.set_index(scores.index.names).index, "accuracy"])
    assert (splits["train"] + splits["validation"] + splits["test"] == 18).all()


@pytest.mark.slow
def test_tones_are_learnt_and_shuffled_labels_are_not(corpus, tmp_path):
    recipe = dataclasses.replace(RECIPE, max_epochs=4)
    settings = dataclasses.replace(SETTINGS, architectures=("mlp",), recipe=recipe)  # five tracks are too few for R2
    learnt = cross_validation.cross_validate(corpus, settings, tmp_path / "learnt", device="cpu", quiet=True)
    assert (learnt["truth"] == learnt["prediction"]).mean() > 0.9
    settings = dataclasses.replace(settings, shuffle_labels=True, split="random", seeds=2)
    shuffled = cross_validation.cross_validate(corpus, settings, tmp_path / "run", device="cpu", quiet=True)
    assert (shuffled["truth"] == shuffled["prediction"]).mean() < 0.8
    assert shuffled[shuffled["seed"] == 0]["truth"].value_counts().to_dict() == {"high": 9, "low": 9}


def test_the_mean_and_std_are_those_of_the_training_tracks(corpus, run):
    run_dir, predictions = run
    facts = json.loads((run_dir / "units" / "seed0-fold1-r2" / "fold.json").read_text())
    fold_of = predictions.drop_duplicates("path").set_index("path")["fold"]
    training = [f for t, f in zip(corpus.tracks, corpus.features, strict=True) if fold_of[t.name] == 0]
    assert len(training) == facts["train"]
    assert (facts["mean"], facts["std"]) == pytest.approx(mean_and_std(training, FRONT_END, RECIPE.max_chunks))


def test_a_fold_keeps_the_taggrams_of_the_surest_right_and_wrong_track(run):
    run_dir, predictions = run
    for (fold, architecture), rows in predictions.groupby(["fold", "architecture"]):
        unit = run_folder.fold_dir(run_dir, 0, fold, architecture)
        assert (unit / fold_details.FILTERS).exists()
        kept = fold_details.read_taggrams(unit / fold_details.TAGGRAMS)
        surest = rows.assign(sure=rows[["high", "low"]].max(axis=1), right=rows["truth"] == rows["prediction"])
        expected = surest.sort_values("sure", ascending=False).drop_duplicates("right").set_index("right")
        assert [track.is_right for track in kept] == sorted(expected.index, reverse=True)
        for track in kept:
            row = expected.loc[track.is_right]
            assert (track.path, track.truth, track.prediction) == (row["path"], row["truth"], row["prediction"])
            assert track.probability == pytest.approx(row["sure"])
            tags = pooling.pool_taggrams(track.windows, has_lstm=False)
            np.testing.assert_allclose(tags, row[track.labels].to_numpy(float), atol=1e-4)


def test_a_track_of_several_windows_is_kept_whole_and_so_are_all_wrong_tracks(tmp_path):
    wrong = {"truth": "a", "prediction": "b", "majority_vote": "b"}
    rows = [{"path": name, **wrong, "a": 1 - sure, "b": sure} for name, sure in (("x", 0.6), ("y", 0.9))]
    windows = [np.full((2, 2), 0.5, np.float32), np.array([[0.1, 0.9]], np.float32)]
    fold_details.write_taggrams(tmp_path, rows, [windows[:1], windows], ["a", "b"])
    (track,) = fold_details.read_taggrams(tmp_path / fold_details.TAGGRAMS)
    assert (track.path, track.is_right, track.probability) == ("y", False, 0.9)
    assert [window.tolist() for window in track.windows] == [[[0.5, 0.5]] * 2, [[0.1, 0.9]]]


def test_summary_and_config_say_what_was_run(run):
    run_dir, _ = run
    summary = (run_dir / "summary.md").read_text()
    assert "| R2: CNNs (T+P) | 3 |" in summary
    assert summary.startswith(
        "# tones: run run\n\n"
        "18 tracks, 2 labels, 6 groups, 3 folds, seed 0; recipe tuned.\n\n"
        "Split: grouped; the tracks of a group (artist, album, link) stay in one fold. 6 groups known.\n\n"
        "Always naming the most frequent label (high) would be right for 50.0 % of the tracks. "
        "Majority vote is the accuracy of the label that most chunks of a track have as their most probable one.\n\n"
        "| system | folds |"
    )
    config = json.loads((run_dir / "config.json").read_text())
    assert config["recipe"]["name"] == "tuned"
    assert config["front_end"]["sample_rate"] == 22_050
    assert config["labels"] == ["high", "low"]
    assert set(config["versions"]) >= {"tensorflow", "keras", "mcc_zoo"}


@pytest.mark.slow
def test_an_interrupted_run_goes_on_at_the_next_fold(corpus, run, tmp_path, monkeypatch):
    run_dir, expected = run
    finished, original = [], FoldRun.run

    def interrupted(self, callbacks):
        if len(finished) == 2:
            (self.folder.with_name(self.folder.name + ".part")).mkdir(parents=True)  # what a kill leaves behind
            raise KeyboardInterrupt
        finished.append((self.seed, self.fold, self.architecture))
        return original(self, callbacks)

    monkeypatch.setattr(FoldRun, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cross_validation.cross_validate(corpus, SETTINGS, tmp_path / "run", device="cpu", quiet=True)
    assert finished == [(0, 0, "r2"), (0, 1, "r2")]

    again = []

    def recorded(self, callbacks):
        again.append((self.seed, self.fold, self.architecture))
        return original(self, callbacks)

    monkeypatch.setattr(FoldRun, "run", recorded)
    found = cross_validation.cross_validate(corpus, SETTINGS, tmp_path / "run", device="cpu", quiet=True)
    assert again == [(0, 2, "r2")]
    pd.testing.assert_frame_equal(found, expected, atol=1e-4, rtol=1e-4)  # and the seed fixed all the rest


@pytest.fixture
def damaged(corpus, run, tmp_path):
    """A fold of a copy of the run, to be damaged, and what it was."""
    run_dir = shutil.copytree(run[0], tmp_path / "run")
    fold = FoldRun(corpus, splits.draw_splits(corpus.tracks, "grouped", 3, 0)[1], SETTINGS, 0, 1, "r2", run_dir)
    assert fold.is_finished()
    return fold


@pytest.mark.parametrize("keep", [0, 1, 30, -1])
@pytest.mark.parametrize("name", ["fold.json", "predictions.csv", "chunk_network.npz"])
def test_a_fold_that_a_crash_has_cut_is_said_and_not_taken_for_finished(damaged, capsys, name, keep):
    recipe = dataclasses.replace(RECIPE, warm_start=True)  # R2 lends its channels then
    fold = dataclasses.replace(damaged, settings=dataclasses.replace(SETTINGS, recipe=recipe))
    (fold.folder / "chunk_network.npz").write_bytes(zipped())
    assert fold.is_finished()
    path = fold.folder / name
    path.write_bytes(path.read_bytes()[:keep])
    assert not fold.is_finished()
    message = capsys.readouterr().err
    assert str(path) in message and "this fold is trained again" in message


def zipped() -> bytes:
    file = io.BytesIO()
    np.savez(file, weight=np.arange(9.0))
    return file.getvalue()


@pytest.mark.parametrize("name", ["fold.json", "predictions.csv"])
def test_a_fold_that_lacks_a_file_is_not_taken_for_finished(damaged, capsys, name):
    (damaged.folder / name).unlink()
    assert not damaged.is_finished()
    assert f"{damaged.folder / name} cannot be read (No such file" in capsys.readouterr().err


@pytest.mark.slow
def test_a_damaged_fold_is_trained_again_and_in_the_table(corpus, run, damaged, tmp_path, capsys):
    (damaged.folder / "predictions.csv").write_text("")
    found = cross_validation.cross_validate(corpus, SETTINGS, tmp_path / "run", device="cpu", quiet=True)
    pd.testing.assert_frame_equal(found, run[1], atol=1e-4, rtol=1e-4)
    assert "predictions.csv is cut: it has 0 of 5 tracks: this fold is trained again" in capsys.readouterr().err


def test_a_second_run_in_the_same_folder_is_refused(corpus, run):
    with hold(run[0]), pytest.raises(InUseError, match=f"is being written by process {os.getpid()}"):
        cross_validation.cross_validate(corpus, SETTINGS, run[0], device="cpu", quiet=True)


@pytest.mark.parametrize("content", ["", '{"seed": 0', "{}", "[]"])
def test_a_damaged_config_is_a_sentence(corpus, damaged, content):
    (damaged.run_dir / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config.json is damaged .*remove that folder, or give another --run"):
        cross_validation.cross_validate(corpus, SETTINGS, damaged.run_dir, device="cpu", quiet=True)


@pytest.mark.slow
def test_folds_in_two_processes_give_the_same_figures(corpus, run, tmp_path):
    found = cross_validation.cross_validate(corpus, SETTINGS, tmp_path / "run", device="cpu", processes=2, quiet=True)
    pd.testing.assert_frame_equal(found, run[1], atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_systems_can_be_added_to_a_run_but_other_settings_are_refused(corpus, run, tmp_path):
    run_dir = tmp_path / "run"
    settings = dataclasses.replace(SETTINGS, architectures=("r0",))
    cross_validation.cross_validate(corpus, settings, run_dir, device="cpu", quiet=True)
    more = dataclasses.replace(settings, architectures=("mlp",))
    found = cross_validation.cross_validate(corpus, more, run_dir, device="cpu", quiet=True)
    assert found["architecture"].unique().tolist() == ["r0", "mlp"]
    fold_of = found.pivot(index="path", columns="architecture", values="fold")
    assert (fold_of["mlp"] == fold_of["r0"]).all()
    filters = [(run_folder.fold_dir(run_dir, 0, 0, name) / fold_details.FILTERS).exists() for name in ("r0", "mlp")]
    assert filters == [True, False]  # an MLP has no channels
    with pytest.raises(ValueError, match=r"holds a run with other settings \(seed was 0, is 5\): give another --run"):
        cross_validation.cross_validate(corpus, dataclasses.replace(settings, seed=5), run_dir, quiet=True)
    shorter = dataclasses.replace(settings, recipe=dataclasses.replace(RECIPE, max_epochs=3))
    with pytest.raises(ValueError, match=r"other settings \(max_epochs was 2, is 3\)"):
        cross_validation.cross_validate(corpus, shorter, run_dir, quiet=True)
    fewer = dataclasses.replace(corpus, tracks=corpus.tracks[:-1], features=corpus.features[:-1])
    with pytest.raises(ValueError, match="tracks was 18, is 17"):
        cross_validation.cross_validate(fewer, settings, run_dir, quiet=True)


def test_a_run_is_told_by_its_folds(corpus):
    """A random split follows the rows of a manifest: one in another order has other folds."""
    settings = dataclasses.replace(SETTINGS, split="random")
    order = np.roll(np.arange(18), 5)
    rolled = dataclasses.replace(
        corpus,
        tracks=pick(corpus.tracks, order),
        features=pick(corpus.features, order),
        targets=corpus.targets[order],
    )
    first, same, other = (
        identify_run(own, settings, splits.draw_splits(own.tracks, "random", 3, 0)) for own in (corpus, corpus, rolled)
    )
    assert first == same
    assert [name for name in first if first[name] != other[name]] == ["folds_sha256"]


@pytest.mark.slow
def test_a_warm_start_begins_with_the_channels_of_the_same_fold(corpus, tmp_path, monkeypatch):
    names = [track.name for track in corpus.tracks]
    for part, own in {"train": names[:10], "valid": names[10:14], "test": names[14:]}.items():  # one fold
        (tmp_path / f"{part}.txt").write_text("\n".join(own))
    recipe = dataclasses.replace(RECIPE, max_epochs=2, warm_start=True)
    settings = dataclasses.replace(SETTINGS, architectures=("r2", "r4"), recipe=recipe, split=str(tmp_path))
    both = cross_validation.cross_validate(corpus, settings, tmp_path / "both", device="cpu", quiet=True)
    table = pd.read_csv(tmp_path / "both" / "folds.csv")
    with np.load(run_folder.fold_dir(tmp_path / "both", 0, 0, "r2") / CHUNK_NETWORK_FILE) as kept:
        weights = dict(kept)
    assert {name: weight.shape for name, weight in weights.items()} == {
        "T.0": (1, 60, 1, 32), "T.1": (32,), "P.0": (32, 1, 1, 32), "P.1": (32,),
        "fusion.0": (960, 200), "fusion.1": (200,),
    }  # fmt: skip
    filters = fold_details.read_filters(run_folder.fold_dir(tmp_path / "both", 0, 0, "r2") / fold_details.FILTERS)
    assert list(filters) == ["P", "T"]
    np.testing.assert_allclose(filters["T"], weights["T.0"][:, :, 0], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(filters["P"], weights["P.0"][:, :, 0], rtol=1e-3, atol=1e-6)
    best = dict(zip(table["architecture"], table["best_epoch"], strict=True))
    assert run_folder.find_best_epochs(tmp_path / "both", "r4") == (best["r4"], best["r2"])
    alone = dataclasses.replace(settings, architectures=("r4",))  # whose channels are trained on the way
    found = cross_validation.cross_validate(corpus, alone, tmp_path / "alone", device="cpu", quiet=True)
    expected = both[both["architecture"] == "r4"].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected, atol=1e-4, rtol=1e-4)
    cold = dataclasses.replace(alone, recipe=dataclasses.replace(recipe, warm_start=False))
    other = cross_validation.cross_validate(corpus, cold, tmp_path / "cold", device="cpu", quiet=True)
    assert np.abs(other["high"] - expected["high"]).max() > 1e-3
    monkeypatch.setattr("mcc_zoo.experiment.fold.LEARNT", 0.0)  # no channels beat that
    unlearnt = cross_validation.cross_validate(corpus, alone, tmp_path / "unlearnt", device="cpu", quiet=True)
    pd.testing.assert_frame_equal(unlearnt, other, atol=1e-4, rtol=1e-4)
    assert run_folder.find_best_epochs(tmp_path / "unlearnt", "r4")[1] == 0


@pytest.mark.slow
def test_choices_between_recipes_look_at_validation_tracks(corpus, run, tmp_path):
    recipe = dataclasses.replace(RECIPE, max_epochs=1)
    settings = dataclasses.replace(SETTINGS, architectures=("mlp",), recipe=recipe, on_validation=True)
    found = cross_validation.cross_validate(corpus, settings, tmp_path / "run", device="cpu", quiet=True)
    fold_of = run[1].drop_duplicates("path").set_index("path")["fold"]
    assert [(fold_of[row.path] - 1) % 3 for row in found.itertuples()] == found["fold"].tolist()


@pytest.mark.slow
def test_lists_fix_one_split_for_every_seed(corpus, tmp_path):
    names = [track.name for track in corpus.tracks]
    lists = {"train": names[2:10], "valid": names[10:12], "test": names[:2] + names[14:16]}
    for part, own in lists.items():
        (tmp_path / f"{part}_filtered.txt").write_text("\n".join(own))
    recipe = dataclasses.replace(RECIPE, max_epochs=1)
    settings = dataclasses.replace(SETTINGS, architectures=("mlp",), recipe=recipe, split=str(tmp_path), seeds=2)
    found = cross_validation.cross_validate(corpus, settings, tmp_path / "run", device="cpu", quiet=True)
    assert found["path"].tolist() == sorted(lists["test"]) * 2
    assert found[["seed", "fold"]].drop_duplicates().values.tolist() == [[0, 0], [1, 0]]
    tables = pd.read_csv(tmp_path / "run" / "folds.csv")[["train", "validation", "test"]]
    assert tables.drop_duplicates().values.tolist() == [[8, 2, 4]]
    group_of = {track.name: track.group for track in corpus.tracks}
    tested, learnt = ({group_of[name] for name in own} for own in (lists["test"], lists["train"] + lists["valid"]))
    summary = (tmp_path / "run" / "summary.md").read_text()
    assert f"so it is leaky. {len(tested & learnt)} of {len(tested)} groups" in summary and tested & learnt
    assert "The split is fixed: its 2 folds are one" in summary

    (tmp_path / "train_filtered.txt").write_text("\n".join(names[2:9]))
    with pytest.raises(ValueError, match=r"holds a run with other settings \(folds_sha256 was"):
        cross_validation.cross_validate(corpus, settings, tmp_path / "run", quiet=True)


def test_best_epoch_is_the_median_over_folds(run):
    table = pd.read_csv(run[0] / "folds.csv")
    own = sorted(table.loc[table["architecture"] == "r2", "best_epoch"])
    assert run_folder.find_best_epochs(run[0], "r2") == (own[1], 0)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [([10, 12, 11, 0, 0], (2, 11)), ([10, 12, 0, 0, 0], (30, 0)), ([10, 12, 0, 0], (30, 0))],
)
def test_folds_with_a_warm_start_and_without_are_not_mixed(tmp_path, channels, expected):
    rows = [{"architecture": "r4", "best_epoch": 2 if c else 30, "channels_best_epoch": c} for c in channels]
    pd.DataFrame(rows).to_csv(tmp_path / "folds.csv")
    assert run_folder.find_best_epochs(tmp_path, "r4") == expected


def test_the_label_prior_knows_how_frequent_labels_are(corpus, tmp_path):
    split = splits.Split(np.array([0, 2, 4, 1]), np.array([6, 3]), np.array([5]))  # tracks alternate
    labels = corpus.classes
    assert (labels[split.train] == labels[0]).sum() == 3 and labels[6] == labels[0] != labels[3]
    by_hand = -(np.log(3 / 4) + np.log(1 / 4)) / 2
    run = FoldRun(corpus, split, SETTINGS, 0, 0, "r2", tmp_path)
    assert run.prior_cross_entropy == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architectures": ()}, "architectures is empty"),
        ({"architectures": ("r2", "resnet")}, "architectures='resnet' is not known: choose one of r0"),
        ({"seeds": 0}, "seeds=0: at least one"),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SETTINGS, **change)


def test_a_corpus_without_a_readable_track_is_refused(tmp_path):
    cache = FeatureCache(tmp_path / "cache", FRONT_END)
    with pytest.raises(ValueError, match="none of 1 tracks could be read: .*no such file"):
        prepare([Track(tmp_path / "x.wav", "x.wav", "a")], cache, quiet=True)
    track = Track(write_tone(tmp_path / "y.wav", 300, 4.0), "y.wav", "fold")
    with pytest.raises(ValueError, match="label 'fold' is the name of a column of predictions.csv"):
        prepare([track], cache, quiet=True)
