"""The page of a run: a folder made by hand, the page parsed, its figures decoded."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from helpers.html_page import Page
from helpers.run_folders import LABELS, A, B, C, example, small
from PIL import Image

from mcc_zoo.evaluation import significance
from mcc_zoo.experiment import report
from mcc_zoo.experiment.report import figures

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

PICTURES = ("taggram-right", "taggram-wrong", "filters-P", "filters-T", "filters-B")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not drawn, which is what takes the time."""
    monkeypatch.setattr(figures, "encode_png", lambda figure: b"PNG")


def page_of(folder: Path, dataset: str = "demo") -> Page:
    """Write the report and read it."""
    return Page(report.write_report(folder, dataset).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def report_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example().write(tmp_path_factory.mktemp("results") / "tuned & grouped")


@pytest.fixture(scope="module")
def page(report_dir: Path) -> Page:
    return page_of(report_dir, "gtzan")


def test_page_asks_nothing_of_the_network(page: Page) -> None:
    addresses = [
        value or ""
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action", "poster")
    ]
    assert len(addresses) > 4
    assert [address for address in addresses if not address.startswith("data:")] == []
    for asking in ("://", "@import", "url(", "<script"):
        assert asking not in page.source


def test_page_suits_phones_and_both_colour_schemes(page: Page) -> None:
    assert page.find("meta", name="viewport", content="width=device-width, initial-scale=1")
    assert "@media (prefers-color-scheme: dark)" in page.source
    assert "color-scheme: light dark" in page.source
    assert page.source.count('<div class="scroll"><table') == page.source.count("<table") == 5


def test_figures_are_those_of_the_folder_and_of_sane_size(report_dir: Path, page: Page) -> None:
    assert not list(report_dir.rglob("*.part"))
    files = {path.name: path.read_bytes() for path in (report_dir / "figures").iterdir()}
    systems = ("r3", "mcclstm")
    assert set(files) == {
        "accuracy.png",
        *(f"{kind}-{name}.png" for kind in ("confusion", "curves", *PICTURES) for name in systems),
    }
    pictures = page.pictures()
    assert sorted(pictures) == sorted(files.values())
    for picture in pictures:
        with Image.open(io.BytesIO(picture)) as image:
            assert image.format == "PNG"
            assert 770 <= image.width <= 910  # seven inches at 110 to 130 dots an inch
            assert 400 <= image.height <= 1_000
            assert np.asarray(image.convert("L")).std() > 10  # something is drawn
    assert all(image["alt"] for image in page.find("img"))


def test_labels_are_escaped_everywhere(page: Page) -> None:
    assert "<rock" not in page.source
    assert "&lt;rock&amp;&#34;" in page.source
    assert "Forró" in page.text
    assert [row[0] for row in page.tables[2][1:]] == sorted(LABELS)
    assert 'python -m experiments.demo --note="<b>"' in page.text
    assert not page.find("b")
    assert "run tuned & grouped" in page.text


def test_table_equals_hand_arithmetic_and_the_papers_figures(page: Page) -> None:
    # r3, twice: 4, 3 and 2 of 4 right. Recalls of A, B, C: (1, 1, 1), (1/2, 1, 1), (0, 1, 1).
    # F1: (1, 1, 1), (2/3, 2/3, 1), (0, 2/3, 2/3). std: sqrt(4 * 25 ** 2 / 5) = 22.36
    # mcclstm, twice: 4, 4 and 3 of 4 right. std: sqrt((4 * 8.33 ** 2 + 2 * 16.67 ** 2) / 5) = 12.91
    assert page.tables[0] == [
        ["system", "folds", "accuracy %", "majority vote %", "balanced accuracy %", "macro F1 %", "paper %"],
        ["R3: CNNs (T+P+B)", "6", "75.0 ± 22.4", "50.0", "83.3", "74.1", "82.9 ± 2.1"],
        ["MCCLSTM: CNNs (T+P+B) + LSTM", "6", "91.7 ± 12.9", "50.0", "94.4", "92.6", "84.7 ± 1.8"],
    ]
    assert (
        "MCCLSTM: CNNs (T+P+B) + LSTM, the best of 2 systems, labels 91.7 ± 12.9 % of the test tracks rightly "
        "(mean ± standard deviation over 6 folds)." in page.text
    )
    assert "2 systems, 6 folds, 3 labels" in page.text
    assert "12 tracks, 3 labels, 3 groups, 6 folds, seeds 0, 1; recipe tuned." in page.text
    assert f"Always naming the most frequent label ({A}) would be right for 50.0 %" in page.text
    assert "It also has hand-crafted 72.8, MLP 83.0 ± 1.1, CNNs-3 79.8 ± 1.7, R0 51.7 ± 2.6" in page.text
    assert "grouped; the tracks of a group (artist, album, link) stay in one fold. 3 groups known" in page.text


def test_claims_are_those_of_summary_md(report_dir: Path, page: Page) -> None:
    differences = np.array([0, 1, 1] * 2) / 4  # of the folds' accuracies
    found = significance.assess_differences(differences, test_share=1)
    assert page.tables[1][1][:3] == [
        "MCCLSTM over R3", "6", f"+16.7 ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
    ]  # fmt: skip
    assert page.tables[1][1][4:] == [f"{found.t_test:.3f}"] * 2 + [f"{found.wilcoxon:.3f}"]


def test_scores_of_labels_equal_hand_arithmetic(page: Page) -> None:
    # r3: of 12 A 6 are right, 4 taken for B and 2 for C; all 6 B and all 6 C are right.
    assert page.tables[2] == [
        ["label", "tracks", "precision %", "recall %", "F1 %"],
        [C, "6", "75.0", "100.0", "85.7"],  # 6 of 8
        [A, "12", "100.0", "50.0", "66.7"],
        [B, "6", "60.0", "100.0", "75.0"],  # 6 of 10
    ]
    # mcclstm: 2 A are taken for B.
    assert page.tables[3][2] == [A, "12", "100.0", "83.3", "90.9"]
    assert page.tables[3][3] == [B, "6", "75.0", "100.0", "85.7"]
    assert len(page.find("details")) == 2 * 3  # taggrams, filters, labels
    assert len(page.find("details", open=None)) == 3


def test_refused_tracks_and_provenance_are_told(page: Page) -> None:
    assert page.tables[4] == [
        ["track", "reason"],
        ["bad/<one>.wav", 'bad/<one>.wav: is empty: "replace" it'],
        ["bad/two.wav", "bad/two.wav: 2 bytes"],
    ]
    assert "2 tracks could not be read" in page.text
    for fact in (
        "python -m experiments.demo --folds=3",
        "2031-02-03T04:05:06+00:00, continued 1 time, last 2031-02-04T04:05:06+00:00",
        "2:20:06 (h:min:s) of training and testing",  # 12 folds of 700.5 s are 8,406 s
        "mcc_zoo 0.1.0, keras 3.99.1",
        "name tuned, learning_rate 0.001",
        "sample_rate 44100",
    ):
        assert fact in page.text
    assert ["h1", *["h2"] * 10] == [tag for tag, _ in page.tags if tag in ("h1", "h2")]


def test_sound_run_has_no_warning(page: Page) -> None:
    assert "Warning" not in page.text
    assert not page.find("p", **{"class": "caution"})


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        (
            {"split": "random", "groups": "torn"},
            "is random although groups of tracks are known, so it is leaky. 4 of 4",
        ),
        (
            {"split": "random", "groups": "kept"},
            "is random although groups of tracks are known, so it is leaky. 0 of 3",
        ),
        ({"split": "folds.csv", "groups": "torn"}, "the split tears groups of tracks apart, so it is leaky. 4 of 4"),
        (
            {"split": "lists", "mistakes": {"r3": (1,)}, "config": {"groups_on_both_sides": 1}},
            "the split tears groups of tracks apart, so it is leaky. 1 of 1 group ",
        ),
        ({"config": {"shuffle_labels": True}}, "this is a control, and has to be at chance"),
        ({"mistakes": {"r0": (0, 1, 1), "r3": (0, 1)}}, "not tested on the same folds (R0 6, R3 4)"),
    ],
)
def test_warnings_are_there_where_they_should_be(tmp_path: Path, settings: dict[str, Any], warning: str) -> None:
    page = page_of(small(**settings).write(tmp_path / "run"))
    assert len(page.find("p", **{"class": "caution"})) == 1
    assert warning in page.text


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("split", "groups", "words"),
    [
        ("random", "unknown", "Split: random, by track. No groups are known."),
        ("folds.csv", "kept", "Split: from folds.csv. 3 groups known."),
    ],
)
def test_warnings_are_absent_where_they_should_be(tmp_path: Path, split: str, groups: str, words: str) -> None:
    page = page_of(small(split=split, groups=groups).write(tmp_path / "run"))
    assert "Warning" not in page.text
    assert words in page.text


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("dataset", ["gtzan", "ballroom", "soundtracks"])
def test_datasets_of_the_paper_are_leaky_where_no_groups_are_known(tmp_path: Path, dataset: str) -> None:
    page = page_of(small(split="random", groups="unknown").write(tmp_path / "run"), dataset)
    assert f"Warning: the split is leaky. {dataset} has groups of tracks" in page.text
    assert "The paper's figures are of random splits by track, ten folds, and so leaky." in page.text


