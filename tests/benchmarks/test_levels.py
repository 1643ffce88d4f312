"""Whether tags follow the volume: the measurement of loudness, and of what changes."""

from __future__ import annotations

import numpy as np
import pytest

from mcc_zoo.audio import folders

RATE = 44_100  # Hz


@pytest.mark.parametrize("decibels", [-20.0, -40.0])
def test_a_tone_of_997_hz_is_3_lu_below_its_peak(decibels):
    """ITU-R BS.1770-4, Annex 1: a 0 dBFS tone of 997 Hz in one channel has -3.01 LKFS."""
    from benchmarks import levels

    tone = 10 ** (decibels / 20) * np.sin(2 * np.pi * 997 * np.arange(3 * RATE) / RATE)
    assert levels.measure_loudness(tone.astype(np.float32), RATE) == pytest.approx(decibels - 3.01, abs=0.1)


def test_each_level_has_a_row(tagger, music):
    from benchmarks import levels

    files = [path for path in folders.find(music) if path.name in ("half chunk.ogg", "short.wav")]
    assert len(files) == 2
    table = levels.measure_levels(tagger, files)
    assert table["level"].tolist() == ["-23 LUFS", "-12 dB", "-40 dB", "+12 dB"]
    assert (table["tracks"] == 2).all()
    assert table["another strongest tag"].between(0, 2).all()
    assert (table["largest difference"].astype(float) >= table["median"].astype(float)).all()
    assert table["median"].astype(float).gt(0).all()  # 16 bits are not floats
