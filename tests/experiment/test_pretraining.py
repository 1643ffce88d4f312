"""From a teacher's probabilities to a student, and from the student to a model of other labels."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from absl.testing import flagsaver
from conftest import write_tone

import mcc_zoo
from experiments import common  # noqa: F401 before the flags are saved: its own stay
from experiments.teachers import answers, musicnn_tags
from mcc_zoo.datasets import Track, splits
from mcc_zoo.experiment import refit
from mcc_zoo.experiment.corpus import Corpus, prepare, shuffle_labels
from mcc_zoo.experiment.fold import FoldRun
from mcc_zoo.experiment.identity import identify_run
from mcc_zoo.experiment.pretrained import read_start
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.experiment.subset import Subset
from mcc_zoo.experiment.unfinished import UnfinishedFold
from mcc_zoo.export.metadata import METADATA_FILE
from mcc_zoo.features.cache import FeatureCache
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.recipes import RECIPES

pytest_plugins = ["helpers.run_scripts"]

with flagsaver.flagsaver():  # other scripts have flags of the same names
    from experiments import pretraining

FRONT_END = FRONT_ENDS["22k"]
RECIPE = dataclasses.replace(RECIPES["tuned"], max_epochs=1, batch_tracks=4, learning_rate=1e-2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("tones")
    tracks = []
    for i in range(9):
        path = write_tone(folder / f"{i}.wav", 300.0 + 400 * (i % 3), 4.0, seed=i)
        tracks.append(Track(path, path.name, ("a", "b", "c")[i % 3]))
    return prepare(tracks, FeatureCache(folder / "cache", FRONT_END), quiet=True)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(8)
    model = mcc_zoo.build("r4", ["x", "y"], task="multi-label", front_end=FRONT_END, mean=0.25, std=0.75)
    return mcc_zoo.export_model(model, tmp_path_factory.mktemp("exports"), "lender", max_seconds=20)


def split_of(corpus: Corpus) -> splits.Split:
    return splits.draw_splits(corpus.tracks, "random", 3, 0)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "frozen", "still", "moved"),
    [
        ("r4", "descriptor", ("P", "T", "fusion"), ("lstm", "steps")),
        ("r4", "channels", ("P", "T"), ("fusion", "lstm")),
        ("r4", "nothing", (), ("P", "T", "fusion", "lstm")),
        ("r2", "descriptor", ("P", "T", "fusion"), ("steps",)),
    ],
)
def test_training_starts_from_an_export_and_keeps_what_is_frozen(
    corpus: Corpus, export: Path, tmp_path: Path, architecture: str, frozen: str, still: str, moved: str
) -> None:
    settings = Settings(
        "tones", (architecture,), 3, recipe=RECIPE, front_end=FRONT_END, start_from=str(export), frozen=frozen
    )
    run = FoldRun(corpus, split_of(corpus), settings, 0, 0, architecture, tmp_path, "cpu")
    unfinished = UnfinishedFold(tmp_path, architecture)
    start = run.find_warm_start(unfinished)
    assert start is not None and run.lender is None and not run.lends_channels
    built = Subset(corpus, np.arange(9), settings).build_model(architecture, run.strategy, start)
    lent, before = read_weights(mcc_zoo.load(export).model), read_weights(built)
    for name in {*still, *moved} - {"steps"}:
        np.testing.assert_array_equal(before[name], lent[name])
    model, _ = run.train(start, unfinished)
    assert (Classifier(model).mean, Classifier(model).std) == pytest.approx((0.25, 0.75))
    after = read_weights(model)
    for name in still:
        np.testing.assert_array_equal(after[name], lent[name])
    for name in moved:
        assert not np.array_equal(after[name], before[name]), name
    assert Classifier(model).chunk_network.trainable


def read_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """The first weights of each layer that has some, by its name."""
    parts = Classifier(model)
    layers = [*parts.chunk_network.layers, *parts.sequence_network.layers]
    return {layer.name: layer.get_weights()[0] for layer in layers if layer.get_weights()}


@pytest.mark.slow
def test_the_refit_starts_from_it_too(corpus: Corpus, export: Path) -> None:
    settings = Settings("tones", ("r4",), 3, recipe=RECIPE, front_end=FRONT_END, start_from=str(export))
    after, lent = (
        read_weights(model)
        for model in (
            refit.train(corpus, settings, "r4", 1, device="cpu", quiet=True),
            mcc_zoo.load(export).model,
        )
    )
    np.testing.assert_array_equal(after["fusion"], lent["fusion"])
    assert not np.array_equal(after["lstm"], lent["lstm"])


@pytest.mark.slow
def test_a_run_is_told_by_the_content_of_the_export_it_starts_from(corpus: Corpus, export: Path) -> None:
    alone = Settings("tones", ("r4",), 3, recipe=RECIPE, front_end=FRONT_END)
    found = [
        identify_run(corpus, settings, [split_of(corpus)])
        for settings in (alone, dataclasses.replace(alone, start_from=str(export)))
    ]
    assert set(found[1]) - set(found[0]) == {"start_from", "start_from_sha256", "frozen"}
    assert found[1]["start_from_sha256"] == hashlib.sha256((export / METADATA_FILE).read_bytes()).hexdigest()


def test_nothing_starts_from_an_edited_export(export: Path, tmp_path: Path) -> None:
    shutil.copytree(export, edited := tmp_path / "1")
    with open(edited / "model.weights.h5", "ab") as weights:
        weights.write(b" ")
    with pytest.raises(mcc_zoo.ExportError, match=r"model\.weights\.h5: not what was exported"):
        read_start(Settings("tones", ("r4",), start_from=str(edited)))


@pytest.mark.parametrize("architecture", ["r1", "cnns3", "mlp"])
def test_a_system_without_channels_cannot_start_from_an_export(architecture: str) -> None:
    with pytest.raises(ValueError, match=f"start_from=lender: {architecture} has no channels"):
        Settings("tones", (architecture,), start_from="lender")


@pytest.fixture
def free_music(tmp_path: Path) -> Path:
    """Clips of two kinds of tones, three of a recording, and a double of what musicnn says of them."""
    rows, said = [], []
    for i in range(60):
        is_high = i // 3 % 2
        path = write_tone(tmp_path / "clips" / f"{i}.flac", 3_000 if is_high else 300, 4.0, seed=i)
        name = path.relative_to(tmp_path).as_posix()
        rows.append((name, f"recording {i // 3}", "package", 4.0))
        probabilities = np.full(50, 0.02)
        strongest = ("metal", "punk", "guitar") if is_high else ("jazz", "sad", "guitar")
        probabilities[[answers.TAGS.index(tag) for tag in strongest]] = 0.6, 0.6, 0.4
        layers = {layer: np.zeros(size) for layer, size in musicnn_tags.LAYERS.items()}
        of_windows = {"window_tags": np.tile(probabilities, 2), "window_penultimate": np.repeat([i, i + 1.0], 200)}
        said.append({"path": name} | layers | {"tags": probabilities} | of_windows)
    pd.DataFrame(rows, columns=["path", "group", "package", "seconds"]).to_csv(tmp_path / "clips.csv", index=False)
    table = musicnn_tags.pyarrow.Table.from_pylist(said, musicnn_tags.SCHEMA)
    musicnn_tags.pyarrow.parquet.write_table(table, tmp_path / "musicnn.parquet")
    return tmp_path


def test_the_teachers_probabilities_are_the_targets_and_its_strongest_tags_are_right(free_music: Path) -> None:
    teacher = answers.read_teacher(free_music / "musicnn.parquet")
    tracks = pretraining.list_tracks(pd.read_csv(free_music / "clips.csv"), teacher, free_music)
    cache = FeatureCache(free_music / "cache", FRONT_END)
    windows = answers.read_windows(free_music / "musicnn.parquet")
    training = [track.name for track in tracks[:4]]
    corpus = pretraining.teach(prepare(tracks[:6], cache, quiet=True), windows, FRONT_END.chunk_seconds, training)
    assert corpus.task == "multi-label"
    assert corpus.labels == sorted(answers.TAGS)
    right = [[corpus.labels[i] for i in np.flatnonzero(row)] for row in corpus.targets]
    assert right == [["guitar", "jazz", "sad"]] * 3 + [["guitar", "metal", "punk"]] * 3
    shuffled = shuffle_labels(corpus, 0)  # a control learns nothing from the teacher either
    order = [[track.name for track in corpus.tracks].index(track.name) for track in shuffled.tracks]
    assert order == list(range(6)) and not np.array_equal(shuffled.taught, corpus.taught)
    for own, features, right_tags in zip(shuffled.taught, shuffled.features, shuffled.targets, strict=True):
        assert len(own) == features.chunks
        assert set(np.flatnonzero(own[0, :50] > 0.5)) < set(np.flatnonzero(right_tags))
    settings = Settings("free-music", ("r2",), 3, front_end=FRONT_END)
    half = dataclasses.replace(corpus, taught=[own / 2 for own in corpus.taught])
    runs = [identify_run(own, settings, []) for own in (corpus, half)]
    assert [name for name in runs[0] if runs[0][name] != runs[1][name]] == ["taught_sha256"]
    guitar, jazz = corpus.labels.index("guitar"), corpus.labels.index("jazz")
    first_chunk = np.array([own[0] for own in corpus.taught])
    np.testing.assert_allclose(first_chunk[:, guitar], 0.4, atol=1e-6)
    np.testing.assert_allclose(first_chunk[:, jazz], [0.6] * 3 + [0.02] * 3, atol=1e-6)
    # Windows of 2.992 s have i and i + 1; those of the four clips that train have mean 2 and variance 1.5.
    share = 2.992 / FRONT_END.chunk_seconds
    expected = (np.arange(6) * share + np.arange(1, 7) * (1 - share) - 2) / 1.5**0.5
    np.testing.assert_allclose(first_chunk[:, 50:], np.tile(expected[:, np.newaxis], 200), atol=1e-5)
    subset = Subset(corpus, np.array([4, 0]), Settings("free-music", ("r0",), front_end=FRONT_END))
    np.testing.assert_allclose(subset.expected_tags[:, [guitar, jazz]], [[0.4, 0.02], [0.4, 0.6]], atol=1e-6)
    for _, targets, _ in subset.make_evaluation_batches():
        assert {round(float(value), 4) for value in targets.numpy()[:, 0, guitar]} == {0.4}


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_chunk_gets_the_mean_over_the_time_that_windows_share_with_it(count: int) -> None:
    """An independent way: windows and chunks drawn at every millisecond."""
    windows = np.random.default_rng(count).normal(size=(count, 4)).astype(np.float32)
    for seconds in (1.858, 3.715):
        found = answers.cut_to_chunks(windows, chunks=8, chunk_seconds=seconds)
        time = np.arange(0, 8 * seconds, 1e-3) + 5e-4
        of_chunk, of_window = (time / seconds).astype(int), (time / answers.WINDOW_SECONDS).astype(int)
        for chunk in range(8):
            own = of_window[of_chunk == chunk]
            own = own[own < count] if (own < count).any() else [count - 1]
            np.testing.assert_allclose(found[chunk], windows[own].mean(axis=0), atol=5e-3)


def test_a_table_without_windows_is_refused_with_what_to_do(free_music: Path) -> None:
    path = free_music / "musicnn.parquet"
    table = musicnn_tags.pyarrow.parquet.read_table(path)
    musicnn_tags.pyarrow.parquet.write_table(table.drop_columns(["window_penultimate"]), path)
    with pytest.raises(ValueError, match=r"musicnn\.parquet has no column 'window_penultimate'.*ask the teacher again"):
        answers.read_windows(path)


def test_labels_are_strongest_in_some_clip_that_trains(free_music: Path) -> None:
    teacher = answers.read_teacher(free_music / "musicnn.parquet")
    clips = pd.read_csv(free_music / "clips.csv")
    low, high = "clips/0.flac", "clips/3.flac"
    tracks = {track.name: track for track in pretraining.list_tracks(clips, teacher, free_music, [low])}
    assert tracks[low].labels == tracks[high].labels == ("guitar", "jazz", "sad")  # nothing that trains is metal
    tracks = {track.name: track for track in pretraining.list_tracks(clips, teacher, free_music, [low, high])}
    assert tracks[high].labels == ("guitar", "metal", "punk")


def test_recordings_are_drawn_and_divided_whole(free_music: Path) -> None:
    clips = pd.read_csv(free_music / "clips.csv")
    parts = pretraining.divide(clips, None, seed=0)
    assert {name: len(part) for name, part in parts.items()} == {"test": 3, "valid": 3, "train": 54}
    group_of = dict(zip(clips["path"], clips["group"], strict=True))
    groups = [{group_of[path] for path in part} for part in parts.values()]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    for seconds in (11.9, 12.0, 60.0, 61.0):  # a recording has twelve
        some = pretraining.divide(clips, seconds / 3600, seed=0)
        assert (some["test"], some["valid"]) == (parts["test"], parts["valid"])
        assert set(some["train"]) <= set(parts["train"]) and len(some["train"]) == seconds // 12 * 3
    more = pretraining.divide(clips, 72 / 3600, seed=0)
    assert set(some["train"]) < set(more["train"])


@pytest.mark.slow
def test_a_student_is_trained_and_exported_and_others_start_from_it(free_music: Path, run_script) -> None:
    run = run_script(
        "pretraining", f"--data_dir={free_music}", "--architectures=r2", "--max_epochs=2", "--front_end=22k",
        "--export=r2", "--export_name=student", "--quiet",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    short = run_script("pretraining", f"--data_dir={free_music}", "--hours=0.001", "--front_end=22k", "--quiet")
    assert short.returncode != 0 and "--hours=0.001: the first recording that would train is longer" in short.stderr
    folds = pd.read_csv(free_music / "results/free-music/pretraining-recordings-22k-2epochs/folds.csv")
    assert folds[["train", "validation", "test"]].values.tolist() == [[54, 3, 3]]
    tagger = mcc_zoo.load(free_music / "exported_models/student")
    assert tagger.labels == sorted(answers.TAGS)
    tested = pd.read_csv(free_music / "results/free-music/pretraining-recordings-22k-2epochs/predictions.csv").iloc[0]
    found = tagger.tag(free_music / tested["path"]).tags  # by the weights that were tested
    np.testing.assert_allclose([found[tag] for tag in tagger.labels], tested[tagger.labels].astype(float), atol=1e-4)
    assert (tagger.metadata.trained_on, tagger.metadata.tracks) == ("training tracks", 54)
    card = (tagger.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "learnt on 0.1 hours of music from Debian's games" in card
    table = pd.DataFrame({"path": [f"clips/{i}.flac" for i in range(12)], "label": [*["low"] * 3, *["high"] * 3] * 2})
    table.to_csv(free_music / "tones.csv", index=False)
    run = run_script(
        "manifest", f"--manifest={free_music}/tones.csv", "--start_from=student", "--architectures=r2", "--folds=3",
        "--max_epochs=2", "--quiet",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    (run_dir,) = (free_music / "results/tones").iterdir()
    assert run_dir.name == "tuned-auto-3folds-from-student-1-descriptor-frozen-2epochs"
    assert json.loads((run_dir / "config.json").read_text())["front_end"]["sample_rate"] == 22_050