@pytest.mark.usefixtures("undrawn")
def test_seeds_of_a_fixed_split_share_their_tracks(tmp_path: Path) -> None:
    page = page_of(small(split="lists", mistakes={"r3": (1,)}).write(tmp_path / "run"))
    assert "The split is fixed: its 2 folds are one, learnt from 2 draws of the initial weights." in page.text


def test_one_fold_of_one_system_with_one_epoch(tmp_path: Path) -> None:
    folder = small(mistakes={"r0": (1,)}, seeds=1, epochs=(1,), pictures=False).write(tmp_path / "run")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = page_of(folder)
    assert page.tables[0][1] == ["R0: CNNs (T)", "1", "75.0", "50.0", "83.3", "77.8"]
    assert "R0: CNNs (T) labels 75.0 % of the test tracks rightly (one fold, so no standard deviation)" in page.text
    assert "1 system, 1 fold, 3 labels" in page.text
    assert "0:11:40 (h:min:s)" in page.text
    assert len(page.pictures()) == 3
    assert "set aside" not in page.text
    assert "Taggrams" not in page.text and "filters" not in page.text  # folds of an older version have none
    assert "paper" not in page.text


@pytest.mark.usefixtures("undrawn")
def test_systems_may_be_level_and_histories_may_lack(tmp_path: Path) -> None:
    page = page_of(small(mistakes={"r0": (0, 1), "mlp": (1, 0)}).write(tmp_path / "run"), "ballroom")
    assert "R0: CNNs (T) and MLP, level as the best of 2 systems, label 87.5 ± 14.4 %" in page.text
    assert [row[-1] for row in page.tables[0][1:]] == ["81.8 ± 4.7", ""]  # the paper has no MLP on Ballroom
    assert "Learning curves" not in page.text


