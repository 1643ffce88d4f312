"""The baseline that a system has to beat: statistics of MFCCs and an SVM, on the folds of the experiments.

    python -m benchmarks.mfcc_svm --manifest=EMOTIFY/genre.csv --split=grouped --folds=10 --seeds=3 --against=RUN_FOLDER

A track has 57 features: mean and standard deviation over time of 19 MFCCs (librosa's defaults, 22,050 Hz), and the
standard deviation of their deltas. They are standardised and go into an SVM with a radial kernel. C and gamma are
chosen by cross-validation on the training and validation tracks of a fold, with groups kept together; then the SVM is
trained on all of these. Test tracks are used for the score alone. The folds are those of an experiment with the same
--split, --folds and --seed.

It prints mean and standard deviation over folds, and writes predictions.csv with the columns of an experiment, where
chunks is 1 and the probability of the predicted label is 1 (an SVM has none). --against tests paired differences from
the systems of a run. --classifier=logistic takes a logistic regression in place of the SVM (`benchmarks/logistic.py`),
as tracks with many labels always do. On Emotify one seed takes just over a minute of processor time.

--features=musicnn.parquet takes what another tagger makes of each track in place of MFCCs: a table of a row for each
path of the manifest, as experiments/teachers writes it. --features=EXPORT takes what an export of ours makes of it: the
track's descriptor, the mean of its chunks' descriptors, and its tags. --layers names columns of the table, or some of
descriptor, chunks and tags; all are taken by default.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd
from rich.progress import track as progress
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import mcc_zoo
from benchmarks import logistic
from benchmarks.compare_runs import check_same_tracks
from mcc_zoo import datasets
from mcc_zoo.atomic import make_folder, write_text
from mcc_zoo.audio import checks, reading
from mcc_zoo.datasets import Track, splits
from mcc_zoo.datasets.base import find_task
from mcc_zoo.disk import WriteError, explained
from mcc_zoo.evaluation import metrics, scoring, significance
from mcc_zoo.experiment import corpus, summary
from mcc_zoo.export.metadata import ExportError

SAMPLE_RATE = 22_050  # Hz
COEFFICIENTS = 19
GRID = {"svc__C": 2.0 ** np.arange(-2, 7), "svc__gamma": 2.0 ** np.arange(-10, -1)}
INNER_FOLDS = 5
LAYERS = ("descriptor", "chunks", "tags")  # of an export


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    A wrong argument or file ends it with one sentence and exit status 1; what cannot be written, with status 2.
    """
    parser = _make_parser()
    asked = parser.parse_args(arguments)
    if asked.layers and not asked.features:
        parser.error("--layers names columns of --features: give that too")
    try:
        if asked.against:
            check_run(asked.against, asked)  # before minutes of training
        predictions = run_folds(asked)
        print(summary.format_scores(scoring.summarise(predictions, asked.manifest.stem)))
        if leak := summary.explain_leak(predictions, asked.manifest.stem, asked.split):
            print(f"Warning: {leak}")
        if asked.against:
            print(compare_with_run(predictions, asked.against))
    except WriteError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except (ValueError, ExportError) as error:
        sys.exit(f"error: {error}")


def _make_parser() -> argparse.ArgumentParser:
    description, _, _ = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mfcc_svm", description=description)
    parser.add_argument(
        "--manifest", type=Path, required=True, help="CSV file with the columns path, label or labels[, group]"
    )
    parser.add_argument("--split", default="auto", help="as for the experiments: grouped, random, auto or a path")
    parser.add_argument("--folds", type=int, default=10, help="10 by default")
    parser.add_argument("--seeds", type=int, default=1, help="how many times the folds are drawn anew; 1 by default")
    parser.add_argument("--seed", type=int, default=0, help="the first of these seeds; 0 by default")
    parser.add_argument("--classifier", choices=("svm", "logistic"), default="svm", help="svm by default")
    parser.add_argument(
        "--features", type=Path, metavar="PARQUET|EXPORT", help="table of features, or an export, instead of MFCCs"
    )
    parser.add_argument("--layers", type=lambda text: text.split(","), help="which of these features; all by default")
    parser.add_argument("--against", type=Path, metavar="RUN", help="folder of a run to test differences from")
    parser.add_argument("--output", type=Path, help="folder to write into; one below results/MANIFEST by default")
    return parser


