"""The figures of a report, by what their axes hold."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.run_folders import LABELS, A, C, Experiment, example, history, taggrams

from mcc_zoo.experiment import fold_details, report
from mcc_zoo.experiment.report import figures
from mcc_zoo.features.front_end import FrontEnd

NORM, BANDS = "largest norm first", "mel band of the filter, low to high"


@pytest.fixture(scope="module")
def report_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example().write(tmp_path_factory.mktemp("results") / "tuned & grouped")


def test_confusion_figure_colours_shares_of_rows_and_prints_counts(report_dir: Path) -> None:
    run = report.read_run(report_dir, "demo")
    axes = figures.draw_confusions(run, "r3").axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[1, 0, 0], [1 / 6, 1 / 2, 1 / 3], [0, 0, 1]])
    assert [text.get_text() for text in axes.texts] == ["6", "0", "0", "2", "6", "4", "0", "0", "6"]
    assert axes.texts[3].get_position() == (0, 1)  # column, row
    assert [tick.get_text() for tick in axes.get_yticklabels()] == run.labels == sorted(LABELS)


def test_confusion_figure_has_rows_for_labels_that_only_another_system_names(tmp_path: Path) -> None:
    folder = Experiment(mistakes={"r0": (0,), "r3": (1,)}, seeds=1).write(tmp_path / "run")
    table = pd.read_csv(folder / "predictions.csv")
    table.loc[table["architecture"] == "r0", ["truth", "prediction"]] = A
    table.to_csv(folder / "predictions.csv", index=False)
    axes = figures.draw_confusions(report.read_run(folder, "demo"), "r0").axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0, 0, 0], [0, 1, 0], [0, 0, 0]])


def test_bold_curve_is_the_mean_while_half_of_the_folds_are_trained() -> None:
    accuracies = ([0.1], [0.2, 0.4], [0.6, 0.8, 0.9])
    histories = [history(len(own)).assign(tags_accuracy=own) for own in accuracies]
    _, accuracy = figures.draw_learning_curves(histories, "R3").axes
    training, validation = [line for line in accuracy.lines if line.get_linewidth() > 2]
    assert training.get_label() == "training"
    np.testing.assert_array_equal(training.get_xdata(), [1, 2])  # of the third epoch there is one fold of three
    assert np.asarray(training.get_ydata()).tolist() == pytest.approx([0.3, 0.6])
    assert np.asarray(validation.get_ydata()).tolist() == pytest.approx([2 / 3, 3 / 4])
    assert len(accuracy.lines) == 8  # a thin one for each fold besides


def test_accuracy_figure_shows_every_fold_and_the_papers_mean(report_dir: Path) -> None:
    axes = figures.draw_scores(report.read_run(report_dir, "ballroom")).axes[0]
    *of_systems, of_paper = axes.collections
    medians, points = of_systems[::2], of_systems[1::2]  # six folds: no box
    assert [line[:, 1].tolist() for own in medians for line in own.get_segments()] == [[75, 75], [100, 100]]
    folds, paper = [np.asarray(own.get_offsets()) for own in points], np.asarray(of_paper.get_offsets())
    assert [own[:, 1].tolist() for own in folds] == [[100, 75, 50] * 2, [100, 100, 75] * 2]
    assert [own[:, 0].round().tolist() for own in folds] == [[1] * 6, [2] * 6]
    assert paper.tolist() == [[1, 89.45], [2, 91.90]]


@pytest.mark.parametrize(("seeds", "boxes"), [(2, False), (3, True)])
def test_systems_get_boxes_from_eight_folds_on(tmp_path: Path, seeds: int, boxes: bool) -> None:
    folder = Experiment(seeds=seeds).write(tmp_path / "run")  # three folds a seed
    axes = figures.draw_scores(report.read_run(folder, "demo")).axes[0]
    assert bool(axes.lines) == boxes  # outline, median, whiskers


def test_taggrams_are_those_of_the_surest_right_and_wrong_track_of_all_folds(report_dir: Path) -> None:
    (right_fold, right), (wrong_fold, wrong) = report.read_run(report_dir, "demo").read_surest_taggrams("r3")
    assert (right_fold, right.path, right.truth, right.prediction) == ("seed 0, fold 2", "2/3.wav", C, C)
    assert (wrong_fold, wrong.path, wrong.truth, wrong.prediction) == ("seed 0, fold 2", "2/1.wav", A, C)
    assert (right.probability, wrong.probability) == pytest.approx((0.65, 0.55))
    assert wrong.labels == list(LABELS)
    for found, expected in zip(wrong.windows, taggrams(3), strict=True):
        np.testing.assert_allclose(found, expected, atol=5e-5)


def test_taggram_figure_shows_seconds_labels_and_windows() -> None:
    label = "a label of many words"
    track = fold_details.TrackTaggram("x" * 60 + "/end.wav", label, "b", 0.876, [label, "b"], taggrams(2))
    figure = figures.draw_track_taggram(track, 1.5, so_far=True)
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), np.concatenate(taggrams(2)).T)
    assert axes.images[0].get_clim() == (0, 1)
    assert axes.images[0].get_extent() == [0, 12, 1.5, -0.5]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a label of many…", "b"]
    assert [line.get_xdata() for line in axes.lines] == [[7.5, 7.5]]
    name, labels = figure.get_suptitle().split("\n")
    assert name.startswith("…xxx") and name.endswith("x/end.wav") and len(name) == 50
    assert labels == "true: a label of many…, given: b (88 %)"


@pytest.mark.parametrize(
    ("shape", "labels"),
    [
        ((3, 1, 4), (f"filter, {NORM}", BANDS, "R3, channel T")),
        ((1, 5, 4), ("time in ms (5 frames)", f"filter, {NORM}", "R3, channel T")),
        ((3, 2, 9), ("time in ms (2 frames a filter)", BANDS, f"R3, channel T: row by row, {NORM}")),
    ],
)
def test_filters_figure_sorts_by_norm_on_a_symmetric_scale(shape: tuple[int, ...], labels: tuple[str, ...]) -> None:
    strengths = np.arange(1.0, shape[2] + 1)  # the last is the largest
    kernels = np.ones(shape) * strengths * np.where(np.arange(shape[2]) % 2, -1, 1)
    axes = figures.draw_filters(kernels, FrontEnd(), "R3, channel T").axes[0]
    picture = axes.images[0].get_array()
    assert axes.images[0].get_clim() == (-shape[2], shape[2])
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == labels
    if shape[0] == 1:  # a row a filter, and 5 frames of 1,024 samples at 44,100 Hz
        assert picture[:, 0].tolist() == [-4, 3, -2, 1]
        assert axes.images[0].get_extent() == pytest.approx((0, 116.1, 4.5, 0.5), abs=0.01)
    elif shape[1] == 1:
        assert picture[0].tolist() == [-4, 3, -2, 1]
    else:  # eight in the upper row, one below
        assert picture.shape == (7, 23)
        assert picture[4:, :2].tolist() == [[9, 9]] * 3 and picture[:3, :2].tolist() == [[1, 1]] * 3
        assert picture[4:, -2:].tolist() == [[-2, -2]] * 3
        assert np.ma.getmaskarray(picture)[:, 2].all() and np.ma.getmaskarray(picture)[:3, 3:].all()


def test_filters_of_nothing_but_zeros_are_drawn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert figures.encode_png(figures.draw_filters(np.zeros((1, 60, 32)), FrontEnd(), "dead")).startswith(
            b"\x89PNG"
        )
