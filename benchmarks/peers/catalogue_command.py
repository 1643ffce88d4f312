"""`mcc-zoo` with shards of so many rows; it notes the time and its memory at the first row and at each percent of all.

Arguments: when it was started, in seconds since the epoch; rows of a shard; rows in all; the file for the notes; those
of mcc-zoo. Linux only: it reads /proc.
"""

import json
import sys
import time
from pathlib import Path

from memory import read_memory

from mcc_zoo.catalogue import shards
from mcc_zoo.cli import main

started, most_rows, total, notes = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
sys.argv[1:] = sys.argv[5:]
shards.MOST_ROWS = most_rows
add, step, count = shards.ShardWriter.add, max(1, total // 100), 0


def add_and_note(self, row):
    """Take a row, and write down when and in how much memory."""
    global count
    add(self, row)
    count += 1
    if count == 1 or count % step == 0:
        with notes.open("a") as file:
            file.write(
                json.dumps({"rows": count, "seconds": time.time() - started, "memory": read_memory("VmRSS")}) + "\n"
            )


shards.ShardWriter.add = add_and_note
main()