def run_folds(asked: argparse.Namespace) -> pd.DataFrame:
    """Train and test on each fold of each seed, write folds.csv and predictions.csv, and return the predictions."""
    tracks = datasets.read_manifest(asked.manifest)
    seeds = range(asked.seed, asked.seed + asked.seeds)
    if not seeds:
        raise ValueError(f"--seeds={asked.seeds}: at least one is needed")
    if taken := corpus.RESERVED & {label for track in tracks for label in track.all_labels}:
        raise ValueError(f"label {min(taken)!r} is the name of a column of predictions.csv: rename the label")
    splits.draw_splits(tracks, asked.split, asked.folds, asked.seed)  # raises before the decoding
    tracks, features = _read_chosen(tracks, asked.features, asked.layers)
    classifier = "logistic" if find_task(tracks) == "multi-label" else asked.classifier
    name = "_".join([asked.features.stem if asked.features else "mfcc", *(asked.layers or ()), classifier])
    jobs = [
        (seed, fold, split)
        for seed in seeds
        for fold, split in enumerate(splits.draw_splits(tracks, asked.split, asked.folds, seed))
    ]
    scores, predictions = [], []
    for seed, fold, split in progress(jobs, description="folds", disable=not sys.stderr.isatty()):
        if classifier == "logistic":
            chosen, rows = logistic.evaluate_fold(features, tracks, split)
        else:
            chosen, rows = evaluate_fold(features, tracks, split, seed)
        sizes = {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
        scores.append({"seed": seed, "fold": fold, "architecture": name, **sizes, **chosen})
        predictions.append(pd.DataFrame({"seed": seed, "fold": fold, "architecture": name, **rows}))
    found = pd.concat(predictions, ignore_index=True)
    own = f"{name}-{Path(asked.split).stem}-{asked.folds}folds"
    folder = asked.output or Path("results") / asked.manifest.stem / own
    with explained(folder, "the results", "name another --output"):
        make_folder(folder)
        write_text(folder / "folds.csv", pd.DataFrame(scores).to_csv(index=False))
        write_text(folder / "predictions.csv", found.to_csv(index=False))
    print(f"{len(tracks)} tracks; predictions in {folder}")
    return found


def _read_chosen(
    tracks: Sequence[Track], source: Path | None, layers: Sequence[str] | None
) -> tuple[list[Track], np.ndarray]:
    if source is None:
        return read_features(tracks)
    return (read_table if source.suffix == ".parquet" else read_export)(tracks, source, layers)


def read_features(tracks: Sequence[Track]) -> tuple[list[Track], np.ndarray]:
    """Compute the features of every track; print the tracks that cannot be read, and leave them out.

    Returns:
        The readable tracks, and their features (tracks, 57) float64.

    Raises:
        ValueError: No track is readable.
    """

    def attempt(track: Track) -> np.ndarray | checks.AudioError:
        try:
            return compute_features(reading.read(track.path, SAMPLE_RATE))
        except checks.AudioError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = pool.map(attempt, tracks)
        found = list(progress(waiting, "reading tracks", len(tracks), disable=not sys.stderr.isatty()))
    for reason in found:
        if isinstance(reason, checks.AudioError):
            print(f"set aside: {reason}", file=sys.stderr)
    pairs = [(t, own) for t, own in zip(tracks, found, strict=True) if isinstance(own, np.ndarray)]
    if not pairs:
        raise ValueError(f"none of {len(tracks)} tracks could be read")
    return [track for track, _ in pairs], np.stack([own for _, own in pairs])


def read_table(
    tracks: Sequence[Track], path: Path, layers: Sequence[str] | None = None
) -> tuple[list[Track], np.ndarray]:
    """Read the features of every track from a Parquet file; print the tracks that it lacks, and leave them out.

    Args:
        tracks: Of a manifest.
        path: A table with a column path, as in the manifest, and columns of lists of numbers.
        layers: Which of these columns, side by side; None takes all.

    Returns:
        The tracks that have features, and these (tracks, D) float64.

    Raises:
        ValueError: The file cannot be read, or has none of the tracks or layers.
    """
    try:
        table = pd.read_parquet(path).set_index("path")
        columns = [np.stack(table[layer].to_list()) for layer in layers or table.columns]
        features = np.concatenate(columns, axis=1).astype(np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"--features={path}: no table of features by path ({error})") from error
    rows = {name: row for row, name in enumerate(table.index)}
    for track in tracks:
        if track.name not in rows:
            print(f"set aside: {track.name}: it is not in --features={path}", file=sys.stderr)
    kept = [track for track in tracks if track.name in rows]
    if not kept:
        raise ValueError(f"--features={path}: has none of {len(tracks)} tracks; give the table of this manifest")
    return kept, features[[rows[track.name] for track in kept]]


def read_export(
    tracks: Sequence[Track], export: Path, layers: Sequence[str] | None = None
) -> tuple[list[Track], np.ndarray]:
    """Let an export describe every track; print the tracks that it refuses, and leave them out.

    Args:
        tracks: Of a manifest.
        export: Its name or folder.
        layers: Some of LAYERS, side by side; None takes all.

    Returns:
        The tracks that were read, and their features (tracks, D) float64.

    Raises:
        ValueError: There is no such layer, or no track is readable.
    """
    if unknown := set(layers or ()) - set(LAYERS):
        raise ValueError(f"--layers={min(unknown)}: an export has {', '.join(LAYERS)}")
    tagger, kept, rows = mcc_zoo.load(export), [], []
    answers = tagger.tag_files([track.path for track in tracks])
    shown = progress(answers, "describing tracks", len(tracks), disable=not sys.stderr.isatty())
    for track, one in zip(tracks, shown, strict=True):
        if not one.tags:
            print(f"set aside: {one.reason}", file=sys.stderr)
            continue
        own = {
            "descriptor": one.descriptor,
            "chunks": one.chunk_descriptors.mean(axis=0),
            "tags": np.array([one.tags[label] for label in tagger.labels]),
        }
        kept.append(track)
        rows.append(np.concatenate([own[layer] for layer in layers or LAYERS]).astype(np.float64))
    if not kept:
        raise ValueError(f"none of {len(tracks)} tracks could be read")
    return kept, np.stack(rows)


def compute_features(waveform: np.ndarray) -> np.ndarray:
    """Compute the features of a track: (samples,) at 22,050 Hz to (57,) means and standard deviations."""
    mfccs = librosa.feature.mfcc(y=waveform, sr=SAMPLE_RATE, n_mfcc=COEFFICIENTS)
    deltas = librosa.feature.delta(mfccs, mode="nearest")  # which takes tracks of a few frames too
    return np.concatenate([mfccs.mean(axis=1), mfccs.std(axis=1), deltas.std(axis=1)]).astype(np.float64)


def evaluate_fold(
    features: np.ndarray, tracks: Sequence[Track], split: splits.Split, seed: int
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Train and test an SVM on one fold: what folds.csv has of it, and the rows of predictions.csv."""
    model = fit_svm(features, tracks, np.concatenate([split.train, split.validation]), seed)
    rows = predict(model, features, tracks, split.test)
    chosen = {name.removeprefix("svc__"): value for name, value in model.best_params_.items()}
    accuracy = (rows["truth"] == rows["prediction"]).mean()
    return {**chosen, "inner_accuracy": model.best_score_, "accuracy": accuracy}, rows


def fit_svm(features: np.ndarray, tracks: Sequence[Track], indices: np.ndarray, seed: int) -> GridSearchCV:
    """Choose C and gamma by cross-validation on the tracks with these indices, and train on all of them.

    Args:
        features: (tracks, D), of all tracks.
        tracks: All tracks.
        indices: Of the training and validation tracks; no other track is used.
        seed: Of the inner folds.
    """
    labels, groups = _list_labels(tracks, indices), splits.number_groups(tracks)[indices]
    most = min(len(set(groups.tolist())), max(Counter(labels.tolist()).values()))
    inner = StratifiedGroupKFold(min(INNER_FOLDS, most), shuffle=True, random_state=seed)
    search = GridSearchCV(Pipeline([("scale", StandardScaler()), ("svc", SVC())]), GRID, cv=inner)
    return search.fit(features[indices], labels, groups=groups)


def predict(model: GridSearchCV, features: np.ndarray, tracks: Sequence[Track], indices: np.ndarray) -> pd.DataFrame:
    """Predict the tracks with these indices: the columns of predictions.csv from path on."""
    truth, chosen = _list_labels(tracks, indices), model.predict(features[indices])
    table = pd.DataFrame(
        {
            "path": [tracks[i].name for i in indices],
            "group": [tracks[i].group for i in indices],
            "truth": truth, "prediction": chosen, "majority_vote": chosen,
            "chunks": 1, "chunks_right": (chosen == truth).astype(int),
        }
    )  # fmt: skip
    labels = sorted({track.label for track in tracks})
    return table.assign(**{label: (chosen == label).astype(float) for label in labels})


def check_run(run: Path, asked: argparse.Namespace) -> None:
    """Refuse a folder that holds no run, or one of other folds than those asked for.

    Raises:
        ValueError: Names the flag that has to change.
    """
    if not (run / "predictions.csv").is_file():
        raise ValueError(f"--against={run}: holds no predictions.csv; give the folder of a finished run")
    config = run / "config.json"
    known = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    for name in ("split", "folds"):
        if name in known and known[name] != getattr(asked, name):
            raise ValueError(f"--{name}={getattr(asked, name)}: --against={run} has --{name}={known[name]}; give that")


def compare_with_run(predictions: pd.DataFrame, run: Path) -> str:
    """Test the systems of a run against the reference, on the same folds: a Markdown table.

    Raises:
        ValueError: Its folds are others.
    """
    systems = metrics.read_predictions(run / "predictions.csv")
    check_same_tracks(predictions, systems, f"this reference and --against={run}")
    name = predictions["architecture"].iloc[0]
    claims = [(name, architecture) for architecture in systems["architecture"].unique()]
    table = significance.compare_systems(pd.concat([predictions, systems]), claims)
    if table.empty:
        raise ValueError(f"--against={run}: has no three folds of a seed in common with these")
    return summary.format_differences(table)


def _list_labels(tracks: Sequence[Track], indices: np.ndarray) -> np.ndarray:
    return np.array([tracks[i].label for i in indices.tolist()])


if __name__ == "__main__":
    main()
