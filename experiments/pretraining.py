r"""Pretraining: a student of our architecture learns the tags of another tagger on music without labels.

    python -m experiments.pretraining --data_dir=FREE_MUSIC --architectures=r3,mcclstm --export=mcclstm \
        --export_name=mcclstm_pretrained

FREE_MUSIC is what `python -m experiments.free_music` made, with `musicnn.parquet`, which experiments/teachers wrote.
The student sees the teacher's probabilities of 50 tags, averaged over a clip, as its targets. It is validated and
tested on recordings that it did not see: 5 % each. There a tag counts as right if it is among the three that the
teacher finds strongest. Experiments start from the export with --start_from=mcclstm_pretrained.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
from absl import flags

from experiments import common
from mcc_zoo.datasets import Track
from mcc_zoo.experiment.corpus import Corpus

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder with clips.csv, its clips, and musicnn.parquet.", required=True
)
HOURS = flags.DEFINE_float("hours", None, "Most hours of music; whole recordings, drawn by --seed. All by default.")

flags.adopt_module_key_flags(common)

TEACHER_TAGS = (  # of MSD_musicnn, in its order
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow", "electronica",
    "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy",
)  # fmt: skip
STRONGEST = 3  # tags of a clip that count as right
PARTS = {"test": 0.05, "valid": 0.05}  # shares of the recordings; the rest trains


def read_teacher(path: Path) -> pd.DataFrame:
    """Read the teacher's probabilities: a row for each clip by its path, a column for each tag."""
    table = pyarrow.parquet.read_table(path, columns=["path", "tags"])
    return pd.DataFrame(np.stack(table["tags"].to_numpy()), index=table["path"].to_numpy(), columns=TEACHER_TAGS)


def choose_recordings(clips: pd.DataFrame, hours: float | None, seed: int) -> pd.DataFrame:
    """Keep whole recordings, in an order that the seed draws, up to so many hours."""
    seconds = clips.groupby("group")["seconds"].sum()
    drawn = seconds.sample(frac=1, random_state=seed)
    kept = drawn.index if hours is None else drawn.index[drawn.cumsum() <= 3600 * hours]
    return clips[clips["group"].isin(kept)]


def divide(clips: pd.DataFrame, seed: int) -> dict[str, list[str]]:
    """Divide the clips by recording: the names of those that train, validate and test."""
    groups = np.random.default_rng(seed).permutation(sorted(clips["group"].unique()))
    sizes = [round(share * len(groups)) for share in PARTS.values()]
    parts = dict(zip([*PARTS, "train"], np.split(groups, np.cumsum(sizes)), strict=True))
    return {name: clips.loc[clips["group"].isin(part), "path"].tolist() for name, part in parts.items()}


def list_tracks(clips: pd.DataFrame, teacher: pd.DataFrame, data_dir: Path) -> list[Track]:
    """List the clips; the tags that the teacher finds strongest are their labels."""
    strongest = np.argsort(-teacher.loc[clips["path"]].to_numpy(), axis=1)[:, :STRONGEST]
    labels = np.array(TEACHER_TAGS)[strongest].tolist()
    return [
        Track(data_dir / path, path, "", group, labels=tuple(sorted(tags)))
        for path, group, tags in zip(clips["path"].tolist(), clips["group"].tolist(), labels, strict=True)
    ]


def teach(corpus: Corpus, teacher: pd.DataFrame) -> Corpus:
    """Let all of the teacher's tags be labels, and its probabilities the targets of the training."""
    tags = sorted(TEACHER_TAGS)
    right = np.array([[tag in track.all_labels for tag in tags] for track in corpus.tracks], np.float32)
    taught = teacher.loc[[track.name for track in corpus.tracks], tags].to_numpy(np.float32)
    return replace(corpus, labels=tags, targets=right, taught=taught)


def pretrain() -> Path:
    """Read clips and teacher, and train the student."""
    data_dir, seed = Path(DATA_DIR.value), flags.FLAGS.seed
    teacher = read_teacher(data_dir / "musicnn.parquet")
    clips = pd.read_csv(data_dir / "clips.csv")
    clips = choose_recordings(clips[clips["path"].isin(teacher.index)], HOURS.value, seed)
    dataset = "free-music" if HOURS.value is None else f"free-music-{HOURS.value:g}h"
    common.split_by_lists(dataset, "recordings", divide(clips, seed))
    return common.run(dataset, list_tracks(clips, teacher, data_dir), lambda corpus: teach(corpus, teacher))


if __name__ == "__main__":
    common.start(pretrain)
