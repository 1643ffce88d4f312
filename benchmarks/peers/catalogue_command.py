"""`mcc-zoo` with shards of so many rows; it notes the time and its memory at the first row and at each percent of all.

Arguments: when it was started, in seconds since the epoch; rows of a shard; rows in all; the file for the notes;
"files", or "first file" for a stand-in that reads the first file only and gives all others its descriptors; those of
mcc-zoo. Linux only: it reads /proc.
"""

import dataclasses
import json
import sys
import time
from pathlib import Path

from memory import read_memory

from mcc_zoo.catalogue import shards
from mcc_zoo.cli import main
from mcc_zoo.tensorflow_start import import_tensorflow

started, most_rows, total, notes = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
reads = sys.argv[5]
sys.argv[1:] = sys.argv[6:]
shards.MOST_ROWS = most_rows
add, step, count = shards.ShardWriter.add, max(1, total // 100), 0


def add_and_note(self, row):
    """Take a row, and write down when and in how much memory."""
    global count
    add(self, row)
    count += 1
    if count == 1 or count % step == 0:
        note = {
            "rows": count,
            "seconds": time.time() - started,
            "processor": time.process_time(),
            "memory": read_memory("VmRSS"),
        }
        with notes.open("a") as file:
            file.write(json.dumps(note) + "\n")


def read_first_file(load):
    """Let `load` give a tagger that reads one file."""

    def load_stand_in(*arguments):
        tagger, found = load(*arguments), []
        describe = tagger._describe_file

        def describe_once(path, decoder, mode):
            if not found:
                found.append(describe(path, decoder, mode))
            return dataclasses.replace(found[0], path=path)

        tagger._describe_file = describe_once
        return tagger

    return load_stand_in


shards.ShardWriter.add = add_and_note
if reads == "first file":
    import_tensorflow()  # as the command does later
    from mcc_zoo.inference import tagger as inference

    inference.load = read_first_file(inference.load)
main()
