"""Audio at addresses: fsspec's file systems in memory and in a ZIP file, and file URIs, which need no fsspec."""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.catalogues import fail_or_skip

from mcc_zoo.audio import addresses
from mcc_zoo.audio.addresses import as_local_file
from mcc_zoo.audio.checks import AudioError
from mcc_zoo.catalogue.inputs import find_files, read_list
from mcc_zoo.extras import MissingExtraError
from mcc_zoo.inference.tagger import Tagger


@pytest.fixture
def memory(music: Path) -> Iterator[Any]:
    """A file system in memory that holds music."""
    try:
        import fsspec
    except ImportError:
        fail_or_skip("MCC_ZOO_REQUIRE_CLUSTER", "fsspec (extra [remote]) is not installed")
    system = fsspec.filesystem("memory")
    for path in music.rglob("*"):
        if path.is_file():
            system.pipe_file(f"/music/{path.relative_to(music)}", path.read_bytes())
    yield system
    system.rm("/music", recursive=True)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, in which nothing is to be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_file_at_an_address_has_the_tags_of_the_file(
    memory: Any, music: Path, tagger: Tagger, temporary: Path
) -> None:
    for name in ("short.wav", "sub/stück.mp3"):
        far, near = tagger.tag(f"memory://music/{name}"), tagger.tag(music / name)
        assert far.path == f"memory://music/{name}"
        np.testing.assert_allclose(list(far.tags.values()), list(near.tags.values()), rtol=1e-6)
    refused = list(tagger.tag_files(["memory://music/corrupt.flac", "memory://music/missing.ogg", "nosuch://a/b.wav"]))
    assert [result.status for result in refused] == ["refused"] * 3
    reasons = [result.reason.removeprefix(f"'{result.path}': ") for result in refused]
    assert "so it is damaged or not the FLAC file that its name says" in reasons[0]
    assert reasons[1] == "no such file; check the address"
    assert reasons[2].startswith("cannot be fetched (Protocol not known: nosuch")
    with as_local_file("memory://music/short.wav") as copy:
        assert Path(copy).parent in temporary.glob("mcc_zoo-*")
    assert not list(temporary.glob("mcc_zoo-*"))


def test_folders_and_globs_at_an_address(memory: Any) -> None:
    memory.pipe_file("/music/.hidden/a.wav", b"")
    names = ["corrupt.flac", "half chunk.ogg", "long.wav", "short.wav", "sub/empty.mp3", "sub/stück.mp3"]
    assert list(find_files("memory://music")) == [(f"memory:///music/{name}", "") for name in names]
    assert list(find_files("memory://music/*.wav")) == [
        (f"memory:///music/{name}", "") for name in ("long.wav", "short.wav")
    ]
    assert list(find_files("memory://music/short.wav")) == [("memory://music/short.wav", "")]
    ((path, reason),) = find_files("memory://music/*.mp9")
    assert (path, reason) == ("memory://music/*.mp9", f"{path!r}: no audio files are there; check the address")


def test_a_list_at_an_address(memory: Any) -> None:
    memory.pipe_file("/music/list.txt", b"a.wav\nmemory://music/short.wav\n")
    assert list(read_list("memory://music/list.txt")) == ["a.wav", "memory://music/short.wav"]


def test_a_file_in_an_archive(memory: Any, music: Path, tagger: Tagger, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "music.zip", "w") as archive:
        archive.write(music / "short.wav", "a/short.wav")
    (found,) = find_files(f"zip://**/*.wav::file://{tmp_path}/music.zip")
    assert found == (f"zip://a/short.wav::file://{tmp_path}/music.zip", "")
    assert tagger.tag(found[0]).tags == pytest.approx(tagger.tag(music / "short.wav").tags, rel=1e-6)


def test_a_connection_that_fails_is_tried_again(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_PAUSES", (0.0, 0.0))
    content, opened = memory.cat_file("/music/short.wav"), []
    open_file = memory._open

    def fail_twice(path: str, *arguments: Any, **options: Any) -> Any:
        opened.append(path)
        if len(opened) % 4:
            raise ConnectionResetError(104, "Connection reset by peer")
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(type(memory), "_open", lambda self, *arguments, **options: fail_twice(*arguments, **options))
    with (
        pytest.raises(AudioError, match=r"cannot be fetched \(.*Connection reset by peer\); check"),
        as_local_file("memory://music/short.wav"),
    ):
        pass
    assert len(opened) == 3
    with as_local_file("memory://music/short.wav") as copy:
        assert Path(copy).read_bytes() == content and Path(copy).suffix == ".wav"


def test_a_file_uri_needs_no_fsspec(
    music: Path, tagger: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)  # an import of it fails
    odd = tmp_path / os.fsdecode(b"caf\xe9 100%.wav")
    odd.symlink_to(music / "short.wav")
    result = tagger.tag(odd.as_uri())
    assert "%E9%20100%25" in result.path
    assert result.tags == pytest.approx(tagger.tag(odd).tags, rel=1e-6)
    with pytest.raises(MissingExtraError, match=r"pip install 'mcc_zoo\[remote\]'"):
        tagger.tag("s3://music/song.mp3")


def test_a_package_that_fsspec_lacks_ends_the_job(memory: Any, tagger: Tagger) -> None:
    import fsspec

    fsspec.register_implementation("lacking", "no_such_module.System", errtxt="Install no_such_module")
    with pytest.raises(MissingExtraError, match=r"lacking://a.wav cannot be read \(Install no_such_module\)"):
        list(tagger.tag_files(["lacking://a.wav"]))
    with pytest.raises(MissingExtraError):
        list(find_files("lacking://folder/*"))
