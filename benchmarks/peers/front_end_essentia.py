"""Essentia's standard algorithms, frame after frame, a process a core. Its streaming mode was ten times as slow."""

import multiprocessing
import sys

import essentia.standard
import numpy as np
from serve import serve
from waveform import BANDS, HOP, LENGTH, RATE, make_waveforms, summarise

audio = make_waveforms(*map(int, sys.argv[1:]))
window = essentia.standard.Windowing(type="blackmanharris92", size=LENGTH, zeroPhase=False, symmetric=False)
spectrum = essentia.standard.Spectrum(size=LENGTH)
mel = essentia.standard.MelBands(
    inputSize=LENGTH // 2 + 1,
    numberBands=BANDS,
    sampleRate=RATE,
    lowFrequencyBound=0,
    highFrequencyBound=RATE / 2,
    warpingFormula="htkMel",
    weighting="warping",
    normalize="unit_sum",
    type="power",
)


def transform(track):
    """Its number to (frames, bands)."""
    samples = audio[track]
    starts = range(0, len(samples) - LENGTH + 1, HOP)
    energy = np.array([mel(spectrum(window(samples[start : start + LENGTH]))) for start in starts])
    return np.log1p(10_000 * energy) / np.float32(np.log(10))


with multiprocessing.get_context("fork").Pool() as workers:  # forked, they have the audio
    serve(lambda: summarise(workers.map(transform, range(len(audio)), chunksize=1)))
