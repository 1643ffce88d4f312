"""Every dataset: its page of facts, and the error for a folder that is another one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.dataset_folders import touch

from mcc_zoo.datasets import DATASETS, DatasetError


@pytest.mark.parametrize(
    ("name", "tracks", "labels", "listed"),
    [
        ("gtzan", 1000, 10, 1000),
        ("ballroom", 698, 8, 0),
        ("soundtracks", 470, 5, 470),
        ("emotify", 400, 4, 400),
        ("magnatagatune", 25_863, 0, 0),
        ("mtg_jamendo", 55_609, 0, 0),
    ],
)
def test_page_of_facts(name: str, tracks: int, labels: int, listed: int) -> None:
    dataset = DATASETS[name]
    assert dataset.name == name
    assert (dataset.track_count, len(dataset.label_counts), len(set(dataset.track_keys))) == (tracks, labels, listed)
    for words in (dataset.title, dataset.citation, dataset.licence, dataset.layout, *dataset.notes):
        assert words.strip() == words != ""
    assert dataset.notes
    assert re.search(r"\b(19|20)\d\d$", dataset.citation)
    assert dataset.homepage.startswith("http")
    assert 10 < dataset.track_seconds <= 300
    assert set(dataset.known_faults) <= set(dataset.track_keys) or not dataset.track_keys
    assert (dataset.total is None) == bool(dataset.label_counts)  # tracks of many labels are not summed over labels


def test_the_table_above_has_every_dataset() -> None:
    assert list(DATASETS) == ["gtzan", "ballroom", "soundtracks", "emotify", "magnatagatune", "mtg_jamendo"]


def test_counts_of_the_paper() -> None:
    assert DATASETS["ballroom"].label_counts == {
        "ChaChaCha": 111, "Jive": 60, "Quickstep": 82, "Rumba": 51 + 40 + 7, "Samba": 86, "Tango": 86,
        "VienneseWaltz": 65, "Waltz": 110,
    }  # fmt: skip
    assert DATASETS["soundtracks"].label_counts == {
        "anger": 61, "fear": 116, "sadness": 108, "happiness": 89, "tenderness": 96,
    }  # fmt: skip
    assert set(DATASETS["gtzan"].label_counts.values()) == {100} == set(DATASETS["emotify"].label_counts.values())


@pytest.mark.parametrize("name", DATASETS)
def test_a_folder_that_is_no_such_dataset_is_refused(name: str, tmp_path: Path) -> None:
    touch(tmp_path, "holiday/001.txt", "holiday/song.mp3", ".hidden/genres/blues/blues.00000.wav")
    with pytest.raises(DatasetError) as refusal:
        DATASETS[name].list_tracks(tmp_path)
    text = str(refusal.value)
    assert repr(str(tmp_path)) in text
    assert "looked for" in text
    assert DATASETS[name].title in text


@pytest.mark.parametrize("name", DATASETS)
def test_a_missing_or_packed_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"folder '.*nowhere' does not exist"):
        DATASETS[name].list_tracks(tmp_path / "nowhere")
    packed = touch(tmp_path, "genres.tar.gz") / "genres.tar.gz"
    with pytest.raises(DatasetError, match=r"folder '.*genres\.tar\.gz' is a file; unpack it"):
        DATASETS[name].list_tracks(packed)
