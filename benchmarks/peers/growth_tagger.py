"""One process that tags, and says what memory it and its decoders took."""

import sys
from pathlib import Path

from memory import read_memory
from serve import serve

import mcc_zoo

imported = read_memory("VmHWM")
tagger = mcc_zoo.load(sys.argv[1])
list(tagger.tag_files([sys.argv[2]]))  # traces the graphs, which is not to count as time


def list_children():
    """Process numbers of what any of our threads started: the decoders."""
    return [pid for listed in Path("/proc/self/task").glob("*/children") for pid in listed.read_text().split()]


def work(folder):
    """Tag every file of a folder; `resident` is the memory after each."""
    paths = sorted(Path(folder).iterdir())
    resident, decoders, ok = [], [], 0
    for result in tagger.tag_files(paths):
        resident.append(read_memory("VmRSS"))
        ok += result.status == "ok"
        if len(resident) == len(paths):  # they are about to end
            decoders = [read_memory("VmHWM", pid) for pid in list_children()]
    return {"ok": ok, "above_import": read_memory("VmHWM") - imported, "decoders": decoders, "resident": resident}


serve(work)
