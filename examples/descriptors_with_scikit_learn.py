"""Train a classifier of scikit-learn on descriptors of labelled music, and print its cross-validated accuracy.

    python examples/descriptors_with_scikit_learn.py mcclstm_pretrained music.csv

The CSV file has the columns path, label and, optionally, group, such as the artist: tracks of one group are never split
between training and test. Use music that the tagger was not trained on, or the accuracy is far too high.
"""

import sys
from collections import Counter
from typing import Annotated

import numpy as np
import typer
from rich import progress
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import mcc_zoo


def main(
    export: Annotated[str, typer.Argument(help="model: exported_models/my_tagger, or a name: mcclstm_pretrained")],
    manifest: Annotated[str, typer.Argument(help="CSV file with the columns path, label[, group]: music.csv")],
    folds: Annotated[int, typer.Option(help="folds of the cross-validation: --folds 10")] = 5,
) -> None:
    """Print the accuracy of an SVM on the descriptors of labelled tracks, and that of the most frequent label."""
    tracks = mcc_zoo.datasets.read_manifest(manifest)
    if any(track.labels is not None for track in tracks):
        raise ValueError(f"{manifest}: this example takes one label a track; mcc-zoo finetune takes many")
    results = mcc_zoo.load(export).tag_files(track.path for track in tracks)
    pairs = list(zip(tracks, progress.track(results, "describing", len(tracks)), strict=True))
    for _, result in pairs:
        if result.status != "ok":
            print(f"set aside: {result.reason}")

    read = [(track, result.descriptor) for track, result in pairs if result.status == "ok"]
    if not read:
        raise ValueError(f"{manifest}: none of its {len(tracks)} tracks can be read")
    descriptors = np.stack([descriptor for _, descriptor in read])  # (tracks, D)
    labels = np.array([track.label for track, _ in read])
    most = max(Counter(labels.tolist()).values())
    if most < folds:
        raise ValueError(f"--folds={folds}: no label has more than {most} tracks; give fewer folds, two at least")
    groups = np.array([track.group or track.name for track, _ in read])  # a track without a group is its own group
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    for name, classifier in {
        "SVM on descriptors": make_pipeline(StandardScaler(), SVC()),
        "the most frequent label": DummyClassifier(),
    }.items():
        scores = cross_val_score(classifier, descriptors, labels, groups=groups, cv=parts)
        print(f"{name}: accuracy {100 * scores.mean():.1f} % ± {100 * scores.std(ddof=1):.1f} over folds")


if __name__ == "__main__":
    try:
        typer.run(main)
    except (mcc_zoo.ExportError, ValueError, OSError) as error:  # wrong files and folders end in one sentence
        sys.exit(f"error: {error}")
