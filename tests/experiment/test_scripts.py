"""Every experiment script, run once on a tiny dataset in its real layout."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from absl.flags import FLAGS
from absl.testing import flagsaver
from conftest import write_tone
from helpers.av_files import encode
from helpers.dataset_folders import soundtracks_folder, write_table

import mcc_zoo
from experiments import common, exporting
from mcc_zoo.datasets import splits
from mcc_zoo.export.metadata import Majority
from mcc_zoo.paper import REPORTED

pytest_plugins = ["helpers.run_scripts"]

ROOT = Path(mcc_zoo.__file__).parents[1]
QUICK = ["--architectures=r0", "--folds=3", "--max_epochs=1", "--front_end=22k", "--quiet"]


def run_process(name: str, *flags: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", f"experiments.{name}", *flags]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def gtzan(folder: Path) -> list[str]:
    for genre, hertz in (("blues", 200), ("metal", 2_000)):
        for i in range(6):
            write_tone(folder / "genres" / genre / f"{genre}.{i:05}.au", hertz + i, 4.0, seed=i)
    for part, numbers in {"train": (0, 2), "valid": (1, 88), "test": (3, 5)}.items():  # 4 is in none, 88 is not there
        names = [f"{genre}/{genre}.{i:05}.wav" for genre in ("blues", "metal") for i in numbers]
        (folder / f"{part}_filtered.txt").write_text("\n".join(names))
    return [f"--data_dir={folder}", f"--split={folder}"]


def ballroom(folder: Path) -> list[str]:
    for dance, hertz in (("Rumba-Misc", 200), ("Rumba-American", 250), ("Waltz", 2_000)):
        for i in range(4):
            write_tone(folder / dance / f"Media-{i:06}.wav", hertz + i, 4.0, seed=i)
    return [f"--data_dir={folder}", "--split=random"]


def soundtracks(folder: Path) -> list[str]:
    """Three excerpts of anger and three of fear, by their ratings."""
    soundtracks_folder(folder)
    header = "number,valence,energy,tension,anger,fear,happy,sad,tender,TARGET"
    rows = [f"{n:03},5,5,5,{6 + n % 2},{7 - n % 2},1,1,1,X" for n in range(1, 7)]
    write_table(folder / "mean_ratings_set1.csv", header, *rows, encoding="utf-8-sig")
    (folder / "mean_ratings_set2.csv").unlink()
    for path in (folder / "Set2").iterdir():
        path.unlink()
    for n in range(1, 7):
        write_tone(folder / "Set1" / f"{n:03}.mp3", 200 + 1_800 * (n % 2), 4.0, sample_rate=44_100, seed=n)
    return [f"--data_dir={folder}", "--split=random"]


def emotify(folder: Path) -> list[str]:
    for genre, hertz in (("classical", 300), ("electronic", 900), ("pop", 1_800), ("rock", 3_500)):
        for i in range(1, 4):
            write_tone(folder / genre / f"{i}.mp3", hertz + i, 4.0, sample_rate=44_100, seed=i)
    return [f"--data_dir={folder}", "--labels=genre"]


def magnatagatune(folder: Path) -> list[str]:
    """Two clips of each tag in folders that train, validate and test, and an artist for each folder."""
    annotations, artists = ["clip_id\thigh\tlow\tloud\tmp3_path"], ["clip_id\tartist"]
    for i, shard in enumerate("00bbccddff"):
        write_tone(folder / shard / f"clip-{i}-0-29.mp3", 2_000 if i % 2 else 200, 4.0, sample_rate=44_100, seed=i)
        annotations.append(f"{i}\t{i % 2}\t{1 - i % 2}\t0\t{shard}/clip-{i}-0-29.mp3")
        artists.append(f"{i}\tartist {shard}")
    write_table(folder / "annotations_final.csv", *annotations)
    write_table(folder / "clip_info_final.csv", *artists)
    return [f"--data_dir={folder}", "--split=folders", "--tags=2"]


def mtg_jamendo(folder: Path) -> list[str]:
    """Two tracks of each tag in each part of a published split; one more track is in none of them."""
    header = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
    for part, first in {"train": 10, "validation": 20, "test": 30}.items():
        rows = []
        for i in range(first, first + 4):
            write_tone(folder / f"{i}/{i}.low.mp3", 2_000 if i % 2 else 200, 4.0, sample_rate=44_100, seed=i)
            tags = "genre---high\tmood/theme---bright" if i % 2 else "genre---low"
            rows.append(f"track_{i:07}\tartist_{i}\talbum_{i}\t{i}/{i}.mp3\t4.0\t{tags}")
        write_table(folder / f"data/splits/split-1/autotagging-{part}.tsv", header, *rows)
    write_tone(folder / "40/40.low.mp3", 200, 4.0, sample_rate=44_100)
    return [f"--data_dir={folder}", "--split=split-1", "--tags=all"]


def manifest(folder: Path) -> list[str]:
    rows = ["path,label,group"]
    for i in range(8):
        label, hertz = ("high", 2_000) if i % 2 else ("low", 200)
        path = write_tone(folder / f"{i}.flac", hertz + 10 * i, 4.0, seed=i)
        if i == 7:
            path = encode(folder / "7.m4a", soundfile.read(path)[0], 22_050)
        rows.append(f"{path.name},{label},band {i // 2}")
    (folder / "music.csv").write_text("\n".join(rows))
    return [
        f"--manifest={folder / 'music.csv'}",
        "--decoder=av",
        "--export=r0",
        "--export_dir=exports",
        "--licence=CC0",
    ]


def demo(folder: Path) -> list[str]:
    return [f"--data_dir={folder / 'corpus'}", "--tracks_per_dance=3", "--seeds=1"]


def structure(folder: Path) -> list[str]:
    return [f"--data_dir={folder / 'corpus'}", "--songs=3", "--split=grouped"]


SCRIPTS = {  # how its data are made, the name of its results, and how many tracks are tested in how many folds
    "gtzan": (gtzan, "gtzan", 4, 1),
    "ballroom": (ballroom, "ballroom", 12, 3),
    "soundtracks": (soundtracks, "soundtracks", 6, 3),
    "emotify": (emotify, "emotify-genre", 12, 3),
    "magnatagatune": (magnatagatune, "magnatagatune-top2", 4, 1),
    "mtg_jamendo": (mtg_jamendo, "mtg_jamendo-all", 4, 1),
    "manifest": (manifest, "music", 8, 3),
    "demo": (demo, "demo", 24, 3),
    "structure": (structure, "structure", 18, 3),
}


def test_every_script_is_in_the_table():
    no_scripts = {"__init__", "common", "devices", "debian_packages", "exporting"}
    tested_elsewhere = {"screening", "free_music", "pretraining"}
    scripts = {path.stem for path in (ROOT / "experiments").glob("*.py")}
    assert scripts == {*SCRIPTS, *no_scripts, *tested_elsewhere}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_script_runs_and_writes_the_results_of_the_contract(name, tmp_path, run_script):
    make, dataset, tracks, folds = SCRIPTS[name]
    flags = [*make(tmp_path / "data"), *QUICK, "--run=once"]
    # One in a process of its own, which starts others for the folds.
    run = run_process(name, *flags, cwd=tmp_path) if name == "manifest" else run_script(name, *flags, "--jobs=1")
    assert run.returncode == 0, run.stderr
    folder = tmp_path / "results" / dataset / "once"
    predictions = pd.read_csv(folder / "predictions.csv")
    assert len(predictions) == predictions["path"].nunique() == tracks
    assert sorted(predictions["fold"].unique()) == list(range(folds))
    for part in ("config.json", "folds.csv", "summary.md", "report.html", "refused.csv"):
        assert (folder / part).stat().st_size > 0
    assert f"python -m experiments.{name}" in json.loads((folder / "config.json").read_text())["started"][0]["command"]
    summary = (folder / "summary.md").read_text()
    assert summary in run.stdout
    if dataset in REPORTED:
        assert f"{REPORTED[dataset]['r0'].mean:.1f}" in summary  # the paper's cell stands beside ours
    assert ("Warning: the split is leaky." in summary) == (
        name in ("ballroom", "soundtracks", "emotify")
    )  # random, without groups
    if name == "gtzan":
        for said in ("valid_filtered.txt: 2 tracks not there: blues/blues.00088.wav, metal/metal.00088.wav\n",
                     f"left out, in none of the lists of {tmp_path / 'data'}: 2 tracks\n"):  # fmt: skip
            assert said in run.stderr
        assert "gtzan: 10 tracks, 2 labels" in run.stdout
    if name == "manifest":
        tagger = mcc_zoo.load(tmp_path / "exports" / "r0_music")
        assert tagger.metadata.licence == "CC0" and tagger.metadata.tracks == 8
        assert tagger.metadata.scores.folds == 3
        assert tagger.metadata.majority == Majority(label="high", percent=50.0)
        assert tagger.tag(tmp_path / "data" / "0.flac").status == "ok"
        accuracy = 100 * np.mean(
            predictions.groupby("fold")[["truth", "prediction"]].apply(
                lambda rows: (rows["truth"] == rows["prediction"]).mean()
            )
        )
        assert tagger.metadata.scores.accuracy == pytest.approx(accuracy)


@pytest.mark.slow
def test_screening_compares_recipes_by_validation_tracks(tmp_path, run_script):
    flags = manifest(tmp_path / "data")[:2]
    trials = ["warm start", "twice the rate", "every step's loss"]
    quick = ["--architectures=r2", "--jobs=1", *QUICK[1:]]
    run = run_script("screening", *flags, *quick, f"--trials={','.join(trials)}")
    assert run.returncode == 0, run.stderr
    table = pd.read_csv(tmp_path / "results" / "music-screening" / "screening.csv")
    assert table[["trial", "architecture", "folds"]].values.tolist() == [[trial, "r2", 3] for trial in trials]
    folder = tmp_path / "results" / "music-screening"
    # R2 knows nothing of the LSTM's steps: its folds are those of before, to the second that they took
    folders = [folder / name for name in ("warm-start", "twice-the-rate", "every-steps-loss")]
    before, other, own = ((trial / "folds.csv").read_text() for trial in folders)
    assert own == before != other
    shutil.rmtree(folder / "every-steps-loss")
    run = run_script("screening", *flags, *quick, "--trials=every step's loss", "--seed=1")
    again = pd.read_csv(folder / "every-steps-loss" / "folds.csv")
    assert run.returncode == 0 and set(again["seed"]) == {1}  # those of seed 0 are not taken
    run = run_script("screening", *flags, *quick, "--trials=mixup")
    assert run.returncode == 1 and run.stderr.startswith("error: --trials='mixup' is not known: choose one of warm")
    config = json.loads((folder / "twice-the-rate" / "config.json").read_text())
    assert config["recipe"]["learning_rate"] == 2e-3 and config["on_validation"]


def test_an_export_says_which_system_it_starts_from(monkeypatch, capsys, tmp_path):
    class Trained(Exception):
        """Far enough."""

    def train(*_: object, **__: object) -> None:
        raise Trained

    monkeypatch.setattr(exporting, "train", train)
    FLAGS.mark_as_parsed()
    for export, before, said in (
        ("mcclstm", 3, "mcclstm starts from the channels of r3: r3 is trained first\n"),
        ("mcclstm", 0, ""),  # the folds' channels had learnt nothing
        ("r3", 0, ""),
    ):
        monkeypatch.setattr(exporting.run_folder, "find_best_epochs", lambda *_, before=before: (2, before))
        with flagsaver.flagsaver(export=export, quiet=False), pytest.raises(Trained):
            exporting.export_system(None, common.make_settings("music"), tmp_path, pd.DataFrame())
        assert capsys.readouterr().err == said


def test_the_score_of_a_tested_model_is_its_own(monkeypatch, tmp_path):
    """Two seeds on a fixed split; doubles of the export and of what is said of it."""
    for seed, loss in ((0, 0.5), (1, 0.4)):
        folder = exporting.run_folder.fold_dir(tmp_path, seed, 0, "r2")
        folder.mkdir(parents=True)
        facts = {"seed": seed, "train": 7, "best_epoch": 3, "channels_best_epoch": 0, "validation_cross_entropy": loss}
        (folder / "fold.json").write_text(json.dumps(facts))
    (tmp_path / "config.json").write_text("{}")
    said, loaded = {}, []
    monkeypatch.setattr(exporting.keras.models, "load_model", lambda path, **_: loaded.append(path))
    monkeypatch.setattr(exporting, "build_provenance", lambda *given, **named: said.update(given=given, **named) or {})
    monkeypatch.setattr(exporting, "export_model", lambda model, folder, name, facts: facts)
    FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(export="r2", split=str(tmp_path), seeds=2):
        facts = exporting.export_system(
            None, common.make_settings("music"), tmp_path, pd.DataFrame({"seed": [0, 1, 1], "path": ["a", "b", "c"]})
        )
    _, settings, _, predictions = said["given"]
    assert loaded == [exporting.run_folder.fold_dir(tmp_path, 1, 0, "r2") / "model.keras"]
    assert (settings.seed, settings.seeds, predictions["path"].tolist()) == (1, 1, ["b", "c"])
    assert facts == {"trained_on": "training tracks", "tracks": 7, "epochs": 3, "channels_epochs": 0}


def test_a_label_with_fewer_groups_than_folds_is_said_before_decoding(tmp_path, monkeypatch, capsys):
    class Decoded(Exception):
        """Far enough."""

    def prepare(*_: object) -> None:
        raise Decoded

    monkeypatch.setattr(common, "prepare", prepare)
    tracks = [mcc_zoo.Track(tmp_path, f"{n}", "ab"[n % 2], f"{n % 2} {n % 8}") for n in range(24)]
    FLAGS.mark_as_parsed()
    for folds, said in ((5, "warning: a has 4 groups for 5 folds: in some folds "), (4, "")):
        with flagsaver.flagsaver(folds=folds, results_dir=str(tmp_path)), pytest.raises(Decoded):
            common.run("music", tracks)
        printed = capsys.readouterr().err
        assert printed.startswith(said) and bool(printed) == bool(said)
    with flagsaver.flagsaver(folds=4), pytest.raises(ValueError, match="label 'A' has 1 tracks"):
        common.run("music", [*tracks, mcc_zoo.Track(tmp_path, "c", "A", "c")])
    assert "warning: 2 labels differ in spelling alone: 'A' (1 track), 'a' (12 tracks)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--manifest=nowhere.csv"], "nowhere.csv"),
        (["--manifest=m.csv", "--architectures=r9"], "architectures='r9' is not known: choose one of r0"),
        (["--manifest=m.csv", "--export=r2"], "--export=r2 is not among --architectures=r3,mcclstm"),
        (["--manifest=m.csv", "folds=3"], "'folds=3' is not a flag"),
        (["--manifest=m.csv", "--split=grouped"], "--split=grouped: no track has a group: name the artists"),
    ],
)
def test_mistakes_end_in_one_sentence(flags, message, tmp_path, run_script):
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    (tmp_path / "m.csv").write_text("path,label\na.wav,x\nb.wav,y\n")
    run = run_script("manifest", *flags)
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_grouped_gtzan_needs_an_artist(tmp_path):
    (tmp_path / "blues").mkdir()
    (tmp_path / "blues" / "blues.00000.au").touch()
    index = tmp_path / "artists.txt"
    index.write_text("blues.00000.wav ::: ::: A Title\n")
    with flagsaver.flagsaver():  # takes the script's flags away again
        script = runpy.run_module("experiments.gtzan")
        FLAGS(["gtzan", f"--data_dir={tmp_path}", f"--artists={index}", "--split=grouped"])
        with pytest.raises(ValueError, match=r"--split=grouped: no artist is known of .*put GTZANindex\.txt there, or"):
            script["load_tracks"]()
        index.write_text("blues.00000.wav ::: Ann ::: A Title\n")
        assert script["load_tracks"]()[1][0].group == "ann"


@pytest.mark.parametrize(
    ("name", "make", "sizes", "split"),
    [("magnatagatune", magnatagatune, [4, 2, 4], "folders"), ("mtg_jamendo", mtg_jamendo, [4, 4, 4], "split-1")],
)
def test_the_split_of_a_dataset_becomes_lists(name, make, sizes, split, tmp_path):
    data = make(tmp_path / "data")
    with flagsaver.flagsaver():  # takes the script's flags away again
        script = runpy.run_module(f"experiments.{name}")
        FLAGS([name, *data, f"--results_dir={tmp_path}"])
        dataset, tracks = script["load_tracks"]()
        assert (dataset, len(tracks)) == (SCRIPTS[name][1], sum(sizes))
        assert FLAGS.split == f"{tmp_path}/splits/{dataset}/{split}"
        (drawn,) = splits.draw_splits(tracks, FLAGS.split)
        assert [len(drawn.train), len(drawn.validation), len(drawn.test)] == sizes
        assert common.name_run(common.make_settings(dataset)) == f"tuned-{split}-44k"
        assert splits.count_groups_on_both_sides(tracks, [drawn]) == 0
        FLAGS.split = "auto"
        if name == "magnatagatune":
            assert script["load_tracks"]()[1] == tracks and FLAGS.split == "auto"
        else:
            with pytest.raises(ValueError, match=r"looked for the table autotagging\.tsv"):
                script["load_tracks"]()
            FLAGS.split = "split-5"
            with pytest.raises(ValueError, match=r"split=5: MTG-Jamendo has the splits 0 to 4"):
                script["load_tracks"]()


def test_manifests_of_many_labels_are_read_by_the_flags(tmp_path):
    write_table(tmp_path / "tags.csv", "path,slow,sad", "a.wav,1,0", "b.wav,0,1")
    for file in ("a.wav", "b.wav"):
        (tmp_path / file).touch()
    with flagsaver.flagsaver():
        script = runpy.run_module("experiments.manifest")
        FLAGS(["manifest", f"--manifest={tmp_path}/tags.csv", "--label_columns=slow,sad"])
        dataset, tracks = script["load_tracks"]()
        assert (dataset, [track.labels for track in tracks]) == ("tags", [("slow",), ("sad",)])


def test_help_teaches(run_script):
    run = run_script("gtzan", "--help")
    for words in ("--data_dir", "--[no]shuffle_labels", "--split", "leaky", "python -m experiments.gtzan", "84.69"):
        assert words in run.stdout
