"""Your own music: compare systems on the tracks of a CSV file, and export one.

    python -m experiments.manifest --manifest=EMOTIFY/genre.csv --split=grouped --architectures=all --folds=10

The file has one row per track, with the columns `path` (relative to the file) and `label`, and optionally `group` and
`fold`. Tracks of a group, such as an artist or an album, stay in one fold.

Tracks with many labels have a column `labels` instead, such as guitar|slow, or a column of 0 and 1 for each label:

    python -m experiments.manifest --manifest=tags.csv --label_columns=guitar,slow
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets

MANIFEST = flags.DEFINE_string(
    "manifest", None, "CSV file with the columns path, label (or labels)[, group][, fold].", required=True
)
LABEL_COLUMNS = flags.DEFINE_list(
    "label_columns", [], "Columns of 0 and 1, each a label, where there is no label or labels."
)
NAME = flags.DEFINE_string("name", None, "Name of the dataset, for results and export; by default the file's name.")

flags.adopt_module_key_flags(common)


def load_tracks() -> tuple[str, list[datasets.Track]]:
    """List the tracks of the manifest."""
    tracks = datasets.read_manifest(Path(MANIFEST.value), LABEL_COLUMNS.value)
    return NAME.value or Path(MANIFEST.value).stem, tracks


if __name__ == "__main__":
    common.main(load_tracks)
