"""The log-mel chunks that every trainer reads; numpy alone, so that every environment has it."""

import numpy as np

CHUNKS, BANDS, FRAMES, LABELS, BATCH = 16, 40, 80, 10, 16


def make_tracks(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make noise that is louder in one band for each label: (count, CHUNKS, BANDS, FRAMES) float32, (count,) int."""
    random = np.random.RandomState(seed)  # its numbers never change from one numpy to the next
    labels = random.randint(LABELS, size=count)
    chunks = random.standard_normal((count, CHUNKS, BANDS, FRAMES)).astype(np.float32)
    chunks[np.arange(count), :, labels * BANDS // LABELS] += 0.5
    return chunks, labels
