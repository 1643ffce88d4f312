"""The page of an experiment: a run folder made by hand, the page parsed, its figures decoded."""

from __future__ import annotations

import base64
import io
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mcc_zoo.evaluation import significance
from mcc_zoo.experiment import fold_details, report
from mcc_zoo.experiment.report import figures
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.paper import CHANNELS, FILTERS

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

A, B, C = LABELS = ('<rock&"', "Forró", r"$\pop{$ 5")
MISTAKES = {"r3": (0, 1, 2), "mcclstm": (0, 0, 1)}  # by fold: that many of the first tracks are labelled wrongly
NORM, BANDS = "largest norm first", "mel band of the filter, low to high"
VOID = {"meta", "link", "img"}
PICTURES = ("taggram-right", "taggram-wrong", "filters-P", "filters-T", "filters-B")


class Page(HTMLParser):
    """What a browser would see of a page, and whether its tags match."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data.replace("\N{NO-BREAK SPACE}", " ")

    def find(self, tag: str, /, **attributes: str | None) -> list[dict[str, str | None]]:
        """The attributes of each such element."""
        return [found for name, found in self.tags if name == tag and attributes.items() <= found.items()]

    def pictures(self) -> list[bytes]:
        """The decoded data URIs."""
        sources = [str(image["src"]) for image in self.find("img")]
        assert all(source.startswith("data:image/png;base64,") for source in sources)
        return [base64.b64decode(source.partition(",")[2], validate=True) for source in sources]


@dataclass
class Experiment:
    """A run folder to be, with settings to bend."""

    mistakes: dict[str, Sequence[int]] = field(default_factory=lambda: dict(MISTAKES))
    seeds: int = 2
    split: str = "grouped"
    groups: str = "kept"
    epochs: Sequence[int] = (3, 5, 4)
    pictures: bool = True
    labels: Sequence[str] = LABELS
    config: dict[str, Any] = field(default_factory=dict)
    refused: Sequence[tuple[str, str]] = ()

    def group(self, fold: int, place: int) -> str:
        """An artist's name: all of a fold's tracks are theirs, or a track in every fold, or nobody knows."""
        return {"kept": f"artist {fold}", "torn": f"artist {place}", "unknown": ""}[self.groups]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of predictions.csv, four tracks a fold; the majority vote is always the first label's."""
        first, second, third = self.labels
        truths, wrong = (first, first, second, third), {0: second, 1: third}
        rows: list[dict[str, Any]] = [
            {
                "seed": seed,
                "fold": fold,
                "architecture": architecture,
                "path": f"{fold}/{place}.wav",
                "group": self.group(fold, place),
                "truth": truth,
                "prediction": wrong[place] if place < mistakes else truth,
                "majority_vote": first,
                "chunks": 8,
                "chunks_right": 8 if place >= mistakes else 3,
                **dict.fromkeys(self.labels, 0.2),
            }
            for architecture, folds in self.mistakes.items()
            for seed in range(self.seeds)
            for fold, mistakes in enumerate(folds)
            for place, truth in enumerate(truths)
        ]
        for row in rows:  # later folds and tracks are surer
            row[row["prediction"]] = 0.4 + 0.05 * sum(map(int, row["path"].removesuffix(".wav").split("/")))
        return rows

    def write(self, folder: Path) -> Path:
        """Write the run's files as an experiment leaves them."""
        folder.mkdir()
        predictions = pd.DataFrame(self.rows())
        predictions.to_csv(folder / "predictions.csv", index=False)
        units = predictions[["seed", "fold", "architecture"]].drop_duplicates()
        units.assign(best_epoch=2, seconds=700.5).to_csv(folder / "folds.csv", index=False)
        for seed, fold, architecture in units.to_numpy().tolist() if self.epochs else ():
            own = folder / "units" / f"seed{seed}-fold{fold}-{architecture}"
            own.mkdir(parents=True)
            history(self.epochs[fold]).to_csv(own / "history.csv", index=False)
            if self.pictures:
                rows = predictions.query("seed == @seed and fold == @fold and architecture == @architecture")
                windows = [taggrams(len(self.labels))] * len(rows)
                fold_details.write_taggrams(own, rows.to_dict("records"), windows, self.labels)
                np.savez_compressed(own / fold_details.FILTERS, **filters())
        pd.DataFrame(self.refused, columns=["path", "reason"]).to_csv(folder / "refused.csv", index=False)
        config = {
            "split": self.split,
            "shuffle_labels": False,
            "recipe": {"name": "tuned", "learning_rate": 0.001},
            "front_end": {"sample_rate": 44_100},
            "tracks": 12,
            "versions": {"mcc_zoo": "0.1.0", "keras": "3.99.1"},
            "started": [
                {"date": "2031-02-03T04:05:06+00:00", "command": "python -m experiments.demo --folds=3"},
                {"date": "2031-02-04T04:05:06+00:00", "command": 'python -m experiments.demo --note="<b>"'},
            ],
            **self.config,
        }
        (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
        return folder


def history(epochs: int) -> pd.DataFrame:
    """A history.csv."""
    steps = np.arange(1.0, epochs + 1)
    return pd.DataFrame(
        {
            "loss": 2 / steps,
            "tags_accuracy": 1 - 1 / (1 + steps),
            "tags_cross_entropy": 1 / steps,
            "val_tags_accuracy": 1 - 1 / (2 + steps),
            "val_tags_cross_entropy": 1.5 / steps,
        }
    )


def taggrams(labels: int) -> list[np.ndarray]:
    """Two windows of a track, of eight chunks in all."""
    chunks = np.random.default_rng(0).dirichlet(np.ones(labels), size=8)
    return [chunks[:5], chunks[5:]]


def filters() -> dict[str, np.ndarray]:
    """The filters of Table 1's channels."""
    draw = np.random.default_rng(0).normal
    return {name: draw(size=(*channel.kernel, FILTERS)).astype(np.float16) for name, channel in CHANNELS.items()}


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not drawn, which is what takes the time."""
    monkeypatch.setattr(figures, "encode_png", lambda figure: b"PNG")


def small(**settings: Any) -> Experiment:
    """One system without histories, so that few figures are drawn."""
    return Experiment(**{"mistakes": {"r3": MISTAKES["r3"]}, "epochs": (), **settings})


def page_of(folder: Path, dataset: str = "demo") -> Page:
    """Write the report and read it."""
    return Page(report.write_report(folder, dataset).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    refused = [("bad/<one>.wav", 'bad/<one>.wav: is empty: "replace" it'), ("bad/two.wav", "bad/two.wav: 2 bytes")]
    return Experiment(refused=refused).write(tmp_path_factory.mktemp("results") / "tuned & grouped")


@pytest.fixture(scope="module")
def page(run_dir: Path) -> Page:
    return page_of(run_dir, "gtzan")


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


def test_figures_are_those_of_the_folder_and_of_sane_size(run_dir: Path, page: Page) -> None:
    assert not list(run_dir.rglob("*.part"))
    files = {path.name: path.read_bytes() for path in (run_dir / "figures").iterdir()}
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
    assert f"Chance: always naming the most frequent label ({A}) would be right for 50.0 %" in page.text
    assert "It also has hand-crafted 72.8, MLP 83.0 ± 1.1, CNNs-3 79.8 ± 1.7, R0 51.7 ± 2.6" in page.text
    assert "grouped; the tracks of a group (artist, album, link) stay in one fold. 3 groups known" in page.text


def test_claims_are_those_of_summary_md(run_dir: Path, page: Page) -> None:
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


@pytest.mark.parametrize("name", ["predictions.csv", "folds.csv", "config.json", "refused.csv"])
def test_a_folder_without_its_files_is_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    folder = small().write(tmp_path / "run")
    (folder / name).unlink()
    with pytest.raises(ValueError, match=rf"run holds no {name}: give the folder of a finished run \(results/DATASET"):
        report.write_report(folder, "demo")
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", r"config\.json: Expecting property name"),
        ("folds.csv", b"architecture,seed,fold\nr3,0,0\n", r"folds\.csv: .*not found: \['seconds'\]"),
        ("folds.csv", b"", r"folds\.csv: No columns to parse from file"),
        ("predictions.csv", b"path\n\xff\n", r"predictions\.csv: 'utf-8' codec can't decode"),
        ("refused.csv", b'path,reason\n"x', r"refused\.csv: .*EOF inside string"),
        ("units/seed0-fold1-r3/taggrams.json", b"[{}]", r"taggrams\.json: does not hold tracks \(KeyError"),
        ("units/seed0-fold1-r3/taggrams.json", b"[", r"taggrams\.json: Expecting value"),
        ("units/seed0-fold0-r3/filters.npz", b"PK\3\4", r"filters\.npz: does not hold filters \(BadZipFile"),
        ("units/seed0-fold0-r3/filters.npz", b"", r"filters\.npz: does not hold filters \(EOFError"),
        ("units/seed0-fold0-r3/history.csv", b"", r"fold0-r3/history\.csv: No columns to parse from file"),
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_damaged_files_are_refused_with_a_sentence(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    folder = small(epochs=(3, 5, 4)).write(tmp_path / "run")
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=message + ".*: remove it and start the experiment again with the same --run"):
        report.write_report(folder, "demo")
    assert not (folder / "report.html").exists()


def test_confusion_figure_colours_shares_of_rows_and_prints_counts(run_dir: Path) -> None:
    run = report.read_run(run_dir, "demo")
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


def test_accuracy_figure_shows_every_fold_and_the_papers_mean(run_dir: Path) -> None:
    axes = figures.draw_accuracies(report.read_run(run_dir, "ballroom")).axes[0]
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
    axes = figures.draw_accuracies(report.read_run(folder, "demo")).axes[0]
    assert bool(axes.lines) == boxes  # outline, median, whiskers


def test_taggrams_are_those_of_the_surest_right_and_wrong_track_of_all_folds(run_dir: Path) -> None:
    (right_fold, right), (wrong_fold, wrong) = report.read_run(run_dir, "demo").read_surest_taggrams("r3")
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


@pytest.fixture(scope="module")
def opened(browser: Browser, run_dir: Path, page: Page) -> Iterator[tuple[Tab, list[str]]]:
    """The page on a phone with all that can be opened open, and what it complained of or asked of others."""
    trouble: list[str] = []
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    address = (run_dir / "report.html").as_uri()
    tab.on("console", lambda message: trouble.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else trouble.append(asked.url))
    tab.goto(address)
    tab.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    yield tab, trouble
    tab.close()


def test_browser_shows_every_picture_and_asks_nobody(opened: tuple[Tab, list[str]], page: Page) -> None:
    tab, trouble = opened
    images = tab.eval_on_selector_all("img", "all => all.map(image => [image.alt, image.naturalWidth])")
    assert len(images) == len(page.pictures())
    assert all(width > 700 for _, width in images)
    for alt in ("Taggram of a track of ", "Filters of channel P of R3", "Filters of channel B of MCCLSTM"):
        assert [name for name, _ in images if name.startswith(alt)]
    assert trouble == []


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
