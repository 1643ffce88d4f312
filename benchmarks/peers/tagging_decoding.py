"""Decoding alone, files in parallel: what no tagger of these files can be faster than.

`mono` is what the tagger needs (blocks, mixed and at 44,100 Hz), `raw` soundfile's arrays as they are in the file.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import soundfile
from serve import serve

from mcc_zoo.audio import reading
from mcc_zoo.features.chunking import samples_of
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.streaming import BLOCK_CHUNKS

FRONT_END = FrontEnd()


def mono(path):
    """Count the samples that the tagger would get."""
    blocks = reading.read_blocks(path, FRONT_END.sample_rate, samples_of(BLOCK_CHUNKS, FRONT_END))
    return sum(len(block) for block in blocks)


def raw(path):
    """Count the frames of the file."""
    return len(soundfile.read(path, dtype="float32")[0])


decode = {"mono": mono, "raw": raw}[sys.argv[1]]


def work(paths):
    """Decode every file; the checksum is the number of samples."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        samples = list(pool.map(decode, paths))
    return {"files": len(paths), "ok": sum(count > 0 for count in samples), "checksum": sum(samples)}


serve(work)
