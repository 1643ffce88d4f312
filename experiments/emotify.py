"""Emotify: 400 excerpts of four genres, with the emotions that listeners felt. Not in the paper.

    python -m experiments.emotify --data_dir=EMOTIFY --labels=genre --split=grouped --architectures=all

--labels=emotion predicts the emotion that most listeners chose. --labels=moods predicts all that at least a quarter of
them chose, 3.3 per excerpt on average.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the dataset.", required=True)
LABELS = flags.DEFINE_enum("labels", "genre", ["genre", "emotion", "moods"], "What to predict.")

flags.adopt_module_key_flags(common)

if __name__ == "__main__":
    common.main(lambda: (f"emotify-{LABELS.value}", datasets.read_emotify(Path(DATA_DIR.value), LABELS.value)))
