"""A test of the LSTM: tracks whose classes differ only in the order of their sections.

    python -m experiments.structure --architectures=all

Each of 40 songs has six tracks, made of the same chunks in six orders (AABB, ABAB, ...); the order is the label.
Systems without an LSTM are therefore at chance, 16.7 %. Five folds, grouped by song, 100 epochs.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets
from mcc_zoo.datasets import synthetic

DATA_DIR = flags.DEFINE_string(
    "data_dir", "demo/structure", "Folder of the corpus, which is made there if it is missing."
)
SONGS = flags.DEFINE_integer("songs", 40, "Songs, each in six orders.", lower_bound=3)

flags.adopt_module_key_flags(common)


def load_tracks() -> list[datasets.Track]:
    """Make the corpus if it is missing, and list its tracks."""
    with common.show_progress("making the corpus") as progress:
        manifest = synthetic.make_structure(Path(DATA_DIR.value), songs=SONGS.value, progress=progress)
    return datasets.read_manifest(manifest)


if __name__ == "__main__":
    flags.FLAGS.set_default("folds", 5)
    flags.FLAGS.set_default("max_epochs", 100)  # on 144 training tracks the recipe's 20 epochs are 180 steps only
    common.main(lambda: ("structure", load_tracks()))
