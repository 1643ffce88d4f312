"""Scores and thresholds of tracks with many labels, against scikit-learn and hand arithmetic."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from mcc_zoo.evaluation import auto_tagging, scoring, significance
from mcc_zoo.evaluation.thresholds import choose_thresholds

LABELS = ["calm", "loud", "slow, sad", "never"]


def make_predictions(rng: np.random.Generator, folds: int = 3, tracks: int = 11) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of two systems, one of which knows something; no track has the last label."""
    targets = rng.integers(0, 2, size=(folds, tracks, len(LABELS)))
    targets[:, :, 3] = 0
    targets[:, 0], targets[:, 1, :3] = 0, 1  # a track without labels, and one with all that occur
    rows = []
    for architecture, knows in (("r3", 0.6), ("mcclstm", 1.2)):
        for fold in range(folds):
            for track in range(tracks):
                values = 1 / (1 + np.exp(-knows * (targets[fold, track] - 0.5) - rng.normal(size=len(LABELS))))
                row = auto_tagging.make_prediction_row(values, 8, targets[fold, track], np.full(4, 0.5), LABELS)
                key = {"seed": 0, "fold": fold, "architecture": architecture}
                rows.append({**key, "path": f"{fold}/{track}.wav", "group": "", **row})
    return pd.DataFrame(rows), targets


def test_rows_have_the_names_of_labels(rng):
    values = np.array([0.9, 0.2, 0.5, 0.1])
    row = auto_tagging.make_prediction_row(values, 3, np.array([1, 1, 0, 0]), np.array([0.5, 0.5, 0.5, 0.5]), LABELS)
    assert row == {
        "truth": "calm|loud", "prediction": "calm|slow, sad", "chunks": 3,
        "calm": 0.9, "loud": 0.2, "slow, sad": 0.5, "never": 0.1,
    }  # fmt: skip
    cells = pd.Series(["calm|loud", "", "never"])
    assert auto_tagging.read_targets(cells, LABELS).astype(int).tolist() == [[1, 1, 0, 0], [0] * 4, [0, 0, 0, 1]]


def test_scores_are_scikit_learns(rng):
    predictions, targets = make_predictions(rng)
    scores = auto_tagging.score_folds(predictions).set_index(["architecture", "fold"])
    assert scores.notna().all(axis=None)
    for (architecture, fold), row in scores.iterrows():
        own = predictions[(predictions["architecture"] == architecture) & (predictions["fold"] == fold)]
        truth, values = targets[fold][:, :3], own[LABELS[:3]].to_numpy()  # nobody has the fourth label
        assert row["roc_auc"] == pytest.approx(sklearn_metrics.roc_auc_score(truth, values, average="macro"))
        precision = sklearn_metrics.average_precision_score(truth, values, average="macro")
        assert row["average_precision"] == pytest.approx(precision)
        f1 = sklearn_metrics.f1_score(truth, values >= 0.5, average="macro", zero_division=0)
        assert row["f1"] == pytest.approx(f1)
        told = targets[fold].any(axis=1)
        of_tracks = (targets[fold][told], own[LABELS].to_numpy()[told])
        assert row["roc_auc_of_tracks"] == pytest.approx(sklearn_metrics.roc_auc_score(*of_tracks, average="samples"))
        assert row["average_precision_of_tracks"] == pytest.approx(
            sklearn_metrics.average_precision_score(*of_tracks, average="samples")
        )


def test_a_label_that_tells_nothing_is_left_out_of_its_fold_and_said(rng):
    predictions, _ = make_predictions(rng)
    assert auto_tagging.count_untested_labels(predictions) == {"never": 3}
    labels = auto_tagging.score_labels(predictions[predictions["architecture"] == "r3"])
    assert labels.index.tolist() == LABELS
    assert labels.loc["never", "tracks"] == 0
    assert labels.loc["never", ["roc_auc", "average_precision", "f1"]].isna().all()


def test_tables_and_paired_tests_take_roc_auc(rng):
    predictions, _ = make_predictions(rng, folds=4)
    assert (scoring.find_task(predictions), scoring.find_main_score(predictions)) == ("multi-label", "roc_auc")
    table = scoring.summarise(predictions, "my own").set_index("architecture")
    folds = auto_tagging.score_folds(predictions)
    own = folds.loc[folds["architecture"] == "r3", "roc_auc"]
    assert table.loc["r3", ["roc_auc", "std"]].tolist() == pytest.approx([100 * own.mean(), 100 * own.std(ddof=1)])
    (claim,) = significance.compare_systems(predictions, [("r3", "mcclstm")]).to_dict("records")
    other = folds.loc[folds["architecture"] == "mcclstm", "roc_auc"]
    assert claim["mean"] == pytest.approx(other.mean() - own.mean())


def test_what_guessing_gives_is_the_share_of_the_tracks(rng):
    predictions, targets = make_predictions(rng, folds=40, tracks=50)
    chance = auto_tagging.compute_chance(predictions)
    shares = targets.reshape(-1, 4).mean(axis=0)
    assert chance["average_precision"] == pytest.approx(shares.mean())
    guessed = rng.random((2_000, 3))
    found = sklearn_metrics.average_precision_score(targets.reshape(-1, 4)[:, :3], guessed)
    assert found == pytest.approx(shares[:3].mean(), abs=0.03)


def test_pairs_are_counted_by_hand():
    predictions = pd.DataFrame({"truth": ["a|b", "b", "", "a|b|c"], "a": 0.5, "b": 0.5, "c": 0.5})
    assert auto_tagging.count_pairs(predictions).to_numpy().tolist() == [[2, 2, 1], [2, 3, 1], [1, 1, 1]]


@pytest.mark.parametrize("ties", [False, True])
def test_thresholds_have_the_best_f1_of_all(rng, ties):
    """Every threshold is tried by hand."""
    targets = rng.integers(0, 2, size=(23, 3))
    values = rng.random((23, 3))
    values = np.round(values, 1) if ties else values
    found = choose_thresholds(targets, values)
    for label in range(3):
        f1 = [
            sklearn_metrics.f1_score(targets[:, label], values[:, label] >= threshold)
            for threshold in (*np.unique(values[:, label]), 2.0)
        ]
        best = sklearn_metrics.f1_score(targets[:, label], values[:, label] >= found[label])
        assert best == pytest.approx(max(f1))


def test_a_label_that_validation_does_not_tell_gets_the_threshold_of_all_labels():
    targets = np.array([[0, 1, 0], [1, 1, 0], [1, 1, 0]])
    values = np.array([[0.3, 0.8, 0.1], [0.7, 0.9, 0.2], [0.9, 0.6, 0.1]])
    of_all = choose_thresholds(targets.reshape(-1, 1), values.reshape(-1, 1))[0]
    assert choose_thresholds(targets, values).tolist() == pytest.approx([0.5, of_all, of_all])
