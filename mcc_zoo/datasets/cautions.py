"""What to know about tracks before they are trained on: labels in two spellings, and the same audio twice."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

from mcc_zoo.datasets.base import Track, find_task
from mcc_zoo.text import counted

MOST_NAMES = 10  # of tracks with the same audio, and of sets of such tracks; the rest is counted


def list_spellings(tracks: Sequence[Track]) -> list[str]:
    r"""List the labels that differ only in Unicode form, case, blanks or characters without width, one sentence each.

    Examples:
        >>> labels = ("Rock", "rock", "rock\u200b ", "pop")
        >>> list_spellings([Track(None, label, label) for label in labels])[0].split(":")[1].split(";")[0]
        " 'Rock' (1 track), 'rock' (1 track), 'rock\\u200b ' (1 track)"
    """
    counts = Counter(label for track in tracks for label in track.all_labels)
    together: dict[str, list[str]] = defaultdict(list)
    for label in sorted(counts):
        together[_fold_spelling(label)].append(label)
    return [_describe_spellings(labels, counts) for labels in together.values() if len(labels) > 1]


def find_copies(tracks: Sequence[Track]) -> list[list[Track]]:
    """Find tracks whose files hold the same bytes. Only files of equal size are read."""
    by_size: dict[int, list[Track]] = defaultdict(list)
    for track in tracks:
        by_size[os.path.getsize(track.path)].append(track)
    return [
        copies
        for same_size in by_size.values()
        if len(same_size) > 1
        for copies in group_copies(same_size, [_hash_file(track.path) for track in same_size])
    ]


def group_copies(tracks: Sequence[Track], contents: Iterable[Hashable]) -> list[list[Track]]:
    """Group the tracks whose contents are equal; a track that has no copy is left out."""
    found: dict[Hashable, list[Track]] = defaultdict(list)
    for track, content in zip(tracks, contents, strict=True):
        found[content].append(track)
    return [copies for copies in found.values() if len(copies) > 1]


def list_copies(found: Sequence[Sequence[Track]]) -> list[str]:
    """List the copies whose labels differ, or that a split may part, one sentence for each set of them.

    Args:
        found: Sets of tracks with the same audio.

    Returns:
        The sentences. Copies with the same labels and one group are no fault, and not in them.
    """
    said = [sentence for copies in found if (sentence := _describe_copies(copies))]
    more = len(said) - MOST_NAMES
    return said[:MOST_NAMES] + ([f"and {more} more sets of tracks with the same audio"] if more > 0 else [])


def _describe_spellings(labels: Sequence[str], counts: Counter[str]) -> str:
    quoted = ", ".join(f"{text} ({counted(counts[label], 'track')})" for label, text in _show_apart(labels).items())
    return (
        f"{counted(len(labels), 'label')} differ in spelling alone: {quoted}; write them alike, or each is learnt as a "
        "label of its own"
    )


def _describe_copies(copies: Sequence[Track]) -> str:
    if len({frozenset(track.all_labels) for track in copies}) > 1:
        named = [f"{track.name!r} ({', '.join(map(repr, track.all_labels)) or 'no label'})" for track in copies]
        if find_task(copies) == "multi-label":
            return f"the same audio has different labels: {_cut(named)}; keep one of these rows, with the right labels"
        return f"the same audio has several labels: {_cut(named)}; keep the row with the right one"
    if len({track.group for track in copies}) == 1 and copies[0].group:
        return ""
    named = [f"{track.name!r} ({f'group {track.group!r}' if track.group else 'no group'})" for track in copies]
    return (
        f"the same audio is in several groups, so a split may test what it has trained on: {_cut(named)}; keep one of "
        "these rows, or give them one group"
    )


def _cut(named: Sequence[str]) -> str:
    more = f" and {len(named) - MOST_NAMES} more" if len(named) > MOST_NAMES else ""
    return ", ".join(named[:MOST_NAMES]) + more


def _fold_spelling(label: str) -> str:
    """Write all spellings of a label alike."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split())  # Cf: without width


def _show_apart(labels: Sequence[str]) -> dict[str, str]:
    """Quote labels; as escapes where they would look the same, such as an accent in its two forms."""
    looks = {unicodedata.normalize("NFC", repr(label)) for label in labels}
    quote = repr if len(looks) == len(labels) else ascii
    return {label: quote(label) for label in labels}


def _hash_file(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
