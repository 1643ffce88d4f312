"""Fixtures of the tests of `mcc-zoo`."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.command_rows import Run
from typer.testing import CliRunner

from mcc_zoo.cli.main import app
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Tagger


@pytest.fixture
def run(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with the export of the fixtures, which is loaded once for all tests."""
    monkeypatch.setattr("mcc_zoo.inference.tagger.load", lambda folder, decoder: tagger)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


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
