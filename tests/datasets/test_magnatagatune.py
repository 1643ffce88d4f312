"""MagnaTagATune: clips, tags, artists, the split by folder, and each error."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from helpers.dataset_folders import CLIPS, groups, magnatagatune_folder, names, touch, write_audio

from mcc_zoo import datasets
from mcc_zoo.datasets import DATASETS, DatasetError, DatasetWarning
from mcc_zoo.datasets.fixed_splits import write_lists
from mcc_zoo.datasets.splits import draw_splits


@pytest.mark.parametrize("audio", ["", "mp3/", "magna/audio/mp3/"])
def test_magnatagatune(audio: str, tmp_path: Path) -> None:
    tracks = datasets.read_magnatagatune(magnatagatune_folder(tmp_path, audio), tags=4)
    assert names(tracks) == list(CLIPS)
    assert [track.path for track in tracks] == [tmp_path / f"{audio}{clip}" for clip in CLIPS]
    assert [set(track.all_labels) for track in tracks] == [
        {"guitar", "slow", "no voice"},
        {"guitar"},
        {"slow", "guitar"},
        set(),
        {"slow", "no voice"},
        {"guitar", "harp"},
        {"slow"},
    ]
    assert {track.label for track in tracks} == {""}
    first, second, *_, fifth = list(CLIPS)[:5]
    assert frozenset({first, second, fifth}) in groups(tracks)  # "Ann" and "ANN"
    assert len(groups(tracks)) == 5
    assert tracks[-1].group == "eve and co"


@pytest.mark.parametrize(("tags", "kept"), [(2, {"guitar", "slow"}), (3, {"guitar", "slow", "no voice"})])
def test_the_most_frequent_tags_of_the_table_are_labels(tags: int, kept: set[str], tmp_path: Path) -> None:
    folder = magnatagatune_folder(tmp_path)
    whole = datasets.read_magnatagatune(folder, tags)
    assert {label for track in whole for label in track.all_labels} == kept
    for clip in list(CLIPS)[:3]:
        (folder / "mp3" / clip).unlink()  # what is on the disk changes no label
    assert datasets.read_magnatagatune(folder, tags) == whole[3:]


def test_fifty_tags_are_usual(tmp_path: Path) -> None:
    tracks = datasets.read_magnatagatune(magnatagatune_folder(tmp_path, rare=47))
    found = {label for track in tracks for label in track.all_labels}
    assert found == {"guitar", "slow", "no voice", "harp", *(f"x {n:02}" for n in range(1, 47))}  # ties go by name
    with pytest.raises(DatasetError, match=r"tags=50: .*annotations_final\.csv has 4 tags; give 2 to 4$"):
        datasets.read_magnatagatune(magnatagatune_folder(tmp_path))
    for tags in (1, 5):
        with pytest.raises(DatasetError, match=rf"tags={tags}: .* give 2 to 4$"):
            datasets.read_magnatagatune(tmp_path, tags)


def test_without_the_table_of_artists_there_are_no_groups(tmp_path: Path) -> None:
    folder = magnatagatune_folder(tmp_path, artists=False)
    with pytest.warns(DatasetWarning, match=r"no clip_info_final\.csv, so the artists are unknown"):
        tracks = datasets.read_magnatagatune(folder, 4)
    assert {track.group for track in tracks} == {""}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        datasets.read_magnatagatune(magnatagatune_folder(tmp_path), 4)


def test_the_usual_split_is_by_folder(tmp_path: Path) -> None:
    tracks = datasets.read_magnatagatune(magnatagatune_folder(tmp_path), 2)
    lists = datasets.split_magnatagatune(tracks)
    assert {part: [name[0] for name in own] for part, own in lists.items()} == {
        "train": ["0", "0", "3", "b"],
        "valid": ["c"],
        "test": ["d", "f"],
    }
    (split,) = draw_splits(tracks, str(write_lists(tmp_path / "lists", lists)))
    assert [part.tolist() for part in (split.train, split.validation, split.test)] == [[0, 1, 2, 3], [4], [5, 6]]
    by_folder = {digit: part for part, digits in (("train", "0123456789ab"), ("valid", "c"), ("test", "def"))
                 for digit in digits}  # fmt: skip
    for digit, part in by_folder.items():
        clip = datasets.Track(tmp_path, f"{digit}/x.mp3", "", labels=())
        assert datasets.split_magnatagatune([clip])[part] == [f"{digit}/x.mp3"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"mp3_path"', '"path"', r"lacks mp3_path \(each of the columns clip_id, mp3_path is needed once\)"),
        ('"0/ann-one-01-a-0-29.mp3"', '""', r"row 2: mp3_path '' is not the path of another clip, such as f/name-0"),
        ("3/bob-two", "g/bob-two", r"row 4: mp3_path 'g/bob-two-02-b-0-29\.mp3' is not the path of another clip"),
        ("ann-one-01-a-30-59", "ann-one-01-a-0-29", r"row 3: mp3_path '0/ann-one-01-a-0-29\.mp3' is not the path of a"),
        ('"4"\t"0"', '"4"\t"2"', r"row 4: no voice is '2', not 0 or 1"),
        ("\t", ",", r"lacks clip_id, mp3_path .*Separate columns with tabs\.$"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    table = magnatagatune_folder(tmp_path) / "annotations_final.csv"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new) if new != "," else text.replace('"', "").replace(old, new))
    with pytest.raises(DatasetError, match=message) as refusal:
        datasets.read_magnatagatune(tmp_path, 4)
    assert str(refusal.value).startswith(f"{table}: ")


def test_folders_that_are_not_magnatagatune_are_refused(tmp_path: Path) -> None:
    clips = touch(tmp_path / "clips", "0/a-0-29.mp3")
    with pytest.raises(DatasetError, match=r"no MagnaTagATune here; looked for annotations_final\.csv and for folders"):
        datasets.read_magnatagatune(clips)
    tables = magnatagatune_folder(tmp_path / "tables", audio="elsewhere/")
    for clip in CLIPS:
        (tables / "elsewhere" / clip).unlink()
    with pytest.raises(DatasetError, match=r"no MagnaTagATune here; looked for .* and for folders 0 to f with clips"):
        datasets.read_magnatagatune(tables)
    both = touch(magnatagatune_folder(tmp_path / "both"), *CLIPS)
    with pytest.raises(DatasetError, match=r"0/ann-one-01-a-0-29 is in '.*' and in '.*'; give the folder of one copy"):
        datasets.read_magnatagatune(both)


def test_check_names_what_is_missing_extra_and_empty(tmp_path: Path) -> None:
    folder = magnatagatune_folder(tmp_path, artists=False, rare=50)
    empty, *sound, gone = CLIPS
    for clip in sound:
        write_audio(folder / "mp3" / clip)
    (folder / "mp3" / gone).unlink()
    write_audio(folder / "mp3/e/fay-x-01-y-0-29.mp3")
    dataset = DATASETS["magnatagatune"]
    found = datasets.check_dataset(dataset, folder)
    assert (found.track_count, found.readable_count, found.expected_count) == (6, 5, 25_863)
    assert found.format_lines()[0] == "MagnaTagATune: 6 of 25863 tracks, 5 of them decode to the end"
    assert found.format_lines()[1:6] == [
        "  guitar: 4 tracks",
        "  harp: 1 track",
        "  no voice: 2 tracks",
        "  slow: 3 tracks",
        "1 track without a label",
    ]
    assert found.missing == (gone,)
    assert found.extra == ("e/fay-x-01-y-0-29.mp3",)
    assert [name for name, _ in found.unreadable] == [empty]
    assert found.notes[0].startswith(f"folder {str(folder)!r}: no clip_info_final.csv")
    assert "a column group" not in str(found)  # that is for manifests
    assert not found.is_complete


def test_the_three_empty_clips_are_known(tmp_path: Path) -> None:
    faults = DATASETS["magnatagatune"].known_faults
    assert [fault[:9] for fault in faults] == ["6/norine_", "8/jacob_h", "9/america"]
    assert set(map(DATASETS["magnatagatune"].make_key, (f"{fault}.mp3" for fault in faults))) == set(faults)
