"""Tracks with many labels, from the file to the export: cross-validated, reported, exported, tagged, fine-tuned."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import write_tone
from typer.testing import CliRunner

import mcc_zoo
from mcc_zoo.cli.main import app
from mcc_zoo.datasets import Track
from mcc_zoo.evaluation import auto_tagging, metrics
from mcc_zoo.experiment import cross_validation, refit, run_folder
from mcc_zoo.experiment.corpus import Corpus, prepare, shuffle_labels
from mcc_zoo.experiment.provenance import build_provenance
from mcc_zoo.experiment.report import write_report
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.features.cache import FeatureCache
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.recipes import RECIPES

pytestmark = pytest.mark.slow  # every day tests/models/test_tasks.py trains a system for many labels

FRONT_END = FRONT_ENDS["22k"]
RECIPE = dataclasses.replace(RECIPES["tuned"], max_epochs=6, learning_rate=4e-3, batch_tracks=4, warm_start=False)
SETTINGS = Settings("tones", architectures=("r0",), folds=3, split="grouped", recipe=RECIPE, front_end=FRONT_END)


def labels_of(number: int) -> tuple[str, ...]:
    """None, low, high, or both, in turn."""
    return ((), ("low",), ("high",), ("high", "low"))[number % 4]


def write_chord(path: Path, labels: tuple[str, ...], seed: int) -> Path:
    """Noise, with a low and a high tone where the track has the label."""
    for label, hertz in (("low", 300.0), ("high", 4_000.0)):
        write_tone(path.with_name(f"{label}.wav"), hertz if label in labels else 1.0, 4.0, seed=seed)
    parts = [soundfile.read(path.with_name(f"{label}.wav"))[0] for label in ("low", "high")]
    soundfile.write(path, sum(parts) / 2, 22_050)
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """24 tracks in six groups."""
    folder = tmp_path_factory.mktemp("chords")
    tracks = []
    for i in range(24):
        path = write_chord(folder / f"{i:02}.wav", labels_of(i), i)
        tracks.append(Track(path, path.name, "", f"band {i // 4}", labels=labels_of(i)))
    return prepare(tracks, FeatureCache(folder / "cache", FRONT_END), quiet=True)


@pytest.fixture(scope="module")
def run(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    run_dir = tmp_path_factory.mktemp("results") / "run"
    return run_dir, cross_validation.cross_validate(corpus, SETTINGS, run_dir, device="cpu", quiet=True)


@pytest.fixture(scope="module")
def export(corpus: Corpus, run: tuple[Path, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir, predictions = run
    thresholds = run_folder.find_thresholds(run_dir, "r0")
    model = refit.train(corpus, SETTINGS, "r0", 6, quiet=True)
    provenance = build_provenance(corpus, SETTINGS, "r0", predictions, licence="CC0", epochs=6, thresholds=thresholds)
    return mcc_zoo.export_model(model, tmp_path_factory.mktemp("exports"), "chords", provenance, max_seconds=30)


def test_targets_are_the_tracks_labels(corpus: Corpus) -> None:
    assert (corpus.task, corpus.labels) == ("multi-label", ["high", "low"])
    assert corpus.targets.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]] * 6
    shuffled = shuffle_labels(corpus, 3)
    assert sorted(map(tuple, shuffled.targets.tolist())) == sorted(map(tuple, corpus.targets.tolist()))
    assert [track.labels for track in shuffled.tracks] != [track.labels for track in corpus.tracks]
    own = [tuple(label in track.all_labels for label in corpus.labels) for track in shuffled.tracks]
    assert own == [tuple(row > 0) for row in shuffled.targets]


def test_a_label_with_a_separator_in_it_is_refused(tmp_path: Path) -> None:
    tracks = [Track(write_tone(tmp_path / f"{i}.wav", 300, 4.0), str(i), "", labels=("a|b",)) for i in range(2)]
    with pytest.raises(ValueError, match=r"label 'a\|b' has a \"\|\", which separates labels: rename the label"):
        prepare(tracks, FeatureCache(tmp_path / "cache", FRONT_END), quiet=True)


def test_predictions_hold_all_that_scores_need(run: tuple[Path, pd.DataFrame], corpus: Corpus) -> None:
    run_dir, predictions = run
    written = metrics.read_predictions(run_dir / "predictions.csv")
    assert written.columns.tolist() == [*auto_tagging.FIXED, "high", "low"]
    assert sorted(written["path"]) == sorted(track.name for track in corpus.tracks)
    truth = {track.name: "|".join(track.all_labels) for track in corpus.tracks}
    assert written["truth"].tolist() == [truth[path] for path in written["path"]]
    thresholds = {
        fold: json.loads((run_folder.fold_dir(run_dir, 0, fold, "r0") / "fold.json").read_text())["thresholds"]
        for fold in range(3)
    }
    for row in written.to_dict("records"):
        given = [
            label for label, least in zip(corpus.labels, thresholds[row["fold"]], strict=True) if row[label] >= least
        ]
        assert row["prediction"] == "|".join(given)
    folds = pd.read_csv(run_dir / "folds.csv")
    assert folds["roc_auc"].tolist() == pytest.approx(auto_tagging.score_folds(written)["roc_auc"].tolist())
    assert folds["roc_auc"].mean() > 0.7
    assert run_folder.find_thresholds(run_dir, "r0") == pytest.approx(np.mean(list(thresholds.values()), axis=0))


def test_summary_and_report_name_the_scores(run: tuple[Path, pd.DataFrame]) -> None:
    run_dir, _ = run
    summary = (run_dir / "summary.md").read_text()
    assert "24 tracks, 2 labels, 6 groups, 3 folds, seed 0" in summary
    assert "guessing gives a ROC-AUC of 50.0 % and an average precision of 50.0 %" in summary
    assert "| system | folds | ROC-AUC % | average precision % |" in summary
    page = write_report(run_dir, "tones").read_text(encoding="utf-8")
    assert "Confusions" not in page and "accurac" not in page.split("How it was made")[0].replace("accuracy</", "")
    names = {path.name for path in (run_dir / "figures").iterdir()}
    assert {"roc_auc.png", "labels-r0.png", "pairs-truth.png", "pairs-prediction.png", "taggram-best-r0.png"} <= names


def test_the_export_gives_the_labels_above_their_thresholds(export: Path, tmp_path: Path) -> None:
    tagger = mcc_zoo.load(export)
    assert repr(tagger) == "<Tagger: chords, version 1; r0, 2 labels (many a track), 22050 Hz>"
    assert tagger.metadata.task == "multi-label" and set(tagger.thresholds) == {"high", "low"}
    given = {}
    for number in range(4):
        path = write_chord(tmp_path / f"{number}.wav", labels_of(number), 100 + number)
        result = tagger.tag(path)
        expected = [label for label in ("high", "low") if result.tags[label] >= tagger.thresholds[label]]
        assert sorted(label for label, _ in result.above()) == expected
        given[labels_of(number)] = tuple(expected)
    assert all(given[labels] == labels for labels in ((), ("high", "low")))
    card = (export / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "any number of labels a track, each by a sigmoid of its own" in card
    assert "| ROC-AUC, mean over labels | **" in card and "reaches its threshold: high 0." in card


def test_commands_write_the_labels_that_are_given(export: Path, tmp_path: Path) -> None:
    path = write_chord(tmp_path / "both.wav", ("high", "low"), 200)
    done = CliRunner().invoke(app, ["tag", str(export), str(path)])
    assert done.exit_code == 0, done.stderr
    header, row = (line.split(",") for line in done.stdout.splitlines())
    assert header[:5] == ["path", "status", "reason", "tag", "tags"]
    assert set(row[4].split("|")) == {"high", "low"}
    shown = CliRunner().invoke(app, ["show", str(export)])
    assert "ROC-AUC" in shown.stderr and "where guessing gives 50.0 %" in shown.stderr


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[[], Path]:
    def write() -> Path:
        rows = ["path,labels,group"]
        for i in range(24):
            write_chord(tmp_path / f"{i:02}.wav", labels_of(i), i)
            named = {"low": "dark", "high": "bright"}
            rows.append(f"{i:02}.wav,{'|'.join(named[label] for label in labels_of(i))},band {i // 4}")
        (tmp_path / "moods.csv").write_text("\n".join(rows))
        return tmp_path / "moods.csv"

    return write


def test_new_labels_are_learnt_by_one_regression_each(
    export: Path, manifest: Callable[[], Path], tmp_path: Path
) -> None:
    tagger = mcc_zoo.finetune(manifest(), export, tmp_path / "exports", "moods", folds=3, licence="CC0", quiet=True)
    assert (tagger.metadata.task, tagger.labels) == ("multi-label", ["bright", "dark"])
    assert tagger.metadata.tagging_scores is not None and tagger.metadata.tagging_scores.roc_auc > 90
    assert [label for label, _ in tagger.tag(tmp_path / "01.wav").above()] == ["dark"]


def test_the_command_takes_columns_of_0_and_1(export: Path, manifest: Callable[[], Path], tmp_path: Path) -> None:
    table = pd.read_csv(manifest(), keep_default_na=False)
    for label in ("dark", "bright"):
        table[label] = [int(label in labels.split("|")) for labels in table["labels"]]
    table.drop(columns="labels").to_csv(tmp_path / "columns.csv", index=False)
    options = [f"--start-from={export}", f"--export-dir={tmp_path / 'exports'}", "--folds=3"]
    done = CliRunner().invoke(app, ["finetune", str(tmp_path / "columns.csv"), *options, "--label-columns=dark,bright"])
    assert done.exit_code == 0, done.stderr
    assert mcc_zoo.load(done.stdout.strip()).labels == ["bright", "dark"]
