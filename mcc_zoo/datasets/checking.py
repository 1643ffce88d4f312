"""Check a copy of a dataset: missing, extra and unreadable files."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcc_zoo.audio import checks, reading
from mcc_zoo.audio.decoders import Decoder, DecoderName
from mcc_zoo.audio.sound import NO_SOUND, SEGMENT_SECONDS, SoundMeter
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder
from mcc_zoo.datasets.base import Dataset, DatasetWarning, Track, find_task
from mcc_zoo.datasets.cautions import find_copies, list_copies, list_spellings
from mcc_zoo.datasets.files import filter_audio, list_files
from mcc_zoo.datasets.manifest import parse_manifest
from mcc_zoo.text import counted

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CheckResult:
    """What `check_dataset` found.

    Attributes:
        title: Title of the dataset, or the path of the manifest.
        found_counts: Number of tracks of each label that are on disk and listed.
        expected_counts: Number of tracks of each label in a complete copy; empty for a manifest.
        missing: Tracks of a complete copy that are not on disk. For Ballroom only their number is known, by
            `found_counts`.
        extra: Audio files among the tracks that belong to none.
        unreadable: Tracks that do not decode or are silent, each with the reason, a sentence that names the file.
        known_faults: Those of `unreadable` that do not decode in most copies.
        was_decoded: Whether every track was decoded to its end; if not, only headers were read.
        notes: Warnings of the reader; of a manifest, labels in two spellings and the same audio in two places.
        groups: Known groups of each label, of the tracks on disk and listed; a group can have several labels.
            Those of tracks without a label are at "".
        ungrouped_count: Number of these tracks that have no group.
        found_total: Number of tracks on disk and listed where they have several labels; None where each has one.
        expected_total: Number of tracks of a complete copy where they have several labels; else None.
        unlabelled_count: Number of tracks on disk and listed that have no label.
    """

    title: str
    found_counts: Mapping[str, int]
    expected_counts: Mapping[str, int]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    known_faults: tuple[str, ...]
    was_decoded: bool
    notes: tuple[str, ...]
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ungrouped_count: int = 0
    found_total: int | None = None
    expected_total: int | None = None
    unlabelled_count: int = 0

    @property
    def track_count(self) -> int:
        """Number of tracks on disk and listed, whether or not they decode."""
        return sum(self.found_counts.values()) if self.found_total is None else self.found_total

    @property
    def expected_count(self) -> int:
        """Number of tracks of a complete copy; 0 for a manifest."""
        return sum(self.expected_counts.values()) if self.expected_total is None else self.expected_total

    @property
    def readable_count(self) -> int:
        """Number of tracks that can be trained on."""
        return self.track_count - len(self.unreadable)

    @property
    def is_complete(self) -> bool:
        """Whether every track is on disk and decodes, except for the known faults. Extra files do not count."""
        labels_agree = not self.expected_counts or dict(self.found_counts) == dict(self.expected_counts)
        counts_agree = labels_agree and self.expected_count in (0, self.track_count)
        return counts_agree and not self.missing and len(self.unreadable) == len(self.known_faults)

    def format_lines(self, max_names: int = 10) -> list[str]:
        """Format the findings as text.

        Args:
            max_names: Names to list for each kind of finding; further names are counted.

        Returns:
            One line per finding, the summary first.
        """
        total = f" of {self.expected_count}" if self.expected_count else ""
        state = "decode to the end" if self.was_decoded else "have a readable header (nothing was decoded)"
        lines = [f"{self.title}: {self.track_count}{total} tracks, {self.readable_count} of them {state}"]
        for label in sorted(self.expected_counts.keys() | self.found_counts.keys()):
            found, expected = self.found_counts.get(label, 0), self.expected_counts.get(label, 0)
            if self.expected_counts and found != expected:
                lines.append(f"  {label}: {found} tracks, a complete copy has {expected}")
        if not self.expected_counts:
            lines += self._format_counts()
        lines += _format_names("missing", self.missing, max_names)
        lines += _format_names("unreadable or silent", [reason for _, reason in self.unreadable], max_names)
        lines += [
            f"  {name} does not decode in most copies: leave it out, and report that with the score"
            for name in self.known_faults
        ]
        lines += _format_names("extra, not used", self.extra, max_names)
        return lines + [f"note: {note}" for note in self.notes]

    def _format_counts(self) -> list[str]:
        """Format the tracks and groups of each label, which limit the number of folds."""
        known = frozenset().union(*self.groups.values())
        labels = sorted(self.found_counts)
        lines = [f"  {label}: {counted(self.found_counts[label], 'track')}" for label in labels]
        if known:
            lines = [
                f"{line}, {counted(len(self.groups.get(label, ())), 'group')}"
                for line, label in zip(lines, labels, strict=True)
            ]
        if self.unlabelled_count:
            lines.append(f"{counted(self.unlabelled_count, 'track')} without a label")
        if known:
            ungrouped = f"; {counted(self.ungrouped_count, 'track')} without one" if self.ungrouped_count else ""
            lines.append(f"{counted(len(known), 'group')} in all{ungrouped}")
        elif lines and not self.expected_count:  # where the files are missing, their groups cannot be known
            lines.append("no track has a group: a column group (artist, album) keeps tracks of one together in a split")
        return lines

    def __str__(self) -> str:
        """The findings as text, with up to ten names of each kind."""
        return "\n".join(self.format_lines())


def _format_names(title: str, names: Sequence[str], max_names: int) -> list[str]:
    if not names:
        return []
    more = [f"  and {len(names) - max_names} more"] if len(names) > max_names else []
    return [f"{title} ({len(names)}):", *(f"  {name}" for name in names[:max_names]), *more]


def check_dataset(
    dataset: Dataset | None,
    source: Path | str | Sequence[Track],
    *,
    decode: bool = True,
    decoder: DecoderName | Decoder = "auto",
    progress: Progress | None = None,
    label_columns: Sequence[str] = (),
) -> CheckResult:
    """Compare a copy with a complete one: missing, extra and unreadable files, and counts.

    Args:
        dataset: The dataset; None for a manifest, whose files are only expected to exist and to decode.
        source: The dataset's folder, the manifest, or tracks already listed; for these no extra files are searched.
        decode: Whether to decode each track to its end, which takes minutes; otherwise only its header is read.
        decoder: The decoder.
        progress: Called after each track with the number of tracks done and the number of all.
        label_columns: For a manifest, as for `mcc_zoo.datasets.read_manifest`.

    Returns:
        The findings.

    Raises:
        DatasetError: The folder is not this dataset, or the manifest cannot be read.
        ValueError: The decoder is unknown or not installed.
    """
    tracks, notes = _list_tracks(dataset, source, label_columns)
    title = str(source) if isinstance(source, (str, Path)) else "manifest"
    present = [track for track in tracks if os.path.isfile(track.path)]
    missing = [track.name for track in tracks if not os.path.isfile(track.path)]
    unreadable = _find_unreadable(present, decode, decoder, progress)
    known_faults: list[str] = []
    extra: list[str] = []
    if dataset is None:
        notes += _list_cautions(tracks, present, {name for name, _ in unreadable})
    if dataset is not None:
        title, make_key = dataset.title, dataset.make_key
        listed = {make_key(track.name) for track in tracks}
        missing += [key for key in dataset.track_keys if key not in listed]
        known_faults = [name for name, _ in unreadable if make_key(name) in dataset.known_faults]
        if dataset.track_keys:
            extra = [track.name for track in present if make_key(track.name) not in dataset.track_keys]
        extra += _find_unlisted(present) if isinstance(source, (str, Path)) else []
    return CheckResult(
        title=title,
        found_counts=dict(Counter(label for track in present for label in track.all_labels)),
        expected_counts=dict(dataset.label_counts) if dataset else {},
        missing=tuple(missing),
        extra=tuple(sorted(extra)),
        unreadable=tuple(unreadable),
        known_faults=tuple(known_faults),
        was_decoded=decode,
        notes=notes,
        groups=_collect_groups(present),
        ungrouped_count=sum(not track.group for track in present),
        found_total=len(present) if find_task(tracks) == "multi-label" else None,
        expected_total=dataset.total if dataset else None,
        unlabelled_count=sum(not track.all_labels for track in present),
    )


def _list_tracks(
    dataset: Dataset | None, source: Path | str | Sequence[Track], label_columns: Sequence[str]
) -> tuple[list[Track], tuple[str, ...]]:
    """List the tracks, and the warnings of the reader."""
    if not isinstance(source, (str, Path)):
        return list(source), ()
    if dataset is None:
        return parse_manifest(Path(source), label_columns), ()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DatasetWarning)
        tracks = dataset.list_tracks(Path(source))
    return tracks, tuple(str(warning.message) for warning in caught)


def _list_cautions(tracks: Sequence[Track], present: Sequence[Track], unreadable: set[str]) -> tuple[str, ...]:
    """List what a manifest says twice; files that do not decode are left out, for they may be the same error page."""
    readable = [track for track in present if track.name not in unreadable]
    return (*list_spellings(tracks), *list_copies(find_copies(readable)))


def _find_unreadable(
    tracks: Sequence[Track], decode: bool, decoder: DecoderName | Decoder, progress: Progress | None
) -> list[tuple[str, str]]:
    """Read every track; the names of those that fail, each with the reason."""
    unreadable = []
    with IsolatedDecoder(decoder=decoder) as isolated:
        for done, track in enumerate(tracks, start=1):
            try:
                rate = reading.probe(track.path, isolated.decoder).sample_rate
                if decode:
                    _listen(track.path, rate, isolated)
            except checks.AudioError as error:
                unreadable.append((track.name, str(error)))
            if progress is not None:
                progress(done, len(tracks))
    return unreadable


def _listen(path: Path, rate: int, isolated: IsolatedDecoder) -> None:
    """Read a track at its own rate: resampling would only take time."""
    meter = SoundMeter(round(SEGMENT_SECONDS * rate))
    for _ in meter.listen(isolated.read_blocks(path, rate, 10 * rate)):
        pass
    if not meter.has_sound:
        raise checks.AudioError(path, f"silent, {NO_SOUND}")


def _find_unlisted(tracks: Sequence[Track]) -> list[str]:
    """Find audio files beside the tracks that are none of them; paths relative to the folder that holds all tracks."""
    if not tracks:
        return []
    root = Path(os.path.commonpath([track.path.parent for track in tracks]))
    listed = {track.path for track in tracks}
    return [path.relative_to(root).as_posix() for path in filter_audio(list_files(root)) if path not in listed]


def _collect_groups(tracks: Sequence[Track]) -> dict[str, frozenset[str]]:
    """Collect the known groups of each label, and at "" those of tracks without a label."""
    groups: dict[str, set[str]] = {}
    for track in tracks:
        for label in track.all_labels or ("",):
            groups.setdefault(label, set()).update({track.group} - {""})
    return {label: frozenset(own) for label, own in groups.items()}
