"""librosa.stft and librosa's mel filters, a thread a core."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
from serve import serve
from waveform import BANDS, HOP, LENGTH, RATE, value, waveforms, window

audio = waveforms(*map(int, sys.argv[1:]))
taper = window()
filters = librosa.filters.mel(sr=RATE, n_fft=LENGTH, n_mels=BANDS, htk=True, norm=None)
filters /= filters.sum(axis=1, keepdims=True)
pool = ThreadPoolExecutor(os.cpu_count())


def transform(samples):
    """(samples,) to (frames, bands)."""
    spectrum = librosa.stft(samples, n_fft=LENGTH, hop_length=HOP, window=taper, center=False)
    return np.log1p(10_000 * (filters @ librosa.util.abs2(spectrum)).T) / np.float32(np.log(10))


serve(lambda: value(list(pool.map(transform, audio))))
