"""The structure corpus: the same chunks in another order, and nothing else to tell the classes by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mcc_zoo.audio import reading
from mcc_zoo.datasets.synthetic import ORDERS, CorpusError, make_structure
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.log_mel import MelChunks


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_structure(tmp_path_factory.mktemp("corpus") / "structure", songs=2)


def chunks(path) -> np.ndarray:
    return MelChunks(FrontEnd())(reading.read(path, 44_100)[np.newaxis]).numpy()[0]


def test_every_song_stands_there_in_every_order(corpus):
    rows = pd.read_csv(corpus)
    assert rows.groupby("group")["label"].apply(sorted).tolist() == [sorted(ORDERS)] * 2
    assert all(order.count("A") == order.count("B") == 2 for order in ORDERS)


def test_tracks_of_a_song_hold_the_same_chunks_in_the_order_of_their_label(corpus):
    for _, song in pd.read_csv(corpus).groupby("group"):
        found = {row.label: chunks(corpus.parent / row.path) for row in song.itertuples()}
        a, b = found["AABB"][:2], found["AABB"][4:6]
        assert np.abs(a - b).max() > 0.5
        for order, own in found.items():
            assert own.shape == (8, 40, 80)
            expected = np.concatenate([a if name == "A" else b for name in order])
            np.testing.assert_allclose(own, expected, atol=1e-5)


def test_songs_differ(corpus):
    first, second = (chunks(corpus.parent / f"audio/AABB/song-00{i}.flac") for i in range(2))
    assert np.abs(first - second).max() > 0.5


@pytest.mark.parametrize("arguments", [{"songs": 0}, {"songs": 2.5}, {"seed": -1}])
def test_impossible_settings_are_refused(tmp_path, arguments):
    with pytest.raises(CorpusError, match=f"{next(iter(arguments))}=.*: give a whole number of"):
        make_structure(tmp_path / "corpus", **arguments)
