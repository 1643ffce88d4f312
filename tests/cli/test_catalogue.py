"""`--output` that is a folder: its columns are those of a table of one file, and what has a row is not read again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers.catalogues import assert_same_rows, read_rows
from helpers.command_rows import COLUMNS, FIXED, Run, read_csv

from mcc_zoo.catalogue import inputs, shards
from mcc_zoo.catalogue.job import hash_export
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Tagger
from mcc_zoo.locks import hold


@pytest.fixture
def read(tagger: Tagger, run: Run, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read."""
    tag_files, names = tagger.tag_files, []

    def note(paths: Any, *options: Any) -> Iterator[Result]:
        for result in tag_files(paths, *options):
            names.append(Path(result.path).name)
            yield result

    monkeypatch.setattr(tagger, "tag_files", note)
    return names


def test_a_folder_has_the_rows_of_a_file(
    run: Run, exported: Path, mixed: list[Path], expected: dict[str, Result], tmp_path: Path
) -> None:
    assert run("tag", exported, *mixed, "--output", tmp_path / "one.parquet").exit_code == 1
    one = pd.read_parquet(tmp_path / "one.parquet")
    result = run("tag", exported, *mixed, "--output", f"{tmp_path}/out/")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"wrote 7 rows into {tmp_path}/out/, 1 input had theirs already",
        "1 of 7 tracks longer than one window: averaged over windows of 16 chunks (29.7 s); "
        "--sequence=whole reads a track as one sequence",
        "3 of 7 inputs refused, see their reasons",
    ]
    table = read_rows(tmp_path / "out")
    assert list(table) == [*COLUMNS, "descriptor", "export"]
    assert table["path"].tolist() == one["path"].tolist()
    assert_same_rows(table[list(one)], one, atol=1e-6)
    assert set(table["export"]) == {hash_export(exported)}
    for descriptor, found in zip(table["descriptor"], expected.values(), strict=True):
        np.testing.assert_allclose(descriptor, found.descriptor, rtol=0, atol=1e-6)


def test_describe_writes_a_folder(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()  # a folder is one without a slash too
    for name in ("out", "one.parquet"):
        assert run("describe", exported, music, "--chunks", "--output", tmp_path / name).exit_code == 1
    table, one = read_rows(tmp_path / "out"), pd.read_parquet(tmp_path / "one.parquet")
    assert list(table) == [*FIXED, "descriptor", "chunk_descriptors", "export"]
    for name in ("path", "status", "chunks"):
        assert table[name].tolist() == one[name].tolist()
    for name in ("descriptor", "chunk_descriptors"):
        for found, expected in zip(table[name], one[name], strict=True):
            np.testing.assert_allclose(*(np.array(list(value)) for value in (found, expected)), rtol=0, atol=1e-6)


def test_a_path_with_a_row_is_not_read_again(
    run: Run, exported: Path, music: Path, tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "MOST_ROWS", 2)
    output = f"--output={tmp_path}/out/"
    assert run("tag", exported, music / "short.wav", music / "corrupt.flac", output).exit_code == 1
    assert run("tag", exported, music, output).exit_code == 1
    assert sorted(read) == sorted(path.name for path in music.rglob("*") if path.suffix not in (".txt", ""))
    assert len(read) == 6
    found, read[:] = read_rows(tmp_path / "out"), []
    assert found["path"].is_unique and len(found) == 6
    assert [pq.read_metadata(path).num_rows for path in shards.list_shards(tmp_path / "out")] == [2, 2, 2]
    result = run("tag", exported, music, output)
    assert (result.exit_code, result.stderr) == (
        1,  # as the first time
        f"wrote 0 rows into {tmp_path}/out/, 6 inputs had theirs already\n"
        "refused or silent before: 2 rows, see their reasons\n",
    )
    assert read == []


def test_lists_and_globs_are_read(
    run: Run, exported: Path, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("short.wav", "half chunk.ogg", "corrupt.flac"):
        (tmp_path / name).symlink_to(music / name)
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"song": ["short.wav", "half chunk.ogg", "short.wav"]}).to_csv("list.csv", index=False)
    result = run("tag", exported, "*.flac", "--files-from=list.csv", "--column=song", "--output=out/")
    assert result.exit_code == 1
    assert read_rows(tmp_path / "out")["path"].tolist() == ["corrupt.flac", "short.wav", "half chunk.ogg"]
    with open("list.csv", "rb") as lines:
        monkeypatch.setattr(inputs, "sys", SimpleNamespace(stdin=SimpleNamespace(buffer=lines)))
        rows = read_csv(run("tag", exported, "--files-from=-").stdout)
    assert [row["path"] for row in rows] == ["song", "short.wav", "half chunk.ogg"]