@pytest.mark.usefixtures("undrawn")
def test_a_label_that_is_never_named_has_no_precision(tmp_path: Path) -> None:
    page = page_of(small(mistakes={"r0": (2,)}, seeds=1).write(tmp_path / "run"))
    assert [A, "2", "–", "0.0", "0.0"] in page.tables[1]


def test_labels_that_look_like_something_else_stay_text(tmp_path: Path) -> None:
    labels = ("01", "NA", "日本の歌 and a very long tail of a name")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib's font lacks the script; that is no news to the user
        page = page_of(small(labels=labels).write(tmp_path / "run"))
    assert [row[0] for row in page.tables[1][1:]] == list(labels)


@pytest.mark.usefixtures("undrawn")
def test_a_second_report_replaces_the_first_and_a_failing_one_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small().write(tmp_path / "run")
    report.write_report(folder, "one")
    path = report.write_report(folder, "two")
    assert path == folder / "report.html"
    before = path.read_bytes()
    assert b"<h1>two</h1>" in before

    def disk_is_full(*_: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", disk_is_full)
    with pytest.raises(OSError, match="No space left"):
        report.write_report(folder, "three")
    assert path.read_bytes() == before


def test_matplotlibs_settings_are_neither_followed_nor_changed(tmp_path: Path) -> None:
    folder = small().write(tmp_path / "run")
    plain = page_of(folder).pictures()
    with mpl.rc_context({"axes.facecolor": "red", "savefig.dpi": 7}):
        before = dict(mpl.rcParams)
        assert page_of(folder).pictures() == plain
        assert dict(mpl.rcParams) == before


@pytest.mark.usefixtures("undrawn")
def test_a_matrix_of_many_labels_is_wider_than_the_page(tmp_path: Path) -> None:
    folder = small().write(tmp_path / "run")
    table = pd.read_csv(folder / "predictions.csv")
    table.assign(truth=range(24)).to_csv(folder / "predictions.csv", index=False)
    accuracy, confusion = page_of(folder).find("img")
    assert "style" not in accuracy
    assert confusion["style"] == "width:198%;max-width:none"  # 27 labels: 2.5 + 27 * 0.42 inches, of 7


@pytest.mark.parametrize("labels", [*(pytest.param(labels, marks=pytest.mark.slow) for labels in (40, 2_000)), 41])
def test_many_labels_get_the_pairs_that_are_confused_most(tmp_path: Path, labels: int) -> None:
    """A matrix of 200 took 39 s and 2.1 GiB."""
    folder = small().write(tmp_path / "run")
    row = pd.read_csv(folder / "predictions.csv").head(1)
    truth = [f"label {i}" for i in range(labels)]
    table = pd.concat([row] * labels, ignore_index=True)
    table = table.assign(path=truth, truth=truth, prediction=["label 1", *truth[1:]])
    table.to_csv(folder / "predictions.csv", index=False)
    page = page_of(folder)
    assert len(page.find("img")) == (2 if labels <= 40 else 1)
    assert any(["label 0", "label 1", "1"] in rows for rows in page.tables) == (labels > 40)


@pytest.fixture(scope="module")
def opened(browser: Browser, report_dir: Path, page: Page) -> Iterator[tuple[Tab, list[str]]]:
    """The page on a phone with all that can be opened open, and what it complained of or asked of others."""
    trouble: list[str] = []
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    address = (report_dir / "report.html").as_uri()
    tab.on("console", lambda message: trouble.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else trouble.append(asked.url))
    tab.goto(address)
    tab.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    yield tab, trouble
    tab.close()


@pytest.mark.slow
def test_browser_shows_every_picture_and_asks_nobody(opened: tuple[Tab, list[str]], page: Page) -> None:
    tab, trouble = opened
    images = tab.eval_on_selector_all("img", "all => all.map(image => [image.alt, image.naturalWidth])")
    assert len(images) == len(page.pictures())
    assert all(width > 700 for _, width in images)
    for alt in ("Taggram of a track of ", "Filters of channel P of R3", "Filters of channel B of MCCLSTM"):
        assert [name for name, _ in images if name.startswith(alt)]
    assert trouble == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1_200])
def test_page_is_no_wider_than_its_screen_and_what_scrolls_says_so(opened: tuple[Tab, list[str]], width: int) -> None:
    tab, _ = opened
    tab.set_viewport_size({"width": width, "height": 844})
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    boxes = tab.eval_on_selector_all(
        ".scroll",
        """all => all.map(box => {
            const note = box.nextElementSibling
            const says = Boolean(note?.checkVisibility() && note.textContent.includes("sideways"))
            return [box.scrollWidth > box.clientWidth, says]
        })""",
    )
    assert all(scrolls == says for scrolls, says in boxes)
    assert [width == 390, width == 390] in boxes
