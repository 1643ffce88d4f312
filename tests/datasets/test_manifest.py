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
    with pytest.raises(DatasetError, match=r": no such file"):
        datasets.read_manifest(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DatasetError, match=r"pipe\.csv: no such file"):
        datasets.read_manifest(tmp_path / "pipe.csv")  # and does not hang
    table = write_table(tmp_path / "mine.csv", "path,label", "ä.wav,x", encoding="latin-1")
    with pytest.raises(DatasetError, match=r"mine\.csv: is not UTF-8 text \(.+\); save it as CSV UTF-8"):
        datasets.read_manifest(table)
