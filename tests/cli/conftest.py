"""Fixtures of the tests of `mcc-zoo`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.command_rows import Run
from typer.testing import CliRunner

from mcc_zoo.cli.main import app
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Tagger


@pytest.fixture
def one_by_one(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tagger read each file alone.

    Otherwise it batches the files that are decoded by then, and sums in another order differ by some 1e-6.
    """
    tag_files = tagger.tag_files

    def tag_each(paths: Iterable[Any], *options: Any, **more: Any) -> Iterator[Result]:
        return (result for path in paths for result in tag_files([path], *options, **more))

    monkeypatch.setattr(tagger, "tag_files", tag_each)


@pytest.fixture
def run(tagger: Tagger, one_by_one: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with the export of the fixtures, which is loaded once for all tests."""
    monkeypatch.setattr("mcc_zoo.inference.tagger.load", lambda folder, decoder: tagger)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def mixed(music: Path) -> list[Path]:
    """A folder of six files, one of them corrupt and one empty, a file of it again, and one that does not exist."""
    return [music, music / "short.wav", music / "missing.ogg"]


@pytest.fixture
def expected(tagger: Tagger, one_by_one: None, music: Path) -> dict[str, Result]:
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
