"""The instruments, and bands drawn from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = (0.0, -4.0, -7.0, -10.0, -4.0, -10.0)  # dB, in the order of VOICES
PAN_WIDTHS = (0.1, 0.3, 0.7, 0.7, 0.1, 0.6)  # in the order of VOICES


@dataclass(frozen=True)
class Timbre:
    """A pitched instrument.

    Attributes:
        harmonics: Amplitudes of the fundamental and its overtones.
        attack: Seconds to full loudness.
        decay: Seconds in which a held note falls to 1/e.
        detune: Cents between the two strings or reeds that sound together; 0 for a single one.
    """

    harmonics: tuple[float, ...]
    attack: float
    decay: float
    detune: float = 0.0


def _make_harmonics(count: int, slope: float, *, odd: bool = False) -> tuple[float, ...]:
    """Make amplitudes 1 / n**slope of `count` harmonics, or of the odd ones alone."""
    return tuple(0.0 if odd and n % 2 == 0 else n**-slope for n in range(1, count + 1))


CHORD_TIMBRES = (
    Timbre((1.0, 0.7, 0.5, 0.5, 0.0, 0.3, 0.0, 0.25), attack=0.008, decay=8.0),  # organ
    Timbre(_make_harmonics(12, 1.5), attack=0.003, decay=0.5, detune=2.0),  # piano
    Timbre(_make_harmonics(20, 1.0), attack=0.030, decay=5.0, detune=10.0),  # strings
    Timbre(_make_harmonics(15, 0.8, odd=True), attack=0.015, decay=6.0, detune=14.0),  # accordion
    Timbre(_make_harmonics(16, 1.1), attack=0.002, decay=0.25, detune=4.0),  # guitar
)
BASS_TIMBRES = (
    Timbre((1.0, 0.45, 0.2, 0.1), attack=0.006, decay=0.4),  # upright
    Timbre(_make_harmonics(16, 1.2), attack=0.003, decay=1.2),  # electric
    Timbre(_make_harmonics(9, 1.0, odd=True), attack=0.010, decay=3.0),  # tuba or synthesiser
)


@dataclass(frozen=True)
class Band:
    """The instruments, balance and room that several tracks share.

    Attributes:
        kick: End pitch in Hz and decay in seconds.
        snare: Pitch in Hz, share of noise and decay in seconds.
        hat: Lowest pitch of its noise in Hz and decay in seconds.
        bell: Pitch in Hz, ratio of its second partial and decay in seconds.
        bass: Instrument of the bass.
        chords: Instrument of the chords.
        levels: Decibels, in the order of `VOICES`.
        pans: Position in the stereo field, -1 left to 1 right, in the order of `VOICES`.
        brightness: Decibels by which the equaliser raises 8 kHz and above over 200 Hz and below.
        room: Seconds of reverberation and its share of the sound.
    """

    kick: tuple[float, float]
    snare: tuple[float, float, float]
    hat: tuple[float, float]
    bell: tuple[float, float, float]
    bass: Timbre
    chords: Timbre
    levels: tuple[float, ...]
    pans: tuple[float, ...]
    brightness: float
    room: tuple[float, float]


def draw_band(rng: np.random.Generator) -> Band:
    """Draw a band from the pools that all dances share.

    >>> draw_band(np.random.default_rng(0)).chords in CHORD_TIMBRES
    True
    """
    uniform = rng.uniform
    return Band(
        kick=(uniform(42, 70), uniform(0.07, 0.18)),
        snare=(uniform(160, 330), uniform(0.3, 0.95), uniform(0.04, 0.12)),
        hat=(uniform(3_500, 7_500), uniform(0.015, 0.06)),
        bell=(uniform(550, 2_400), uniform(1.3, 2.8), uniform(0.02, 0.12)),
        bass=BASS_TIMBRES[rng.integers(len(BASS_TIMBRES))],
        chords=CHORD_TIMBRES[rng.integers(len(CHORD_TIMBRES))],
        levels=tuple(level + uniform(-3, 3) for level in LEVELS),
        pans=tuple(uniform(-width, width) for width in PAN_WIDTHS),
        brightness=uniform(-7, 7),
        room=(uniform(0.1, 0.4), uniform(0.02, 0.2)),
    )
