"""What sounds like this? The tracks of a folder that are nearest to a query, by the cosine of their descriptors.

python examples/similar_tracks.py exported_models/my_tagger song.mp3 albums/ --count=5
"""

import argparse
import sys

import numpy as np
from rich import progress

import mcc_zoo


def main() -> None:
    """Describe the query and the folder, and print the nearest tracks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", help="folder of an export")
    parser.add_argument("query", help="audio file")
    parser.add_argument("folder", help="searched for audio files, subfolders too")
    parser.add_argument("--count", type=int, default=10, help="of tracks to print")
    arguments = parser.parse_args()

    tagger = mcc_zoo.load(arguments.export)
    query = tagger.tag(arguments.query)
    files = [file for file in mcc_zoo.audio.folders.find(arguments.folder) if not file.samefile(arguments.query)]
    found = progress.track(tagger.tag_files(files), "describing", len(files))
    results = [result for result in found if result.status == "ok"]
    if refused := len(files) - len(results):
        print(f"{refused} of {len(files)} files refused; mcc-zoo tag says why", file=sys.stderr)
    if not results:
        raise ValueError(f"{arguments.folder}: no audio file that can be read")

    descriptors = np.stack([result.descriptor for result in results])  # (tracks, D)
    lengths = np.linalg.norm(descriptors, axis=1) * np.linalg.norm(query.descriptor)
    cosines = descriptors @ query.descriptor / np.maximum(lengths, 1e-12)
    for place in np.argsort(-cosines)[: arguments.count]:
        print(f"{cosines[place]:.4f}  {results[place].path}")


if __name__ == "__main__":
    try:
        main()
    except (mcc_zoo.ExportError, ValueError, OSError) as error:  # of files and folders, in a sentence
        sys.exit(f"error: {error}")
