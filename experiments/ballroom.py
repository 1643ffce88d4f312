"""Ballroom dances: the paper's Table 4.

    python -m experiments.ballroom --data_dir=BallroomData --split=random --architectures=all

The folder holds `<Dance>/<name>.wav`, Rumba in three folders. The paper reports, in %, MCCLSTM 91.90 ± 2.33, R4 90.32,
R3 89.45, R2 87.68, R1 64.00, R0 81.79, CNNs-3 87.00. Its split is random, and leaky: 13 files are replicas of others.
--split=grouped keeps replicas in one fold.
"""

from pathlib import Path

from absl import flags

from experiments import common
from mcc_zoo import datasets

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the dataset, with one folder per dance.", required=True)

flags.adopt_module_key_flags(common)

if __name__ == "__main__":
    common.main(lambda: ("ballroom", datasets.read_ballroom(Path(DATA_DIR.value))))
