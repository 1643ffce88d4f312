"""A run without a dataset: dances that the package synthesises.

    python -m experiments.demo

The script makes the corpus and compares R3 and MCCLSTM over five folds: eight dances of 20 tracks each, chance is
12.5 %. With --export=mcclstm it also trains on all tracks and exports. `make demo` does both and tags files with the
export.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets
from mcc_zoo.datasets import synthetic

DATA_DIR = flags.DEFINE_string("data_dir", "demo/corpus", "Folder of the corpus, which is made there if it is missing.")
TRACKS = flags.DEFINE_integer("tracks_per_dance", 20, "Files per dance.", lower_bound=3)

flags.adopt_module_key_flags(common)


def load_tracks() -> list[datasets.Track]:
    """Make the corpus if it is missing, and list its tracks."""
    with common.show_progress("making the corpus") as progress:
        manifest = synthetic.make_demo(Path(DATA_DIR.value), tracks_per_dance=TRACKS.value, progress=progress)
    return datasets.read_manifest(manifest)


if __name__ == "__main__":
    flags.FLAGS.set_default("folds", 5)
    common.main(lambda: ("demo", load_tracks()))
