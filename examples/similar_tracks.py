"""Find the tracks of a folder that are most similar to a song, by the cosine of their descriptors.

python examples/similar_tracks.py mcclstm_pretrained song.mp3 albums/ --count=5
"""

import sys
from typing import Annotated

import numpy as np
import typer
from rich import progress

import mcc_zoo
from mcc_zoo.audio import folders


def main(
    export: Annotated[str, typer.Argument(help="model: exported_models/my_tagger, or a name: mcclstm_pretrained")],
    query: Annotated[str, typer.Argument(help="audio file: song.mp3")],
    folder: Annotated[str, typer.Argument(help="folder of audio files, subfolders included: albums/")],
    count: Annotated[int, typer.Option(help="tracks to print: --count 5")] = 10,
) -> None:
    """Print the tracks of a folder that are most similar to a song, with the cosine of their descriptors."""
    tagger = mcc_zoo.load(export)
    asked = tagger.tag(query)
    if asked.status != "ok":
        raise ValueError(asked.reason)
    files = [file for file in folders.find(folder) if not file.samefile(query)]
    found = progress.track(tagger.tag_files(files), "describing", len(files))
    results = [result for result in found if result.status == "ok"]
    if refused := len(files) - len(results):
        print(f"{refused} of {len(files)} files refused; mcc-zoo tag says why", file=sys.stderr)
    if not results:
        raise ValueError(f"{folder}: no audio file that can be read")

    descriptors = np.stack([result.descriptor for result in results])  # (tracks, D)
    lengths = np.linalg.norm(descriptors, axis=1) * np.linalg.norm(asked.descriptor)
    cosines = descriptors @ asked.descriptor / np.maximum(lengths, 1e-12)
    for place in np.argsort(-cosines)[:count]:
        print(f"{cosines[place]:.4f}  {results[place].path}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except (mcc_zoo.ExportError, ValueError, OSError) as error:  # wrong files and folders end in one sentence
        sys.exit(f"error: {error}")
