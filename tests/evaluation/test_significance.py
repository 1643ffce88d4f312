"""Paired tests against scipy's plain ones, hand arithmetic and simulated cross-validations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mcc_zoo.evaluation import significance
from mcc_zoo.experiment import summary


def test_without_shared_tracks_it_is_the_plain_t_test(rng):
    differences = rng.normal(0.03, 0.05, size=10)
    found = significance.assess_differences(differences, test_share=0)
    plain = stats.ttest_1samp(differences, 0)
    assert found.t_test == pytest.approx(plain.pvalue)
    assert (found.low, found.high) == pytest.approx(plain.confidence_interval(0.95))
    assert found.effect == pytest.approx(plain.statistic / np.sqrt(10))


def test_shared_tracks_shrink_t_by_hand_arithmetic(rng):
    differences = rng.normal(0.03, 0.05, size=30)
    found = significance.assess_differences(differences, test_share=1 / 8)
    t = stats.ttest_1samp(differences, 0).statistic * np.sqrt((1 / 30) / (1 / 30 + 1 / 8))
    assert found.t_test == pytest.approx(2 * stats.t.sf(abs(t), 29))
    assert (
        found.high - found.mean
        == pytest.approx(found.mean - found.low)
        == pytest.approx(abs(found.mean / t) * 2.0452, rel=1e-4)
    )


def test_wilcoxon_is_exact_where_all_differ_one_way():
    found = significance.assess_differences(np.array([0.01, 0.02, 0.03, 0.04, 0.05]), 1 / 8)
    assert found.wilcoxon == pytest.approx(2 / 2**5)


@pytest.mark.parametrize(("value", "p"), [(0.0, 1.0), (0.1, 0.0)])
def test_differences_without_a_spread(value, p):
    found = significance.assess_differences(np.full(5, value), 1 / 8)
    assert (found.mean, found.low, found.high, found.t_test) == (value, value, value, p)
    assert found.effect == (np.inf if value else 0)


def test_a_track_more_in_each_fold_is_no_spread():
    found = significance.assess_differences(np.array([0.6 - 0.575, 0.575 - 0.55, 0.55 - 0.525, 0.525 - 0.5]), 1 / 8)
    assert (found.mean, found.effect, found.t_test) == (pytest.approx(0.025), np.inf, 0)


def test_one_fold_is_refused():
    with pytest.raises(ValueError, match="differences of 1 fold: two at least"):
        significance.assess_differences(np.array([0.1]), 1 / 8)


def test_holm_needs_every_smaller_p_to_hold():
    # by hand: 4 * 0.005, 3 * 0.01, then 2 * 0.03, and 1 * 0.04 is raised to the one before
    assert significance.correct_by_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert significance.correct_by_holm([0.6, 0.7]) == pytest.approx([1, 1])


def predictions(right: dict[str, list[list[int]]], per_fold: int = 10) -> pd.DataFrame:
    """Rows of folds in which so many of ten tracks are right: architecture -> seeds -> folds."""
    return pd.DataFrame(
        {
            "seed": seed, "fold": fold, "architecture": name, "truth": "a", "prediction": "a" if i < count else "b",
            "majority_vote": "a", "chunks": 1, "chunks_right": 1,
        }
        for name, seeds in right.items()
        for seed, folds in enumerate(seeds)
        for fold, count in enumerate(folds)
        for i in range(per_fold)
    )  # fmt: skip


def test_claims_are_compared_on_the_seeds_of_which_both_have_all_folds():
    rows = predictions({"r2": [[5, 6, 7, 5], [6, 6, 6, 6]], "r3": [[7, 7, 7, 6], [9, 7, 6]], "mlp": [[1, 1, 1, 1]]})
    table = significance.compare_systems(rows)
    assert table[["worse", "better", "folds"]].values.tolist() == [["r2", "r3", 4]]
    assert table["mean"][0] == pytest.approx(np.mean([2, 1, 0, 1]) / 10)
    expected = significance.assess_differences(np.array([2, 1, 0, 1]) / 10, 10 / 20)
    assert table["t_test"][0] == table["holm"][0] == pytest.approx(expected.t_test)
    assert significance.compare_systems(predictions({"r2": [[5]], "r3": [[5]]})).empty


def test_share_of_test_tracks_is_one_eighth_of_ten_equal_folds():
    assert significance.compute_test_share(predictions({"r2": [[5] * 10]})) == pytest.approx(1 / 8)


@pytest.mark.slow
def test_correction_keeps_false_finds_rare_where_the_plain_test_does_not():
    """Two random classifiers on folds that share most training tracks: differences correlate by n_test / n_all."""
    rng = np.random.default_rng(0)
    shared = np.sqrt(0.1)
    draws = rng.normal(size=(2_000, 30)) * np.sqrt(1 - shared**2) + shared * rng.normal(size=(2_000, 1))
    corrected = np.mean([significance.assess_differences(row, 1 / 8).t_test < 0.05 for row in draws])
    plain = np.mean([stats.ttest_1samp(row, 0).pvalue < 0.05 for row in draws])
    assert corrected < 0.06 < 0.2 < plain


def test_the_table_says_points_and_small_p_in_words():
    rows = predictions({"r2": [[5, 6, 7, 5] * 2], "r3": [[7, 7, 7, 6] * 2]})
    lines = summary.format_differences(significance.compare_systems(rows)).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| R3 over R2 | 8 | +10.0 (")
    assert summary.format_differences(pd.DataFrame()) == ""
    assert summary.format_p_value(0.00004) == "< 0.001"
    assert summary.format_p_value(0.0449) == "0.045"


def test_a_fixed_split_is_not_tested_since_its_seeds_share_their_test_tracks():
    assert significance.compare_systems(predictions({"r2": [[5], [6], [5], [4]], "r3": [[7], [8], [7], [9]]})).empty


def test_what_is_no_system_keeps_its_name_in_the_table():
    rows = predictions({"a reference": [[5, 6, 7, 5]], "r3": [[7, 7, 7, 6]]})
    table = summary.format_differences(significance.compare_systems(rows, [("a reference", "r3")]))
    assert table.splitlines()[2].startswith("| R3 over a reference | 4 | +10.0 (")
