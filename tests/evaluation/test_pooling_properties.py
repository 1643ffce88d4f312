"""Pooling and votes over any windows, against exact fractions and counting."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mcc_zoo.evaluation import pooling

LABELS = ["a", "b", "c", "d", "e"]


@st.composite
def taggrams(draw: st.DrawFn) -> list[np.ndarray]:
    """Draw the taggrams of a track's windows, (chunks, labels) each; equal values are common."""
    labels, chunks = draw(st.integers(1, 5)), draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    values = st.one_of(st.floats(0, 1, width=32), st.sampled_from([0.0, 0.25, 0.5]))
    return [draw(arrays(np.float32, (count, labels), elements=values)) for count in chunks]


def average(rows: list[np.ndarray], weights: list[int]) -> list[float]:
    """Average rows in fractions, without rounding."""
    total = sum(weights)
    columns = zip(*(row.tolist() for row in rows), strict=True)
    return [float(sum(w * Fraction(v) for w, v in zip(weights, own, strict=True)) / total) for own in columns]


@given(taggrams())
def test_without_an_lstm_the_tags_are_the_mean_over_all_chunks(windows: list[np.ndarray]) -> None:
    chunks = [row for window in windows for row in window]
    expected = average(chunks, [1] * len(chunks))
    np.testing.assert_allclose(pooling.pool_taggrams(windows, has_lstm=False), expected, rtol=1e-6, atol=1e-7)


@given(taggrams())
def test_with_an_lstm_the_last_steps_count_by_their_chunks(windows: list[np.ndarray]) -> None:
    expected = average([window[-1] for window in windows], [len(window) for window in windows])
    np.testing.assert_allclose(pooling.pool_taggrams(windows, has_lstm=True), expected, rtol=1e-12, atol=1e-15)


@given(taggrams(), st.randoms(use_true_random=False))
def test_the_order_of_windows_changes_nothing(windows: list[np.ndarray], random: np.random.Generator) -> None:
    before = [pooling.pool_taggrams(windows, has_lstm) for has_lstm in (False, True)]
    random.shuffle(windows)
    for has_lstm, expected in zip((False, True), before, strict=True):
        np.testing.assert_allclose(pooling.pool_taggrams(windows, has_lstm), expected, rtol=1e-12, atol=1e-15)


@given(taggrams())
def test_the_vote_is_won_by_count_then_by_mean(windows: list[np.ndarray]) -> None:
    taggram = np.concatenate(windows)
    votes = Counter(max(range(len(row)), key=lambda label: (row[label], -label)) for row in taggram.tolist())
    winner = pooling.take_majority_vote(taggram)
    assert votes[winner] == max(votes.values())
    means = taggram.mean(axis=0)
    assert all(means[winner] >= means[label] for label, count in votes.items() if count == votes[winner])


@given(taggrams(), st.booleans(), st.data())
def test_a_row_agrees_with_itself(windows: list[np.ndarray], has_lstm: bool, data: st.DataObject) -> None:
    labels = LABELS[: windows[0].shape[1]]
    truth = data.draw(st.integers(0, len(labels) - 1))
    row = pooling.make_prediction_row(windows, truth, labels, has_lstm)
    assert row["truth"] == labels[truth]
    assert row[row["prediction"]] == max(row[label] for label in labels)
    assert row["chunks"] == sum(map(len, windows)) >= row["chunks_right"]
    firsts = [row.index(max(row)) for window in windows for row in window.tolist()]
    assert row["chunks_right"] == firsts.count(truth)


@given(taggrams(), st.data())
def test_windows_without_sound_do_not_count(windows: list[np.ndarray], data: st.DataObject) -> None:
    outputs = [
        {"tags": window.mean(axis=0) + 0.1, "descriptor": window[0] - 0.5, "taggram": window} for window in windows
    ]
    silent = data.draw(st.lists(st.integers(0, len(outputs)), max_size=3))
    labels = windows[0].shape[1]
    nothing = {"tags": np.zeros(labels), "descriptor": np.zeros(labels), "taggram": np.zeros((2, labels))}
    mixed = list(outputs)
    for place in silent:
        mixed.insert(place, nothing)
    found, expected = pooling.pool_windows(mixed), pooling.pool_windows(outputs)
    for name in ("tags", "descriptor"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-15)
    assert len(found["taggram"]) == sum(map(len, windows)) + 2 * len(silent)
