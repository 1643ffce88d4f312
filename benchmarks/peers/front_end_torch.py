"""torch.stft and a matrix product: `whole` tracks in torch's own threads, or `blocks` that fit a cache, a core each."""

import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import torch
from serve import serve
from torch import Tensor
from waveform import HOP, LENGTH, make_mel_filters, make_waveforms, make_window, summarise

tracks, samples, mode = sys.argv[1:]
audio = torch.from_numpy(make_waveforms(int(tracks), int(samples)))
taper, filters = torch.from_numpy(make_window()), torch.from_numpy(make_mel_filters())
frames = 1 + (audio.shape[1] - LENGTH) // HOP
block = frames if mode == "whole" else 256
pieces = [
    track[first * HOP : (min(first + block, frames) - 1) * HOP + LENGTH]
    for track in audio
    for first in range(0, frames, block)
]
pool = ThreadPoolExecutor(os.cpu_count())
if mode == "blocks":
    torch.set_num_threads(1)


@torch.inference_mode()
def transform(samples: Tensor) -> Tensor:
    """(samples,) to (frames, bands)."""
    spectrum = torch.stft(samples, LENGTH, HOP, window=taper, center=False, return_complex=True)
    power = spectrum.real.square() + spectrum.imag.square()
    return torch.log1p(10_000 * (power.T @ filters)) / math.log(10)


def work() -> dict:
    """All tracks."""
    found = map(transform, pieces) if mode == "whole" else pool.map(transform, pieces)
    return summarise(torch.cat(list(found)).reshape(len(audio), frames, -1).numpy())


serve(work)
