"""musicnn as published: a call of its extractor for each file, which builds the graph and loads the weights anew.

Nothing is patched; benchmarks/requirements/musicnn.txt says on what it runs.
"""

import sys

from musicnn.extractor import extractor
from serve import serve


def work(paths, files=int(sys.argv[1])):
    """Tag the first `files` files, with its defaults, and without the features that are not asked for."""
    taggrams = [extractor(path, model="MTT_musicnn", extract_features=False)[0] for path in paths[:files]]
    checksum = sum(float(taggram.mean()) for taggram in taggrams) / len(taggrams)
    return {"files": len(taggrams), "ok": sum(taggram.shape[1] == 50 for taggram in taggrams), "checksum": checksum}


serve(work)
