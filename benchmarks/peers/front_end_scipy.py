"""scipy.fft and a matrix product, a thread a core."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.fft
from serve import serve
from waveform import HOP, LENGTH, make_mel_filters, make_waveforms, make_window, summarise

audio = make_waveforms(*map(int, sys.argv[1:]))
taper, filters = make_window(), make_mel_filters()
pool = ThreadPoolExecutor(os.cpu_count())


def transform(samples):
    """(samples,) to (frames, bands)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, LENGTH)[::HOP]
    spectrum = scipy.fft.rfft(frames * taper, overwrite_x=True)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.log1p(10_000 * (power @ filters)) / np.float32(np.log(10))


serve(lambda: summarise(list(pool.map(transform, audio))))
