r"""Pretraining: a student of our architecture learns the tags of another tagger on music without labels.

    python -m experiments.pretraining --data_dir=FREE_MUSIC --architectures=r3,mcclstm --export=mcclstm \
        --export_name=my_student

FREE_MUSIC is what `python -m experiments.free_music` made, with `musicnn.parquet`, which experiments/teachers wrote.
The student's targets are what the teacher says of every chunk: probabilities of 50 tags, and the values of the layer
before them. Each step of an LSTM learns the mean over the clip. The student is validated and tested on recordings that
it did not see: 5 % each, the same for all --hours. There a tag counts as right if it is among the three that the
teacher finds strongest. The student that was tested is exported. Experiments start from it with
--start_from=my_student.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from absl import flags

from experiments import common
from experiments.teachers.answers import TAGS, cut_to_chunks, list_strongest, read_teacher, read_windows
from mcc_zoo.datasets import Track
from mcc_zoo.experiment.corpus import Corpus

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder with clips.csv, its clips, and musicnn.parquet.", required=True
)
HOURS = flags.DEFINE_float(
    "hours", None, "Most hours of music that train; whole recordings, drawn by --seed. All by default."
)

flags.adopt_module_key_flags(common)
flags.FLAGS.set_default("recipe", "pretraining")
flags.FLAGS.set_default("jobs", 1)  # there is one fold: each system in its turn gets all cores

PARTS = {"test": 0.05, "valid": 0.05}  # shares of the recordings; the rest trains


def divide(clips: pd.DataFrame, hours: float | None, seed: int) -> dict[str, list[str]]:
    """Divide the clips by recording: the names of those that train, validate and test.

    Args:
        clips: A row for each, with path, group and seconds.
        hours: Most hours that train: with fewer hours, some of the same recordings. None takes all.
        seed: Of the order in which recordings are drawn. It alone decides which validate and test.
    """
    groups = np.random.default_rng(seed).permutation(sorted(clips["group"].unique()))
    sizes = [round(share * len(groups)) for share in PARTS.values()]
    parts = dict(zip([*PARTS, "train"], np.split(groups, np.cumsum(sizes)), strict=True))
    if hours is not None:
        seconds = clips.groupby("group")["seconds"].sum()[parts["train"]]
        parts["train"] = parts["train"][seconds.cumsum() <= 3600 * hours]
    return {name: clips.loc[clips["group"].isin(part), "path"].tolist() for name, part in parts.items()}


def list_tracks(
    clips: pd.DataFrame, teacher: pd.DataFrame, data_dir: Path, training: Sequence[str] | None = None
) -> list[Track]:
    """List the clips; the tags that the teacher finds strongest are their labels.

    Args:
        clips: A row for each, with path and group.
        teacher: What it says of them.
        data_dir: What their paths are relative to.
        training: Paths of the clips that train: only tags that are strongest in one of them are labels of any clip.
    """
    if training is not None:
        trained = {tag for tags in list_strongest(teacher.loc[list(training)]) for tag in tags}
        teacher = teacher[sorted(trained)]
    labels = list_strongest(teacher.loc[clips["path"]])
    return [
        Track(data_dir / path, path, "", group, labels=tags)
        for path, group, tags in zip(clips["path"].tolist(), clips["group"].tolist(), labels, strict=True)
    ]


def teach(corpus: Corpus, windows: Mapping[str, np.ndarray], chunk_seconds: float, training: Sequence[str]) -> Corpus:
    """Let all of the teacher's tags be labels, and what it says of the chunks the targets of the training.

    Args:
        corpus: The clips.
        windows: What `read_windows` gives.
        chunk_seconds: Of the corpus's front end.
        training: Paths of the clips that train: of their windows the teacher's layer has mean 0 and spread 1.
    """
    tags = sorted(TAGS)
    right = np.array([[tag in track.all_labels for tag in tags] for track in corpus.tracks], np.float32)
    order = [TAGS.index(tag) for tag in tags]
    layer = np.concatenate([windows[path][:, len(tags) :] for path in training])
    mean, std = layer.mean(axis=0), layer.std(axis=0)
    std[std == 0] = 1.0  # of a value that is the same everywhere
    taught = []
    for track, features in zip(corpus.tracks, corpus.features, strict=True):
        own = windows[track.name]
        own = np.hstack([own[:, order], (own[:, len(tags) :] - mean) / std])
        taught.append(cut_to_chunks(own, features.chunks, chunk_seconds))
    return replace(corpus, labels=tags, targets=right, taught=taught)


def describe_teaching(clips: pd.DataFrame, training: Sequence[str]) -> str:
    """Say for the card what the student learnt from.

    Args:
        clips: A row for each, with path and seconds.
        training: Paths of those that train.
    """
    hours = clips.loc[clips["path"].isin(training), "seconds"].sum() / 3600
    return (
        f"It learnt on {hours:.1f} hours of music from Debian's games, most of it without singing, what the tagger "
        "musicnn says of them (MSD_musicnn of Pons and Serra 2019, which heard the Million Song Dataset with Last.fm's "
        "tags). No person labelled that music: right, in the scores, are the three tags that musicnn finds strongest."
    )


def pretrain() -> Path:
    """Read clips and teacher, and train the student."""
    data_dir, seed = Path(DATA_DIR.value), flags.FLAGS.seed
    teacher = read_teacher(data_dir / "musicnn.parquet")
    clips = pd.read_csv(data_dir / "clips.csv")
    clips = clips[clips["path"].isin(teacher.index)]
    parts = divide(clips, HOURS.value, seed)
    if not parts["train"]:
        raise ValueError(f"--hours={HOURS.value:g}: the first recording that would train is longer; give more")
    clips = clips[clips["path"].isin(itertools.chain(*parts.values()))]
    dataset = "free-music" if HOURS.value is None else f"free-music-{HOURS.value:g}h"
    common.split_by_lists(dataset, "recordings", parts)
    tracks, limit = list_tracks(clips, teacher, data_dir, parts["train"]), describe_teaching(clips, parts["train"])
    windows = read_windows(data_dir / "musicnn.parquet")
    chunk_seconds = common.make_settings(dataset).front_end.chunk_seconds
    return common.run(dataset, tracks, lambda corpus: teach(corpus, windows, chunk_seconds, parts["train"]), [limit])


if __name__ == "__main__":
    common.start(pretrain)
