"""`mcc-zoo describe` and `mcc-zoo taggram`: the files that they write."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.command_rows import FIXED, LABELS, Run, left_behind, reason_alone
from matplotlib.image import imread

from mcc_zoo.cli import taggram_figure
from mcc_zoo.inference.tagger import Tagger


def test_describe_parquet(run: Run, exported: Path, mixed: list[Path], expected: Any, tmp_path: Path) -> None:
    output = tmp_path / "d.parquet"
    result = run("describe", exported, *mixed, "--output", output)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == f"wrote {output}"
    assert "averaged over windows of 16 chunks (29.7 s)" in result.stderr
    table = pd.read_parquet(output)
    assert list(table) == [*FIXED, "descriptor"]
    run("describe", exported, *mixed, "--chunks", "--output", output)
    table = pd.read_parquet(output)
    assert list(table) == [*FIXED, "descriptor", "chunk_descriptors"]
    for row, found in zip(table.to_dict("records"), expected.values(), strict=True):
        assert (row["path"], row["status"], row["reason"]) == (found.path, found.status, reason_alone(found))
        if found.status == "refused":
            assert len(row["descriptor"]) == len(row["chunk_descriptors"]) == 0
            continue
        assert row["descriptor"].dtype == np.float32
        np.testing.assert_allclose(row["descriptor"], found.descriptor, rtol=0, atol=1e-6)
        np.testing.assert_allclose(np.stack(row["chunk_descriptors"]), found.chunk_descriptors, rtol=0, atol=1e-6)


def test_describe_npz(run: Run, exported: Path, mixed: list[Path], expected: Any, tmp_path: Path) -> None:
    output = tmp_path / "d.npz"
    assert run("describe", exported, *mixed, "--output", output).exit_code == 1
    assert sorted(np.load(output)) == sorted([*FIXED, "descriptor"])
    assert run("describe", exported, *mixed, "--chunks", "--output", output).exit_code == 1
    found = np.load(output)  # without pickle
    results = expected.values()
    assert found["path"].tolist() == list(expected)
    assert found["status"].tolist() == [result.status for result in results]
    assert found["reason"].tolist() == [reason_alone(result) for result in results]
    assert found["chunks"].tolist() == [len(result.taggram) for result in results]
    assert (found["descriptor"].dtype, found["descriptor"].shape) == (np.float32, (7, 200))
    chunks = np.split(found["chunk_descriptors"], np.cumsum(found["chunks"])[:-1])
    for descriptor, of_chunks, result in zip(found["descriptor"], chunks, results, strict=True):
        if result.status == "refused":
            assert np.isnan(descriptor).all()
        else:
            np.testing.assert_allclose(descriptor, result.descriptor, rtol=0, atol=1e-6)
            np.testing.assert_allclose(of_chunks, result.chunk_descriptors, rtol=0, atol=1e-6)


def test_describe_of_refused_files_alone(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    for suffix in ("npz", "parquet"):
        output = tmp_path / f"d.{suffix}"
        assert run("describe", exported, music / "corrupt.flac", "--chunks", "--output", output).exit_code == 1
    assert np.load(tmp_path / "d.npz")["status"].tolist() == ["refused"]
    assert np.load(tmp_path / "d.npz")["descriptor"].shape == (1, 0)
    assert pd.read_parquet(tmp_path / "d.parquet")["descriptor"].map(len).tolist() == [0]


def test_a_picture_shows_the_taggram(tagger: Tagger, music: Path) -> None:
    result = tagger.tag(music / "long.wav")
    figure = taggram_figure.draw(result, tagger, "a $ong$")
    axes, colour_bar = figure.axes
    of_track = [f"{label}  {100 * result.tags[label]:.0f} %" for label in LABELS]
    assert [label.get_text() for label in axes.get_yticklabels()] == of_track
    assert axes.get_title() == f"a $ong$: {result.tag}"
    assert not axes.title.get_parse_math()
    assert axes.get_xlabel() == "time (s); each column: the tags so far"
    assert colour_bar.get_ylabel() == "probability"
    (image,) = axes.get_images()
    np.testing.assert_array_equal(image.get_array(), result.taggram.T)
    assert image.get_clim() == (0, 1)
    assert image.get_cmap().name == "cividis"
    left, right, bottom, top = image.get_extent()
    assert (left, bottom, top) == (0, 2.5, -0.5)
    assert right == pytest.approx(18 * 81_920 / 44_100)
    (line,) = axes.get_lines()  # where the second window begins
    assert line.get_xdata() == pytest.approx([16 * 81_920 / 44_100] * 2)
    whole = taggram_figure.draw(tagger.tag(music / "long.wav", "whole"), tagger, "whole")
    assert len(whole.axes[0].get_lines()) == 0


def test_a_picture_of_many_labels_shows_the_strongest(
    tagger: Tagger, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taggram_figure, "MOST_LABELS", 2)
    result = tagger.tag(music / "long.wav")
    axes = taggram_figure.draw(result, tagger, "song").axes[0]
    shown = [label.get_text().split("  ")[0] for label in axes.get_yticklabels()]
    assert shown == [label for label, _ in result.top(2)]
    columns = [tagger.labels.index(label) for label in shown]
    (image,) = axes.get_images()
    np.testing.assert_array_equal(image.get_array(), result.taggram[:, columns].T)
    assert 0 <= image.get_clim()[1] - result.taggram[:, columns].max() < 0.1


def test_taggram_of_one_file(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    track = shutil.copy(music / "short.wav", tmp_path / "第一 $ong.wav")  # no font of ours has the first two
    result = run("taggram", exported, track, "--output", tmp_path / "new/picture.png")
    assert (result.exit_code, result.stderr) == (0, f"wrote {tmp_path}/new/picture.png\n")
    image = imread(tmp_path / "new/picture.png")
    assert image.shape[1] == 1_200
    assert image.std() > 0.05
    assert left_behind(tmp_path / "new") == ["picture.png"]


def test_taggrams_of_a_folder(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    shutil.copy(music / "short.wav", tmp_path / "stück.mp3")  # called like another, and no MP3
    output = tmp_path / "new" / "pictures"
    result = run("taggram", exported, music, tmp_path / "stück.mp3", "--output", output)
    assert result.exit_code == 1
    assert left_behind(output) == [
        "half chunk.ogg.png", "long.wav.png", "short.wav.png", "stück.mp3-2.png", "stück.mp3.png",
    ]  # fmt: skip
    assert all(imread(path).shape[1] == 1_200 for path in output.iterdir())
    lines = result.stderr.splitlines()
    assert [line.split(": ")[0] for line in lines[:2]] == [f"'{music}/corrupt.flac'", f"'{music}/sub/empty.mp3'"]
    assert f"wrote 5 figures into {output}" in lines
    assert lines[-1] == "2 of 7 inputs refused, see their reasons"


@pytest.mark.slow
def test_a_name_that_is_too_long_for_a_picture_is_cut(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    longest, letters = "x" * 251 + ".wav", "ü" * 125 + ".wav"
    paths = [tmp_path / name for name in (longest, f"{'x' * 250}y.wav", letters, os.fsdecode(b"\xff" * 255), "a.wav")]
    for path in paths:
        shutil.copy(music / "short.wav", path)
    output = tmp_path / "pictures"
    result = run("taggram", exported, *paths, "--output", output)
    assert (result.exit_code, result.stderr) == (0, f"wrote 5 figures into {output}\n")
    assert left_behind(output) == sorted(
        ["x" * 250 + "y.png", "x" * 251 + ".png", "ü" * 125 + "..png", os.fsdecode(b"\xff" * 251) + ".png", "a.wav.png"]
    )


def test_pictures_have_names_of_their_own() -> None:
    files = ["a.wav", "b/a.wav", "a.wav-2", "x" * 300, "b/" + "x" * 299]
    names = [path.name for path in taggram_figure.name_figures(files, Path("pictures"))]
    assert names == ["a.wav.png", "a.wav-2.png", "a.wav-2-2.png", "x" * 251 + ".png", "x" * 249 + "-2.png"]


def test_an_output_that_is_too_long_is_a_sentence(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    """Before any work; the name of the unfinished file is short."""
    for command, suffix in (("taggram", ".png"), ("taggram", ""), ("taggram", ".jpg"), ("describe", ".npz")):
        result = run(command, exported, music / "short.wav", "--output", tmp_path / ("x" * 256 + suffix))
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("error: --output=")
    assert left_behind(tmp_path) == []


def test_a_refused_file_gets_no_picture(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    result = run("taggram", exported, music / "missing.ogg", "--output", tmp_path / "picture.png")
    assert result.exit_code == 1
    assert "no such file; check the path" in result.stderr
    assert left_behind(tmp_path) == []
