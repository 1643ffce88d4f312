"""Music at any volume gives the same log-mel: against numpy, with padding, in blocks, and for silence."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.level import Level, bring_to_one_level
from mcc_zoo.features.streaming import join_windows

FRONT_END = FrontEnd(n_mels=5, chunk_frames=7, level="window")
COUNTS = np.array([4, 1, 3], np.int32)
GAINS_DB = [-40.0, -12.0, 0.0, 12.0]


@pytest.fixture
def energy(rng) -> np.ndarray:
    """Three tracks of up to four chunks, of very different loudness; padding is loud."""
    loudness = 10.0 ** rng.uniform(-7, -2, (3, 4, 1, 1))
    values = loudness * rng.gamma(0.3, size=(3, 4, 5, 7))
    for track, count in enumerate(COUNTS):
        values[track, count:] = 50.0
    return values.astype(np.float32)


@pytest.mark.parametrize("compression", ["log10_1p", "log"])
@pytest.mark.parametrize("level", ["window", "chunk"])
def test_it_is_numpys(energy, level, compression):
    front_end = dataclasses.replace(FRONT_END, level=level, compression=compression)
    found = bring_to_one_level(energy, COUNTS, front_end).numpy()
    for track, count in enumerate(COUNTS):
        own = energy[track, :count].astype(np.float64)
        scaled = 1e-3 * own / own.mean((0, 1, 2) if level == "window" else (1, 2), keepdims=True)
        expected = np.log(scaled + 1e-6) if compression == "log" else np.log10(1 + 1e4 * scaled)
        np.testing.assert_allclose(found[track, :count], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("gain_db", GAINS_DB)
@pytest.mark.parametrize("level", ["window", "chunk"])
def test_gain_changes_nothing(energy, level, gain_db):
    front_end = dataclasses.replace(FRONT_END, level=level)
    louder = energy * np.float32(10 ** (gain_db / 10))
    np.testing.assert_allclose(
        bring_to_one_level(louder, COUNTS, front_end), bring_to_one_level(energy, COUNTS, front_end), atol=1e-5
    )


def test_how_loud_a_chunk_is_in_its_window_stays(energy):
    window = bring_to_one_level(energy, COUNTS, FRONT_END).numpy()[0].mean((1, 2))
    chunk = bring_to_one_level(energy, COUNTS, dataclasses.replace(FRONT_END, level="chunk")).numpy()[0].mean((1, 2))
    assert np.ptp(window) > 3 * np.ptp(chunk)


def test_silence_is_finite():
    assert np.all(bring_to_one_level(np.zeros((1, 2, 5, 7), np.float32), np.array([2]), FRONT_END).numpy() == 0)


def test_the_layer_is_saved_with_its_front_end():
    layer = Level(FRONT_END)
    assert Level.from_config(layer.get_config()).front_end == FRONT_END


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueError, match="level='loud': choose 'none', 'window' or 'chunk'"):
        FrontEnd(level="loud")


@pytest.mark.parametrize("chunks", [1, 2, 3, 7, 8, None])
@pytest.mark.parametrize("block", [1, 2, 3, 8])
def test_windows_are_cut_anew(chunks, block):
    frames = np.arange(7 * 7 * 5, dtype=np.float32).reshape(49, 5)  # seven chunks
    blocks = [frames[i : i + 7 * block] for i in range(0, 49, 7 * block)]
    windows = list(join_windows(blocks, chunks, FRONT_END))
    np.testing.assert_array_equal(np.concatenate(windows), frames)
    assert [len(window) // 7 for window in windows[:-1]] == [chunks] * (len(windows) - 1)
    assert 0 < len(windows[-1]) // 7 <= (chunks or 7)
