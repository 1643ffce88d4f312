"""Which tracks belong together: names that mean the same, and what hangs together through pairs."""

from __future__ import annotations

import re
from collections.abc import Iterable


def plain(name: str) -> str:
    """Write a name without what spellings of it differ in: case, punctuation, `&` for `and`.

    Examples:
        >>> plain("Ann  & The Band!")
        'ann and the band'
    """
    words = re.sub(r"[^\w\s]", " ", name.casefold().replace("&", " and ")).split()
    return " ".join(words) or name.casefold()


def clusters(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give the names that hang together through pairs one group, called after the first of them.

    Examples:
        >>> sorted(clusters([("d", "c"), ("b", "d"), ("x", "y")]).items())
        [('b', 'b'), ('c', 'b'), ('d', 'b'), ('x', 'x'), ('y', 'x')]
    """
    from scipy.cluster.hierarchy import DisjointSet  # takes half a second, and most datasets need none

    pairs = list(pairs)
    together = DisjointSet(name for pair in pairs for name in pair)
    for pair in pairs:
        together.merge(*pair)
    return {name: min(cluster) for cluster in together.subsets() for name in cluster}
