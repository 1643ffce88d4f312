"""Our front end: blocks of chunks as the feature cache computes them, a track a core, each in one thread."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from serve import serve
from waveform import make_waveforms, summarise

from mcc_zoo import FrontEnd
from mcc_zoo.features.streaming import mel_blocks

tf.config.threading.set_intra_op_parallelism_threads(1)
audio = make_waveforms(*map(int, sys.argv[1:]))
pool = ThreadPoolExecutor(os.cpu_count())


def transform(samples):
    """(samples,) to (frames, bands)."""
    return np.concatenate(list(mel_blocks([samples], FrontEnd())))


serve(lambda: summarise(list(pool.map(transform, audio))))