def test_what_stands_for_no_file_says_why(run: Run, exported: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("tag", exported, tmp_path / "empty", f"{tmp_path}/*.wav", "--output", f"{tmp_path}/out/")
    assert result.exit_code == 1
    rows = read_rows(tmp_path / "out")
    assert rows["path"].tolist() == [f"{tmp_path}/empty", f"{tmp_path}/*.wav"]
    assert rows["status"].tolist() == ["refused"] * 2
    assert rows["reason"][0].startswith("this folder and its subfolders hold no audio files (")
    assert rows["reason"][1] == "no file matches; check the pattern"


def test_other_exports_and_options_are_refused(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    output = f"{tmp_path}/out/"
    assert run("tag", exported, music / "short.wav", "--output", output).exit_code == 0
    before = read_rows(tmp_path / "out")
    for command in (
        ["tag", exported, "--sequence=whole"],
        ["tag", exported, "--decoder=av"],
        ["tag", "mcclstm_emotify_genre"],
        ["describe", exported],
    ):
        result = run(*command, music, "--output", output)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"error: {tmp_path}/out/part-000000.parquet holds rows of another export or ")
        assert result.stderr.endswith("): name a new folder\n")
    pd.testing.assert_frame_equal(read_rows(tmp_path / "out"), before)


def test_a_folder_that_another_process_writes_is_refused(run: Run, exported: Path, music: Path, tmp_path: Path) -> None:
    with hold(tmp_path / "out"):
        refused = run("tag", exported, music / "short.wav", f"--output={tmp_path}/out/")
    assert refused.exit_code == 2
    assert f"error: --output={tmp_path}/out is being written by process {os.getpid()}" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to read was given"),
        (["a.wav", "--output=tags"], "has the suffix ''"),
        (["a.wav", "--output=s3://music/tags/"], "is an address: give a folder of this machine"),
        (["a.wav", "--engine=ray"], "--engine=ray writes a folder: end --output=FOLDER with /"),
        (["a.wav", "--output=out/", "--address=auto"], "give --engine=ray too"),
        (["--files-from=missing.txt", "--output=out/"], "cannot be read (No such file or directory)"),
        (["--files-from=missing.txt"], "cannot be read (No such file or directory)"),
        (["--files-from=/dev/null"], "no files to read: the list names none"),
        (["a.wav", "--output=/dev/null/out/"], "error: --output=/dev/null/out/ cannot be written ("),
    ],
)
def test_what_cannot_be_carried_out_says_so(
    run: Run, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("tag", exported, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr and result.stderr.startswith("error: ")


def test_an_error_keeps_the_rows_before_it(
    run: Run, exported: Path, music: Path, tagger: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = tagger.tag(music / "short.wav")

    def fail(paths: Iterator[str], sequence: str) -> Iterator[Result]:
        yield finished
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patched:
        patched.setattr(tagger, "tag_files", fail)
        result = run("tag", exported, music, f"--output={tmp_path}/out/")
    assert isinstance(result.exception, OSError)
    assert read_rows(tmp_path / "out")["path"].tolist() == [finished.path]
    assert run("tag", exported, music, f"--output={tmp_path}/out/").exit_code == 1
    rows = read_rows(tmp_path / "out")
    assert rows["path"].is_unique and len(rows) == 6


def test_a_full_disk_is_a_sentence(
    run: Run, exported: Path, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", fail)
    result = run("tag", exported, music / "short.wav", f"--output={tmp_path}/out/")
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: {tmp_path}/out cannot be written (No space left on device): make room for it, and the same command "
        "goes on\n"
    )
    assert list((tmp_path / "out").iterdir()) == []
