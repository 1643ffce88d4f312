"""Files that FFmpeg writes, most of which soundfile cannot."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

CODECS = {  # suffix: FFmpeg's names of the codec and the container
    "m4a": ("aac", "ipod"),
    "m4b": ("aac", "ipod"),
    "alac.m4a": ("alac", "ipod"),
    "aac": ("aac", "adts"),
    "wma": ("wmav2", "asf"),
    "mp3": ("libmp3lame", "mp3"),
    "mp2": ("mp2", "mp2"),
    "ac3": ("ac3", "ac3"),
    "eac3": ("eac3", "eac3"),
    "opus": ("libopus", "opus"),
    "spx": ("libspeex", "ogg"),
    "flac": ("flac", "flac"),
    "oga": ("flac", "ogg"),
    "mka": ("flac", "matroska"),
    "webm": ("libopus", "webm"),
    "wv": ("wavpack", "wv"),
    "tta": ("tta", "tta"),
}


def encode(path: Path, samples: np.ndarray, sample_rate: int, pts: int | None = None, **options: str) -> Path:
    """Write samples (samples,) or (samples, channels) in the format of the suffix; options are FFmpeg's.

    `pts` is the time of the first sample: with 0, an M4A file states its delay.
    """
    codec, container = CODECS.get(path.name.partition(".")[2]) or CODECS[path.suffix[1:]]
    planes = np.ascontiguousarray(np.atleast_2d(samples.T), np.float32)
    layout = "mono" if len(planes) == 1 else "stereo"
    with av.open(str(path), "w", format=container, options=options) as file:
        stream = file.add_stream(codec, rate=sample_rate, layout=layout)
        stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = sample_rate, pts
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    return path
