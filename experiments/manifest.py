"""Own music: compare systems on the tracks of a CSV file, and export one.

    python -m experiments.manifest --manifest=EMOTIFY/genre.csv --split=grouped --architectures=all --folds=10

The file has a row a track, with the columns `path` (relative to the file) and `label`, and if you like `group` (tracks
that must not stand on both sides of a split: an artist's, an album's) and `fold`.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets

MANIFEST = flags.DEFINE_string(
    "manifest", None, "CSV file with the columns path, label[, group][, fold].", required=True
)
NAME = flags.DEFINE_string("name", None, "Of the dataset, for results and export; the file's name by default.")

flags.adopt_module_key_flags(common)

if __name__ == "__main__":
    common.main(lambda: (NAME.value or Path(MANIFEST.value).stem, datasets.read_manifest(Path(MANIFEST.value))))
