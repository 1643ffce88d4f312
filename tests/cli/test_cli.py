"""`mcc-zoo`: what it prints, writes and refuses, and with which exit status it ends."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.av_files import encode
from matplotlib.image import imread
from typer.testing import CliRunner

import mcc_zoo
from mcc_zoo.audio import folders
from mcc_zoo.audio.checks import AudioError
from mcc_zoo.cli import common, taggram_figure
from mcc_zoo.cli import main as commands
from mcc_zoo.cli import output as tables
from mcc_zoo.export.metadata import ExportMetadata, Majority
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Tagger
from mcc_zoo.silence import quiet

FIXED = ["path", "status", "reason", "tag", "chunks", "seconds", "windows"]
LABELS = ["path", "slow, sad", "Übermut"]
COLUMNS = [*FIXED, *(f"probability_{label}" for label in LABELS)]
COMMANDS = ("tag", "describe", "taggram", "show", "verify", "demo-page", "convert", "validate", "finetune")

Run = Callable[..., Any]


@pytest.fixture
def run(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with the export of the fixtures, which is loaded once for all tests."""
    monkeypatch.setattr(common, "load", lambda folder, decoder: tagger)
    return lambda *arguments: CliRunner().invoke(commands.app, [str(argument) for argument in arguments])


@pytest.fixture
def mixed(music: Path) -> list[Path]:
    """A folder of six files, one of them corrupt and one empty, a file of it again, and one that does not exist."""
    return [music, music / "short.wav", music / "missing.ogg"]


@pytest.fixture
def expected(tagger: Tagger, music: Path) -> dict[str, Result]:
    """What the tagger says of each of `mixed`, by path, in the order of the rows."""
    names = [
        "corrupt.flac",
        "half chunk.ogg",
        "long.wav",
        "short.wav",
        "sub/empty.mp3",
        "sub/stück.mp3",
        "missing.ogg",
    ]
    return {result.path: result for result in tagger.tag_files([music / name for name in names])}


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def reason_alone(result: Result) -> str:
    """Why a file was refused, without its name, which stands in the column path."""
    return result.reason.removeprefix(f"'{result.path}': ")


def assert_rows_agree(rows: list[dict[str, Any]], expected: dict[str, Result], rtol: float = 1e-6) -> None:
    """Each file has its one row, with the tagger's numbers."""
    assert [row["path"] for row in rows] == list(expected)
    for row, result in zip(rows, expected.values(), strict=True):
        assert list(row) == COLUMNS
        assert (row["status"], row["reason"] or "", row["tag"] or "") == (
            result.status,
            reason_alone(result),
            result.tag,
        )
        assert result.path not in (row["reason"] or "")
        assert (int(row["chunks"]), int(row["windows"])) == (len(result.taggram), result.windows)
        assert float(row["seconds"]) == pytest.approx(len(result.taggram) * 81_920 / 44_100, abs=1e-3)
        found = [row[f"probability_{label}"] for label in LABELS]
        if result.status == "ok":
            np.testing.assert_allclose(np.array(found, float), list(result.tags.values()), rtol=rtol)
        else:
            assert all(value in ("", None) or np.isnan(value) for value in found)


