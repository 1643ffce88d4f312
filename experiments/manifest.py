"""Your own music: compare systems on the tracks of a CSV file, and export one.

    python -m experiments.manifest --manifest=EMOTIFY/genre.csv --split=grouped --architectures=all --folds=10

The file has one row per track, with the columns `path` (relative to the file) and `label`, and optionally `group` and
`fold`. Tracks of a group, such as an artist or an album, stay in one fold.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets

MANIFEST = flags.DEFINE_string(
    "manifest", None, "CSV file with the columns path, label[, group][, fold].", required=True
)
NAME = flags.DEFINE_string("name", None, "Name of the dataset, for results and export; by default the file's name.")

flags.adopt_module_key_flags(common)

if __name__ == "__main__":
    common.main(lambda: (NAME.value or Path(MANIFEST.value).stem, datasets.read_manifest(Path(MANIFEST.value))))
