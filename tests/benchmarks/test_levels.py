"""Whether tags follow the volume: the measurement of loudness, and of what changes."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from mcc_zoo.audio import folders

RATE = 44_100  # Hz


@pytest.mark.parametrize("decibels", [-20.0, -40.0])
def test_a_tone_of_997_hz_is_3_lu_below_its_peak(decibels):
    """ITU-R BS.1770-4, Annex 1: a 0 dBFS tone of 997 Hz in one channel has -3.01 LKFS."""
    from benchmarks import levels

    tone = 10 ** (decibels / 20) * np.sin(2 * np.pi * 997 * np.arange(3 * RATE) / RATE)
    assert levels.measure_loudness(tone.astype(np.float32), RATE) == pytest.approx(decibels - 3.01, abs=0.1)


def test_each_level_has_a_row(tagger, music, tmp_path, capsys):
    """Two files are left out and named: one is silent, one is no audio; neither stops the others."""
    from benchmarks import levels

    files = [path for path in folders.find(music) if path.name in ("half chunk.ogg", "short.wav")]
    assert len(files) == 2
    silent, damaged = tmp_path / "silent.wav", tmp_path / "damaged.wav"
    soundfile.write(silent, np.zeros(3 * RATE), RATE)
    damaged.write_bytes(b"RIFF but no more")
    table = levels.measure_levels(tagger, [silent, *files, damaged]).set_index("level")
    said = capsys.readouterr().err
    assert f"{silent}: silent" in said
    assert str(damaged) in said
    assert table.index.tolist() == ["-23 LUFS", "-12 dB", "-40 dB", "+12 dB"]
    assert (table["tracks"] == 2).all()
    assert table.loc["-12 dB", "another strongest tag"] == 0
    assert (table["largest difference"].astype(float) >= table["median"].astype(float)).all()
    assert table["median"].astype(float).gt(0).all()  # 16 bits are not floats


def test_a_track_that_falls_silent_has_lost_its_tags(tagger, tmp_path):
    from benchmarks import levels

    faint = tmp_path / "faint.wav"
    soundfile.write(faint, 10 ** (-50 / 20) * np.sin(np.arange(3 * RATE) / 10), RATE, subtype="PCM_24")
    table = levels.measure_levels(tagger, [faint]).set_index("level")
    assert table.loc["-40 dB", "another strongest tag"] == 1
    assert table.loc["-12 dB", "another strongest tag"] == 0
