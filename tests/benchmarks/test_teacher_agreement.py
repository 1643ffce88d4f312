"""The agreement of a student with its teacher, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.teacher_agreement import measure_agreement

TAGS = ["rock", "jazz", "sad", "funk", "never"]
# Three strongest of each: rock jazz sad; rock jazz funk; rock sad funk; rock jazz sad; the last is no student's track.
SAID = [[9, 8, 7, 1, 0], [9, 8, 1, 7, 0], [9, 1, 8, 7, 0], [9, 7, 8, 1, 0], [0, 7, 8, 1, 9]]


@pytest.fixture
def teacher() -> pd.DataFrame:
    return pd.DataFrame(np.array(SAID) / 10, index=list("abcde"), columns=TAGS)


def test_average_precision_of_each_tag(teacher):
    student = pd.DataFrame(
        [[5, 4, 1, 1, 0], [5, 1, 4, 2, 0], [5, 2, 2, 3, 0], [5, 3, 3, 0, 0]], index=list("abcd"), columns=TAGS
    )
    table = measure_agreement(student, teacher).set_index("tag")
    assert table.index.tolist() == ["jazz", "sad", "funk", "mean"]  # every track has rock, and none has never
    assert table["tracks"].tolist() == [3, 3, 2, 4]
    jazz = (1 + 1 + 3 / 4) / 3  # of a, d, c, b in this order, c is not jazz
    sad = (1 / 2 + 2 / 3 + 3 / 4) / 3  # of b, d, c, a, b is not sad
    expected = [jazz, sad, 1, (jazz + sad + 1) / 3]
    np.testing.assert_allclose(table["average precision"], expected)
    np.testing.assert_allclose(table["by guessing"], [0.75, 0.75, 0.5, 2 / 3])
    np.testing.assert_allclose(table["ROC-AUC"], [2 / 3, 0, 1, 5 / 9])


def test_a_student_that_says_what_the_teacher_says_agrees(teacher):
    table = measure_agreement(teacher.loc[list("badc")], teacher)
    assert table["average precision"].tolist() == [1.0] * 4
