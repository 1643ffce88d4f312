"""MTG-Jamendo: auto-tagging of whole tracks. Not in the paper.

    python -m experiments.mtg_jamendo --data_dir=JAMENDO --tags=top50tags --split=split-0

The folder holds the tables (the folder data of the dataset's repository) and the audio (508 GB, or 156 GB in low
quality; of moods and themes alone 152 or 46 GB). --split=split-0 to split-4 are the published splits; their lists are
written to RESULTS_DIR/splits. The other splits are as everywhere: --split=grouped keeps artists together, in ten folds.

This experiment has not been run here on the real audio.
"""

import re
from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets
from mcc_zoo.datasets.mtg_jamendo import TABLES

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder that holds the tables and the audio.", required=True)
TAGS = flags.DEFINE_enum("tags", "top50tags", list(TABLES), "Which tags to predict.")

flags.adopt_module_key_flags(common)


def load_tracks() -> tuple[str, list[datasets.Track]]:
    """List the tracks; write the lists of --split=split-0 to split-4."""
    name, folder = f"mtg_jamendo-{TAGS.value}", Path(DATA_DIR.value)
    published = re.fullmatch(r"split-(\d+)", flags.FLAGS.split)
    if published is None:
        return name, datasets.read_mtg_jamendo(folder, TAGS.value)
    number = int(published[1])
    tracks = datasets.read_mtg_jamendo(folder, TAGS.value, number)
    common.split_by_lists(name, f"split-{number}", datasets.read_mtg_jamendo_split(folder, TAGS.value, number))
    return name, tracks


if __name__ == "__main__":
    common.main(load_tracks)
