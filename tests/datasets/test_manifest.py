"""Your own table: what it may look like, and each error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.dataset_folders import names, touch, write_table

from mcc_zoo import datasets
from mcc_zoo.datasets import DatasetError, Track


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_manifest(end: str, encoding: str, tmp_path: Path) -> None:
    touch(tmp_path, "music/a.wav", "music/b, live.wav", "other/ç.wav")
    rows = (
        "music/a.wav,rock ,1,Ann,yes",
        '"music/b, live.wav",pop,0,,no',
        "",
        ",,,,",
        f"{tmp_path}/other/ç.wav,rock,11,Bob,",
    )
    table = write_table(tmp_path / "mine.csv", " Path,LABEL,fold,group,nice", *rows, end=end, encoding=encoding)
    assert datasets.read_manifest(table) == [
        Track(tmp_path / "music/a.wav", "music/a.wav", "rock", "Ann", 1),
        Track(tmp_path / "music/b, live.wav", "music/b, live.wav", "pop", "", 0),
        Track(tmp_path / "other/ç.wav", "other/ç.wav", "rock", "Bob", 11),
    ]


def test_manifest_needs_path_and_label_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "lists/x.wav", "y.wav", "lists/sub/z.wav")
    write_table(tmp_path / "lists/mine.csv", "label,path", "1,x.wav", "NA,./../y.wav", "None,sub\\z.wav")
    monkeypatch.chdir(tmp_path / "lists")
    tracks = datasets.read_manifest("mine.csv")
    assert names(tracks) == ["x.wav", "../y.wav", "sub/z.wav"]
    assert [track.label for track in tracks] == ["1", "NA", "None"]
    assert {(track.group, track.fold) for track in tracks} == {("", None)}
    assert all(track.path.is_file() for track in tracks)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"lacks path, label .* none, the table is empty"),
        ("file,label\na.wav,x\n", r"lacks path .*; found 'file', 'label'"),
        ("path,label,label\na.wav,x,y\n", r"lacks label .* is needed once\); found 'path', 'label', 'label'"),
        ("path;label\na.wav;x\n", r"lacks path, label .* found 'path;label'\. Separate columns with commas\."),
        ("path,label\na.wav,x\n,y\n", r"row 3 has no path"),
        ("path,label\n\na.wav,\n", r"row 3 has no label"),
        (
            "path,label\na.wav,x\nb.wav,y\nb/../a.wav,y\n",
            r"rows 2 and 4 are both 'b/\.\./a\.wav'; keep one row per file",
        ),
        ("path,label\na.wav,x\nb.wav,x\n", r"2 rows with the labels \['x'\]; a tagger needs at least two labels"),
        ("path,label\n", r"0 rows with the labels \[\]"),
        ('path,label\na.wav,"x\ny"\n', r"row 2: label 'x\\ny' has a line break"),
        ("path,label,fold\na.wav,x,1.5\n", r"row 2: fold '1\.5' is not a whole number such as 0 or 3"),
        ("path,label,fold\na.wav,x,-1\n", r"row 2: fold '-1' is not a whole number"),
        ("path,label,fold\na.wav,x,1\nb.wav,y,\n", r"row 3 has no fold, other rows have one"),
        ("path,label\na.wav,x,y\n", r"row 2 has 3 cells under 2 columns; put quotes around a cell that holds a comma"),
        ('path,label\na.wav,"x\n', r"is not a CSV table \(unexpected end of data\); save it as CSV UTF-8"),
        ("path,label\na\0.wav,x\n", r"row 2: path 'a\\x00\.wav' has a NUL character"),
        (
            "path,label\na.wav,x\nc.wav,y\nd.wav,y\n",
            r"2 of 3 files do not exist, the first is 'c\.wav', looked for at '",
        ),
    ],
)
def test_manifest_refusals(text: str, message: str, tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    table = tmp_path / "mine.csv"
    table.write_text(text)
    with pytest.raises(DatasetError, match=message) as refusal:
        datasets.read_manifest(table)
    assert str(refusal.value).startswith(f"{table}: ")


def test_a_manifest_that_is_no_text_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.csv: no such file"):
        datasets.read_manifest(tmp_path / "gone.csv")
    with pytest.raises(DatasetError, match=r": is a folder: give a CSV file in it"):
        datasets.read_manifest(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DatasetError, match=r"pipe\.csv: no such file"):
        datasets.read_manifest(tmp_path / "pipe.csv")  # and does not hang
    table = write_table(tmp_path / "mine.csv", "path,label", "ä.wav,x", encoding="latin-1")
    with pytest.raises(DatasetError, match=r"mine\.csv: is not UTF-8 text \(.+\); save it as CSV UTF-8"):
        datasets.read_manifest(table)


# Many labels per track


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_manifest_of_many_labels(end: str, tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}.wav" for name in "abcdef"))
    rows = (
        "a.wav,guitar|slow,Ann,1",
        "b.wav, Guitar | new age ||guitar| Guitar ,,0",  # blanks, nothing between two bars, a name twice
        "c.wav,,Bob,0",
        "d.wav, | ,Bob,1",
        "e.wav,slow,,1",
        '"f.wav","slow, sad|0",,0',
    )
    table = write_table(tmp_path / "mine.csv", "Path,LABELS,group,fold", *rows, end=end)
    tracks = datasets.read_manifest(table)
    assert tracks[0] == Track(tmp_path / "a.wav", "a.wav", "", "Ann", 1, labels=("guitar", "slow"))
    assert [track.labels for track in tracks[1:]] == [
        ("Guitar", "new age", "guitar"),
        (),
        (),
        ("slow",),
        ("slow, sad", "0"),
    ]
    assert {track.label for track in tracks} == {""}


def test_a_row_that_ends_before_its_labels_has_none(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav", "c.wav")
    table = write_table(tmp_path / "mine.csv", "path,group,labels", "a.wav,Ann,x|y", "b.wav", "c.wav,,x")
    assert [track.labels for track in datasets.read_manifest(table)] == [("x", "y"), (), ("x",)]
    write_table(table, "path,group,label", "a.wav,Ann,x", "b.wav", "c.wav,,y")
    with pytest.raises(DatasetError, match=r"row 3 has no label"):
        datasets.read_manifest(table)


@pytest.mark.parametrize("columns", [("guitar", "Slow"), ("GUITAR ", " slow")])
def test_columns_of_0_and_1_are_labels(columns: tuple[str, str], tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}.wav" for name in "abcd"))
    rows = ("a.wav,1,0,Ann,7", "b.wav,1.0,1,Ann,1", "c.wav,0.0,0,,0", "d.wav, 0 , 1.0 ,,x")
    table = write_table(tmp_path / "mine.csv", "path,Guitar,slow,group,clean", *rows)
    first, second = (name.strip() for name in columns)  # the labels are called as the caller calls them
    tracks = datasets.read_manifest(table, label_columns=columns)
    assert [track.labels for track in tracks] == [(first,), (first, second), (), (second,)]
    assert [track.group for track in tracks] == ["Ann", "Ann", "", ""]
    assert [track.labels for track in datasets.read_manifest(table, list(reversed(columns)))][1] == (second, first)


def test_a_column_called_label_may_be_one_of_0_and_1(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    table = write_table(tmp_path / "mine.csv", "path,label,labels", "a.wav,1,0", "b.wav,0,1")
    assert [track.labels for track in datasets.read_manifest(table, ("label", "labels"))] == [("label",), ("labels",)]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("path,label,labels\na.wav,x,x|y\n", "", r"has the columns label and labels: keep label where each track has"),
        ("path,label,x,y\na.wav,x,1,0\n", "x,y", r"has the column label, so its labels are not in columns of 0 and 1"),
        ("path,labels,x,y\na.wav,x,1,0\n", "x,y", r"has the column labels, .*: leave label_columns out, or remove"),
        (
            "path,x,y\na.wav,1,0\n",
            "",
            r"lacks label: give it a column label with one name per row, or labels with names separated by \|, or name "
            r"its columns of 0 and 1 as label_columns; found 'path', 'x', 'y'",
        ),
        ("path,x\na.wav,1\n", "x,y", r"lacks y \(each of the columns path, x, y is needed once\); found 'path', 'x'"),
        ("path,x,y,y\na.wav,1,0,0\n", "x,y", r"lacks y \(each of the columns path, x, y is needed once\)"),
        ("path,labels,labels\na.wav,x,y\n", "", r"lacks labels \(each of the columns path, labels is needed once\)"),
        ("path,x,y\na.wav,1,0\n", "x,X", r"label_columns=x,X: name each label's column once, and not path, group, fo"),
        ("path,x,group\na.wav,1,0\n", "x,group", r"label_columns=x,group: name each label's column once, and not pat"),
        ("path,x,y\na.wav,1,0\n", "x,,y", r"label_columns=x,,y: name each label's column once"),
        ("path,x,y\na.wav,1,0\nb.wav,2,0\n", "x,y", r"row 3: x is '2': write 1 where the track has this label, else 0"),
        ("path,x,y\na.wav,1,0\nb.wav,0,\n", "x,y", r"row 3: y is '': write 1 where"),
        ("path,x,y\na.wav,1,yes\n", "x,y", r"row 2: y is 'yes': write 1 where"),
        ("path,x,y\na.wav,1,0\nb.wav,0,0\n", "x,y", r"no row has a 1 in the column y; leave it out of label_columns"),
        ("path,x\na.wav,1\nb.wav,0\n", "x", r"2 rows with the labels \['x'\]; a tagger needs at least two labels"),
        ("path,x,y\n", "x,y", r"0 rows with the labels \[\]; a tagger needs at least two labels"),
        ("path,x,y\na.wav,1,1\nb.wav,0,1\n", "x,y", r"every row has the label 'y', which tells nothing apart; leave i"),
        ("path,labels\na.wav,x|y\nb.wav,y\n", "", r"every row has the label 'y', which tells nothing apart; leave it"),
        ("path,labels\na.wav,x\nb.wav,\n", "", r"2 rows with the labels \['x'\]; a tagger needs at least two labels"),
        ("path,labels\na.wav,\nb.wav,|\n", "", r"2 rows with the labels \[\]; a tagger needs at least two labels"),
        ('path,labels\na.wav,"x|y\nz"\n', "", r"row 2: label 'y\\nz' has a line break; a label is one line"),
        ("path,labels,fold\na.wav,x,1\nb.wav,y,\n", "", r"row 3 has no fold, other rows have one"),
        ("path,labels\na.wav,x\na.wav,y\n", "", r"rows 2 and 3 are both 'a\.wav'; keep one row per file"),
        ("path,labels\na.wav,x\nc.wav,y\n", "", r"1 of 2 files do not exist, the first is 'c\.wav'"),
    ],
)
def test_refusals_of_many_labels(text: str, columns: str, message: str, tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    table = tmp_path / "mine.csv"
    table.write_text(text)
    with pytest.raises(DatasetError, match=message) as refusal:
        datasets.read_manifest(table, columns.split(",") if columns else ())
    assert str(refusal.value).startswith(f"{table}: ")
