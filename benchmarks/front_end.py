"""Log-mel of waveforms in memory: our front end beside other libraries that compute the same."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.interleaved import Peer, measure, summarise
from mcc_zoo import FrontEnd
from mcc_zoo.features.chunking import samples_of

OURS = "mcc_zoo"
TRACKS, CHUNKS = 8, 32  # a minute each
TOLERANCE = 0.02  # of log10(1 + 10000 x), which is about 2.5 at the tones
DIFFERS = {
    "Keras MelSpectrogram": "frames centred: two more are computed, and dropped",
    **dict.fromkeys(("librosa", "librosa, a thread a core"), "mel triangles linear in Hz, not in mel"),
}


def run(quick: bool) -> dict[str, pd.DataFrame]:
    """Transform eight waveforms of 32 chunks, a minute; quick: two of three."""
    tracks, chunks = (2, 3) if quick else (TRACKS, CHUNKS)
    samples = samples_of(chunks, FrontEnd())
    arguments = (str(tracks), str(samples))
    peers = [
        Peer(OURS, "front_end_mcc_zoo.py", arguments),
        Peer("Keras MelSpectrogram", "front_end_keras.py", arguments),
        Peer("librosa", "front_end_librosa.py", (*arguments, "1")),
        Peer("librosa, a thread a core", "front_end_librosa.py", (*arguments, "cores")),
        Peer("scipy.fft", "front_end_scipy.py", arguments),
        Peer("torch.stft", "front_end_torch.py", (*arguments, "whole"), "torch"),
        Peer("torch.stft, in blocks", "front_end_torch.py", (*arguments, "blocks"), "torch"),
        Peer("Essentia", "front_end_essentia.py", arguments, "essentia"),
    ]
    times = measure(peers, {}, rounds=2 if quick else 15, title="front end")
    differences = _check_differences(times.groupby("peer")["value"].first())
    found = summarise(times, OURS, tracks * samples / FrontEnd().sample_rate)
    table = pd.DataFrame(
        {
            "peer": found["peer"],
            "times real time": found["rate"],
            "spread": found["spread"],
            "ratio to ours": found["ratio"],
            "largest difference": found["peer"].map(differences),
            "differs": found["peer"].map(DIFFERS).fillna("nothing"),
        }
    )
    return {"front_end": table}


def _check_differences(values: pd.Series) -> dict[str, float]:
    """Compare each peer's mean and frame with ours; refuse times of something else."""
    numbers = {peer: np.array([value["mean"], *value["frame"]]) for peer, value in values.items()}
    found = {str(peer): float(np.abs(of_peer - numbers[OURS]).max()) for peer, of_peer in numbers.items()}
    if not max(found.values()) <= TOLERANCE:
        raise RuntimeError(f"the log-mels are further apart than {TOLERANCE}: {found}")
    return found
