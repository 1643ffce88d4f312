"""How far `tag_wav` is from the tagger by sample rate: the measurement, and the table that is published."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcc_zoo.audio import folders

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_each_rate_has_a_row(tagger, music):
    from benchmarks import sample_rates

    files = [path for path in folders.find(music) if path.name in ("half chunk.ogg", "short.wav")]
    assert len(files) == 2
    table = sample_rates.measure_rates(tagger, files, rates=(8_000, 44_100))
    assert table["Hz"].tolist() == [8_000, 44_100]
    kinds = [f"{kind}, {graph}" for kind in ("music", "white noise") for graph in ("as it is", "exported now")]
    assert table.columns.tolist() == ["Hz", *kinds]
    assert (table[kinds].astype(float) < 1e-4).all(axis=None)


def test_the_published_table_has_all_rates_and_its_bound_holds():
    from benchmarks.sample_rates import RATES

    readme = (ROOT / "exported_models/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d,]+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$", readme, re.MULTILINE)
    assert [int(rate.replace(",", "")) for rate, *_ in rows] == list(RATES)
    assert all(float(music) < 1e-4 and float(noise) < 1e-4 for _, _, music, _, noise in rows)
