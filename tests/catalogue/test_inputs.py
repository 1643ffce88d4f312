"""Inputs: files, folders, globs, addresses and lists become paths, one by one."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from mcc_zoo.audio import folders
from mcc_zoo.catalogue.inputs import Inputs, ListError, find_files, read_list
from mcc_zoo.catalogue.rows import write_path

NAMES = ["b.mp3", "a/z.wav", "a b/x.WAV", "a/b/c.flac", "a-b.ogg", "a/.hidden.wav", ".git/x.wav", "notes.txt", "ä.wav"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).touch()
    (tmp_path / "tree" / "link.wav").symlink_to("b.mp3")
    (tmp_path / "tree" / "lost.wav").symlink_to("nowhere")
    (tmp_path / "tree" / "round.wav").symlink_to("round.wav")
    (tmp_path / "tree" / "folder.wav").symlink_to("a")
    os.mkfifo(tmp_path / "tree" / "pipe.wav")
    return tmp_path / "tree"


def test_a_folder_is_walked_in_the_order_of_its_paths(tree: Path) -> None:
    expected = [tree / name for name in ("a/b/c.flac", "a/z.wav", "a b/x.WAV", "a-b.ogg", "b.mp3", "link.wav", "ä.wav")]
    assert expected == sorted(expected) != sorted(expected, key=str)  # parts are compared, not texts
    assert [path for path, _ in folders.walk(tree)] == expected == folders.find(tree)
    assert list(find_files(str(tree))) == [(str(path), "") for path in expected]


def test_a_folder_is_walked_as_far_as_it_is_asked_for(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, scanned = os.scandir, []

    def note(path: str) -> Iterator[os.DirEntry[str]]:
        scanned.append(os.path.relpath(path, tree))
        return scan(path)

    monkeypatch.setattr(os, "scandir", note)
    next(folders.walk(tree))
    assert scanned == [".", "a", "a/b"]


def test_a_glob_is_expanded_unless_such_a_file_is_there(tree: Path) -> None:
    assert [path for path, _ in find_files(f"{tree}/a*")] == [
        str(tree / name) for name in ("a/b/c.flac", "a/z.wav", "a b/x.WAV", "a-b.ogg")
    ]
    assert [path for path, _ in find_files(f"{tree}/a/**/*.flac")] == [f"{tree}/a/b/c.flac"]
    (tree / "take [1].wav").touch()
    assert list(find_files(f"{tree}/take [1].wav")) == [(f"{tree}/take [1].wav", "")]
    pattern = f"{tree}/*.mp9"
    assert list(find_files(pattern)) == [(pattern, f"{pattern!r}: no file matches; check the pattern")]


PATHS = ["a.wav", "with, comma.mp3", 'a "quote".wav', "s3://bucket/x.ogg", "größe.wav"]


def test_lists_of_each_kind_give_their_paths(tmp_path: Path) -> None:
    cells = [*PATHS[:2], None, "", *PATHS[2:]]
    pd.DataFrame({"n": range(7), "path": cells, "file": "x"}).to_csv(tmp_path / "list.csv", index=False)
    pd.DataFrame({"n": range(7), "path": cells}).to_parquet(tmp_path / "list.parquet")
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(["", *PATHS, "", ""]).encode())
    for name in ("list.csv", "list.parquet", "list.txt"):
        assert list(read_list(str(tmp_path / name))) == PATHS, name
    assert list(read_list(str(tmp_path / "list.csv"), "file")) == ["x"] * 7
    inputs = Inputs(["first.wav"], str(tmp_path / "list.txt"))
    assert list(inputs) == [("first.wav", ""), *((path, "") for path in PATHS)]
    assert inputs.count(60) == 6
    assert inputs.count(-1) is None


def test_lines_hold_names_of_any_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [b"caf\xe9.wav", "größe.wav".encode(), b" spaces .wav"]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\n".join(names))))
    inputs = Inputs(files_from="-")
    assert inputs.count(60) is None  # it can be read once
    assert [os.fsencode(path) for path, _ in inputs] == names


def test_lists_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    pd.DataFrame({"file": ["a.wav"], "n": [1]}).to_csv(tmp_path / "list.csv", index=False)
    pd.DataFrame({"file": ["a.wav"], "n": [1]}).to_parquet(tmp_path / "list.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "list.parquet").read_bytes()[:-20])
    for name, words in {
        "list.csv": "has no column 'path': give one of its columns (file, n) as --column",
        "list.parquet": "has no column 'path': give one of its columns (file, n) as --column",
        "cut.parquet": "cannot be read (",
        "missing.txt": "cannot be read (No such file or directory)",
    }.items():
        with pytest.raises(ListError) as error:
            list(read_list(str(tmp_path / name)))
        assert str(error.value).startswith(f"--files-from={tmp_path / name} ") and words in str(error.value)


def test_an_address_stays_as_it_is_in_a_table() -> None:
    for address in ("s3://music/caf%E9.wav", "file:///music/caf%E9.wav", "https://x.example/a.mp3?b=c d"):
        assert write_path(address) == address
    assert write_path("s3://music/a\nb\udce9.wav") == "s3://music/a%0Ab%E9.wav"
