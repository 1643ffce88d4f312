"""What `check_dataset` finds in broken, partial and whole copies."""

from __future__ import annotations

import csv
import os
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.dataset_folders import LABELS, NAMES, RATE, names, soundtracks_folder, touch, write_audio, write_table

import mcc_zoo
from mcc_zoo import datasets
from mcc_zoo.datasets import DATASETS, CheckResult, DatasetError
from mcc_zoo.features.cache import FeatureCache
from mcc_zoo.features.front_end import FRONT_ENDS


def test_check_of_a_broken_copy(tmp_path: Path) -> None:
    for name in ("blues/blues.00000", "blues/blues.00001", "jazz/jazz.00054", "rock/rock.00002"):
        write_audio(tmp_path / "genres" / f"{name}.au")
    (tmp_path / "genres/jazz/jazz.00054.au").write_bytes(b"no music at all")
    whole = (tmp_path / "genres/rock/rock.00002.au").read_bytes()
    (tmp_path / "genres/rock/rock.00002.au").write_bytes(whole[: len(whole) // 2])
    write_audio(tmp_path / "genres/blues/blues.00000.wav")  # in a second format
    write_audio(tmp_path / "genres/blues/song.wav")
    touch(tmp_path, "genres/blues/._song.wav", "genres/blues/cover.png")
    write_audio(tmp_path / "genres/rock/rock.00100.au")  # there is no such number
    progress: list[tuple[int, int]] = []
    found = datasets.check_dataset(DATASETS["gtzan"], tmp_path, progress=lambda *numbers: progress.append(numbers))

    assert progress == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert found.found_counts == {"blues": 2, "jazz": 1, "rock": 2}
    assert found.expected_counts == DATASETS["gtzan"].label_counts
    assert len(found.missing) == 996
    assert {"blues/blues.00002", "rock/rock.00099"} < set(found.missing)
    assert found.extra == ("blues/blues.00000.wav", "blues/song.wav", "rock/rock.00100.au")
    assert [name for name, _ in found.unreadable] == ["jazz/jazz.00054.au", "rock/rock.00002.au"]
    assert found.known_faults == ("jazz/jazz.00054.au",)
    assert (found.track_count, found.readable_count, found.is_complete, found.was_decoded) == (5, 3, False, True)

    lines = found.format_lines(max_names=2)
    assert lines[0] == "GTZAN: 5 of 1000 tracks, 3 of them decode to the end"
    assert "  blues: 2 tracks, a complete copy has 100" in lines
    assert "  country: 0 tracks, a complete copy has 100" in lines
    at = lines.index("missing (996):")
    assert lines[at + 1 : at + 4] == ["  blues/blues.00002", "  blues/blues.00003", "  and 994 more"]
    at = lines.index("unreadable or silent (2):")
    assert "jazz.00054.au" in lines[at + 1]
    assert "cut off" in lines[at + 2]
    assert "  jazz/jazz.00054.au does not decode in most copies: leave it out, and report that with the score" in lines
    assert lines[lines.index("extra, not used (3):") + 3] == "  and 1 more"
    assert str(found) == "\n".join(found.format_lines(10))


def test_check_of_headers_alone_misses_what_only_decoding_shows(tmp_path: Path) -> None:
    wave = np.zeros(400, np.float32)
    wave[399] = np.nan
    (tmp_path / "genres/pop").mkdir(parents=True)
    soundfile.write(tmp_path / "genres/pop/pop.00000.wav", wave, RATE, subtype="FLOAT")
    headers = datasets.check_dataset(DATASETS["gtzan"], tmp_path, decode=False)
    assert (headers.readable_count, headers.was_decoded) == (1, False)
    assert headers.format_lines()[0].endswith("1 of them have a readable header (nothing was decoded)")
    decoded = datasets.check_dataset(DATASETS["gtzan"], tmp_path)
    assert decoded.readable_count == 0
    assert "nan" in decoded.unreadable[0][1]


def test_silent_tracks_are_those_that_training_sets_aside(tmp_path: Path) -> None:
    (tmp_path / "genres/pop").mkdir(parents=True)
    noise = np.random.default_rng(0).normal(size=(2, RATE))
    for number, wave in enumerate(
        [np.zeros(RATE), 1e-4 * noise[0], 1e-3 * noise[0], 0.1 * np.stack([noise[1], -noise[1]])]
    ):
        soundfile.write(tmp_path / f"genres/pop/pop.0000{number}.wav", np.transpose(wave), RATE, subtype="FLOAT")
    found = datasets.check_dataset(DATASETS["gtzan"], tmp_path)
    assert [name for name, _ in found.unreadable] == ["pop/pop.00000.wav", "pop/pop.00001.wav", "pop/pop.00003.wav"]
    assert all("silent, its level (RMS) reaches -70 dBFS for less than" in reason for _, reason in found.unreadable)
    cache = FeatureCache(tmp_path / "cache", FRONT_ENDS["22k"])
    for name, _ in found.unreadable:
        with pytest.raises(mcc_zoo.AudioError, match=r"silent, its level \(RMS\) reaches"):
            cache.features(tmp_path / "genres" / name)


def test_check_of_ballroom_counts_and_names_what_is_extra(tmp_path: Path) -> None:
    for name in ("Jive/Media-104101.wav", "Rumba-Misc/Media-103901.wav", "nada/Media-100000.wav"):
        write_audio(tmp_path / "BallroomData" / name)
    found = datasets.check_dataset(DATASETS["ballroom"], str(tmp_path))
    assert found.found_counts == {"Jive": 1, "Rumba": 1}
    assert found.missing == ()  # of which names, nobody has told
    assert found.extra == ("nada/Media-100000.wav",)
    assert "  Rumba: 1 tracks, a complete copy has 98" in found.format_lines()
    assert not found.is_complete


def test_check_of_soundtracks_reads_mp3_and_passes_on_what_the_reader_says(tmp_path: Path) -> None:
    soundtracks_folder(tmp_path)
    for name in (*NAMES, "Set1/006.mp3"):  # 006 is not rated
        write_audio(tmp_path / name, seconds=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = datasets.check_dataset(DATASETS["soundtracks"], tmp_path)
    assert found.unreadable == ()
    assert found.found_counts == Counter(LABELS)
    assert found.extra == ("Set1/006.mp3",)
    assert found.missing[0] == "Set1/006"
    assert len(found.missing) == 470 - 8
    assert len(found.notes) == 2
    assert found.format_lines()[-1].startswith("note: ")
    assert "no set2_tracklist.csv" in found.format_lines()[-1]


def test_check_of_a_manifest(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.ogg")
    write_audio(tmp_path / "unlisted.wav")
    touch(tmp_path, "empty.wav")
    table = write_table(tmp_path / "mine.csv", "path,label", "a.ogg,x", "gone.wav,y", "empty.wav,y")
    found = datasets.check_dataset(None, table)
    assert found == CheckResult(
        title=str(table),
        found_counts={"x": 1, "y": 1},
        expected_counts={},
        missing=("gone.wav",),
        extra=(),
        unreadable=found.unreadable,
        known_faults=(),
        was_decoded=True,
        notes=(),
        groups={"x": frozenset(), "y": frozenset()},
        ungrouped_count=2,
    )
    assert [name for name, _ in found.unreadable] == ["empty.wav"]
    assert found.format_lines()[0] == f"{table}: 2 tracks, 1 of them decode to the end"
    assert not found.is_complete

    write_table(table, "path,label", "a.ogg,x", "unlisted.wav,y")
    assert datasets.check_dataset(None, table).is_complete
    write_table(table, "path,label", "a.ogg,x", "unlisted.wav,y", "gone.wav,y")
    assert not datasets.check_dataset(None, table).is_complete
    write_table(table, "path,label", "a.ogg,x", "unlisted.wav,y")
    assert datasets.check_dataset(None, datasets.read_manifest(table)).title == "manifest"
    with pytest.raises(DatasetError, match=r"mine\.csv: lacks .*the columns path, label"):
        datasets.check_dataset(None, write_table(table, "file,label"))


def test_check_of_a_manifest_counts_labels_and_groups(tmp_path: Path) -> None:
    for number, name in enumerate("abcd", start=1):
        write_audio(tmp_path / f"{name}.wav", seconds=number / 100)
    rows = ["a.wav,pop,Ann", "b.wav,pop,Ann", "c.wav,rock,Ann", "d.wav,rock,Bob", "gone.wav,rock,Cid"]
    table = write_table(tmp_path / "mine.csv", "path,label,group", *rows)
    expected = ["  pop: 2 tracks, 1 group", "  rock: 2 tracks, 2 groups", "2 groups in all"]
    assert datasets.check_dataset(None, table, decode=False).format_lines()[1:4] == expected
    write_table(table, "path,label,group", *rows[:3], "d.wav,soul,")
    expected = ["  pop: 2 tracks, 1 group", "  rock: 1 track, 1 group", "  soul: 1 track, 0 groups"]
    assert datasets.check_dataset(None, table, decode=False).format_lines()[1:] == [
        *expected,
        "1 group in all; 1 track without one",
    ]
    write_table(table, "path,label", "a.wav,pop", "b.wav,soul")
    assert datasets.check_dataset(None, table, decode=False).format_lines()[1:] == [
        "  pop: 1 track",
        "  soul: 1 track",
        "no track has a group: a column group (artist, album) keeps tracks of one together in a split",
    ]


def test_check_of_a_manifest_counts_each_label_of_a_track(tmp_path: Path) -> None:
    for number, name in enumerate("abcde", start=1):
        write_audio(tmp_path / f"{name}.wav", seconds=number / 100)
    rows = ["a.wav,slow|sad,Ann", "b.wav,slow,Bob", "c.wav,,Bob", "d.wav,,Cid", "e.wav,sad|slow,", "gone.wav,sad,Dan"]
    table = write_table(tmp_path / "mine.csv", "path,labels,group", *rows)
    found = datasets.check_dataset(None, table, decode=False)
    assert found.format_lines()[:6] == [
        f"{table}: 5 tracks, 5 of them have a readable header (nothing was decoded)",
        "  sad: 2 tracks, 1 group",
        "  slow: 3 tracks, 2 groups",
        "2 tracks without a label",
        "3 groups in all; 1 track without one",
        "missing (1):",
    ]
    assert (found.found_total, found.track_count, found.readable_count, found.unlabelled_count) == (5, 5, 5, 2)
    assert not found.is_complete
    write_table(table, "path,sad,slow", "a.wav,1,1", "b.wav,0,1", "c.wav,1,0")
    found = datasets.check_dataset(None, table, label_columns=("sad", "slow"))
    assert found.format_lines()[:3] == [
        f"{table}: 3 tracks, 3 of them decode to the end",
        "  sad: 2 tracks",
        "  slow: 2 tracks",
    ]
    assert "no track has a group" in found.format_lines()[3]
    assert found.is_complete


def test_copies_of_a_manifest_whose_labels_differ_are_noted(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_audio(tmp_path / f"{name}.wav")
    table = write_table(tmp_path / "mine.csv", "path,labels,group", "a.wav,x|y,Ann", "b.wav,y|x,Ann", "c.wav,,Ann")
    (note,) = datasets.check_dataset(None, table).notes
    assert note.startswith(
        "the same audio has different labels: 'a.wav' ('x', 'y'), 'b.wav' ('y', 'x'), 'c.wav' (no label)"
    )


def test_check_of_tracks_already_listed(tmp_path: Path) -> None:
    folder = tmp_path / "genres"
    for name in ("pop/pop.00000.wav", "pop/pop.00001.wav", "pop/other.wav"):
        write_audio(folder / name)
    tracks = datasets.read_gtzan(folder)
    tracks[0].path.unlink()
    found = datasets.check_dataset(DATASETS["gtzan"], tracks)
    assert found.found_counts == {"pop": 1}
    assert found.missing[0] == "pop/pop.00000.wav"
    assert len(found.missing) == 999
    assert found.extra == ()


@pytest.mark.slow
def test_a_whole_copy_is_complete_even_with_the_known_fault(tmp_path: Path) -> None:
    folder = tmp_path / "genres"
    original = write_audio(tmp_path / "one.wav", seconds=0.01)
    for name in DATASETS["gtzan"].track_keys:
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(original, path)
    fault = folder / "jazz/jazz.00054.wav"
    fault.unlink()
    fault.write_bytes(b"RIFF")
    found = datasets.check_dataset(DATASETS["gtzan"], folder)
    assert (found.track_count, found.readable_count, found.is_complete) == (1000, 999, True)
    assert found.format_lines()[0] == "GTZAN: 1000 of 1000 tracks, 999 of them decode to the end"
    (folder / "jazz/jazz.00055.wav").unlink()
    (folder / "jazz/jazz.00055.wav").write_bytes(b"RIFF")
    assert not datasets.check_dataset(DATASETS["gtzan"], folder, decode=False).is_complete
    (folder / "jazz/jazz.00055.wav").unlink()
    assert not datasets.check_dataset(DATASETS["gtzan"], folder, decode=False).is_complete


def test_names_with_slashes_survive_a_table(tmp_path: Path) -> None:
    """Names are what result tables are joined by: written to CSV and read again they are the same."""
    touch(tmp_path, "genres/rock/rock.00001.wav", "genres/pop/pop.00001.wav")
    tracks = datasets.read_gtzan(tmp_path)
    with open(tmp_path / "out.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "label"], *([track.name, track.label] for track in tracks)])
    os.rename(tmp_path / "out.csv", tmp_path / "genres/out.csv")
    assert names(datasets.read_manifest(tmp_path / "genres/out.csv")) == names(tracks)


def test_tracks_that_are_all_missing_are_not_said_to_lack_groups(tmp_path: Path) -> None:
    (tmp_path / "music.csv").write_text("path,label,group\na.mp3,rock,A\nb.mp3,jazz,B\n")
    found = datasets.check_dataset(None, tmp_path / "music.csv")
    assert found.missing == ("a.mp3", "b.mp3")
    assert "no track has a group" not in str(found)
