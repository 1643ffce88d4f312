"""Every writer on a full disk: one sentence with path, reason and remedy, status 2, nothing half-written.

Each writer is run with ever more room until it is done. The disk is a limit on the size of files, and in
`test_the_same_on_a_file_system_that_is_full` a real one.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from absl.testing import flagsaver
from helpers.full_disk_writers import SLOW, WRITERS, Bench
from helpers.full_disks import FOLDER, Disk, open_disk
from helpers.soak import IS_SOAK, Tally

import mcc_zoo
from experiments import common
from mcc_zoo import atomic
from mcc_zoo.disk import WriteError, explain, explained
from mcc_zoo.features.front_end import FrontEnd

pytest_plugins = ["helpers.run_scripts"]

ROOT = Path(mcc_zoo.__file__).parents[1]
OLD = "an older file"
TINY = FrontEnd(sample_rate=8_000, window_length=256, hop_length=128)

ROWS = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in WRITERS]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with open_disk(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def tiny_model() -> Any:
    return mcc_zoo.build("r0", ["a", "b"], front_end=TINY)


@pytest.fixture(scope="module")
def tiny_export(tiny_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mcc_zoo.export_model(tiny_model, tmp_path_factory.mktemp("exports"), "tiny")


def list_files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def list_unfinished(folder: Path, is_kept: str) -> list[str]:
    """List what has a temporary name, files and folders."""
    names = {path.name for path in folder.rglob("*")}
    unfinished = r"\..*|.*\.part|.*\.partial|.*\.lock|channels-.*|mcc_zoo-.*|tmp.*"
    return sorted(name for name in names if re.fullmatch(unfinished, name) and not re.fullmatch(is_kept, name))


@pytest.mark.soak
@pytest.mark.parametrize("name", ROWS)
def test_a_full_disk_is_a_sentence_and_the_same_command_goes_on(
    name: str,
    disk: Disk,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tally: Tally,
) -> None:
    writer, bench = WRITERS[name], Bench(request.getfixturevalue, monkeypatch, capsys)
    if not (rooms := writer.pages if disk.is_mounted else writer.limits):
        pytest.skip("its tools end at a limit on the size of files: it is run on a file system that is full")
    if name == "free music" and not shutil.which("dpkg-deb"):
        pytest.skip("the corpus is made of Debian packages: dpkg-deb is not here")
    for fixture in ("exported", "music", "tagger", "tones"):
        bench.get(fixture)  # made while there is room
    if "convert" in name:
        bench.get("tiny_export")
    output = disk.folder / writer.output
    if output.suffix:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(OLD)
    run, finished = writer.prepare(bench, output), list_files(disk.folder)
    for room in rooms:
        with disk.leave(room):
            status, said = run()
        *_, sentence = said.splitlines() or [""]
        assert status == 2, (room, said)
        assert "Traceback" not in said
        reason, remedy = r"\((No space left on device|File too large)\)", "(make room on its disk|allow larger files)"
        assert re.match(rf"error: (\S+ .*|--\w+=){disk.folder}\S* cannot be written {reason}: {remedy}", sentence), (
            room,
            said,
        )
        assert list_unfinished(disk.folder, writer.is_kept) == [], (room, said)
        if output.suffix:
            assert output.read_text() == OLD
            assert list_files(disk.folder) == {writer.output}
        assert finished <= list_files(disk.folder)  # what was whole before is kept
        finished = list_files(disk.folder) - {
            path for path in list_files(disk.folder) if re.search(writer.is_kept, path)
        }
    status, said = run()
    assert status in (0, 1), said  # 1: a track was set aside
    assert list_unfinished(disk.folder, "never") == []
    assert not output.suffix or (output.read_bytes() != OLD.encode() and output.stat().st_size)
    tally.add("a disk that is full in the middle of writing", one_sentence_and_the_same_command_goes_on=len(rooms))


def can_mount() -> bool:
    """Whether this user may mount a file system where nobody else sees it."""
    probe = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.skipif(FOLDER in os.environ, reason="this is the run on a file system that is full")
def test_the_same_on_a_file_system_that_is_full(tmp_path: Path) -> None:
    """Rows above, in a process that mounts a small file system for itself: all of them in `make soak`."""
    if not can_mount():
        pytest.skip("unshare cannot mount a file system here: it needs Linux and user namespaces")
    disk = tmp_path / "small"
    disk.mkdir()
    names = [name for name, writer in WRITERS.items() if IS_SOAK or name not in SLOW or not writer.limits]
    test = f"{__file__}::{test_a_full_disk_is_a_sentence_and_the_same_command_goes_on.__name__}"
    tests = [f"{test}[{name}]" for name in names]
    mount = f'mount -t tmpfs -o size=64m tmpfs "$0" && {FOLDER}="$0" exec "$@"'
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "--no-cov", "-rA", *tests]
    run = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(disk), *pytest_command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-10_000:] + run.stderr[-2_000:]
    left_out = set() if shutil.which("dpkg-deb") else {"free music"}
    assert set(re.findall(r"^PASSED .*\[(.+)\]$", run.stdout, re.MULTILINE)) == set(names) - left_out


COMMAND = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from mcc_zoo.cli import main
main()
"""


