"""From notes to samples: drum sounds, tones and the mixer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

import numpy as np
from scipy import signal

from mcc_zoo.datasets.synthetic.bands import Band, Timbre
from mcc_zoo.datasets.synthetic.composition import CorpusError, Note, check_seconds, compose, draw_piece
from mcc_zoo.datasets.synthetic.dances import DRUMS, VOICES, Dance

TABLE = 4_096  # samples in one period of a wavetable
HIGHEST_HARMONIC = 9_000.0  # Hz; below half of every rate, so that no tone aliases
FADE = 0.012  # seconds in which a released note fades out


def _make_times(seconds: float, sample_rate: int) -> np.ndarray:
    return np.arange(round(seconds * sample_rate)) / sample_rate


def _make_band_noise(
    samples: int, lowest: float, highest: float, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Make white noise between two frequencies in Hz, with the density of unit variance at 44.1 kHz at every rate."""
    highest = min(highest, 0.48 * sample_rate)
    sections = signal.butter(2, (min(lowest, 0.5 * highest), highest), "bandpass", fs=sample_rate, output="sos")
    return signal.sosfilt(sections, rng.standard_normal(samples)) * math.sqrt(sample_rate / 44_100)


def _make_kick(band: Band, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    pitch, decay = band.kick
    time = _make_times(6 * decay, sample_rate)
    sweep = 0.025  # seconds in which the pitch falls from four times its final value
    phase = pitch * (time + 3 * sweep * (1 - np.exp(-time / sweep)))
    click = 0.2 * np.exp(-time / 0.003) * _make_band_noise(len(time), 800, 5_000, sample_rate, rng)
    return np.sin(2 * np.pi * phase) * np.exp(-time / decay) + click


def _make_snare(band: Band, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    pitch, noise, decay = band.snare
    time = _make_times(6 * decay, sample_rate)
    skin = np.sin(2 * np.pi * pitch * time) * np.exp(-time / (0.8 * decay))
    wires = _make_band_noise(len(time), 700, 8_000, sample_rate, rng) * np.exp(-time / decay)
    return (1 - noise) * skin + noise * wires


def _make_hat(band: Band, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    lowest, decay = band.hat
    time = _make_times(6 * decay, sample_rate)
    return _make_band_noise(len(time), lowest, 16_000, sample_rate, rng) * np.exp(-time / decay)


def _make_bell(band: Band, sample_rate: int, _: np.random.Generator) -> np.ndarray:
    pitch, ratio, decay = band.bell
    time = _make_times(6 * decay, sample_rate)
    partials = np.sin(2 * np.pi * pitch * time) + 0.6 * np.sin(2 * np.pi * pitch * ratio * time)
    return partials * np.exp(-time / decay)


ONE_SHOTS = {"kick": _make_kick, "snare": _make_snare, "hat": _make_hat, "bell": _make_bell}


@cache
def _make_wavetable(harmonics: tuple[float, ...]) -> np.ndarray:
    """Make one period of a tone, (TABLE,), with unit root mean square."""
    spectrum = np.zeros(TABLE // 2 + 1, complex)
    # Fixed scattered phases keep the peak low; zero phases would make a sharp pulse.
    spectrum[1 : len(harmonics) + 1] = np.array(harmonics) * np.exp(1j * 2.4 * np.arange(len(harmonics)) ** 2)
    period = np.fft.irfft(spectrum)
    return period / np.sqrt(np.mean(period**2))


def _make_tone(timbre: Timbre, pitches: tuple[int, ...], seconds: float, sample_rate: int) -> np.ndarray:
    """Play all pitches together for `seconds`, with attack, decay and a short fade."""
    time = _make_times(seconds + FADE, sample_rate)
    mix = np.zeros(len(time))
    cents = (-timbre.detune / 2, timbre.detune / 2) if timbre.detune else (0.0,)
    for pitch in pitches:
        for cent in cents:
            frequency = 440.0 * 2 ** ((pitch - 69 + cent / 100) / 12)
            table = _make_wavetable(timbre.harmonics[: max(1, int(HIGHEST_HARMONIC / frequency))])
            mix += table[(time * (frequency * TABLE)).astype(np.int64) % TABLE]
    envelope = np.minimum(time / timbre.attack, 1.0) * np.exp(-time / timbre.decay)
    envelope *= np.clip((seconds + FADE - time) / FADE, 0.0, 1.0)
    return mix * envelope / (len(pitches) * math.sqrt(len(cents)))


def _play_voices(
    notes: Iterable[Note], samples: int, sample_rate: int, band: Band, rng: np.random.Generator
) -> np.ndarray:
    """Add the sound of each note at its onset: (voices, samples)."""
    # Drum sounds are drawn first and in a fixed order, so that the order of the notes does not change them.
    drums = {voice: one_shot(band, sample_rate, rng) for voice, one_shot in ONE_SHOTS.items()}
    tone = cache(_make_tone)  # for this track: its notes repeat
    buses = np.zeros((len(VOICES), samples), np.float32)
    for note in notes:
        if note.voice in DRUMS:
            sound = drums[note.voice]
        else:
            sound = tone(getattr(band, note.voice), note.pitches, round(note.seconds, 3), sample_rate)
        onset = round(note.start * sample_rate)
        sound = sound[max(0, -onset) : max(0, samples - onset)]
        first = max(0, onset)
        buses[VOICES.index(note.voice), first : first + len(sound)] += note.velocity * sound
    return buses


def _reverberate(mix: np.ndarray, room: tuple[float, float], sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Add a tail of decaying noise to (channels, samples), drawn for each channel."""
    seconds, share = room
    time = _make_times(seconds, sample_rate)
    tail = rng.standard_normal((len(mix), len(time))) * np.exp(-6.9 * time / seconds)  # -60 dB at its end
    tail /= np.sqrt(np.sum(tail**2, axis=-1, keepdims=True))
    return mix + share * signal.oaconvolve(mix, tail.astype(np.float32), axes=-1)[:, : mix.shape[-1]]


def _equalise(mix: np.ndarray, brightness: float, sample_rate: int) -> np.ndarray:
    """Tilt the spectrum of (channels, samples) by `brightness` dB between 200 Hz and 8 kHz."""
    low_pass = signal.butter(1, 1_200.0, fs=sample_rate, output="sos").astype(np.float32)
    low = signal.sosfilt(low_pass, mix, axis=-1)
    half = 10 ** (brightness / 40)
    return low / half + (mix - low) * half


def render(
    notes: Iterable[Note], seconds: float, sample_rate: int, band: Band, rng: np.random.Generator, *, channels: int = 1
) -> np.ndarray:
    """Play notes with a band's instruments.

    Balance, loudness and noise floor vary from call to call.

    Args:
        notes: Notes in any order; they are cut off at the ends of the track.
        seconds: Length of the track.
        sample_rate: Hz, 16,000 or more.
        band: Instruments, balance and room.
        rng: Draws noise, balance and loudness.
        channels: 1 for mono, 2 for stereo.

    Returns:
        Float32, (samples,) or (samples, 2), full scale ±1, with a peak of 0.25 to 0.71.

    Raises:
        CorpusError: An argument is out of range.
    """
    check_seconds(seconds)
    if sample_rate < 16_000:
        raise CorpusError(f"sample_rate={sample_rate!r}: these instruments need 16000 Hz or more")
    if channels not in (1, 2):
        raise CorpusError(f"channels={channels!r}: choose 1 for mono or 2 for stereo")
    buses = _play_voices(notes, max(1, round(seconds * sample_rate)), sample_rate, band, rng)
    gains = 10 ** ((np.array(band.levels) + rng.normal(0.0, 2.0, len(VOICES))) / 20)
    pans = np.array(band.pans) if channels == 2 else np.zeros(len(VOICES))
    angles = (pans + 1) * np.pi / 4
    mix = (gains * np.stack([np.cos(angles), np.sin(angles)][:channels])).astype(np.float32) @ buses
    mix = _equalise(_reverberate(mix, band.room, sample_rate, rng), band.brightness, sample_rate)
    floor = 10 ** (rng.uniform(-60, -40) / 20)
    mix += floor * max(float(np.abs(mix).max()), 1e-3) * rng.standard_normal(mix.shape, dtype=np.float32)
    peak = 10 ** (rng.uniform(-12, -3) / 20)
    mix *= peak / np.abs(mix).max()
    return np.ascontiguousarray(mix.T if channels == 2 else mix[0], dtype=np.float32)


def synthesise(
    dance: Dance, seconds: float, sample_rate: int, rng: np.random.Generator, band: Band, *, channels: int = 1
) -> np.ndarray:
    """Draw, compose and render a track of a dance, played by a band.

    The dance gives patterns and a range of tempi, `rng` draws the rest. The other arguments, the result and the errors
    are those of `render`.

    >>> from mcc_zoo.datasets.synthetic import DANCES, draw_band
    >>> rng = np.random.default_rng(0)
    >>> synthesise(DANCES[0], 1.0, 22_050, rng, draw_band(rng), channels=2).shape
    (22050, 2)
    """
    piece = draw_piece(dance, rng)
    return render(compose(dance, seconds, piece, rng), seconds, sample_rate, band, rng, channels=channels)
