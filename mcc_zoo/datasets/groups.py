"""Groups of tracks, from names in several spellings and from pairs of tracks."""

from __future__ import annotations

import re
from collections.abc import Iterable


def normalise_name(name: str) -> str:
    """Write all spellings of a name alike: lower case, no punctuation, `and` for `&`.

    Examples:
        >>> normalise_name("Ann  & The Band!")
        'ann and the band'
    """
    words = re.sub(r"[^\w\s]", " ", name.casefold().replace("&", " and ")).split()
    return " ".join(words) or name.casefold()


def merge_pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Put names that are connected by pairs into one group, named after the first of them.

    Examples:
        >>> sorted(merge_pairs([("d", "c"), ("b", "d"), ("x", "y")]).items())
        [('b', 'b'), ('c', 'b'), ('d', 'b'), ('x', 'x'), ('y', 'x')]
    """
    from scipy.cluster.hierarchy import DisjointSet  # takes half a second, and most datasets need none

    pairs = list(pairs)
    groups = DisjointSet(name for pair in pairs for name in pair)
    for pair in pairs:
        groups.merge(*pair)
    return {name: min(group) for group in groups.subsets() for name in group}
