"""A signature of an export, asked about one clip again and again: how long it takes, and what memory.

Arguments: the export, the signature, a short clip that is asked about first, for what is traced once, and the clip. A
clip is a file: .npy holds samples (batch, samples), .wav is sent as it is.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from memory import read_memory
from serve import serve

export, name, short, clip = sys.argv[1:]
loaded = tf.saved_model.load(export)
signature = loaded.signatures[name]


def read_inputs(path):
    """Read what is sent: tensors by the names of the signature's inputs."""
    if path.endswith(".wav"):
        return {"wav_bytes": tf.constant([Path(path).read_bytes()])}
    audio = tf.constant(np.load(path))
    return {"audio": audio, **({"length": tf.fill([len(audio)], audio.shape[1])} if name == "tag_padded" else {})}


def ask(inputs):
    """Ask once: the tags, or the last row of the taggram."""
    answer = signature(**inputs)
    return (answer["tags"][0] if "tags" in answer else answer["taggram"][0, -1]).numpy()


ask(read_inputs(short))
before = read_memory("VmRSS")
inputs = read_inputs(clip)


def work(calls):
    """Ask so many times; `before` is the memory with the short clip answered, `more` the peak above it."""
    for _ in range(calls):
        tags = ask(inputs)
    return {"tags": tags.tolist(), "before": before, "more": read_memory("VmHWM") - before}


serve(work)
