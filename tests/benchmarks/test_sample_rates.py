"""How far `tag_wav` is from the tagger by sample rate."""

from __future__ import annotations

import pytest

from mcc_zoo.audio import folders


@pytest.mark.slow
def test_each_rate_has_a_row(tagger, music):
    from benchmarks import sample_rates

    files = [path for path in folders.find(music) if path.name in ("half chunk.ogg", "short.wav")]
    assert len(files) == 2
    table = sample_rates.measure_rates(tagger, files, rates=(8_000, 44_100))
    assert table["Hz"].tolist() == [8_000, 44_100]
    assert table.columns.tolist() == ["Hz", "music", "white noise"]
    assert (table[["music", "white noise"]].astype(float) < 1e-4).all(axis=None)
