"""Our front end: a compiled function of one waveform, a thread a core, as the feature cache calls it."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf
from serve import serve
from waveform import value, waveforms

from mcc_zoo import FrontEnd
from mcc_zoo.front_end import log_mel

audio = waveforms(*map(int, sys.argv[1:]))
pool = ThreadPoolExecutor(os.cpu_count())


@tf.function(input_signature=[tf.TensorSpec((None,), tf.float32)])
def transform(samples):
    """(samples,) to (frames, bands)."""
    return log_mel(samples[tf.newaxis], FrontEnd())[0]


serve(lambda: value(list(pool.map(lambda track: transform(track).numpy(), audio))))
