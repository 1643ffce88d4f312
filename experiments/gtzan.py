"""GTZAN genres: the paper's Table 3.

    python -m experiments.gtzan --data_dir=GTZAN --split=random --architectures=all

The folder holds `genres/<genre>/<genre>.00000.au` (or .wav). The paper reports, in %, MCCLSTM 84.69 ± 1.76, R4 83.70,
R3 82.90, R2 78.40, R1 59.30, R0 51.70, CNNs-3 79.80. Its split is random, and leaky: artists, and even recordings,
are in both training and test. Two protocols are not leaky:

    python -m experiments.gtzan --data_dir=GTZAN --split=grouped --artists=GTZANindex.txt
    python -m experiments.gtzan --data_dir=GTZAN --split=FOLDER

The first keeps the tracks of an artist in one fold. The second is the fixed, fault-filtered split by the lists
train_filtered.txt, valid_filtered.txt and test_filtered.txt of the folder, one track per line, such as
blues/blues.00029.wav. Tracks in none of the lists are left out. More --seeds draw other initial weights,
not other tracks.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the dataset: genres, or one above it.", required=True)
ARTISTS = flags.DEFINE_string(
    "artists",
    None,
    "Artist index with lines FILE ::: ARTIST ::: TITLE: artists are groups. By default GTZANindex.txt in the folder or "
    "beside it.",
)

flags.adopt_module_key_flags(common)


def load_tracks() -> tuple[str, list[datasets.Track]]:
    """List the tracks; raise if --split=grouped is asked for and no artist is known."""
    tracks = datasets.read_gtzan(Path(DATA_DIR.value), ARTISTS.value)
    if flags.FLAGS.split == "grouped" and not any(track.group for track in tracks):
        raise ValueError(
            f"--split=grouped: no artist is known of {DATA_DIR.value}; put GTZANindex.txt there, or give --artists=FILE"
        )
    return "gtzan", tracks


if __name__ == "__main__":
    common.main(load_tracks)
