"""Descriptors as features: what does a classifier of scikit-learn's make of them, on labelled music of your own?

    python examples/descriptors_with_scikit_learn.py exported_models/my_tagger music.csv

The CSV file has the columns path, label and, so that no artist is trained on and tested, group. Take music that the
tagger was not trained on: its descriptors know their own training tracks, and the score would be far too high.
"""

import argparse
import sys

import numpy as np
from rich import progress
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import mcc_zoo


def main() -> None:
    """Describe the tracks, cross-validate, and print accuracies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", help="folder of an export")
    parser.add_argument("manifest", help="CSV file with the columns path, label[, group]")
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()

    tracks = mcc_zoo.datasets.read_manifest(arguments.manifest)
    results = mcc_zoo.load(arguments.export).tag_files(track.path for track in tracks)
    pairs = list(zip(tracks, progress.track(results, "describing", len(tracks)), strict=True))
    for _, result in pairs:
        if result.status == "refused":
            print(f"set aside: {result.reason}")

    read = [(track, result.descriptor) for track, result in pairs if result.status == "ok"]
    if not read:
        raise ValueError(f"{arguments.manifest}: none of its {len(tracks)} tracks can be read")
    descriptors = np.stack([descriptor for _, descriptor in read])  # (tracks, D)
    labels = np.array([track.label for track, _ in read])
    groups = np.array([track.group or track.name for track, _ in read])  # without a group a track is its own
    parts = StratifiedGroupKFold(arguments.folds, shuffle=True, random_state=0)
    for name, classifier in {
        "SVM on descriptors": make_pipeline(StandardScaler(), SVC()),
        "the most frequent label": DummyClassifier(),
    }.items():
        scores = cross_val_score(classifier, descriptors, labels, groups=groups, cv=parts)
        print(f"{name}: accuracy {100 * scores.mean():.1f} % ± {100 * scores.std(ddof=1):.1f} over folds")


if __name__ == "__main__":
    try:
        main()
    except (mcc_zoo.ExportError, ValueError, OSError) as error:  # of files and folders, in a sentence
        sys.exit(f"error: {error}")
