"""Names of the folders of versions: whole numbers from 1 in plain digits, without leading zeros.

`007` beside `7`, `0`, `1e3` and digits of other scripts are no versions: TF Serving would take some of them for a
number that another folder has. A link to a folder counts as that folder.
"""

from __future__ import annotations

import re

WITHDRAWN = ".withdrawn-"  # before the number of a version that a server shall not load any more
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")  # what fits into 64 bits, as TF Serving reads it


def read_version(name: str) -> int | None:
    """Read the number of a version from the name of its folder; None where it is no version.

    >>> [read_version(name) for name in ("12", "007", "0", "1e3", "v2", "٣")]
    [12, None, None, None, None, None]
    """
    return int(name) if _NUMBER.fullmatch(name) else None


def choose_next_version(names: list[str]) -> int:
    """Choose the number after all that are taken.

    A number that was withdrawn stays its version's, so that logs and clients never mean two models by one number. So
    does one that is written in another way, such as 007, which a server may take for 7.

    >>> choose_next_version(["1", ".withdrawn-4", "007", "notes"]), choose_next_version([])
    (8, 1)
    """
    digits = [name.removeprefix(WITHDRAWN) for name in names]
    taken = [int(name) for name in digits if name.isascii() and name.isdecimal() and len(name) < 19]
    return max(taken, default=0) + 1
