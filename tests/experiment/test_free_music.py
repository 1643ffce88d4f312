"""The corpus of free music: packages unpacked, recordings chosen, cut and listed with their licences."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path, PurePosixPath

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from absl.testing import flagsaver
from helpers.music_package import COPYRIGHT, build_package, music

from experiments import common, debian_packages  # noqa: F401 before the flags are saved: its own stay
from experiments.debian_packages import Licence, Licences, Package
from experiments.teachers import musicnn_tags

pytest_plugins = ["helpers.run_scripts"]

with flagsaver.flagsaver():  # other scripts have flags of the same names
    from experiments import free_music


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="the corpus is made of Debian packages: dpkg-deb is not here")
@pytest.mark.slow
def test_music_becomes_clips_and_a_table_of_licences(tmp_path, run_script):
    build_package(tmp_path, "game-data")
    data_dir = tmp_path / "music"
    for _ in range(2):  # the second time the package is unpacked already
        run = run_script("free_music", f"--data_dir={data_dir}", "--packages=game-data", "--quiet")
        assert (run.returncode, run.stdout) == (0, "2 recordings of 0.0 hours, 3 clips\n"), run.stderr
    table = pd.read_csv(data_dir / "recordings.csv", keep_default_na=False)
    left_out = {Path(path).name: why for path, why in zip(table["path"], table["left_out"], strict=True)}
    assert {name: why for name, why in left_out.items() if name != "broken.ogg"} == {
        "copy.flac": "", "other.flac": "", "short.ogg": "short", "theme.ogg": "a copy",
    }  # fmt: skip
    assert left_out["broken.ogg"]
    assert set(table["version"]) == {"1%3a2.0-1"}
    clips = pd.read_csv(data_dir / "clips.csv")
    assert clips.groupby("group")["seconds"].apply(list).to_dict() == {
        "game-data/usr/share/games/game/data/more.pk3.files/tracks/copy.flac": [35.0, 35.0],
        "game-data/usr/share/games/game/data/more.pk3.files/tracks/other.flac": [20.5],
    }
    for clip in clips.itertuples():
        info = soundfile.info(data_dir / clip.path)
        assert (info.samplerate, info.channels, info.duration) == (44_100, 1, clip.seconds)
    assert "| game-data | 1%3a2.0-1 | 2 | 0.03 | GPL-2+ (2) | 2010 A Coder |" in (data_dir / "licences.md").read_text()


@pytest.mark.skipif(not shutil.which("apt-cache"), reason="the corpus is of Debian packages: apt-cache is not here")
@pytest.mark.slow
def test_a_machine_that_knows_none_of_the_packages_makes_no_empty_corpus(tmp_path, run_script):
    run = run_script("free_music", f"--data_dir={tmp_path / 'music'}", "--packages=no-such-game", "--quiet")
    assert run.returncode == 1 and "error: none of 1 packages is known here: run apt-get update" in run.stderr
    assert not (tmp_path / "music" / "clips.csv").exists()


def test_a_file_has_the_licence_of_the_last_paragraph_that_matches(tmp_path):
    package = Package("game", "1", tmp_path)
    (tmp_path / "usr/share/doc/game").mkdir(parents=True)
    (tmp_path / "usr/share/doc/game/copyright").write_text(COPYRIGHT)
    licences = Licences(package)
    of_music = licences.find(PurePosixPath("usr/share/games/game/data/music/theme.ogg"))
    assert of_music == Licence("CC-BY-SA-3.0", "2011 A Composer; 2012 Another")
    assert licences.find(PurePosixPath("usr/share/game/x.ogg")).name == "GPL-2+"


@pytest.mark.parametrize("content", [None, "", "This is an old file in words.\n"])
def test_without_a_machine_readable_file_debians_promise_stands(tmp_path, content):
    if content is not None:
        (tmp_path / "usr/share/doc/game").mkdir(parents=True)
        (tmp_path / "usr/share/doc/game/copyright").write_text(content)
    found = Licences(Package("game", "1", tmp_path)).find(PurePosixPath("usr/share/x.ogg"))
    assert found == Licence(debian_packages.NOT_STATED, "")


def test_a_package_that_is_not_known_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(debian_packages.shutil, "which", lambda tool: tool)
    known_to_nobody = subprocess.CompletedProcess([], 100, stdout=b"")
    monkeypatch.setattr(debian_packages.subprocess, "run", lambda *_, **__: known_to_nobody)
    assert debian_packages.fetch("no-such-game", tmp_path) is None
    monkeypatch.setattr(debian_packages.shutil, "which", lambda tool: None)
    with pytest.raises(ValueError, match="apt-get is not there: this needs Debian"):
        debian_packages.fetch("no-such-game", tmp_path)


@pytest.mark.parametrize(("seconds", "clips"), [(20, 1), (59.9, 1), (60, 2), (89.9, 2), (90, 3), (600, 20)])
def test_clips_last_30_to_60_seconds_and_lose_nothing(seconds, clips):
    samples = np.arange(round(seconds * free_music.RATE))
    found = free_music.cut(samples)
    assert len(found) == clips
    assert all(30 <= len(clip) / free_music.RATE < 60 for clip in found) or seconds < 30
    np.testing.assert_array_equal(np.concatenate(found), samples)


def test_copies_are_told_by_their_loudness():
    first, other = (free_music.measure_loudness(music(40, seed)) for seed in (1, 2))
    noisy = free_music.measure_loudness(0.3 * music(40, 1) + 0.002 * music(40, 9))
    assert free_music.is_copy(first, noisy) and free_music.is_copy(first, noisy[:-2])
    assert not free_music.is_copy(first, other) and not free_music.is_copy(first, first[:-3])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frames", "windows"), [(100, 1), (186, 1), (187, 1), (188, 1), (373, 1), (374, 2), (1_900, 10)]
)
def test_the_teacher_hears_one_window_after_the_other(tmp_path, frames, windows):
    """`frames` are 16 ms apart, and the first is around the first sample."""
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, 256 * (frames - 1))
    soundfile.write(tmp_path / "a.flac", audio, 16_000)
    cut = musicnn_tags.cut_windows(tmp_path / "a.flac")
    assert cut.shape == (windows, 187, 96)
    samples, _ = soundfile.read(tmp_path / "a.flac", dtype="float32")
    mel = librosa.feature.melspectrogram(y=samples, sr=16_000, hop_length=256, n_fft=512, n_mels=96)
    expected = np.log10(1 + 10_000 * mel.T)[: windows * 187]
    np.testing.assert_allclose(cut.reshape(-1, 96)[: len(expected)], expected, atol=1e-5)
    assert not cut.reshape(-1, 96)[len(expected) :].any()


def test_a_clip_has_the_mean_of_its_windows():
    """With a double of musicnn, which needs an environment of its own."""

    def double(windows):
        return [windows[:, 0, :1] * np.ones(size, np.float32) for size in musicnn_tags.LAYERS.values()]

    windows = np.zeros((3, 187, 96), np.float32)
    windows[:, 0, 0] = 0.1, 0.2, 0.6
    row = musicnn_tags.describe_clip("a.flac", windows, double)
    assert row.pop("path") == "a.flac"
    assert {name: values.shape for name, values in row.items()} == {
        "tags": (50,), "penultimate": (200,), "mean_pool": (753,), "max_pool": (753,),
        "window_tags": (150,), "window_penultimate": (600,),
    }  # fmt: skip
    for name, values in row.items():
        expected = np.repeat(np.float32([0.1, 0.2, 0.6]), len(values) // 3) if "window" in name else 0.3
        np.testing.assert_allclose(values, expected, rtol=1e-6)
