"""Tags and features of musicnn for every clip: what a student learns from.

    .venv-bench/musicnn/bin/python experiments/teachers/musicnn_tags.py --clips FREE_MUSIC/clips.csv

It writes `musicnn.parquet` beside the table: a row for each clip, with its path as the table has it, the probabilities
of 50 tags, and the values of three layers. Each is the mean over the clip's windows of three seconds, one after the
other, as musicnn's own extractor cuts them. `window_tags` and `window_penultimate` have the values of every window, one
window after the other. Clips that are in the file already are left as they are, so the same command again goes on where
it stopped.

musicnn (Pons and Serra, 2019; ISC licence) was trained on the Million Song Dataset with the 50 most frequent tags of
Last.fm. It needs an environment of its own: `make .venv-bench/musicnn/installed`. Nothing of mcc_zoo is imported here.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # it is off on processors without AVX512_VNNI
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import librosa
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

MODEL = "MSD_musicnn"
SAMPLE_RATE, HOP, FFT_SIZE, MEL_BANDS, TAG_COUNT = 16_000, 256, 512, 96, 50  # of musicnn, Hz and samples
FRAMES = 187  # three seconds, as musicnn was trained
PART_CLIPS = 200  # clips between two writes
LAYERS = {"tags": TAG_COUNT, "penultimate": 200, "mean_pool": 753, "max_pool": 753}  # and how many values they have
OF_WINDOWS = ("tags", "penultimate")  # layers that are kept for every window, too
SCHEMA = pyarrow.schema(
    [
        ("path", pyarrow.string()),
        *[(name, pyarrow.list_(pyarrow.float32(), size)) for name, size in LAYERS.items()],
        *[(f"window_{name}", pyarrow.list_(pyarrow.float32())) for name in OF_WINDOWS],
    ]
)
Teacher = Callable[[np.ndarray], list[np.ndarray]]


def cut_windows(path: Path) -> np.ndarray:
    """Compute musicnn's own log-mel of a file, cut into windows: (windows, FRAMES, 96) float32.

    What is left behind the last whole window is dropped; a file of less than one is padded with zeros.
    """
    samples, rate = librosa.load(path, sr=SAMPLE_RATE)
    mel = librosa.feature.melspectrogram(y=samples, sr=rate, hop_length=HOP, n_fft=FFT_SIZE, n_mels=MEL_BANDS)
    log_mel = np.log10(10_000 * mel.T + 1).astype(np.float32)
    if len(log_mel) < FRAMES:
        log_mel = np.pad(log_mel, ((0, FRAMES - len(log_mel)), (0, 0)))
    whole = len(log_mel) // FRAMES
    return log_mel[: whole * FRAMES].reshape(whole, FRAMES, MEL_BANDS)


def describe_clip(path: str, windows: np.ndarray, teacher: Teacher) -> dict[str, object]:
    """Ask the teacher about the windows of a clip: a row of the table."""
    said = dict(zip(LAYERS, teacher(windows), strict=True))
    means = {name: values.mean(axis=0) for name, values in said.items()}
    return {"path": path} | means | {f"window_{name}": said[name].ravel() for name in OF_WINDOWS}


def load_teacher() -> Teacher:
    """Load musicnn as a function from windows to what LAYERS names of each."""
    import musicnn  # with TensorFlow in the environment of the teacher alone
    import tensorflow as tf
    from musicnn import models

    tf.compat.v1.disable_eager_execution()
    with tf.name_scope("model"):
        windows = tf.compat.v1.placeholder(tf.float32, [None, FRAMES, MEL_BANDS])
        is_training = tf.compat.v1.placeholder(tf.bool)
        logits, *_, mean_pool, max_pool, penultimate = models.define_model(windows, is_training, MODEL, TAG_COUNT)
        read = [tf.sigmoid(logits), penultimate, mean_pool, max_pool]
    session = tf.compat.v1.Session()
    session.run(tf.compat.v1.global_variables_initializer())
    tf.compat.v1.train.Saver().restore(session, f"{Path(musicnn.__file__).parent}/{MODEL}/")
    return lambda batch: session.run(read, {windows: batch, is_training: False})


def read_done(folder: Path) -> set[str]:
    """Read the paths of the clips that are done."""
    parts = sorted(folder.glob("part-*.parquet"))
    return {path for part in parts for path in pyarrow.parquet.read_table(part, columns=["path"])["path"].to_pylist()}


def write_whole(table: pyarrow.Table, path: Path) -> None:
    """Replace a Parquet file, whole or not at all; where it cannot be written, end with a sentence and status 2."""
    unfinished = path.with_name(f".{path.name}")
    try:
        with open(unfinished, "wb") as file:
            pyarrow.parquet.write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        said = f"the teacher's answers {path} cannot be written ({reason}): make room on its disk and try again"
        print(f"error: {said}", file=sys.stderr)
        sys.exit(2)


def main() -> None:
    """Ask the teacher about every clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="CSV with a column path, relative to the file")
    parser.add_argument("--output", type=Path, help="Parquet file; musicnn.parquet beside the table by default")
    arguments = parser.parse_args()
    output = arguments.output or arguments.clips.with_name("musicnn.parquet")
    folder = output.with_suffix(".parts")
    folder.mkdir(parents=True, exist_ok=True)
    done = read_done(folder)
    paths = [path for path in pd.read_csv(arguments.clips)["path"] if path not in done]
    teacher = load_teacher()
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(paths), PART_CLIPS):
            part = paths[start : start + PART_CLIPS]
            cut = pool.map(cut_windows, [arguments.clips.parent / path for path in part])
            rows = [describe_clip(path, windows, teacher) for path, windows in zip(part, cut, strict=True)]
            table = pyarrow.Table.from_pylist(rows, SCHEMA)
            write_whole(table, folder / f"part-{len(done) + start:06}.parquet")
            finished = start + len(part)
            left = (time.monotonic() - started) / finished * (len(paths) - finished)
            print(f"{finished} of {len(paths)} clips, {left / 60:.0f} min left", file=sys.stderr)
    parts = [pyarrow.parquet.read_table(part) for part in sorted(folder.glob("part-*.parquet"))]
    write_whole(pyarrow.concat_tables(parts), output)
    print(f"{output}: {sum(map(len, parts))} clips")


if __name__ == "__main__":
    main()