@pytest.mark.slow
def test_where_no_folder_for_temporary_files_has_room_tags_can_still_be_printed(
    exported: Path, music: Path, tmp_path: Path
) -> None:
    """TensorFlow asks for such a folder when it is imported; the process may write no file at all."""
    arguments = ["tag", exported, music / "short.wav"]
    start = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(start, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.count("\n")) == (0, 2), run.stderr
    start += ["--output", str(tmp_path / "tags.csv")]
    run = subprocess.run(start, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    sentence = run.stderr.splitlines()[-1]
    assert sentence.startswith(f"error: --output={tmp_path}/tags.csv cannot be written (File too large)"), run.stderr
    assert list(tmp_path.iterdir()) == []


FULL = os.strerror(28)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, FULL),
        OSError(28, f"Can't synchronously write data (file write failed: filename = 'x', error message = '{FULL}')"),
        RuntimeError(f"Can't decrement id ref count (file write failed: errno = 28, error message = '{FULL}')"),
        shutil.Error([("a", "b", f"[Errno 28] {FULL}: 'a' -> 'b'")]),
        tf.errors.ResourceExhaustedError(None, None, f"{{{{function_node SaveV2}}}} /x/part-0; {FULL} [Op:SaveV2]"),
        ValueError(f"dpkg-deb -x game.deb: cannot copy extracted data: {FULL}"),
    ],
)
def test_what_libraries_say_of_a_full_disk_is_one_error(error: Exception) -> None:
    with pytest.raises(WriteError) as refusal, explained("/music/x", "the export", "name another folder"):
        raise error
    assert str(refusal.value) == (
        f"the export /music/x cannot be written ({FULL}): make room on its disk and try again, or name another folder"
    )
    assert refusal.value.errno == 28 and refusal.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file or directory", "/music/a.wav"),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[9,9]"),
        ValueError("seconds=0: give more"),
    ],
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, explained("/music/x"):
        raise error
    assert raised.value is error


def test_an_error_about_writing_keeps_its_path_and_takes_what_it_lacks(tmp_path: Path) -> None:
    with (
        pytest.raises(WriteError) as refusal,
        explained(tmp_path, "results", "go"),
        explained(tmp_path / "x/y", any_fault=True),
    ):
        (tmp_path / "x/y").write_text("")
    assert str(refusal.value) == (
        f"results {tmp_path}/x/y cannot be written (No such file or directory): "
        "see that a file can be written there, or go"
    )
    again = pickle.loads(pickle.dumps(refusal.value))  # as it comes from another process
    assert (type(again), str(again)) == (WriteError, str(refusal.value))
    error = mcc_zoo.ExportError(str(refusal.value))
    error.__cause__ = refusal.value
    assert explain(error) is refusal.value


def test_a_path_that_lies_elsewhere_is_named_itself() -> None:
    with (
        pytest.raises(WriteError, match=r"^the export /tmp/of/another/disk cannot be written \(No space"),
        explained("/exports/a", "the export"),
    ):
        raise OSError(28, FULL, "/tmp/of/another/disk")


@pytest.mark.parametrize("named", [b"/exports/a/\xff", 3, None])
def test_whatever_an_error_names_it_is_explained(named: object) -> None:
    error = OSError(28, FULL)
    error.filename = named
    assert str(explain(error, "/exports/a")).startswith("/exports/a cannot be written (")
    path = "/exports/a/\udcff" if isinstance(named, bytes) else "a file"
    assert str(explain(error)).startswith(f"{path} cannot be written (")


def test_what_goes_wrong_in_the_block_of_a_file_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised, atomic.open_atomically(tmp_path / "file"):
        (tmp_path / "music.wav").read_bytes()
    assert not isinstance(raised.value, WriteError)


def test_experiments_say_that_standard_output_is_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        print("a table")

    assert Path("/dev/full").exists()
    monkeypatch.setattr(sys, "argv", ["a script"])
    with flagsaver.flagsaver(), Path("/dev/full").open("w") as full, pytest.raises(SystemExit) as end:
        monkeypatch.setattr(sys, "stdout", full)
        common.start(work)
    monkeypatch.undo()
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: standard output cannot be written ({FULL}): make room on its disk\n"
