"""`mcc-zoo tag`: a row for each input, on a terminal, in a pipe and in a file."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest
from helpers.av_files import encode
from helpers.command_rows import Run, assert_rows_agree, left_behind, read_csv, reason_alone

import mcc_zoo
from mcc_zoo.audio import folders
from mcc_zoo.audio.checks import AudioError
from mcc_zoo.cli import output as tables
from mcc_zoo.cli import tagging
from mcc_zoo.cli.options import Mode
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Tagger
from mcc_zoo.locks import hold


def read_by_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands take standard output for a wide terminal."""
    monkeypatch.setattr(tagging, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    monkeypatch.setenv("COLUMNS", "600")


def test_tag_prints_a_row_for_each_input(run: Run, exported: Path, mixed: list[Path], expected: Any) -> None:
    result = run("tag", exported, *mixed)
    assert result.exit_code == 1
    assert_rows_agree(read_csv(result.stdout), expected)
    assert [found.status for found in expected.values()].count("refused") == 3
    assert result.stderr.splitlines() == [
        "1 of 7 tracks longer than one window: averaged over windows of 16 chunks (29.7 s); "
        "--sequence=whole reads a track as one sequence",
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


ODD_NAMES = ["caf%E9.wav", "%5Bred%5Dx%2C%20%22y%22%0A%1B%5B2J.wav", "%FF.wav"]  # as written


@pytest.fixture
def oddly_named(music: Path, tmp_path: Path) -> list[Path]:
    """Files whose names are not UTF-8, or hold markup, quotes, line breaks and a terminal's control sequence."""
    paths = [tmp_path / os.fsdecode(name) for name in (b"caf\xe9.wav", b'[red]x, "y"\n\x1b[2J.wav')]
    for path in paths:
        shutil.copy(music / "half chunk.ogg", path)
    return [*paths, tmp_path / os.fsdecode(b"\xff.wav")]


def test_tag_writes_any_name_of_a_file(run: Run, exported: Path, oddly_named: list[Path], tmp_path: Path) -> None:
    written = [f"file://{tmp_path}/{name}" for name in ODD_NAMES]
    result = run("tag", exported, *oddly_named)
    assert result.exit_code == 1
    assert [row["path"] for row in read_csv(result.stdout)] == written
    assert [row["reason"] for row in read_csv(result.stdout)] == ["", "", "no such file; check the path"]
    for suffix in ("parquet", "json"):
        assert run("tag", exported, *oddly_named, "--output", tmp_path / f"t.{suffix}").exit_code == 1
    assert pd.read_parquet(tmp_path / "t.parquet")["path"].tolist() == written
    assert [row["path"] for row in json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))] == written


def lead_back(path: str) -> bytes:
    """A path of a table as the bytes of the file's name, as the tutorial says."""
    if path.startswith("file:"):
        return urllib.parse.unquote_to_bytes(path.removeprefix("file://"))
    return os.fsencode(path)


