"""How counts and reasons are said, in messages, tables and pages alike."""

from __future__ import annotations

import re
from typing import Any

UNPRINTABLE = re.compile(r"[\0-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and bytes that are not UTF-8


def choose(name: str, choices: dict[str, Any], argument: str) -> Any:
    """Look a name up, or say which there are."""
    if name not in choices:
        raise ValueError(f"{argument}={name!r} is not known: choose one of {', '.join(choices)}")
    return choices[name]


def counted(number: int, thing: str) -> str:
    """Count things in words.

    >>> counted(1, "fold"), counted(1_000, "track")
    ('1 fold', '1,000 tracks')
    """
    return f"{number:,} {thing}{'s' * (number != 1)}"


def escape_unprintable(text: str) -> str:
    r"""Write control characters, and bytes that are not UTF-8, as escapes, so that text does nothing to a terminal.

    >>> print(escape_unprintable("ça\udce7\n.wav"))
    ça\udce7\n.wav
    """
    return UNPRINTABLE.sub(lambda c: c[0].encode("unicode_escape").decode(), text)


def without_path(reason: str, path: str) -> str:
    """Say why a file was refused where its path has a column of its own.

    >>> without_path("/music/song.mp3: empty (0 bytes); copy or download it again", "/music/song.mp3")
    'empty (0 bytes); copy or download it again'
    """
    return reason.removeprefix(f"{path}: ").removeprefix(f"{path!r}: ")
