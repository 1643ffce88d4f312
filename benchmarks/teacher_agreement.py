"""How far the tags of a student agree with its teacher's, on music that neither was trained on.

    python -m benchmarks.teacher_agreement EXPORT --manifest=EMOTIFY/genre.csv --teacher=musicnn.parquet

The table of the teacher is what experiments/teachers wrote of the manifest's tracks. Of each track the three tags that
the teacher finds strongest are right. Standard output gets a row for each tag that some tracks have and some have not:
how many have it, the student's average precision, that of guessing, and ROC-AUC. The last row has their means. 400
tracks of a minute take a minute.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import metrics

import mcc_zoo
from benchmarks.__main__ import format_table
from experiments.teachers.answers import TAGS, list_strongest, read_teacher
from mcc_zoo import datasets


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.teacher_agreement", description=__doc__.splitlines()[0])
    parser.add_argument("export", help="name or folder of a student: mcclstm_pretrained")
    parser.add_argument("--manifest", type=Path, required=True, help="CSV with the columns path and label")
    parser.add_argument("--teacher", type=Path, required=True, help="Parquet file of experiments/teachers")
    asked = parser.parse_args()
    teacher, tagger = read_teacher(asked.teacher), mcc_zoo.load(asked.export)
    if unknown := sorted(set(tagger.labels) - set(TAGS)):
        parser.error(f"{asked.export}: {unknown[0]!r} is no tag of the teacher: give a student of it")
    tracks = [track for track in datasets.read_manifest(asked.manifest) if track.name in teacher.index]
    rows = {}
    for track, tagging in zip(tracks, tagger.tag_files([track.path for track in tracks]), strict=True):
        if tagging.tags:
            rows[track.name] = tagging.tags
        else:
            print(f"{tagging.reason}: left out", file=sys.stderr)
    if not rows:
        parser.error(f"--teacher={asked.teacher}: has none of the tracks of {asked.manifest} that have tags")
    print(format_table(measure_agreement(pd.DataFrame.from_dict(rows, "index"), teacher)))


def measure_agreement(student: pd.DataFrame, teacher: pd.DataFrame) -> pd.DataFrame:
    """Score the student by tag.

    Args:
        student: Probabilities: a row for each track by name, a column for each tag.
        teacher: Likewise, of these tracks and perhaps more.

    Returns:
        A row for each tag that some tracks have and some have not, and the means: tag, tracks, average precision,
        by guessing (the share of the tracks, which is the average precision of a guess), ROC-AUC; shares of 1.
    """
    strongest = list_strongest(teacher.loc[student.index])
    rows = []
    for tag in student.columns:
        right = np.array([tag in tags for tags in strongest])
        if right.any() and not right.all():
            precision = metrics.average_precision_score(right, student[tag])
            area = metrics.roc_auc_score(right, student[tag])
            rows.append((tag, int(right.sum()), float(precision), float(right.mean()), float(area)))
    columns = ["tag", "tracks", "average precision", "by guessing", "ROC-AUC"]
    table = pd.DataFrame(rows, columns=columns).sort_values("tracks", ascending=False, kind="stable")
    means = table[columns[2:]].mean()
    return pd.concat([table, pd.DataFrame([("mean", len(student), *means)], columns=columns)], ignore_index=True)


if __name__ == "__main__":
    main()
