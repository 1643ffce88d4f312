"""From a dance to notes: draw a piece, then play the patterns in its tempo and harmony."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mcc_zoo.datasets.synthetic.dances import DRUMS, VOICES, Dance

MAJOR, MINOR = 4, 3  # semitones from a chord's root to its third
PROGRESSIONS = (  # (semitones above the tonic, third)
    ((0, MAJOR), (9, MINOR), (5, MAJOR), (7, MAJOR)),
    ((0, MAJOR), (5, MAJOR), (7, MAJOR), (0, MAJOR)),
    ((0, MAJOR), (7, MAJOR), (9, MINOR), (5, MAJOR)),
    ((2, MINOR), (7, MAJOR), (0, MAJOR), (0, MAJOR)),
    ((0, MINOR), (5, MINOR), (7, MAJOR), (0, MINOR)),
    ((0, MINOR), (8, MAJOR), (3, MAJOR), (10, MAJOR)),
)
CHORD_SECONDS = 2.0  # all dances change chords about this often, so that the harmony does not identify them
DEGREES = {"1": 0, "5": 7, "6": 9, "8": 12}  # semitones above the chord's root; the third is the chord's own
BASS_LOWEST, CHORD_LOWEST = 33, 55  # MIDI note numbers: A1 (55 Hz) and G3 (196 Hz)


class CorpusError(ValueError):
    """A corpus cannot be made as asked; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class Piece:
    """Tempo, key, chords and start of a track.

    Attributes:
        tempo: Beats per minute.
        key: Semitones of the tonic above C, 0 to 11.
        progression: Chords, each as semitones above the tonic and the size of its third.
        start: Beats into the pattern at which the track begins.
        silent: Voices that do not play.
    """

    tempo: float
    key: int = 0
    progression: tuple[tuple[int, int], ...] = PROGRESSIONS[0]
    start: float = 0.0
    silent: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the tempo."""
        if not 10 <= self.tempo <= 1_000:
            raise CorpusError(f"tempo={self.tempo!r}: give 10 to 1000 beats per minute")


@dataclass(frozen=True)
class Note:
    """One sound.

    Attributes:
        voice: One of `VOICES`.
        start: Seconds from the start of the track; negative for a note that began before it and still sounds.
        velocity: Loudness, 0 to about 1.
        seconds: Length for which it is held; drums ignore it.
        pitches: MIDI note numbers; none for drums.
    """

    voice: str
    start: float
    velocity: float
    seconds: float = 0.0
    pitches: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check that the voice exists, and has pitches if it needs them."""
        if self.voice not in VOICES:
            raise CorpusError(f"voice={self.voice!r}: choose one of {', '.join(VOICES)}")
        if bool(self.pitches) == (self.voice in DRUMS):
            raise CorpusError(
                f"pitches={self.pitches!r} for the {self.voice}: bass and chords need some, drums take none"
            )


def draw_piece(dance: Dance, rng: np.random.Generator) -> Piece:
    """Draw tempo, key, chords, the position in the bar and sometimes a voice to leave out.

    >>> from mcc_zoo.datasets.synthetic import DANCES
    >>> 120 <= draw_piece(DANCES[0], np.random.default_rng(0)).tempo <= 128
    True
    """
    left_out = str(rng.choice(["snare", "hat", "bell", "chords"]))
    return Piece(
        tempo=float(rng.uniform(*dance.tempo)),
        key=int(rng.integers(12)),
        progression=PROGRESSIONS[rng.integers(len(PROGRESSIONS))],
        start=float(rng.uniform(0, 4 * dance.beats_per_bar)),
        silent=(left_out,) if rng.random() < 0.35 else (),
    )


def compose(dance: Dance, seconds: float, piece: Piece, rng: np.random.Generator) -> list[Note]:
    """Turn a dance's patterns into notes.

    As with human players, accents and timing vary a little, soft notes are sometimes left out, and some are added.

    Args:
        dance: The dance whose patterns to play.
        seconds: Length of the track.
        piece: Tempo, key, chords and position in the bar.
        rng: Draws these variations.

    Returns:
        Notes of all voices, voice by voice, including those of the last second before the start, which still sound.

    Raises:
        CorpusError: `seconds` is not a finite length above 0.
    """
    check_seconds(seconds)
    step = 60.0 / piece.tempo / dance.steps_per_beat  # seconds
    first = piece.start * dance.steps_per_beat
    numbers = range(math.floor(first - 1.0 / step), math.ceil(first + seconds / step))
    grid = [(number, (number - first) * step) for number in numbers]
    notes: list[Note] = []
    for voice in VOICES:
        if voice in piece.silent:
            continue
        if voice in DRUMS:
            notes += _play_drums(dance.get_pattern(voice), voice, grid, rng)
        else:
            notes += _play_pitches(dance, voice, piece, grid, step, rng)
    return notes


def check_seconds(seconds: float) -> None:
    """Raise `CorpusError` unless `seconds` is a finite length above 0."""
    if not (math.isfinite(seconds) and seconds > 0):
        raise CorpusError(f"seconds={seconds!r}: a track has a finite length above 0")


def _play_drums(pattern: str, voice: str, grid: list[tuple[int, float]], rng: np.random.Generator) -> Iterator[Note]:
    for number, time in grid:
        mark = pattern[number % len(pattern)]
        chance, humanity, late = rng.random(), rng.uniform(0.75, 1.1), rng.normal(0.0, 0.004)
        if mark == ".":
            if voice != "kick" and chance < 0.03:
                yield Note(voice, time + late, 0.35 * humanity)
        elif chance > (0.15 if mark < "5" else 0.03):
            yield Note(voice, time + late, int(mark) / 9 * humanity)


def _play_pitches(
    dance: Dance, voice: str, piece: Piece, grid: list[tuple[int, float]], step: float, rng: np.random.Generator
) -> Iterator[Note]:
    pattern = dance.get_pattern(voice)
    steps_per_chord = max(1, round(CHORD_SECONDS / (step * dance.steps_per_bar))) * dance.steps_per_bar
    for number, time in grid:
        here = number % len(pattern)
        mark = pattern[here]
        humanity, late = rng.uniform(0.8, 1.1), rng.normal(0.0, 0.004)
        if mark == ".":
            continue
        above_tonic, third = piece.progression[number // steps_per_chord % len(piece.progression)]
        root = (above_tonic + piece.key) % 12
        following = pattern[here + 1 :] + pattern
        until_next = 1 + len(following) - len(following.lstrip("."))
        held = min(until_next * step * dance.gate, 1.5)
        if voice == "bass":
            pitch = BASS_LOWEST + root + (third if mark == "3" else DEGREES[mark])
            yield Note(voice, time + late, 0.9 * humanity, held, (pitch,))
        else:
            pitches = tuple(sorted(CHORD_LOWEST + (root + above) % 12 for above in (0, third, 7)))
            yield Note(voice, time + late, int(mark) / 9 * humanity, held, pitches)