def read_by_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands take standard output for a wide terminal."""
    monkeypatch.setattr(commands, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    monkeypatch.setenv("COLUMNS", "600")


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- tag -------------------------------------------------------------------------------------------------------------


def test_tag_prints_a_row_for_each_input(run: Run, exported: Path, mixed: list[Path], expected: Any) -> None:
    result = run("tag", exported, *mixed)
    assert result.exit_code == 1
    assert_rows_agree(read_csv(result.stdout), expected)
    assert [found.status for found in expected.values()].count("refused") == 3
    assert result.stderr.splitlines() == [
        "1 of 7 tracks longer than those of the training: windows of 16 chunks (29.7 s) averaged; "
        "--sequence=whole reads a track in one sequence",
        "3 of 7 inputs refused, see their reasons",
    ]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet", ".CSV"])
def test_tag_writes_files(
    run: Run, exported: Path, mixed: list[Path], expected: Any, suffix: str, tmp_path: Path
) -> None:
    output = tmp_path / f"tags{suffix}"
    output.write_text("an older file")
    result = run("tag", exported, *mixed, "--output", output)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == f"wrote {output}"
    if suffix == ".parquet":
        table = pd.read_parquet(output)
        assert table.dtypes.map(lambda dtype: dtype.kind).tolist()[4:] == list("ifi") + ["f"] * 3
        rows: list[Any] = table.to_dict("records")
    elif suffix == ".json":
        rows = json.loads(output.read_text(encoding="utf-8"))
    else:
        rows = read_csv(output.read_text(encoding="utf-8"))
    assert_rows_agree(rows, expected)
    assert left_behind(tmp_path) == [output.name]


def test_tag_of_good_files_ends_with_0(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    result = run("tag", exported, music / "short.wav")
    assert (result.exit_code, result.stderr) == (0, "")
    result = run("tag", exported, music / "missing.ogg", "--output", tmp_path / "none.parquet")
    assert result.exit_code == 1
    table = pd.read_parquet(tmp_path / "none.parquet")
    assert table["reason"].tolist() == ["no such file; check the path"]


def test_tag_whole(run: Run, exported: Path, music: Path, tagger: Tagger) -> None:
    result = run("tag", exported, music / "long.wav", "--sequence=whole")
    assert (result.exit_code, result.stderr) == (0, "")
    whole = tagger.tag(music / "long.wav", "whole")
    assert_rows_agree(read_csv(result.stdout), {whole.path: whole})
    assert whole.windows == 1


def test_tag_on_a_terminal_shows_a_table(
    run: Run, exported: Path, mixed: list[Path], expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_by_a_person(monkeypatch)
    result = run("tag", exported, *mixed, "--top", "2")
    assert result.exit_code == 1
    lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    assert lines[0].split() == ["file", "read", "tags"]
    for line, found in zip(lines[2:], expected.values(), strict=True):
        path, rest = line.split("  ", 1)
        assert path == found.path
        if found.status == "refused":
            assert rest.strip() == f"refused: {reason_alone(found)}"
            continue
        length, tags = rest.strip().split("   ")
        assert length == f"{len(found.taggram) * 81_920 / 44_100:.0f} s"
        best = sorted(found.tags.items(), key=lambda item: -item[1])[:2]
        assert tags == ", ".join(f"{label} {value:.0%}" for label, value in best)


@pytest.fixture
def oddly_named(music: Path, tmp_path: Path) -> list[Path]:
    """Files whose names are not UTF-8, or hold markup, quotes, line breaks and a terminal's control sequence."""
    paths = [tmp_path / os.fsdecode(name) for name in (b"caf\xe9.wav", b'[red]x, "y"\n\x1b[2J.wav')]
    for path in paths:
        shutil.copy(music / "half chunk.ogg", path)
    return [*paths, tmp_path / os.fsdecode(b"\xff.wav")]


def test_tag_writes_any_name_of_a_file(run: Run, exported: Path, oddly_named: list[Path], tmp_path: Path) -> None:
    names = ["caf\\udce9.wav", '[red]x, "y"\\n\\x1b[2J.wav', "\\udcff.wav"]
    written = [f"{tmp_path}/{name}" for name in names]
    result = run("tag", exported, *oddly_named)
    assert result.exit_code == 1
    assert [row["path"] for row in read_csv(result.stdout)] == written
    assert [row["reason"] for row in read_csv(result.stdout)] == ["", "", "no such file; check the path"]
    for suffix in ("parquet", "json"):
        assert run("tag", exported, *oddly_named, "--output", tmp_path / f"t.{suffix}").exit_code == 1
    assert pd.read_parquet(tmp_path / "t.parquet")["path"].tolist() == written
    assert [row["path"] for row in json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))] == written


