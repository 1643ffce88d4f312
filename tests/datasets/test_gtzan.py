"""GTZAN in the layouts in which it goes round, with and without an index of artists."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from helpers.dataset_folders import groups, names, touch

from mcc_zoo import datasets
from mcc_zoo.datasets import DatasetError

GTZAN_TINY = ("blues/blues.00000", "blues/blues.00007", "hiphop/hiphop.00099", "jazz/jazz.00054")


@pytest.mark.parametrize("layout", ["", "genres", "genres_original", "Data/genres_original"])
@pytest.mark.parametrize("suffix", [".au", ".wav"])
def test_gtzan_layouts(layout: str, suffix: str, tmp_path: Path) -> None:
    touch(tmp_path / layout, *(f"{name}{suffix}" for name in GTZAN_TINY))
    touch(tmp_path, "images_original/blues/blues00000.png", "__MACOSX/genres/blues/blues.00000.wav")
    touch(tmp_path / layout, "blues/._blues.00000.wav", "blues/blues.00000.0.wav", "blues/rock.00001.wav")
    tracks = datasets.read_gtzan(tmp_path)
    assert names(tracks) == [f"{name}{suffix}" for name in GTZAN_TINY]
    assert [track.label for track in tracks] == ["blues", "blues", "hiphop", "jazz"]
    assert [track.path for track in tracks] == [tmp_path / layout / f"{name}{suffix}" for name in GTZAN_TINY]
    assert {track.group for track in tracks} == {""}


def test_gtzan_names_do_not_depend_on_the_folder_given_or_on_case(tmp_path: Path) -> None:
    touch(tmp_path, "GTZAN/genres/Blues/Blues.00003.WAV")
    expected = ["blues/blues.00003.wav"]
    for folder in (tmp_path, tmp_path / "GTZAN", str(tmp_path / "GTZAN/genres"), tmp_path / "GTZAN/genres/Blues"):
        assert names(datasets.read_gtzan(folder)) == expected


def test_gtzan_takes_the_au_of_two_formats_and_refuses_two_copies(tmp_path: Path) -> None:
    touch(tmp_path, "genres/pop/pop.00001.wav", "genres/pop/pop.00001.au", "genres/pop/pop.00001.mp3")
    assert names(datasets.read_gtzan(tmp_path)) == ["pop/pop.00001.au"]
    touch(tmp_path, "genres_original/pop/pop.00001.wav")
    with pytest.raises(DatasetError, match=r"pop/pop\.00001 is in '.*genres/pop' and in '.*genres_original/pop'"):
        datasets.read_gtzan(tmp_path)


def test_links_to_folders_are_followed_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/rock/rock.00000.wav")
    (tmp_path / "mine").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "mine/genres")
    os.symlink(tmp_path / "elsewhere/rock", tmp_path / "elsewhere/rock/rock")
    touch(tmp_path, "other/pop/pop.00000.wav")
    os.symlink(tmp_path / "other/pop", tmp_path / "other/a link")
    assert names(datasets.read_gtzan(tmp_path / "other")) == ["pop/pop.00000.wav"]  # not under the link's name
    assert names(datasets.read_gtzan(tmp_path / "mine")) == ["rock/rock.00000.wav"]


INDEX = """\
## an index of artists
##
blues.00000.wav ::: Ann & The Band ::: One Song
blues.00007.wav ::: ann and the band ::: Another, ::: With Signs
hiphop.00099.wav ::: :::
jazz.00054.wav ::: ::: A Title Alone
"""


@pytest.mark.parametrize("place", ["genres/GTZANindex.txt", "GTZANindex.txt", "../GTZANindex.txt"])
def test_gtzan_artists_are_groups(place: str, tmp_path: Path) -> None:
    folder = touch(tmp_path / "data", *(f"genres/{name}.au" for name in GTZAN_TINY))
    (folder / place).write_text(INDEX)
    tracks = datasets.read_gtzan(folder)
    assert groups(tracks) == {frozenset({"blues/blues.00000.au", "blues/blues.00007.au"})}
    assert [track.group for track in tracks[2:]] == ["", ""]


def test_gtzan_artists_by_argument(tmp_path: Path) -> None:
    folder = touch(tmp_path / "data", *(f"genres/{name}.wav" for name in GTZAN_TINY))
    index = tmp_path / "mine.txt"
    index.write_text(INDEX)
    assert Counter(track.group for track in datasets.read_gtzan(folder, index)) == {"ann and the band": 2, "": 2}

    with pytest.raises(DatasetError, match=r"none\.txt: no such file"):
        datasets.read_gtzan(folder, tmp_path / "none.txt")
    index.write_text("## fine\nblues.00000.wav, Ann\n")
    with pytest.raises(DatasetError, match=r"mine\.txt: line 2 is 'blues\.00000\.wav, Ann', not 'file ::: artist"):
        datasets.read_gtzan(folder, index)
    index.write_text("reggae.00001.wav ::: Bob ::: Song\n")
    with pytest.raises(DatasetError, match=r"mine\.txt: names none of the tracks found"):
        datasets.read_gtzan(folder, index)
