"""What the front ends of the comparison read and compute with; numpy alone, so that every environment has it."""

import numpy as np

RATE, LENGTH, HOP, BANDS = 44_100, 2_048, 1_024, 40


def make_waveforms(tracks, samples):
    """Make noise with a tone of another pitch in each track: (tracks, samples) float32."""
    random = np.random.RandomState(0)  # its numbers never change from one numpy to the next
    time = np.arange(samples) / RATE
    tones = [0.3 * np.sin(2 * np.pi * 110 * 2 ** (track / 2) * time) for track in range(tracks)]
    return np.float32([tone + 0.01 * random.standard_normal(len(time)) for tone in tones])


def make_window():
    """Make the four-term periodic Blackman-Harris window, scaled to sum to 2: (LENGTH,) float32."""
    phase = 2 * np.pi * np.arange(LENGTH) / LENGTH
    samples = 0.35875 - 0.48829 * np.cos(phase) + 0.14128 * np.cos(2 * phase) - 0.01168 * np.cos(3 * phase)
    return (2 * samples / samples.sum()).astype(np.float32)


def make_mel_filters():
    """Make HTK mel triangles, linear in mel, each scaled to sum to 1: (LENGTH / 2 + 1, BANDS) float32."""
    mel = np.log1p(np.arange(LENGTH // 2 + 1)[:, np.newaxis] * RATE / LENGTH / 700)
    low, centre, high = (np.linspace(0, mel[-1, 0], BANDS + 2)[i : i + BANDS] for i in range(3))
    triangles = np.maximum(0, np.minimum((mel - low) / (centre - low), (high - mel) / (high - centre)))
    return (triangles / triangles.sum(axis=0)).astype(np.float32)


def summarise(log_mels):
    """Sum an answer up, (tracks, frames, BANDS): its mean, and one frame of the last track."""
    return {"mean": float(np.mean(log_mels)), "frame": log_mels[-1][50].tolist()}
