"""librosa.stft and librosa's mel filters, track after track as one calls it, or a thread a core: `1`, `cores`."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
from serve import serve
from waveform import BANDS, HOP, LENGTH, RATE, make_waveforms, make_window, summarise

audio = make_waveforms(*map(int, sys.argv[1:3]))
taper = make_window()
filters = librosa.filters.mel(sr=RATE, n_fft=LENGTH, n_mels=BANDS, htk=True, norm=None)
filters /= filters.sum(axis=1, keepdims=True)
pool = ThreadPoolExecutor(1 if sys.argv[3] == "1" else os.cpu_count())


def transform(samples):
    """(samples,) to (frames, bands)."""
    spectrum = librosa.stft(samples, n_fft=LENGTH, hop_length=HOP, window=taper, center=False)
    return np.log1p(10_000 * (filters @ librosa.util.abs2(spectrum)).T) / np.float32(np.log(10))


serve(lambda: summarise(list(pool.map(transform, audio))))
