"""Tracks whose classes differ in the order of their sections alone: what the LSTM is for.

    python -m experiments.structure --architectures=all

Each of 40 songs stands there in six orders of the same chunks (AABB, ABAB, ...), so that systems without an LSTM are
at chance, 16.7 %. Five folds, grouped by song, a hundred epochs.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets
from mcc_zoo.datasets import synthetic

DATA_DIR = flags.DEFINE_string("data_dir", "demo/structure", "Where the corpus is made, or lies from an earlier run.")
SONGS = flags.DEFINE_integer("songs", 40, "Songs, each in six orders.", lower_bound=3)

flags.adopt_module_key_flags(common)


def tracks() -> list[datasets.Track]:
    """Make the corpus, unless it is there, and list it."""
    with common.progress("making the corpus") as progress:
        manifest = synthetic.make_structure(Path(DATA_DIR.value), songs=SONGS.value, progress=progress)
    return datasets.read_manifest(manifest)


if __name__ == "__main__":
    flags.FLAGS.set_default("folds", 5)
    flags.FLAGS.set_default("max_epochs", 100)  # 144 training tracks: the recipe's twenty would be 180 steps
    common.main(lambda: ("structure", tracks()))
