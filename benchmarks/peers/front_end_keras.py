"""keras.layers.MelSpectrogram in a compiled function, a thread a core."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import tensorflow as tf
from serve import serve
from waveform import BANDS, HOP, LENGTH, RATE, make_waveforms, make_window, summarise

audio = make_waveforms(*map(int, sys.argv[1:]))
pool = ThreadPoolExecutor(os.cpu_count())
layer = keras.layers.MelSpectrogram(
    fft_length=LENGTH,
    sequence_stride=HOP,
    window=tf.constant(make_window()),
    sampling_rate=RATE,
    num_mel_bins=BANDS,
    min_freq=0.0,
    power_to_db=False,
)
sums = tf.reduce_sum(layer.linear_to_mel_weight_matrix(BANDS, LENGTH // 2 + 1, RATE, 0.0, RATE / 2), axis=0)


@tf.function(input_signature=[tf.TensorSpec((None,), tf.float32)])
def transform(samples):
    """(samples,) to (frames, bands). The layer centres frames; a hop is half a window, so all but its ends agree."""
    energy = tf.transpose(layer(samples))[1:-1] / sums
    return tf.math.log1p(10_000 * energy) / tf.math.log(10.0)


serve(lambda: summarise(list(pool.map(lambda track: transform(track).numpy(), audio))))
