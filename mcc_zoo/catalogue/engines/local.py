"""The engine that uses the cores of this machine, in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from mcc_zoo.audio.decoders import Decoder, DecoderName
from mcc_zoo.catalogue.job import Job
from mcc_zoo.catalogue.rows import Row
from mcc_zoo.inference import tagger as inference


def load(folder: Path, decoder: DecoderName | Decoder) -> inference.Tagger:
    """Load an export for use on many files, and ask it a first question.

    Raises:
        ExportError: It cannot be loaded.
    """
    with contextlib.suppress(RuntimeError):  # if TensorFlow has started already, its threads stay as they are
        # Files are read side by side, one per core: more threads per operation would take the other files' cores.
        tf.config.threading.set_intra_op_parallelism_threads(1)
    tagger = inference.load(folder, decoder)
    # After a first question here, TensorFlow logs nothing between the rows.
    tagger.tag_waveform(np.zeros(tagger.front_end.chunk_samples), tagger.front_end.sample_rate)
    return tagger


def tag(paths: Iterator[str], job: Job, tagger: inference.Tagger) -> Generator[Row]:
    """Tag files, in their order.

    Args:
        paths: Files and addresses.
        job: What is asked of each.
        tagger: The export of the job.
    """
    for result in tagger.tag_files(paths, job.sequence):
        yield job.make_row(result, tagger)
