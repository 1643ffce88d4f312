"""Samples, frames and chunks of any front end and any length, against what NumPy cuts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mcc_zoo.features.chunking import chunks_in, frames_in, samples_of
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.streaming import as_chunks, join_windows

front_ends = st.builds(
    FrontEnd,
    sample_rate=st.integers(1, 192_000),
    window_length=st.integers(1, 300),
    hop_length=st.integers(1, 300),
    n_mels=st.integers(1, 5),
    chunk_frames=st.integers(1, 12),
)


def cut_frames(samples: int, front_end: FrontEnd) -> np.ndarray:
    """Cut a waveform of its own sample numbers into frames: (frames, window_length)."""
    windows = np.lib.stride_tricks.sliding_window_view(np.arange(samples), front_end.window_length)
    return windows[:: front_end.hop_length]


@given(front_ends, st.integers(0, 3_000))
def test_frames_are_those_that_numpy_cuts(front_end: FrontEnd, extra: int) -> None:
    samples = front_end.window_length + extra
    assert frames_in(samples, front_end) == len(cut_frames(samples, front_end))
    assert frames_in(front_end.window_length - 1, front_end) == 0


@given(front_ends, st.integers(0, 4_000))
def test_chunks_are_whole_groups_of_frames(front_end: FrontEnd, extra: int) -> None:
    samples = front_end.window_length + extra
    frames = cut_frames(samples, front_end)
    whole = len(frames) // front_end.chunk_frames
    assert chunks_in(samples, front_end) == max(1, whole)
    groups = frames[: whole * front_end.chunk_frames].reshape(whole, front_end.chunk_frames, front_end.window_length)
    for number, group in enumerate(groups):
        start = number * front_end.chunk_hop
        assert (group.min(), group.max()) == (start, start + front_end.chunk_samples - 1)
    if whole:
        assert groups[-1].max() == samples_of(whole, front_end) - 1
        assert samples_of(whole, front_end) <= samples < samples_of(whole + 1, front_end)


@given(front_ends, st.integers(1, 200))
def test_one_sample_less_is_one_chunk_less(front_end: FrontEnd, chunks: int) -> None:
    samples = samples_of(chunks, front_end)
    assert chunks_in(samples, front_end) == chunks
    if chunks > 1:
        assert chunks_in(samples - 1, front_end) == chunks - 1
        assert chunks_in(samples + front_end.chunk_hop - 1, front_end) == chunks


@given(front_ends, st.integers(1, 300))
def test_less_than_a_window_is_refused(front_end: FrontEnd, missing: int) -> None:
    assume(front_end.window_length - missing >= 0)
    with pytest.raises(ValueError, match=f"at least one window of {front_end.window_length} samples"):
        chunks_in(front_end.window_length - missing, front_end)


@given(front_ends, st.lists(st.integers(1, 7), max_size=8), st.one_of(st.none(), st.integers(1, 9)))
def test_windows_are_cut_from_blocks_of_any_size(front_end: FrontEnd, blocks: list[int], chunks: int | None) -> None:
    rows = np.arange(sum(blocks) * front_end.chunk_frames * front_end.n_mels).reshape(-1, front_end.n_mels)
    ends = np.cumsum(blocks)[:-1] * front_end.chunk_frames
    windows = list(join_windows(np.split(rows, ends) if blocks else [], chunks, front_end))
    np.testing.assert_array_equal(np.concatenate([rows[:0], *windows]), rows)
    counts = [len(as_chunks(window, front_end)) for window in windows]
    assert all(count == chunks for count in counts[:-1])
    assert chunks is None or all(1 <= count <= chunks for count in counts)
    assert chunks is not None or len(windows) == bool(blocks)
