"""GTZAN genres: the paper's Table 3.

    python -m experiments.gtzan --data_dir=GTZAN --split=random --architectures=all

The folder holds `genres/<genre>/<genre>.00000.au` (or .wav). The paper reports, in %, MCCLSTM 84.69 ± 1.76, R4 83.70,
R3 82.90, R2 78.40, R1 59.30, R0 51.70, CNNs-3 79.80. Its split is random, and leaky: artists, and even recordings,
stand on both sides. Two protocols are not:

    python -m experiments.gtzan --data_dir=GTZAN --split=grouped --artists=GTZANindex.txt
    python -m experiments.gtzan --data_dir=GTZAN --split=FOLDER

The first keeps the tracks of an artist in one fold. The second is one fixed split, the fault-filtered one, by the lists
train_filtered.txt, valid_filtered.txt and test_filtered.txt of the folder: a line a track, such as
blues/blues.00029.wav. Tracks in none of them are left out; more --seeds draw other initial weights, not other tracks.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the dataset: genres, or one above it.", required=True)
ARTISTS = flags.DEFINE_string(
    "artists",
    None,
    "Artist index, lines FILE ::: ARTIST ::: TITLE: artists are groups. By default a GTZANindex.txt in or beside the "
    "folder.",
)

flags.adopt_module_key_flags(common)


def load() -> tuple[str, list[datasets.Track]]:
    """List the tracks; --split=grouped without an artist would only be called so."""
    tracks = datasets.read_gtzan(Path(DATA_DIR.value), ARTISTS.value)
    if flags.FLAGS.split == "grouped" and not any(track.group for track in tracks):
        raise ValueError(
            f"--split=grouped: no artist is known of {DATA_DIR.value}; put GTZANindex.txt there, or give --artists=FILE"
        )
    return "gtzan", tracks


if __name__ == "__main__":
    common.main(load)
