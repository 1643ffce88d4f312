"""Padded batches and their masks for tracks of any lengths, against the files themselves and against NumPy."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from mcc_zoo.features.cache import Features
from mcc_zoo.models import layers
from mcc_zoo.training.batches import list_excerpts, make_evaluation_batches, make_training_batches
from mcc_zoo.training.objective import weigh_steps

BANDS, FRAMES = 2, 3
FEWER = settings(max_examples=max(5, settings.default.max_examples // 5))  # a stream of batches takes half a second
lengths = st.lists(st.integers(1, 20), min_size=1, max_size=7)


def write_features(folder: Path, chunks: list[int]) -> tuple[list[Features], list[np.ndarray]]:
    """Write tracks whose values are all different and none is 0: files, and (chunks, bands, frames) of each."""
    features, tracks = [], []
    for number, count in enumerate(chunks):
        frames = 1 + 10_000 * number + np.arange(count * FRAMES * BANDS, dtype="<f4").reshape(-1, BANDS)
        path = folder / f"{number}.npy"
        path.write_bytes(b"head" + frames.tobytes() + b"tail")
        features.append(Features(path, 4, count, 0.0, 0.0, (BANDS, FRAMES)))
        tracks.append(frames.reshape(count, FRAMES, BANDS).transpose(0, 2, 1))
    return features, tracks


@pytest.mark.slow
@FEWER
@given(lengths, st.integers(1, 9), st.integers(1, 4))
def test_evaluation_sees_each_chunk_once_and_zeros_on_padding(
    chunks: list[int], max_chunks: int, batch_tracks: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        features, tracks = write_features(Path(folder), chunks)
        batches = make_evaluation_batches(
            features, np.arange(len(chunks)), batch_tracks=batch_tracks, max_chunks=max_chunks
        )
        windows, found = list_excerpts(features, max_chunks), {}
        assert sum(windows[:, 2]) == sum(chunks)
        count = 0
        for inputs, targets, rows in batches:
            count += 1
            padded = inputs["chunks"].numpy()
            longest = max(inputs["chunk_count"].numpy())
            assert padded.shape[1] == longest and len(padded) <= batch_tracks  # no longer than its longest
            for window, length, target, row in zip(padded, inputs["chunk_count"].numpy(), targets, rows, strict=True):
                assert not window[length:].any() and window[:length].all()
                assert int(row) not in found
                found[int(row)] = (window[:length], int(target))
        assert count == batches.cardinality() and sorted(found) == list(range(len(windows)))
        for row, (track, first, length) in enumerate(windows):
            np.testing.assert_array_equal(found[row][0], tracks[track][first : first + length])
            assert found[row][1] == track


@pytest.mark.slow
@FEWER
@given(lengths, st.integers(1, 9), st.integers(1, 4), st.booleans(), st.integers(0, 3))
def test_training_sees_an_excerpt_of_each_track(
    chunks: list[int], max_chunks: int, batch_tracks: int, static: bool, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        features, tracks = write_features(Path(folder), chunks)
        arguments = {"batch_tracks": batch_tracks, "max_chunks": max_chunks, "seed": seed}
        if static and len(chunks) < batch_tracks:
            with pytest.raises(
                ValueError, match=f"whole batches of {batch_tracks} tracks, and there are {len(chunks)}"
            ):
                make_training_batches(features, np.arange(len(chunks)), static_shapes=True, **arguments)
            return
        batches = make_training_batches(features, np.arange(len(chunks)), static_shapes=static, **arguments)
        seen, count = [], 0
        for inputs, targets, numbers in batches.dataset:
            count += 1
            if static:
                assert inputs["chunks"].shape == (batch_tracks, max_chunks, BANDS, FRAMES)
            for window, length, target, number in zip(
                *map(np.asarray, (inputs["chunks"], inputs["chunk_count"], targets, numbers)), strict=True
            ):
                assert number == target
                seen.append(number)
                assert length == min(chunks[number], max_chunks)
                assert not window[length:].any()
                first = int((window[0, 0, 0] - tracks[number][0, 0, 0]) / (BANDS * FRAMES))
                np.testing.assert_array_equal(window[:length], tracks[number][first : first + length])
        assert count == batches.steps and len(seen) == len(set(seen))
        assert static or sorted(seen) == list(range(len(chunks)))


@st.composite
def padded(draw: st.DrawFn) -> tuple[np.ndarray, list[int]]:
    """Draw sequences (batch, chunks, 2) with noise on their padding, and their counts."""
    steps = draw(st.integers(1, 12))
    counts = draw(st.lists(st.integers(1, steps), min_size=1, max_size=5))
    values = np.random.default_rng(draw(st.integers(0, 999))).normal(size=(len(counts), steps, 2)).astype(np.float32)
    return values, counts


@pytest.mark.parametrize("layer", ["ZeroPadding", "MeanOfChunks", "LastChunk"])
@given(case=padded())
def test_what_stands_on_padding_changes_nothing(layer: str, case: tuple[np.ndarray, list[int]]) -> None:
    values, counts = case
    found = getattr(layers, layer)()([tf.constant(values), tf.constant(counts)]).numpy()
    for one, track, count in zip(found, values, counts, strict=True):
        real = track[:count]
        expected = {
            "ZeroPadding": np.concatenate([real, np.zeros_like(track[count:])]),
            "MeanOfChunks": real.mean(axis=0, dtype=float),
            "LastChunk": real[-1],
        }
        np.testing.assert_allclose(one, expected[layer], rtol=1e-5, atol=1e-6)


@given(case=padded())
def test_the_last_real_step_has_the_mean_so_far(case: tuple[np.ndarray, list[int]]) -> None:
    values, counts = case
    found = layers.MeanSoFar()(tf.constant(values)).numpy()
    for one, track, count in zip(found, values, counts, strict=True):
        np.testing.assert_allclose(one[count - 1], track[:count].mean(axis=0, dtype=float), rtol=1e-4, atol=1e-5)


@given(case=padded(), last=st.booleans())
def test_losses_weigh_real_steps_alone_and_tracks_alike(case: tuple[np.ndarray, list[int]], last: bool) -> None:
    values, counts = case
    steps = values.shape[1]
    weights = weigh_steps(tf.constant(counts), tf.constant(steps), last).numpy()
    assert weights.mean() == pytest.approx(1, rel=1e-5)
    for own, count in zip(weights, counts, strict=True):
        assert not own[count:].any()
        assert own.sum() == pytest.approx(steps, rel=1e-5)  # each track has the same weight
        assert np.flatnonzero(own).tolist() == ([count - 1] if last else list(range(count)))
    tags = np.random.default_rng(0).uniform(size=(len(counts), steps))
    expected = np.mean([t[count - 1] if last else t[:count].mean() for t, count in zip(tags, counts, strict=True)])
    assert (weights * tags).mean() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("static", [False, True])
def test_chunks_bring_their_own_targets(tmp_path: Path, static: bool) -> None:
    """The first value of each chunk and its double, wherever an excerpt begins; zeros on padding."""
    features, tracks = write_features(tmp_path, [1, 7, 2, 8, 3])
    targets = [np.stack([own[:, 0, 0], 2 * own[:, 0, 0]], axis=1) for own in tracks]
    training = make_training_batches(features, targets, batch_tracks=2, max_chunks=3, seed=0, static_shapes=static)
    assert training.target_size == 2
    evaluation = make_evaluation_batches(features, targets, batch_tracks=2, max_chunks=3)
    begun, streams = [training.dataset, evaluation], 0
    for epoch in range(5):
        training.begin_epoch(epoch)
        for inputs, targets_of_batch, *_ in (batch for stream in begun for batch in stream):
            streams += 1
            np.testing.assert_array_equal(targets_of_batch[..., 0], inputs["chunks"][:, :, 0, 0])
            np.testing.assert_array_equal(targets_of_batch[..., 1], 2 * targets_of_batch[..., 0])
    assert streams == 5 * (int(training.dataset.cardinality()) + int(evaluation.cardinality()))
    read = training.read(next(iter(training.plan)))
    inputs, targets_of_batch, _ = read.get_single_element()
    np.testing.assert_array_equal(targets_of_batch[..., 0], inputs["chunks"][:, :, 0, 0])