def test_a_table_is_not_spoilt_by_a_name(
    run: Run, exported: Path, oddly_named: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_by_a_person(monkeypatch)
    lines = run("tag", exported, *oddly_named).stdout.splitlines()
    shown = [line.strip().split("   ")[0] for line in lines if "/" in line]
    assert shown == [f"{tmp_path}/caf\\udce9.wav", f'{tmp_path}/[red]x, "y"\\n\\x1b[2J.wav', f"{tmp_path}/\\udcff.wav"]


def test_a_folder_without_audio_is_a_row(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("tag", exported, tmp_path / "empty", music / "short.wav")
    rows = read_csv(result.stdout)
    assert result.exit_code == 1
    assert [(row["path"], row["status"]) for row in rows] == [
        (f"{tmp_path}/empty", "refused"),
        (f"{music}/short.wav", "ok"),
    ]
    assert rows[0]["reason"].startswith("this folder and its subfolders hold no audio files (.aif,")


def test_a_folder_that_cannot_be_listed_is_a_row(run: Run, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: str) -> list[Path]:
        raise AudioError(f"{folder!r}: cannot be listed as a folder")

    monkeypatch.setattr(folders, "find", refuse)
    result = run("tag", exported, "/")
    assert [row["reason"] for row in read_csv(result.stdout)] == ["cannot be listed as a folder"]


def test_ctrl_c_leaves_nothing_half_written(
    run: Run, exported: Path, music: Path, tagger: Tagger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    finished = tagger.tag(music / "short.wav")

    def interrupted(paths: list[str], sequence: str) -> Iterator[Result]:
        yield finished
        raise KeyboardInterrupt

    monkeypatch.setattr(tagger, "tag_files", interrupted)
    output = tmp_path / "tags.csv"
    output.write_text("an older file")
    result = run("tag", exported, music, "--output", output)
    assert (result.exit_code, result.stderr) == (130, "")
    assert output.read_text() == "an older file"
    assert left_behind(tmp_path) == ["tags.csv"]

    result = run("tag", exported, music)
    assert (result.exit_code, result.stderr) == (130, "")
    assert_rows_agree(read_csv(result.stdout), {finished.path: finished})

    result = run("taggram", exported, music, "--output", tmp_path / "pictures")
    assert (result.exit_code, result.stderr) == (130, "")
    assert left_behind(tmp_path / "pictures") == ["corrupt.flac.png"]  # named after the first input of the folder


def test_a_full_disk_is_a_sentence(
    run: Run, exported: Path, music: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def writer_on_a_full_disk(rows: Any, file: Any) -> None:
        file.write(b"the beginning")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(tables.TABLES, ".csv", writer_on_a_full_disk)
    result = run("tag", exported, music / "short.wav", "--output", tmp_path / "tags.csv")
    assert result.exit_code == 2
    assert (
        result.stderr == f"error: --output={tmp_path}/tags.csv cannot be written (No space left on device): "
        "name another, or make room for it\n"
    )
    assert left_behind(tmp_path) == []


# --- describe --------------------------------------------------------------------------------------------------------


def test_describe_parquet(run: Run, exported: Path, mixed: list[Path], expected: Any, tmp_path: Path) -> None:
    output = tmp_path / "d.parquet"
    result = run("describe", exported, *mixed, "--output", output)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == f"wrote {output}"
    assert "windows of 16 chunks (29.7 s) averaged" in result.stderr
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


# --- taggram ---------------------------------------------------------------------------------------------------------


def test_a_picture_shows_the_taggram(tagger: Tagger, music: Path) -> None:
    result = tagger.tag(music / "long.wav")
    figure = taggram_figure.picture(result, tagger, "a $ong$")
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
    whole = taggram_figure.picture(tagger.tag(music / "long.wav", "whole"), tagger, "whole")
    assert len(whole.axes[0].get_lines()) == 0


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
    assert f"wrote 5 pictures into {output}" in lines
    assert lines[-1] == "2 of 7 inputs refused, see their reasons"


def test_a_refused_file_gets_no_picture(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    result = run("taggram", exported, music / "missing.ogg", "--output", tmp_path / "picture.png")
    assert result.exit_code == 1
    assert "no such file; check the path" in result.stderr
    assert left_behind(tmp_path) == []


# --- show ------------------------------------------------------------------------------------------------------------


def test_show(run: Run, exported: Path, tmp_path: Path) -> None:
    result = run("show", exported.parent)
    score = "accuracy 71.2 ± 2.0 %, where guessing one of 3 labels gives 33.3 %"
    assert (result.exit_code, result.stderr) == (0, f"{exported}: {score}\n")
    assert result.stdout == (exported / "MODEL_CARD.md").read_text(encoding="utf-8")
    result = run("show", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(
        f"error: {tmp_path} is no export: neither it nor a numbered folder in it holds mcc_zoo.json"
    )
    (tmp_path / "mcc_zoo.json").touch()
    result = run("show", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such file or directory" in result.stderr
    assert f"{tmp_path}/MODEL_CARD.md" in result.stderr
    (tmp_path / "MODEL_CARD.md").write_text("a card")
    result = run("show", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{tmp_path}/mcc_zoo.json cannot be read (JSONDecodeError(" in result.stderr
    written = ExportMetadata.read(exported)
    replace(written, labels=("a", "b"), majority=Majority("b", 62.5), scores=None).write(tmp_path)
    result = run("show", tmp_path)
    assert (result.exit_code, result.stdout) == (0, "a card")
    assert result.stderr == (
        f"{tmp_path}: accuracy not measured, where guessing one of 2 labels gives 50.0 %, and always saying b 62.5 %\n"
    )


# --- validate --------------------------------------------------------------------------------------------------------


def test_validate_a_manifest(run: Run, music: Path, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(f"path,label\n{music}/short.wav,a\n{music}/half chunk.ogg,b\n")
    result = run("validate", "manifest", table)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"{table}: 2 tracks, 2 of them decode to the end",
        "  a: 1 track",
        "  b: 1 track",
        "no track has a group: a column group (artist, album) keeps tracks of one together in a split",
    ]
    broken = music / "corrupt.flac"
    table.write_text(f"path,label\n{music}/short.wav,a\n{broken},b\n{music}/missing.wav,b\n")
    result = run("validate", "manifest", table)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == f"{table}: 2 tracks, 1 of them decode to the end"
    assert lines[4:6] == ["missing (1):", f"  {music}/missing.wav"]
    assert "corrupt.flac" in lines[7]


def test_validate_a_dataset(run: Run, tmp_path: Path) -> None:
    wave = np.zeros(400, np.float32)
    wave[399] = np.nan  # which only decoding shows
    (tmp_path / "genres/pop").mkdir(parents=True)
    soundfile.write(tmp_path / "genres/pop/pop.00000.wav", wave, 22_050, subtype="FLOAT")
    result = run("validate", "gtzan", tmp_path)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == "GTZAN: 1 of 1000 tracks, 0 of them decode to the end"
    assert "  country: 0 tracks, a whole copy has 100" in result.stdout.splitlines()
    result = run("validate", "gtzan", tmp_path, "--headers-only")
    assert result.exit_code == 1
    assert "1 of them have a readable header (nothing was decoded)" in result.stdout.splitlines()[0]


def test_validate_refusals(run: Run, tmp_path: Path) -> None:
    result = run("validate", "million", tmp_path)
    assert result.exit_code == 2
    assert result.stderr == (
        "error: DATASET='million' is not known: choose one of gtzan, ballroom, soundtracks, emotify, manifest\n"
    )
    result = run("validate", "gtzan", tmp_path / "nowhere")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert str(tmp_path / "nowhere") in result.stderr


# --- What cannot be done, and help -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tag", "--output", "{}/tags.txt"], "--output={}/tags.txt has the suffix '.txt': choose one of .csv, .json,"),
        (["tag", "--output", "{}/tags"], "--output={}/tags has the suffix '': choose one of .csv, .json, .parquet"),
        (["tag", "--output", "{}/file/tags.csv"], "--output={}/file/tags.csv cannot be written (File exists): name"),
        (["describe", "--output", "{}/d.csv"], "--output={}/d.csv has the suffix '.csv': choose one of .parquet, .npz"),
        (["describe", "--output", "{}/file/d.npz"], "--output={}/file/d.npz cannot be written (File exists): name"),
        (["taggram", "--output", "{}/a.jpg"], "--output={}/a.jpg has the suffix '.jpg': name a .png file, or a folder"),
        (["taggram", "--output", "{}/a.png"], "--output={}/a.png holds the picture of one input and 6 were given: nam"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    arguments: list[str],
    message: str,
    run: Run,
    exported: Path,
    music: Path,
    tagger: Tagger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def too_early(paths: list[str], sequence: str) -> Iterator[Result]:
        raise AssertionError("files were read although nothing could be written")

    monkeypatch.setattr(tagger, "tag_files", too_early)
    (tmp_path / "file").touch()
    command, *options = (part.format(tmp_path) for part in arguments)
    result = run(command, exported, music, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {message.format(tmp_path)}")
    assert left_behind(tmp_path) == ["file"]


@pytest.mark.parametrize("command", [["tag"], ["describe", "--output", "d.npz"], ["taggram", "--output", "t.png"]])
def test_what_is_no_export_is_refused(
    command: list[str], music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(commands.app, [command[0], "nowhere", str(music / "short.wav"), *command[1:]])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: nowhere is no export: neither it nor a numbered folder in it holds")
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["tag", "{}", "song.wav"],
        ["describe", "{}", "song.wav", "--output", "d.npz"],
        ["taggram", "{}", "song.wav", "--output", "t.png"],
        ["show", "{}"],
        ["verify", "{}"],
        ["demo-page", "{}"],
        ["convert", "{}", "a.onnx"],
        ["finetune", "{}", "music.csv"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_misspelt_export_is_answered_with_those_that_there_are(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("jazz_genre", "rock_genre"):
        (tmp_path / "models" / name / "1").mkdir(parents=True)
        (tmp_path / "models" / name / "1/mcc_zoo.json").touch()
    result = CliRunner().invoke(commands.app, [part.format("models/rock_gnre") for part in arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == (
        "error: models/rock_gnre is no export: neither it nor a numbered folder in it holds mcc_zoo.json; choose "
        "models/rock_genre or models/jazz_genre"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["tag", "x", "y", "--sequence=all"],
        ["tag", "x", "y", "--top=0"],
        ["tag", "x"],
        ["describe", "x", "y"],
        ["tag", "x", "y", "--output=folder.csv"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    result = CliRunner().invoke(commands.app, arguments)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_example(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for option in ("--help", "-h"):
        result = CliRunner().invoke(commands.app, [command, option])
        assert result.exit_code == 0
        assert re.search(rf"Example: +mcc-zoo {command} ", result.stdout)
    assert command in CliRunner().invoke(commands.app, ["--help"]).stdout


def test_version() -> None:
    result = CliRunner().invoke(commands.app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"mcc-zoo {mcc_zoo.__version__}\n")


# --- TensorFlow's words ----------------------------------------------------------------------------------------------


def test_programs_start_without_a_word_of_tensorflow() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment["PYTHONPATH"] = str(Path(mcc_zoo.__file__).parents[1])
    for arguments, words in {
        (Path(sys.executable).with_name("mcc-zoo"), "--version"): f"mcc-zoo {mcc_zoo.__version__}\n",
        (sys.executable, "-m", "experiments.manifest", "--help"): "--manifest: CSV file",
    }.items():
        result = subprocess.run(arguments, env=environment, capture_output=True, text=True)
        assert result.stderr == ""
        assert words in result.stdout


@pytest.mark.parametrize(
    ("level", "fails", "heard"),
    [("2", False, ""), ("2", True, "failed call to cuInit\n"), ("0", False, "failed call to cuInit\n")],
)
def test_quiet_drops_words_unless_the_work_fails(
    level: str, fails: bool, heard: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    with contextlib.suppress(ZeroDivisionError), quiet():
        os.write(2, b"failed call to cuInit\n")
        if fails:
            raise ZeroDivisionError
    os.write(2, b"later\n")
    assert capfd.readouterr().err == f"{heard}later\n"


# --- The command itself ----------------------------------------------------------------------------------------------


def test_the_command_pipes_csv_and_shows_progress_on_a_terminal(
    exported: Path, mixed: list[Path], expected: Any
) -> None:
    """Standard error is a terminal here, standard output a pipe: the rows must not stray to where the bar is."""
    terminal, its_end = os.openpty()
    command: list[str | Path] = [Path(sys.executable).with_name("mcc-zoo"), "tag", exported, *mixed]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=its_end, env=os.environ | {"TERM": "xterm"})
    os.close(its_end)
    shown = b"".join(iter(lambda: read_terminal(terminal), b""))
    os.close(terminal)
    assert process.stdout is not None
    # A process of its own has other threads, and so another order of sums.
    assert_rows_agree(read_csv(process.stdout.read().decode()), expected, rtol=1e-5)
    process.stdout.close()
    assert process.wait() == 1
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"tagging .*7/7 .* left ", text)
    assert "3 of 7 inputs refused" in text
    assert "cuInit" not in text


def read_terminal(descriptor: int) -> bytes:
    """Read what was written to a terminal; b"" when the other end is closed, which Linux reports as an error."""
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""


def test_a_file_that_another_decoder_reads(
    run: Run, exported: Path, tagger: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "a.m4a", np.random.default_rng(0).normal(scale=0.1, size=200_000), 44_100)
    (row,) = read_csv((refused := run("tag", exported, path)).stdout)
    assert refused.exit_code == 1
    assert "is M4A, which soundfile does not read; read it with --decoder=av (pip install .[av])" in row["reason"]
    monkeypatch.setattr(
        common, "load", lambda folder, decoder: mcc_zoo.Tagger(folder, tagger.metadata, tagger.model, decoder)
    )
    (row,) = read_csv((tagged := run("tag", exported, path, "--decoder=av")).stdout)
    assert tagged.exit_code == 0, tagged.stderr
    assert (row["status"], row["chunks"]) == ("ok", "2")
    for command, name in (("describe", "a.npz"), ("taggram", "a.png")):
        done = run(command, exported, path, "--decoder=av", "--output", tmp_path / name)
        assert done.exit_code == 0, done.stderr
    (tmp_path / "b.m4a").write_bytes(path.read_bytes())
    (tmp_path / "music.csv").write_text("path,label\na.m4a,x\nb.m4a,y\n")
    assert run("validate", "manifest", tmp_path / "music.csv", "--decoder=av").exit_code == 0
    assert run("validate", "manifest", tmp_path / "music.csv").exit_code == 1


def test_a_decoder_that_is_not_there(run: Run, exported: Path, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(decoder: str) -> None:
        raise ValueError(f"decoder={decoder!r} needs something")

    monkeypatch.setattr(common, "check", refuse)
    for command in (["tag", exported, music], ["validate", "manifest", music]):
        done = run(*command, "--decoder=tfio")
        assert done.exit_code == 2
        assert "error: --decoder='tfio' needs something" in done.stderr
    assert run("tag", exported, music, "--decoder=ffmpeg").exit_code == 2
