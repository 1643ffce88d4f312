"""Soundtracks, emotions of film music: the paper's Table 5.

    python -m experiments.soundtracks --data_dir=Soundtracks --split=random --architectures=all

The folder holds `Set1/001.mp3` to 360 and `Set2/001.mp3` to 110 with their tables of mean ratings; a track's label is
its highest of five emotions. The paper reports, in %, MCCLSTM 74.35 ± 1.63, R4 73.70, R3 63.04, R2 57.28, R1 64.50,
R0 52.00, CNNs-3 60.87. Its split is random, and leaky: all of Set 2 is music of Set 1. --split=grouped keeps linked
tracks and albums in one fold.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder that holds Set1, Set2 and the rating tables.", required=True)

flags.adopt_module_key_flags(common)

if __name__ == "__main__":
    common.main(lambda: ("soundtracks", datasets.read_soundtracks(Path(DATA_DIR.value))))
