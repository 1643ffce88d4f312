"""Two runs on the same folds: scores and paired tests, by hand; runs of other folds are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks import compare_runs

FOLDS, TRACKS = 5, 10  # and tracks in a fold


def write_run(folder: Path, right: dict[str, list[int]], first_track: int = 0) -> str:
    """Write predictions of systems that are right so many times in each fold; NAME=RUN of it."""
    rows = [
        {
            "seed": 0, "fold": fold, "architecture": system, "path": f"{first_track + fold * TRACKS + i}.wav",
            "group": "", "truth": "a", "prediction": "a" if i < counts[fold] else "b", "majority_vote": "a",
            "chunks": 1, "chunks_right": 1, "a": 0.5, "b": 0.5,
        }
        for system, counts in right.items()
        for fold in range(FOLDS)
        for i in range(TRACKS)
    ]  # fmt: skip
    folder.mkdir()
    pd.DataFrame(rows).to_csv(folder / "predictions.csv", index=False)
    return f"{folder.name}={folder}"


def test_each_system_is_tested_against_the_same_system_of_the_first_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = write_run(tmp_path / "nothing", {"r3": [5, 6, 5, 7, 6], "mcclstm": [5, 5, 5, 5, 5]})
    after = write_run(tmp_path / "pretrained", {"r3": [7, 7, 8, 8, 6], "mcclstm": [5, 5, 5, 5, 5]})
    compare_runs.main([before, after])
    printed = capsys.readouterr().out.splitlines()
    assert "| R3, pretrained | 5 | 72.0 ± 8.4 |" in "\n".join(printed)
    differences = np.array([2, 1, 3, 1, 0]) / TRACKS
    error = differences.std(ddof=1) * np.sqrt(1 / FOLDS + 1 / 3)  # three folds train, one tests
    p = 2 * stats.t.sf(differences.mean() / error, FOLDS - 1)
    (of_r3,) = (line for line in printed if line.startswith("| R3, pretrained over R3, nothing | 5 | +14.0 ("))
    assert f"| {p:.3f} | {2 * p:.3f} |" in of_r3
    assert any(line.startswith("| MCCLSTM, pretrained over MCCLSTM, nothing | 5 | +0.0 (") for line in printed)
    assert not any("R3, pretrained over MCCLSTM" in line for line in printed)


def test_a_system_that_the_first_run_lacks_is_compared_with_all_of_its_systems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = write_run(tmp_path / "reference", {"mfcc_svm": [5, 6, 5, 7, 6]})
    own = write_run(tmp_path / "own", {"r3": [7, 7, 8, 8, 6], "r4": [5, 6, 5, 7, 6]})
    compare_runs.main([reference, own])
    printed = capsys.readouterr().out
    assert "R3, own over mfcc_svm, reference" in printed and "R4, own over mfcc_svm, reference" in printed
    compare_runs.main([own, reference])
    printed = capsys.readouterr().out
    assert "mfcc_svm, reference over R3, own" in printed and "mfcc_svm, reference over R4, own" in printed


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    own = write_run(tmp_path / "own", {"r3": [5] * FOLDS})
    other = write_run(tmp_path / "other", {"r3": [5] * FOLDS}, first_track=1)
    for runs, words in (
        ([own, other], r"error: own and other tested other tracks or labels in fold 0 of seed 0; give the same"),
        ([own, own], "error: own, own: two runs have the same name"),
        ([str(tmp_path / "own")], "own: give NAME=RUN, such as"),
        ([f"a={tmp_path}"], r"predictions.csv is not there; give the folder of a finished run"),
    ):
        with pytest.raises(SystemExit, match=words):
            compare_runs.main(runs)
