"""Paired tests of whether a difference between two systems on the same folds is more than chance.

The folds of a cross-validation share their training tracks, so a plain t-test finds differences where there are none.
The corrected resampled t-test (Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52, 2003)
widens the variance by n_test / n_train for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mcc_zoo.evaluation.scoring import find_main_score, score_folds
from mcc_zoo.paper import CLAIMS

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """How much better one system is than another on the same folds.

    Attributes:
        mean: Mean of the folds' differences, in the unit of the scores.
        low: Lower end of its 95 % confidence interval.
        high: Upper end of that interval.
        effect: The mean over the standard deviation of the folds' differences (Cohen's d for pairs).
        t_test: Two-sided p of the corrected resampled t-test.
        wilcoxon: Two-sided p of Wilcoxon's signed-rank test, which is not corrected for the shared tracks.
    """

    mean: float
    low: float
    high: float
    effect: float
    t_test: float
    wilcoxon: float


def assess_differences(differences: np.ndarray, test_share: float) -> Difference:
    """Test the paired differences of folds.

    Args:
        differences: (folds,) for each fold the score of one system minus that of the other; at least two folds.
        test_share: Test tracks of a fold over its training tracks, 1/8 for an 80-10-10 split.

    Raises:
        ValueError: There are fewer than two folds.
    """
    differences = np.round(differences, 12)  # so that 0.60 - 0.575 equals 0.575 - 0.55, without rounding errors
    count = len(differences)
    if count < 2:
        raise ValueError(f"differences of {count} fold: two at least are needed for a spread")
    mean, std = float(np.mean(differences)), float(np.std(differences, ddof=1))
    if std == 0:  # all folds differ by the same: the t-test has no spread to divide by
        p = 1.0 if mean == 0 else 0.0
        return Difference(
            mean, mean, mean, 0.0 if mean == 0 else float(np.copysign(np.inf, mean)), p, _wilcoxon(differences)
        )
    error = std * np.sqrt(1 / count + test_share)
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1) * error
    p = 2 * stats.t.sf(abs(mean) / error, count - 1)
    return Difference(mean, mean - reach, mean + reach, mean / std, float(p), _wilcoxon(differences))


def _wilcoxon(differences: np.ndarray) -> float:
    if not np.any(differences):
        return 1.0
    return float(stats.wilcoxon(differences, zero_method="zsplit").pvalue)


def correct_by_holm(p_values: Sequence[float]) -> np.ndarray:
    """Correct the p values of several tests so that the chance of any false positive stays as stated (Holm 1979).

    >>> correct_by_holm([0.01, 0.04, 0.03, 0.005]).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    order = np.argsort(p_values)
    factors = np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(1, np.maximum.accumulate(np.asarray(p_values)[order] * factors))
    return corrected


def compare_systems(
    predictions: pd.DataFrame, claims: Sequence[tuple[str, str]] = CLAIMS, score: str | None = None
) -> pd.DataFrame:
    """Test claims that one system is better than another, on the seeds of which both have all folds.

    Args:
        predictions: The rows of predictions.csv.
        claims: Pairs (worse, better); pairs with a system that is not in the predictions are left out.
        score: A column of `mcc_zoo.evaluation.scoring.score_folds`; None for accuracy, or with many labels ROC-AUC.

    Returns:
        One row per claim: worse, better, folds, the attributes of `Difference`, and holm, the p of the t-test after
        Holm's correction over these claims. Empty if no claim can be tested: fewer than three folds per seed, as with
        fixed lists.
    """
    score = score or find_main_score(predictions)
    scores = score_folds(predictions).pivot(index=["seed", "fold"], columns="architecture", values=score)
    folds = predictions["fold"].nunique()
    if folds < 3:  # a fixed split: all its seeds have the same test tracks
        return pd.DataFrame()
    rows = []
    for worse, better in claims:
        if not {worse, better} <= set(scores.columns):
            continue
        paired = (scores[better] - scores[worse]).dropna()
        paired = paired[paired.groupby("seed").transform("size") == folds]
        if paired.empty:
            continue
        seeds = paired.index.get_level_values("seed")
        own = predictions[(predictions["architecture"] == better) & predictions["seed"].isin(seeds)]
        found = assess_differences(paired.to_numpy(), compute_test_share(own))
        rows.append({"worse": worse, "better": better, "folds": len(paired), **found.__dict__})
    table = pd.DataFrame(rows)
    return table.assign(holm=correct_by_holm(table["t_test"].tolist())) if rows else table


def compute_test_share(predictions: pd.DataFrame) -> float:
    """Divide the number of test tracks by that of training tracks, and average over folds.

    Args:
        predictions: Rows of one system, all folds of each seed. Fold k tests, fold k + 1 validates, the rest trains.
    """
    sizes = predictions.groupby(["seed", "fold"]).size()
    shares = [
        test / (own.sum() - test - validation)
        for _, own in sizes.groupby("seed")
        for test, validation in zip(own, np.roll(own, -1), strict=True)
    ]
    return float(np.mean(shares))
