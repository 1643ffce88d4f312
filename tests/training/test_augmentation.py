"""What training does to its tracks: against hand arithmetic, off at its defaults, and the same under a seed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.log_mel import change_loudness, mel_frames
from mcc_zoo.recipes import RECIPES
from mcc_zoo.training import augmentation

FRONT_END = FrontEnd()
SEED = tf.constant([3, 4])
CHANGES = [
    {"shortest_excerpt": 0.5},
    {"gain_db": 6.0},
    {"masked_bands": 6},
    {"masked_frames": 12},
    {"mixup": 0.4},
]


@pytest.fixture
def batch(rng):
    """Three tracks of 5, 3 and 1 chunks, padded with zeros to five."""
    count = np.array([5, 3, 1], np.int32)
    chunks = rng.uniform(0.1, 3, size=(3, 5, 40, 80)).astype(np.float32)
    chunks *= (np.arange(5) < count[:, np.newaxis])[:, :, np.newaxis, np.newaxis]
    return {"chunks": tf.constant(chunks), "chunk_count": tf.constant(count)}, tf.one_hot([0, 1, 0], 2)


def changed(batch, seed=SEED, **fields):
    recipe = dataclasses.replace(RECIPES["tuned"], **fields)
    inputs, targets = augmentation.augment(*batch, seed, recipe, FRONT_END)
    return inputs["chunks"].numpy(), inputs["chunk_count"].numpy(), targets.numpy()


def test_off_changes_nothing(batch):
    off = {field: getattr(RECIPES["paper"], field) for change in CHANGES for field in change}
    chunks, count, targets = changed(batch, **off)
    np.testing.assert_array_equal(chunks, batch[0]["chunks"])
    np.testing.assert_array_equal(count, [5, 3, 1])
    np.testing.assert_array_equal(targets, batch[1])


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_each_change_is_fixed_by_its_seed_and_keeps_the_shapes(batch, change):
    first, again, other = (
        changed(batch, **change),
        changed(batch, **change),
        changed(batch, tf.constant([5, 6]), **change),
    )
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(np.abs(one - two).max() > 1e-3 for one, two in zip(first, other, strict=True))
    assert first[0].shape == (3, 5, 40, 80) and np.isfinite(first[0]).all()
    np.testing.assert_allclose(first[2].sum(axis=1), 1, atol=1e-6)


def test_excerpts_are_consecutive_chunks_of_the_track(batch):
    whole, full = batch[0]["chunks"].numpy(), [5, 3, 1]
    seen = set()
    for seed in range(30):
        chunks, count, _ = changed(batch, tf.constant([seed, 1]), shortest_excerpt=0.5)
        assert (count >= np.ceil(0.5 * np.array(full))).all() and (count <= full).all()
        for track, length in enumerate(count):
            starts = [s for s in range(5) if np.array_equal(whole[track, s : s + length], chunks[track, :length])]
            assert starts and starts[0] + length <= full[track]
            assert not chunks[track, length:].any()
            seen.add((track, int(length), starts[0]))
    assert {length for track, length, _ in seen if track == 0} == {3, 4, 5}
    assert {start for track, length, start in seen if (track, length) == (0, 3)} == {0, 1, 2}


@pytest.mark.parametrize("compression", ["log10_1p", "log"])
def test_gain_is_that_of_louder_audio(compression, rng):
    front_end = dataclasses.replace(FRONT_END, compression=compression)
    audio = rng.normal(scale=0.1, size=(2, 10_000)).astype(np.float32)
    louder = mel_frames(audio * 10 ** (5 / 20), front_end)
    np.testing.assert_allclose(change_loudness(mel_frames(audio, front_end), 5.0, front_end), louder, atol=1e-3)


@pytest.mark.parametrize(("field", "most", "axis"), [("masked_bands", 6, 2), ("masked_frames", 12, 3)])
def test_masks_hide_neighbours_up_to_the_most(batch, field, most, axis):
    widths = set()
    before = batch[0]["chunks"].numpy()
    for seed in range(20):
        chunks, _, _ = changed(batch, tf.constant([seed, 2]), **{field: most})
        hidden = (chunks[0] != before[0]).any(axis=2 if axis == 2 else 1)  # (chunks, bands or frames)
        for row in hidden:
            places = np.flatnonzero(row)
            assert len(places) == 0 or places[-1] - places[0] + 1 == len(places)
            widths.add(len(places))
    assert max(widths) == most and len(widths) > 3


def test_mixup_mixes_neighbours_and_their_targets_alike(batch):
    chunks, count, targets = changed(batch, mixup=0.4)
    before = batch[0]["chunks"].numpy()
    share = targets[1, 1]
    assert 0.5 <= share <= 1
    np.testing.assert_allclose(chunks[1], share * before[1] + (1 - share) * before[0], atol=1e-5)
    np.testing.assert_array_equal(count, [5, 3, 1])
