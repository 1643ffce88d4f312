"""Results as rows of a table: their columns, and the text of a path."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcc_zoo.audio.addresses import is_address
from mcc_zoo.tasks import SEPARATOR
from mcc_zoo.text import UNPRINTABLE, escape_unprintable, without_path

if TYPE_CHECKING:
    from mcc_zoo.inference.result import Result
    from mcc_zoo.inference.tagger import Tagger

PROBABILITY = "probability_"  # before each label, so that a label "path" does not become a second column "path"

Row = dict[str, Any]


def write_path(path: str) -> str:
    r"""Write a path as text that any file and terminal takes and that leads back to the file.

    A path with control characters, or with bytes that are not UTF-8, becomes a URI, and so does one that looks like a
    URI. `pathlib.Path.from_uri` reads it in Python 3.13, and
    `os.fsdecode(urllib.parse.unquote_to_bytes(uri.removeprefix("file://")))` in any. An address stays as it is.

    >>> write_path("music/100%.wav"), write_path("/music/caf\udce9.wav")
    ('music/100%.wav', 'file:///music/caf%E9.wav')
    """
    if is_address(path):
        return UNPRINTABLE.sub(lambda found: urllib.parse.quote(os.fsencode(found[0])), path)
    if escape_unprintable(path) == path and not path.startswith("file:"):
        return path
    return Path(path).absolute().as_uri()


def make_row(result: Result, tagger: Tagger) -> Row:
    """Make the columns that all commands write."""
    chunks = len(result.taggram)
    return {
        "path": write_path(result.path),
        "status": result.status,
        "reason": escape_unprintable(without_path(result.reason, result.path)),
        "tag": result.tag,
        **({"tags": SEPARATOR.join(label for label, _ in result.above())} if tagger.thresholds else {}),
        "chunks": chunks,
        "seconds": round(chunks * tagger.front_end.chunk_seconds, 3),
        "windows": result.windows,
    }


def make_tag_row(result: Result, tagger: Tagger) -> Row:
    """Add the probability of each label, to the seven digits of float32; None for a refused or silent file."""
    probabilities = {label: float(f"{value:.7g}") for label, value in result.tags.items()}
    return make_row(result, tagger) | {PROBABILITY + label: probabilities.get(label) for label in tagger.labels}


def make_descriptor_row(result: Result, tagger: Tagger, with_chunks: bool) -> Row:
    """Add the track's descriptor (D,), and if asked those of its chunks; empty for a refused or silent file."""
    chunks = {"chunk_descriptors": list(result.chunk_descriptors)} if with_chunks else {}
    return make_row(result, tagger) | {"descriptor": result.descriptor} | chunks