def test_every_path_leads_back_to_its_file(
    run: Run, exported: Path, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file:").mkdir()
    names = [b"caf\xe9.wav", b"caf\\udce9.wav", b"caf%E9.wav", b"a\nb.wav", "größe 100%.wav".encode(), b"file:/x.wav"]
    for name in names:
        shutil.copy(music / "half chunk.ogg", os.fsdecode(name))
    given = [os.fsdecode(name) for name in names]
    found = {".csv": read_csv(run("tag", exported, *given).stdout)}
    for suffix in (".csv", ".json", ".parquet"):
        assert run("tag", exported, *given, "--output", tmp_path / f"t{suffix}").exit_code == 0
    found["written .csv"] = read_csv((tmp_path / "t.csv").read_text(encoding="utf-8"))
    found[".json"] = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    found[".parquet"] = pd.read_parquet(tmp_path / "t.parquet").to_dict("records")
    for rows in found.values():
        paths = [lead_back(row["path"]) for row in rows]
        assert [os.path.relpath(path) for path in paths] == names
        assert all(os.path.isfile(path) for path in paths)
        assert rows[4]["path"] == "größe 100%.wav"


def test_a_table_is_not_spoilt_by_a_name(
    run: Run, exported: Path, oddly_named: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_by_a_person(monkeypatch)
    lines = run("tag", exported, *oddly_named).stdout.splitlines()
    shown = [line.strip().split("   ")[0] for line in lines if "/" in line]
    assert shown == [f"file://{tmp_path}/{name}" for name in ODD_NAMES]


def test_a_folder_without_audio_is_a_row(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("tag", exported, tmp_path / "empty", music / "short.wav")
    rows = read_csv(result.stdout)
    assert result.exit_code == 1
    assert [(row["path"], row["status"]) for row in rows] == [
        (f"{tmp_path}/empty", "refused"),
        (f"{music}/short.wav", "ok"),
    ]
    assert rows[0]["reason"].startswith("this folder and its subfolders hold no audio files (.aac, .ac3, .aif,")


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Forbid to list a folder, as its owner can; to root, as whom tests may run, no folder is forbidden."""
    scan, forbidden = os.scandir, set[str]()

    def scan_unless_forbidden(path: str) -> Any:
        if str(path) in forbidden:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_unless_forbidden)
    return lambda folder: forbidden.add(str(folder))


def test_a_folder_that_cannot_be_listed_is_a_row(
    run: Run, exported: Path, locked: Callable[[Path], None], tmp_path: Path
) -> None:
    locked(tmp_path)
    (row,) = read_csv(run("tag", exported, tmp_path).stdout)
    assert row["reason"] == "cannot be listed as a folder (Permission denied); give a folder that can be read"


def test_a_subfolder_that_cannot_be_listed_costs_one_row(
    run: Run, exported: Path, music: Path, locked: Callable[[Path], None], tmp_path: Path, tagger: Tagger
) -> None:
    for name in ("a.wav", "locked/hidden.wav", "z/b.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(music / "short.wav", tmp_path / name)
    locked(tmp_path / "locked")
    result = run("tag", exported, tmp_path)
    assert result.exit_code == 1
    assert [(row["path"], row["status"], row["reason"].split(";")[0]) for row in read_csv(result.stdout)] == [
        (f"{tmp_path}/a.wav", "ok", ""),
        (f"{tmp_path}/locked", "refused", "cannot be listed as a folder (Permission denied)"),
        (f"{tmp_path}/z/b.wav", "ok", ""),
    ]
    found = mcc_zoo.audio.find(os.fsencode(tmp_path))
    assert [result.status for result in tagger.tag_files(found)] == ["ok", "refused", "ok"]
    locked(tmp_path)
    with pytest.raises(AudioError, match="cannot be listed as a folder"):
        mcc_zoo.audio.find(tmp_path)


def test_a_file_that_may_not_be_looked_at_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that may be listed and not entered; reading the file then gives the reason."""

    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "a.wav").symlink_to("where.wav")
    assert folders.find(tmp_path) == []
    monkeypatch.setattr(Path, "is_file", refuse)
    assert folders.find(tmp_path) == [tmp_path / "a.wav"]


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
        "make room on its disk and try again, or name another\n"
    )
    assert left_behind(tmp_path) == []


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_file_that_another_decoder_reads(
    run: Run, exported: Path, tagger: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "a.m4a", np.random.default_rng(0).normal(scale=0.1, size=200_000), 44_100)
    monkeypatch.setattr(
        "mcc_zoo.inference.tagger.load",
        lambda folder, decoder: mcc_zoo.Tagger(folder, tagger.metadata, tagger.model, decoder),
    )
    (row,) = read_csv((refused := run("tag", exported, path, "--decoder=soundfile")).stdout)
    assert refused.exit_code == 1
    assert "is M4A, which soundfile does not read; read it with decoder=auto" in row["reason"]
    for options in ([], ["--decoder=av"]):
        (row,) = read_csv((tagged := run("tag", exported, path, *options)).stdout)
        assert tagged.exit_code == 0, tagged.stderr
        assert (row["status"], row["chunks"]) == ("ok", "2")
    for command, name in (("describe", "a.npz"), ("taggram", "a.png")):
        done = run(command, exported, path, "--decoder=av", "--output", tmp_path / name)
        assert done.exit_code == 0, done.stderr
    (tmp_path / "b.m4a").write_bytes(path.read_bytes())
    (tmp_path / "music.csv").write_text("path,label\na.m4a,x\nb.m4a,y\n")
    assert run("validate", "manifest", tmp_path / "music.csv").exit_code == 0
    assert run("validate", "manifest", tmp_path / "music.csv", "--decoder=soundfile").exit_code == 1


def test_a_decoder_that_is_not_there(run: Run, exported: Path, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(decoder: str) -> None:
        raise ValueError(f"decoder={decoder!r} needs something")

    monkeypatch.setattr("mcc_zoo.audio.decoders.find_decoder", refuse)
    for command in (["tag", exported, music], ["validate", "manifest", music]):
        done = run(*command, "--decoder=tfio")
        assert done.exit_code == 2
        assert "error: --decoder='tfio' needs something" in done.stderr
    assert run("tag", exported, music, "--decoder=ffmpeg").exit_code == 2


def test_the_option_takes_what_the_tagger_takes() -> None:
    """The command line lists the choices itself, because the tagger's module imports TensorFlow."""
    assert get_type_hints(Tagger.tag)["sequence"] == Mode


def test_an_output_that_another_command_is_writing_is_refused(
    run: Run, exported: Path, music: Path, tmp_path: Path
) -> None:
    with hold(tmp_path / "tags.csv"):
        refused = run("tag", exported, music / "short.wav", f"--output={tmp_path / 'tags.csv'}")
    assert refused.exit_code == 2
    assert f"error: --output={tmp_path / 'tags.csv'} is being written by process {os.getpid()}" in refused.stderr
    assert not (tmp_path / "tags.csv").exists()
