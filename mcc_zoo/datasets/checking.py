"""What is wrong with a copy: missing, extra and unreadable files."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcc_zoo.audio import checks, reading
from mcc_zoo.audio.decoders import Decoder, DecoderName
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder
from mcc_zoo.datasets.files import audio_of, list_files
from mcc_zoo.datasets.readers.manifest import read_manifest
from mcc_zoo.datasets.track import Dataset, DatasetWarning, Track
from mcc_zoo.text import counted


@dataclass(frozen=True)
class Check:
    """What `check` found.

    Attributes:
        title: Of the dataset or manifest.
        found: Tracks of each label, on disk and listed.
        expected: Tracks of each label in a whole copy; empty where nobody knows.
        missing: Tracks of a whole copy that are not there. Of Ballroom only their number is known: see `found`.
        extra: Audio files that lie among the tracks and are none.
        unreadable: Tracks that do not decode, each with the reason, a sentence that names the file.
        known_faults: Those of `unreadable` that decode in hardly any copy.
        decoded: Whether every track was decoded to its end; if not, only headers were read.
        notes: What the reader had to say.
        groups: Known groups of each label, of the tracks on disk and listed; a group can have several labels.
        without_group: How many of these tracks have no group.
    """

    title: str
    found: Mapping[str, int]
    expected: Mapping[str, int]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    known_faults: tuple[str, ...]
    decoded: bool
    notes: tuple[str, ...]
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    without_group: int = 0

    @property
    def tracks(self) -> int:
        """Tracks on disk and listed, whether or not they decode."""
        return sum(self.found.values())

    @property
    def readable(self) -> int:
        """Tracks that can be trained on."""
        return self.tracks - len(self.unreadable)

    @property
    def complete(self) -> bool:
        """Whether every track is there and decodes, but for the known faults. Extra files do no harm."""
        counts_agree = not self.expected or dict(self.found) == dict(self.expected)
        return counts_agree and not self.missing and len(self.unreadable) == len(self.known_faults)

    def lines(self, most: int = 10) -> list[str]:
        """The findings as text.

        Args:
            most: Names given of each kind of finding; the rest is counted.

        Returns:
            One line a finding, the summary first.
        """
        total = f" of {sum(self.expected.values())}" if self.expected else ""
        how = "decode to the end" if self.decoded else "have a readable header (nothing was decoded)"
        out = [f"{self.title}: {self.tracks}{total} tracks, {self.readable} of them {how}"]
        for label in sorted(self.expected.keys() | self.found.keys()):
            count, usual = self.found.get(label, 0), self.expected.get(label, 0)
            if self.expected and count != usual:
                out.append(f"  {label}: {count} tracks, a whole copy has {usual}")
        if not self.expected:  # nobody knows how many there should be, so all counts are news
            out += self._counts()
        out += _named("missing", self.missing, most)
        out += _named("unreadable", [reason for _, reason in self.unreadable], most)
        out += [f"  {name} decodes in hardly any copy: go on without it, and say so" for name in self.known_faults]
        out += _named("extra, not used", self.extra, most)
        return out + [f"note: {note}" for note in self.notes]

    def _counts(self) -> list[str]:
        """Tracks and groups of each label, which say how many folds there can be."""
        known = frozenset().union(*self.groups.values())
        if not known:
            return [f"  {label}: {counted(self.found[label], 'track')}" for label in sorted(self.found)] + [
                "no track has a group: a column group (artist, album) keeps tracks of one together in a split"
            ]
        out = [
            f"  {label}: {counted(self.found[label], 'track')}, {counted(len(self.groups.get(label, ())), 'group')}"
            for label in sorted(self.found)
        ]
        alone = f"; {counted(self.without_group, 'track')} without one" if self.without_group else ""
        return [*out, f"{counted(len(known), 'group')} in all{alone}"]

    def __str__(self) -> str:
        """The findings as text, ten names of each kind."""
        return "\n".join(self.lines())


def _named(title: str, names: Sequence[str], most: int) -> list[str]:
    if not names:
        return []
    more = [f"  and {len(names) - most} more"] if len(names) > most else []
    return [f"{title} ({len(names)}):", *(f"  {name}" for name in names[:most]), *more]


def check(
    dataset: Dataset | None,
    where: Path | str | Sequence[Track],
    *,
    decode: bool = True,
    decoder: DecoderName | Decoder = "soundfile",
    progress: Callable[[int, int], None] | None = None,
) -> Check:
    """Compare a copy with what it should be: missing, extra and unreadable files, and counts.

    Args:
        dataset: Which dataset it should be; None for a manifest, of which nothing is expected but that its files are
            there and decode.
        where: The dataset's folder, the manifest, or tracks already listed (then no extra files are looked for).
        decode: Whether to decode each track to its end, which takes minutes; otherwise only its header is read.
        decoder: Who reads them.
        progress: Called after each track with the number done and the number of all.

    Returns:
        The findings.

    Raises:
        DatasetError: If the folder is no such dataset or the manifest cannot be read.
        ValueError: The decoder is not installed.
    """
    tracks, notes = _listed(dataset, where)
    title = str(where) if isinstance(where, (str, Path)) else "manifest"
    there = [track for track in tracks if os.path.isfile(track.path)]
    missing = [track.name for track in tracks if not os.path.isfile(track.path)]
    unreadable = []
    with IsolatedDecoder(decoder=decoder) as isolated:
        for done, track in enumerate(there, start=1):
            if reason := _fault(track.path, isolated, decode):
                unreadable.append((track.name, reason))
            if progress is not None:
                progress(done, len(there))
    expected: Mapping[str, int] = {}
    known: list[str] = []
    extra: list[str] = []
    if dataset is not None:
        title, expected = dataset.title, dataset.labels
        listed = {dataset.key(track.name) for track in tracks}
        missing += [file for file in dataset.files if file not in listed]
        known = [name for name, _ in unreadable if dataset.key(name) in dataset.known_faults]
        extra = [track.name for track in there if dataset.files and dataset.key(track.name) not in dataset.files]
        extra += _unlisted(there) if isinstance(where, (str, Path)) else []
    return Check(
        title=title,
        found=dict(Counter(track.label for track in there)),
        expected=dict(expected),
        missing=tuple(missing),
        extra=tuple(sorted(extra)),
        unreadable=tuple(unreadable),
        known_faults=tuple(known),
        decoded=decode,
        notes=notes,
        groups=_groups(there),
        without_group=sum(not track.group for track in there),
    )


def _groups(tracks: Sequence[Track]) -> dict[str, frozenset[str]]:
    """The known groups of each label."""
    return {
        label: frozenset(track.group for track in tracks if track.label == label and track.group)
        for label in {track.label for track in tracks}
    }


def _listed(dataset: Dataset | None, where: Path | str | Sequence[Track]) -> tuple[list[Track], tuple[str, ...]]:
    """The tracks, and what the reader warned of."""
    if not isinstance(where, (str, Path)):
        return list(where), ()
    if dataset is None:
        return read_manifest(Path(where)), ()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", DatasetWarning)
        tracks = dataset.list_tracks(Path(where))
    return tracks, tuple(str(warning.message) for warning in heard)


def _unlisted(tracks: Sequence[Track]) -> list[str]:
    """Audio files beside the tracks that are none of them, as seen from the folder that holds all tracks."""
    if not tracks:
        return []
    root = Path(os.path.commonpath([track.path.parent for track in tracks]))
    listed = {track.path for track in tracks}
    return [path.relative_to(root).as_posix() for path in audio_of(list_files(root)) if path not in listed]


def _fault(path: Path, isolated: IsolatedDecoder, decode: bool) -> str:
    """Why a file cannot be read; empty if it can."""
    try:
        rate = reading.probe(path, isolated.decoder).sample_rate
        for _ in isolated.read_blocks(path, rate, 10 * rate) if decode else ():
            pass  # at its own rate: resampling would only cost time
    except checks.AudioError as error:
        return str(error)
    return ""
