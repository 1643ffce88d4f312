"""Files and folders that are whole or not there: interrupted, written at the same time, and on Windows."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from mcc_zoo import atomic
from mcc_zoo.disk import WriteError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes_are_written_as_given(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "text", "größer\r\nals\n")
    atomic.write_bytes(tmp_path / "bytes", b"\0\r\n\xff")
    assert (tmp_path / "text").read_bytes() == "größer\r\nals\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\0\r\n\xff"
    assert names(tmp_path) == ["bytes", "text"]


def test_old_content_stays_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with atomic.open_atomically(path, "w") as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
        assert len(names(tmp_path)) == 2
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file"]


def test_what_was_written_can_be_read_again_before_it_is_published(tmp_path: Path) -> None:
    with atomic.open_atomically(tmp_path / "file", "w+b") as file:
        file.write(b"body")
        file.seek(0)
        file.write(file.read() + b"!")
    assert (tmp_path / "file").read_bytes() == b"bodybody!"


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), SystemExit(1)])
def test_an_interrupted_write_leaves_the_old_file_and_no_part(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(type(error)), atomic.open_atomically(path) as file:
        file.write(b"half of the n")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(OSError, match="No space left"):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    script = (
        "import os, sys\nfrom mcc_zoo import atomic\n"
        "with atomic.open_atomically(sys.argv[1]) as file:\n"
        "    file.write(b'new')\n    file.flush()\n    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 9
    assert path.read_text() == "old"
    assert [name.endswith(atomic.PART) for name in names(tmp_path)] == [True, False]


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic.open_atomically(path) as first, atomic.open_atomically(path) as second:
        first.write(b"first")
        second.write(b"second")
        assert len(names(tmp_path)) == 2
    assert path.read_bytes() == b"first"  # closed last
    contents = [bytes([65 + i]) * 100_000 for i in range(8)]
    threads = [threading.Thread(target=atomic.write_bytes, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["file"]


def test_a_folder_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    entered = False
    with (
        pytest.raises(WriteError, match=r"none/file cannot be written \(No such file or directory\): see that"),
        atomic.open_atomically(tmp_path / "none" / "file"),
    ):
        entered = True
    assert not entered


@pytest.mark.parametrize("letter", ["a", "歌", "🎵"])
def test_the_longest_names_can_be_written(tmp_path: Path, letter: str) -> None:
    name = letter * (255 // len(letter.encode()))
    atomic.write_text(tmp_path / name, "x")
    assert names(tmp_path) == [name]


def test_a_name_that_is_too_long_is_an_error_at_once(tmp_path: Path) -> None:
    entered = False
    with pytest.raises(OSError, match="too long"), atomic.open_atomically(tmp_path / ("x" * 256)):
        entered = True
    assert not entered
    assert names(tmp_path) == []


def test_files_get_the_rights_that_the_user_gives_new_files(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    atomic.write_text(tmp_path / "file", "x")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_other_modes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mode='a'"):
        atomic.open_atomically(tmp_path / "file", "a")  # type: ignore[call-overload]
    assert names(tmp_path) == []


def test_folders_are_published_whole(tmp_path: Path) -> None:
    finished = tmp_path / "made.part"
    (finished / "inner").mkdir(parents=True)
    (finished / "inner" / "file").write_text("x")
    atomic.publish_folder(finished, tmp_path / "made")
    assert names(tmp_path) == ["made"]
    assert (tmp_path / "made" / "inner" / "file").read_text() == "x"


def test_a_folder_that_holds_something_is_not_replaced(tmp_path: Path) -> None:
    for name in ("made.part", "made"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    with pytest.raises(OSError, match="made"):
        atomic.publish_folder(tmp_path / "made.part", tmp_path / "made")
    assert {name: (tmp_path / name / "file").read_text() for name in names(tmp_path)} == {
        "made": "made", "made.part": "made.part"
    }  # fmt: skip


def test_content_and_folder_are_forced_to_the_disk_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replace, fsync = os.replace, os.fsync

    def synced(descriptor: int) -> None:
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        fsync(descriptor)

    def replaced(*paths: Any) -> None:
        done.append("replace")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    atomic.write_text(tmp_path / "file", "x")
    assert done == ["file", "replace", "folder"]


def test_windows_does_without_forcing_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int]] = []
    real = os.open

    def recording(path: str | os.PathLike[str], flags: int, *rest: Any, **more: Any) -> int:
        opened.append((Path(path).name, flags & os.O_RDWR))
        return real(path, flags, *rest, **more)

    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(atomic, "ON_WINDOWS", True)
    monkeypatch.setattr(os, "open", recording)
    atomic.sync(tmp_path)
    atomic.sync(tmp_path / "file")
    assert opened == [("file", os.O_RDWR)]


@pytest.mark.parametrize(("code", "is_refused"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_file_systems_that_cannot_force_a_folder_are_served_and_broken_disks_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, is_refused: bool
) -> None:
    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="."):
        atomic.sync(tmp_path / "file")
    if is_refused:
        with pytest.raises(OSError, match="."):
            atomic.sync(tmp_path)
    else:
        atomic.sync(tmp_path)
