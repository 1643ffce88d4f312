"""What a teacher said of clips: the table of `musicnn_tags`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet

TAGS = (  # of MSD_musicnn, in its order
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow", "electronica",
    "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy",
)  # fmt: skip
STRONGEST = 3  # tags of a clip that count as right
WINDOW_SECONDS = 187 * 256 / 16_000  # of musicnn
WINDOW_LAYERS = {"window_tags": len(TAGS), "window_penultimate": 200}  # and how many values they have


def read_teacher(path: Path) -> pd.DataFrame:
    """Read the teacher's probabilities: a row for each clip by its path, a column for each tag."""
    table = pyarrow.parquet.read_table(path, columns=["path", "tags"])
    return pd.DataFrame(np.stack(table["tags"].to_numpy()), index=table["path"].to_numpy(), columns=TAGS)


def read_windows(path: Path) -> dict[str, np.ndarray]:
    """Read what the teacher says of every window of each clip: by its path (windows, 250) float32, tags and layer.

    Raises:
        ValueError: The table was written before windows were kept.
    """
    if missing := set(WINDOW_LAYERS) - set(pyarrow.parquet.read_schema(path).names):
        raise ValueError(
            f"{path} has no column {min(missing)!r}, as an earlier version wrote it: remove it and the folder "
            f"{path.with_suffix('.parts')}, and ask the teacher again"
        )
    table = pyarrow.parquet.read_table(path, columns=["path", *WINDOW_LAYERS])
    layers = [[own.reshape(-1, size) for own in table[name].to_numpy()] for name, size in WINDOW_LAYERS.items()]
    return {clip: np.hstack(own) for clip, *own in zip(table["path"].to_pylist(), *layers, strict=True)}


def cut_to_chunks(windows: np.ndarray, chunks: int, chunk_seconds: float) -> np.ndarray:
    """Say of chunks what the teacher says of windows: (windows, values) to (chunks, values).

    A chunk gets the mean of the windows that it meets, each weighed by the time that both share. A chunk behind the
    last window gets what that has.

    >>> cut_to_chunks(np.array([[0.0], [1.0]]), 3, 2.0).round(2).ravel().tolist()
    [0.0, 0.5, 1.0]
    """
    chunk_starts = chunk_seconds * np.arange(chunks)[:, np.newaxis]
    window_starts = WINDOW_SECONDS * np.arange(len(windows))
    first = np.maximum(chunk_starts, window_starts)
    last = np.minimum(chunk_starts + chunk_seconds, window_starts + WINDOW_SECONDS)
    shared = np.maximum(last - first, 0.0)
    shared[shared.sum(axis=1) == 0, -1] = 1.0
    return (shared / shared.sum(axis=1, keepdims=True) @ windows).astype(np.float32)


def list_strongest(teacher: pd.DataFrame) -> list[tuple[str, ...]]:
    """List the tags of each row that the teacher finds strongest, in alphabetical order."""
    strongest = np.argsort(-teacher.to_numpy(), axis=1)[:, :STRONGEST]
    return [tuple(sorted(row)) for row in teacher.columns.to_numpy()[strongest].tolist()]
