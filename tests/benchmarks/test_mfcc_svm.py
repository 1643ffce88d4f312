"""The reference of benchmarks/mfcc_svm.py on tones: the experiments' folds, untouched test tracks, paired tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import write_tone

from mcc_zoo import datasets
from mcc_zoo.datasets import splits
from mcc_zoo.evaluation import metrics

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def mfcc_svm():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        from benchmarks import mfcc_svm

        patch.setattr(mfcc_svm, "GRID", {"svc__C": [1.0, 8.0], "svc__gamma": [0.01, 0.05]})
        yield mfcc_svm


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    """Low and high tones of nine bands, two or three tracks each, and a file that cannot be read."""
    folder = tmp_path_factory.mktemp("tones")
    rows = ["path,label,group"]
    for i in range(22):
        label, hertz = ("high", 2_000) if i % 2 else ("low", 300)
        path = write_tone(folder / f"{i:02}.wav", hertz + 15 * i, 0.8, seed=i)
        rows.append(f"{path.name},{label},band {i % 9}")
    (folder / "broken.wav").write_bytes(b"RIFF but no more")
    (folder / "tones.csv").write_text("\n".join([*rows, "broken.wav,low,band 1"]))
    return folder / "tones.csv"


@pytest.fixture(scope="module")
def output(mfcc_svm, manifest, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "reference"
    mfcc_svm.main([f"--manifest={manifest}", "--split=grouped", "--folds=3", "--seeds=2", f"--output={folder}"])
    return folder


@pytest.mark.slow
def test_folds_are_those_of_the_experiments_without_unreadable_tracks(manifest, output):
    found = metrics.read_predictions(output / "predictions.csv")
    tracks = [track for track in datasets.read_manifest(manifest) if track.name != "broken.wav"]
    for seed in range(2):
        for fold, split in enumerate(splits.draw_splits(tracks, "grouped", 3, seed)):
            own = found[(found["seed"] == seed) & (found["fold"] == fold)]
            assert own["path"].tolist() == [tracks[i].name for i in split.test]
            assert own["truth"].tolist() == [tracks[i].label for i in split.test]
            assert own["group"].tolist() == [tracks[i].group for i in split.test]
    assert len(found) == 2 * 22


@pytest.mark.slow
def test_columns_are_those_of_an_experiment(output):
    found = metrics.read_predictions(output / "predictions.csv")
    assert found.columns.tolist() == [
        "seed", "fold", "architecture", "path", "group", "truth", "prediction", "majority_vote",
        "chunks", "chunks_right", "high", "low",
    ]  # fmt: skip
    assert set(found["architecture"]) == {"mfcc_svm"}
    assert (found["majority_vote"] == found["prediction"]).all()
    assert found[["high", "low"]].idxmax(axis=1).tolist() == found["prediction"].tolist()
    assert (found[["high", "low"]].sum(axis=1) == 1).all()
    scores = metrics.score_folds(found)
    assert scores["accuracy"].mean() > 0.9
    written = pd.read_csv(output / "folds.csv")
    assert written["accuracy"].tolist() == pytest.approx(scores["accuracy"].tolist())
    assert (written["train"] + written["validation"] + written["test"] == 22).all()
    assert set(written["C"]) <= {1.0, 8.0}


def test_test_tracks_take_no_part(mfcc_svm, manifest, rng):
    tracks = datasets.read_manifest(manifest)
    split = splits.draw_splits(tracks, "grouped", 3)[0]
    features = rng.normal(size=(len(tracks), 57))
    features[split.test] = np.nan  # any use of which would raise
    learnt_from = np.concatenate([split.train, split.validation])
    model = mfcc_svm.fit_svm(features, tracks, learnt_from, seed=0)
    groups = splits.number_groups(tracks)[learnt_from]
    for chosen_on, scored_on in model.cv.split(
        features[learnt_from], mfcc_svm._list_labels(tracks, learnt_from), groups
    ):
        assert not set(groups[chosen_on]) & set(groups[scored_on])


@pytest.mark.parametrize("samples", [2_048, 30_011])
def test_loudness_moves_one_of_57_numbers(mfcc_svm, rng, samples):
    waveform = rng.normal(scale=0.1, size=samples).astype(np.float32)
    soft, loud = (mfcc_svm.compute_features(gain * waveform) for gain in (1, 2))
    assert soft.shape == (57,) and np.isfinite(soft).all()
    # 6.02 dB in each of 128 mel bands; the transform is orthonormal
    expected = np.eye(57)[0] * 20 * np.log10(2) * np.sqrt(128)
    np.testing.assert_allclose(loud - soft, expected, atol=2e-2)


def run_of(output: Path, folder: Path, **changes: object) -> Path:
    """A run whose MCCLSTM was right about every track of the same folds."""
    rows = metrics.read_predictions(output / "predictions.csv").assign(architecture="mcclstm")
    rows["prediction"] = rows["truth"]
    folder.mkdir()
    rows.assign(**changes).to_csv(folder / "predictions.csv", index=False)
    return folder


@pytest.mark.slow
def test_a_run_is_compared_on_the_same_folds(mfcc_svm, output, tmp_path):
    predictions = metrics.read_predictions(output / "predictions.csv")
    predictions.loc[predictions["fold"] == 1, "prediction"] = "low"
    line = mfcc_svm.compare_with_run(predictions, run_of(output, tmp_path / "run")).splitlines()[2]
    wrong = 1 - metrics.score_folds(predictions)["accuracy"].mean()
    assert line.startswith(f"| MCCLSTM over mfcc_svm | 6 | {100 * wrong:+.1f} (")


@pytest.mark.slow
def test_a_run_of_other_folds_or_labels_is_refused(mfcc_svm, output, tmp_path):
    predictions = metrics.read_predictions(output / "predictions.csv")
    moved = run_of(output, tmp_path / "moved", fold=lambda rows: (rows["fold"] + 1) % 3)
    with pytest.raises(ValueError, match=r"moved tested other tracks or labels in fold 0 of seed 0"):
        mfcc_svm.compare_with_run(predictions, moved)
    relabelled = run_of(output, tmp_path / "relabelled", truth="low")
    with pytest.raises(ValueError, match="other tracks or labels"):
        mfcc_svm.compare_with_run(predictions, relabelled)
    later = run_of(output, tmp_path / "later", seed=7)
    with pytest.raises(ValueError, match="has no three folds of a seed in common"):
        mfcc_svm.compare_with_run(predictions, later)


@pytest.mark.slow
def test_mistakes_end_in_one_sentence(mfcc_svm, manifest, output, tmp_path):
    for flags, message in (
        (["--manifest=nowhere.csv"], "error: nowhere.csv: no such file"),
        ([f"--manifest={manifest}", "--folds=99"], "error: folds=99: there are 9 groups"),
        ([f"--manifest={manifest}", "--seeds=0"], "error: --seeds=0: at least one is needed"),
    ):
        with pytest.raises(SystemExit, match=message):
            mfcc_svm.main(flags)
    run = tmp_path / "run"
    flags = [f"--manifest={manifest}", f"--against={run}", "--folds=3"]  # refused before the training
    with pytest.raises(SystemExit, match=r"holds no predictions\.csv; give the folder of a finished run"):
        mfcc_svm.main(flags)
    run.mkdir()
    (run / "predictions.csv").touch()
    (run / "config.json").write_text('{"folds": 10, "split": "auto"}')
    with pytest.raises(SystemExit, match=r"--folds=3: --against=\S+ has --folds=10; give that"):
        mfcc_svm.main(flags)
    named = tmp_path / "named.csv"
    for path in manifest.parent.glob("*.wav"):
        (tmp_path / path.name).hardlink_to(path)
    named.write_text(manifest.read_text().replace("low", "truth"))
    with pytest.raises(SystemExit, match="label 'truth' is the name of a column"):
        mfcc_svm.main([f"--manifest={named}"])


def write_features(manifest: Path, path: Path, rng: np.random.Generator) -> Path:
    """Features that tell labels apart, of all tracks but 00.wav, and a layer of noise."""
    tracks = [track for track in datasets.read_manifest(manifest) if track.name not in ("00.wav", "broken.wav")]
    telling = [[float(track.label == "high"), *rng.normal(scale=0.1, size=2)] for track in tracks]
    noise = rng.normal(size=(len(tracks), 4)).tolist()
    names = [track.name for track in tracks]
    pd.DataFrame({"path": names, "telling": telling, "noise": noise}).sample(frac=1, random_state=0).to_parquet(path)
    return path


@pytest.mark.parametrize("classifier", ["svm", "logistic"])
def test_features_of_another_tagger_take_the_place_of_mfccs(mfcc_svm, manifest, tmp_path, rng, capsys, classifier):
    features, output = write_features(manifest, tmp_path / "teacher.parquet", rng), tmp_path / "results"
    flags = [f"--manifest={manifest}", "--split=grouped", "--folds=3", f"--output={output}"]
    mfcc_svm.main([*flags, f"--features={features}", f"--classifier={classifier}", "--layers=telling"])
    found = metrics.read_predictions(output / "predictions.csv")
    assert set(found["architecture"]) == {f"teacher_telling_{classifier}"}
    assert len(found) == 21 and metrics.score_folds(found)["accuracy"].mean() > 0.9  # chance is 0.5
    assert f"set aside: 00.wav: it is not in --features={features}" in capsys.readouterr().err


def test_layers_stand_side_by_side(mfcc_svm, manifest, tmp_path, rng):
    table = write_features(manifest, tmp_path / "teacher.parquet", rng)
    tracks, features = mfcc_svm.read_table(datasets.read_manifest(manifest), table)
    by_path = pd.read_parquet(table).set_index("path")
    expected = [[*by_path["telling"][track.name], *by_path["noise"][track.name]] for track in tracks]
    np.testing.assert_array_equal(features, expected)
    assert features.shape == (21, 7)


def test_a_table_without_the_tracks_is_refused(mfcc_svm, manifest, tmp_path, rng):
    table = write_features(manifest, tmp_path / "teacher.parquet", rng)
    tracks = datasets.read_manifest(manifest)
    with pytest.raises(ValueError, match="has none of 1 tracks; give the table of this manifest"):
        mfcc_svm.read_table(tracks[:1], table)
    with pytest.raises(ValueError, match=r"no table of features by path \('tags'\)"):
        mfcc_svm.read_table(tracks, table, ["tags"])
    with pytest.raises(ValueError, match=r"--features=.*nowhere.parquet: no table"):
        mfcc_svm.read_table(tracks, tmp_path / "nowhere.parquet")
    with pytest.raises(ValueError, match="no table of features by path"):
        mfcc_svm.read_table(tracks, manifest)


def test_an_export_describes_tracks(mfcc_svm, manifest, exported, tagger, capsys):
    tracks, features = mfcc_svm.read_export(datasets.read_manifest(manifest), exported, ["tags", "descriptor"])
    assert len(tracks) == 22 and "broken.wav" in capsys.readouterr().err
    for track, own in zip(tracks, features, strict=True):
        alone = tagger.tag(track.path)
        np.testing.assert_allclose(own[: len(alone.tags)], [*alone.tags.values()], atol=1e-5)
        np.testing.assert_allclose(own[len(alone.tags) :], alone.descriptor, atol=1e-5)
    _, chunks = mfcc_svm.read_export(tracks[:1], exported, ["chunks"])
    np.testing.assert_allclose(chunks[0], tagger.tag(tracks[0].path).chunk_descriptors.mean(axis=0), atol=1e-5)


def test_what_an_export_has_not_is_refused(mfcc_svm, manifest, exported, tmp_path):
    with pytest.raises(SystemExit, match="--layers=penultimate: an export has descriptor, chunks, tags"):
        mfcc_svm.main([f"--manifest={manifest}", "--folds=3", f"--features={exported}", "--layers=penultimate"])
    with pytest.raises(SystemExit, match="nowhere"):
        mfcc_svm.main([f"--manifest={manifest}", "--folds=3", f"--features={tmp_path / 'nowhere'}"])


def test_test_tracks_take_no_part_in_a_logistic_regression(mfcc_svm, manifest, rng):
    tracks = datasets.read_manifest(manifest)
    split = splits.draw_splits(tracks, "grouped", 3)[0]
    features = rng.normal(size=(len(tracks), 5))
    before, _ = mfcc_svm.logistic.evaluate_fold(features, tracks, split)
    features[split.test] = 1e6
    assert mfcc_svm.logistic.evaluate_fold(features, tracks, split)[0] == before
