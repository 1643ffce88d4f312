"""Files that soundfile cannot write: M4A, AAC and WMA."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

CODECS = {"m4a": ("aac", "ipod"), "aac": ("aac", "adts"), "wma": ("wmav2", "asf")}


def encode(path: Path, samples: np.ndarray, sample_rate: int, **options: str) -> Path:
    """Write samples (samples,) or (samples, channels) in the format of the suffix; options are FFmpeg's."""
    codec, container = CODECS[path.suffix[1:]]
    planes = np.ascontiguousarray(np.atleast_2d(samples.T), np.float32)
    layout = "mono" if len(planes) == 1 else "stereo"
    with av.open(str(path), "w", format=container, options=options) as file:
        stream = file.add_stream(codec, rate=sample_rate, layout=layout)
        stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate = sample_rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    return path
