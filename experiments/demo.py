"""The whole system without data: dances that the package synthesises.

    python -m experiments.demo

It makes the corpus, compares R3 and MCCLSTM over five folds (a class has 20 tracks, chance is 12.5 %), and with
--export=mcclstm trains on all tracks and exports. `make demo` does that and tags files with the export.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets
from mcc_zoo.datasets import synthetic

DATA_DIR = flags.DEFINE_string("data_dir", "demo/corpus", "Where the corpus is made, or lies from an earlier run.")
TRACKS = flags.DEFINE_integer("tracks_per_dance", 20, "Files a dance.", lower_bound=3)

flags.adopt_module_key_flags(common)


def tracks() -> list[datasets.Track]:
    """Make the corpus, unless it is there, and list it."""
    with common.progress("making the corpus") as progress:
        manifest = synthetic.make_demo(Path(DATA_DIR.value), tracks_per_dance=TRACKS.value, progress=progress)
    return datasets.read_manifest(manifest)


if __name__ == "__main__":
    flags.FLAGS.set_default("folds", 5)
    common.main(lambda: ("demo", tracks()))
