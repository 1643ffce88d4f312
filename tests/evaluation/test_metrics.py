"""Scores of tracks and folds, against hand arithmetic and scikit-learn."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, precision_recall_fscore_support

from mcc_zoo.evaluation import metrics, pooling, scoring
from mcc_zoo.experiment import summary

LABELS = ["a", "b", "c"]
FIRST = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.4, 0.5, 0.1]])  # a window of three chunks
SECOND = np.array([[0.0, 0.1, 0.9]])  # and the rest of the track


def predictions_of(**right: list[list[bool]]) -> pd.DataFrame:
    """Rows of predictions.csv: for each architecture, for each fold, which tracks are labelled rightly."""
    rows = [
        {
            "seed": 0,
            "fold": fold,
            "architecture": architecture,
            "truth": "a",
            "prediction": "a" if is_right else "b",
            "majority_vote": "a",
            "chunks": 2,
            "chunks_right": int(is_right),
        }
        for architecture, folds in right.items()
        for fold, tracks in enumerate(folds)
        for is_right in tracks
    ]
    return pd.DataFrame(rows)


def random_predictions(seed: int) -> pd.DataFrame:
    """Folds of different sizes over six labels; each fold lacks some, of the truth, of the predictions or of both."""
    random = np.random.default_rng(seed)
    tables = []
    for architecture in ("mcclstm", "r0"):
        for draw in (3, 4):
            for fold, size in enumerate((1, 7, 23, 40)):
                true_labels, predicted_labels = (random.permutation(list("abcdef"))[:4] for _ in range(2))
                chunks = random.integers(1, 17, size)
                tables.append(
                    pd.DataFrame(
                        {
                            "seed": draw,
                            "fold": fold,
                            "architecture": architecture,
                            "truth": random.choice(true_labels, size),
                            "prediction": random.choice(predicted_labels, size),
                            "majority_vote": random.choice(predicted_labels, size),
                            "chunks": chunks,
                            "chunks_right": random.integers(0, chunks + 1),
                        }
                    )
                )
    return pd.concat(tables).sample(frac=1, random_state=seed)


def test_track_probabilities_without_lstm_are_the_mean_of_all_chunks() -> None:
    mean = pooling.pool_taggrams([FIRST, SECOND], has_lstm=False)
    np.testing.assert_allclose(mean, [1.2 / 4, 1.4 / 4, 1.4 / 4], rtol=1e-12)


def test_track_probabilities_with_lstm_weigh_the_last_steps_by_their_chunks() -> None:
    weighed = pooling.pool_taggrams([FIRST, SECOND], has_lstm=True)
    np.testing.assert_allclose(weighed, [3 * 0.4 / 4, (3 * 0.5 + 0.1) / 4, (3 * 0.1 + 0.9) / 4], rtol=1e-12)


@pytest.mark.parametrize("has_lstm", [False, True])
def test_track_of_one_chunk_has_that_chunks_probabilities(has_lstm: bool) -> None:
    np.testing.assert_array_equal(pooling.pool_taggrams([SECOND], has_lstm), SECOND[0])


@pytest.mark.parametrize(
    ("taggram", "winner"),
    [
        ([[0.9, 0.1, 0.0]], 0),
        ([[0.4, 0.3, 0.3], [0.4, 0.3, 0.3], [0.0, 0.0, 1.0]], 0),  # two votes beat the higher mean of class 2
        ([[0.6, 0.4, 0.0], [0.1, 0.9, 0.0]], 1),  # one vote each, means 0.35 and 0.65
        ([[0.9, 0.1, 0.0], [0.4, 0.6, 0.0]], 0),  # one vote each, means 0.65 and 0.35
        ([[0.50, 0.49, 0.01], [0.01, 0.49, 0.50], [0.49, 0.50, 0.01]], 1),  # one vote each of three
        ([[0.34, 0.33, 0.33], [0.0, 0.49, 0.51], [0.34, 0.33, 0.33], [0.0, 0.49, 0.51]], 2),  # class 1 has no vote
    ],
)
def test_majority_vote_counts_chunks_and_settles_ties_by_the_mean(taggram: list[list[float]], winner: int) -> None:
    assert pooling.take_majority_vote(np.array(taggram)) == winner


def test_windows_are_pooled_by_their_chunks() -> None:
    windows = [
        {"tags": np.float32([0.5, 0.5]), "descriptor": np.float32([1, 2, 3]), "taggram": np.zeros((3, 2), np.float32)},
        {"tags": np.float32([0.0, 1.0]), "descriptor": np.float32([5, 6, 7]), "taggram": np.ones((1, 2), np.float32)},
    ]
    pooled = pooling.pool_windows(windows)
    assert list(pooled) == ["tags", "descriptor", "taggram"]
    assert pooled["tags"].tolist() == [0.375, 0.625]
    assert pooled["descriptor"].tolist() == [2, 3, 4]
    assert pooled["taggram"].tolist() == [[0, 0]] * 3 + [[1, 1]]
    assert [pooled[name].dtype for name in pooled] == [np.float64, np.float64, np.float32]
    windows[1]["descriptor"] = np.float32([5, 6])
    with pytest.raises(ValueError):  # noqa: PT011 - NumPy's own words
        pooling.pool_windows(windows)


def test_prediction_row_without_lstm() -> None:
    row = pooling.make_prediction_row([FIRST, SECOND + [[0.0, 0.1, -0.1]]], 1, LABELS, has_lstm=False)
    assert list(row) == ["truth", "prediction", "majority_vote", "chunks", "chunks_right", "a", "b", "c"]
    probabilities = [row.pop(label) for label in LABELS]
    np.testing.assert_allclose(probabilities, [0.3, 0.375, 0.325], rtol=1e-12)
    assert row == {"truth": "b", "prediction": "b", "majority_vote": "b", "chunks": 4, "chunks_right": 2}


def test_prediction_row_with_lstm_says_what_its_last_step_says_and_votes_apart() -> None:
    taggram = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])
    row = pooling.make_prediction_row([taggram], 0, LABELS, has_lstm=True)
    assert [row.pop(label) for label in LABELS] == pytest.approx([0.1, 0.2, 0.7], abs=1e-12)
    assert row == {"truth": "a", "prediction": "c", "majority_vote": "a", "chunks": 3, "chunks_right": 2}


@pytest.mark.parametrize("seed", range(5))
def test_fold_scores_equal_scikit_learns(seed: int) -> None:
    predictions = random_predictions(seed)
    scores = metrics.score_folds(predictions)
    assert len(scores) == 2 * 2 * 4
    absent = 0
    for score in scores.to_dict("records"):
        chosen = np.logical_and.reduce([predictions[key] == score[key] for key in metrics.KEYS])
        own = predictions[chosen]
        absent += set(own["truth"]) != set(own["prediction"])
        assert score["accuracy"] == pytest.approx(accuracy_score(own["truth"], own["prediction"]), abs=1e-12)
        assert score["majority_vote"] == pytest.approx(accuracy_score(own["truth"], own["majority_vote"]), abs=1e-12)
        right = [chunk < row["chunks_right"] for row in own.to_dict("records") for chunk in range(row["chunks"])]
        assert score["chunk_accuracy"] == pytest.approx(np.mean(right), abs=1e-12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "y_pred contains classes not in y_true": that is the point
            balanced = balanced_accuracy_score(own["truth"], own["prediction"])
        assert score["balanced_accuracy"] == pytest.approx(balanced, abs=1e-12)
        macro = f1_score(own["truth"], own["prediction"], average="macro", zero_division=0)
        assert score["macro_f1"] == pytest.approx(macro, abs=1e-12)
    assert absent > 4  # else the draws would not have tried what they are there for


def test_fold_scores_of_one_fold() -> None:
    scores = metrics.score_folds(predictions_of(r0=[[True, True, False, True]]))
    assert scores.to_dict("records") == [
        {
            "architecture": "r0",
            "seed": 0,
            "fold": 0,
            "accuracy": 0.75,
            "majority_vote": 1.0,
            "chunk_accuracy": 3 / 8,
            "balanced_accuracy": 0.75,
            "macro_f1": pytest.approx((6 / 7) / 2),  # of a: 2 * 3 / (4 + 3); of b, which never occurs: 0
        }
    ]


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_labels_equal_scikit_learns(seed: int) -> None:
    for _, own in random_predictions(seed).groupby(metrics.KEYS):
        scores = metrics.score_labels(own)
        expected = precision_recall_fscore_support(
            own["truth"], own["prediction"], labels=list(scores.index), average=None, zero_division=np.nan
        )
        found = scores[["precision", "recall", "f1", "tracks"]].to_numpy().T
        np.testing.assert_allclose(found, np.array(expected, float), rtol=1e-12)


def test_confusion_counts_by_truth_and_prediction_over_the_labels_of_either() -> None:
    rows = pd.DataFrame({"truth": ["b", "b", "a", "b"], "prediction": ["b", "c", "c", "c"]})
    table = metrics.count_confusions(rows)
    assert list(table.index) == list(table.columns) == LABELS
    assert table.to_numpy().tolist() == [[0, 0, 1], [0, 1, 2], [0, 0, 0]]


def test_summary_has_mean_and_std_over_folds_with_ddof_1_in_the_papers_order() -> None:
    predictions = predictions_of(
        mcclstm=[[True, True], [True, False], [True, True]],
        r3=[[True, False], [False, False], [True, True], [True, False]],
    )
    table = scoring.summarise(predictions, "my own").set_index("architecture")
    assert list(table.index) == ["r3", "mcclstm"]
    assert table["system"].tolist() == ["R3: CNNs (T+P+B)", "MCCLSTM: CNNs (T+P+B) + LSTM"]
    assert table["folds"].tolist() == [4, 3]
    # r3: 50, 0, 100, 50: squares of the deviations 0, 2500, 2500, 0; mcclstm: 100, 50, 100
    assert table["accuracy"].tolist() == pytest.approx([50, 250 / 3])
    assert table["std"].tolist() == pytest.approx([(5_000 / 3) ** 0.5, (2_500 / 3) ** 0.5])
    assert table["majority_vote"].tolist() == [100, 100]
    assert table["balanced_accuracy"].tolist() == pytest.approx([50, 250 / 3])
    # F1 of a and b in each fold: half right (2/3, 0), none right (0, 0), all right (1 alone)
    assert table["macro_f1"].tolist() == pytest.approx([100 * (1 / 3 + 0 + 1 + 1 / 3) / 4, 100 * (1 + 1 / 3 + 1) / 3])
    assert table[["paper", "paper_std"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("dataset", "r3", "mcclstm"),
    [
        ("gtzan", (82.90, 2.11), (84.69, 1.76)),
        ("ballroom", (89.45, 2.18), (91.90, 2.33)),
        ("soundtracks", (63.04, 2.16), (74.35, 1.63)),
    ],
)
def test_summary_sets_the_papers_figures_beside_ours(
    dataset: str, r3: tuple[float, float], mcclstm: tuple[float, float]
) -> None:
    predictions = predictions_of(r3=[[True], [False]], mcclstm=[[True], [True]])
    table = scoring.summarise(predictions, dataset).set_index("architecture")
    assert tuple(table.loc["r3", ["paper", "paper_std"]]) == r3
    assert tuple(table.loc["mcclstm", ["paper", "paper_std"]]) == mcclstm


def test_as_markdown_without_figures_of_the_paper() -> None:
    table = scoring.summarise(predictions_of(r0=[[True], [False]]), "my own")
    assert summary.format_scores(table) == (
        "| system | folds | accuracy % | majority vote % | balanced accuracy % | macro F1 % |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| R0: CNNs (T) | 2 | 50.0 ± 70.7 | 100.0 | 50.0 | 50.0 |\n"
    )


def test_as_markdown_leaves_blank_what_the_paper_lacks_and_the_std_of_one_fold() -> None:
    table = scoring.summarise(predictions_of(r0=[[True]], mlp=[[True]]), "ballroom")
    assert summary.format_scores(table).splitlines()[2:] == [
        "| R0: CNNs (T) | 1 | 100.0 | 100.0 | 100.0 | 100.0 | 81.8 ± 4.7 |",
        "| MLP | 1 | 100.0 | 100.0 | 100.0 | 100.0 |  |",
    ]


def test_what_is_no_system_comes_last_under_its_own_name() -> None:
    predictions = predictions_of(**{"a reference": [[True], [False]], "mlp": [[True], [True]]})
    assert scoring.summarise(predictions, "ballroom")["system"].tolist() == ["MLP", "a reference"]


def rows_of(folds: list[int], groups: list[str], seeds: int = 1) -> pd.DataFrame:
    """The columns of predictions.csv that `explain_leak` and `explain_fixed_split` read."""
    return pd.concat([pd.DataFrame({"seed": seed, "fold": folds, "group": groups}) for seed in range(seeds)])


def test_cautions_say_what_figures_are_not():
    rows = pd.concat(
        rows_of(fold, ["", "", ""]).assign(architecture=name) for name, fold in (("r2", [0, 1, 2]), ("r3", [0, 1, 1]))
    )
    config = {"split": "random", "shuffle_labels": True, "on_validation": True}
    folds, shuffled, validation = summary.list_cautions(rows, config, "mine")
    assert folds == "the systems were not tested on the same folds (R2 3, R3 2): their figures do not compare."
    assert "has to be at chance" in shuffled and "validation tracks" in validation
    same = rows[rows["architecture"] == "r2"]
    assert summary.list_cautions(same, {"split": "random", "shuffle_labels": False}, "mine") == []


@pytest.mark.parametrize(
    ("rows", "dataset", "split", "on_both_sides", "words"),
    [
        (rows_of([0, 1, 1], ["A", "A", "B"]), "mine", "random", 1, "is random although groups .* leaky. 1 of 2 groups"),
        (rows_of([0, 1, 1], ["A", "A", ""]), "mine", "mine.csv", 1, "tears groups of tracks apart, .* 1 of 1 group "),
        (rows_of([0, 1, 1], ["A", "B", ""]), "mine", "random", 0, "is random although .* 0 of 2 groups"),
        (rows_of([0, 0, 0], ["A", "B", "C"]), "gtzan", "lists", 2, "tears groups of tracks apart, .* 2 of 3 groups"),
        (rows_of([0, 1, 2], ["", "", ""]), "gtzan", "grouped", 0, "^the split is leaky. gtzan has groups of tracks"),
        (rows_of([0, 1, 2], ["", "", ""]), "gtzan", "random", 0, "^the split is leaky. gtzan has groups of tracks"),
        (rows_of([0, 0, 0], ["", "", ""]), "gtzan", "lists", 0, "^$"),  # nothing is known of them
        (rows_of([0, 1, 2], ["", "", ""]), "emotify-genre", "auto", 0, "^the split is leaky. emotify-genre has groups"),
        (rows_of([0, 1, 2], ["", "", ""]), "mine", "random", 0, "^$"),
        (rows_of([0, 1, 1], ["A", "B", "B"]), "gtzan", "grouped", 0, "^$"),
    ],
)
def test_a_leaky_split_is_called_so(
    rows: pd.DataFrame, dataset: str, split: str, on_both_sides: int, words: str
) -> None:
    found = summary.explain_leak(rows, dataset, split, on_both_sides)
    assert re.search(words, found)


def test_seeds_of_a_fixed_split_are_said_to_share_their_tracks() -> None:
    words = "The split is fixed: its 3 folds are one, learnt from 3 draws of the initial weights."
    assert summary.explain_fixed_split(rows_of([0, 0], ["", ""], seeds=3)) == words
    assert summary.explain_fixed_split(rows_of([0, 0], ["", ""])) == ""
    assert summary.explain_fixed_split(rows_of([0, 1], ["", ""], seeds=3)) == ""
