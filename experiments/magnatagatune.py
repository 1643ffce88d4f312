"""MagnaTagATune: auto-tagging, the 50 most frequent tags of 29-second clips. Not in the paper.

    python -m experiments.magnatagatune --data_dir=MTT --split=folders --front_end=22k

The folder holds the clips in `0/` to `f/` (3 GB), `annotations_final.csv` and, for the artists, `clip_info_final.csv`.
--split=folders is the usual split of the clips by folder: 0 to b train, c validates, d to f test. Its lists are written
to RESULTS_DIR/splits. The other splits are as everywhere: --split=grouped keeps artists together, in ten folds.

The audio has 16,000 Hz, so the front end 22k loses nothing. This experiment has not been run here on the real audio.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder that holds the clips and the tables.", required=True)
TAGS = flags.DEFINE_integer("tags", 50, "How many of the most frequent tags to predict.", lower_bound=2)

flags.adopt_module_key_flags(common)


def load_tracks() -> tuple[str, list[datasets.Track]]:
    """List the tracks; write the lists of --split=folders."""
    name = f"magnatagatune-top{TAGS.value}"
    tracks = datasets.read_magnatagatune(Path(DATA_DIR.value), TAGS.value)
    if flags.FLAGS.split == "folders":
        common.split_by_lists(name, "folders", datasets.split_magnatagatune(tracks))
    return name, tracks


if __name__ == "__main__":
    common.main(load_tracks)
