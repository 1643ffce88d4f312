"""Every example, run in this process on small music, and the notebook in a kernel."""

from __future__ import annotations

import re
import runpy
import sys
import textwrap
from pathlib import Path

import nbclient
import nbformat
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cosine

import mcc_zoo
from mcc_zoo.audio import reading

EXAMPLES = Path(mcc_zoo.__file__).parents[1] / "examples"
TESTED = ["descriptors_with_scikit_learn", "keras_downstream", "similar_tracks"]


@pytest.fixture
def run(monkeypatch, capsys):
    """Run an example in this process; gives its output, and in `errors` its standard error."""

    def run(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:  # as every command of typer's ends
            runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        if end.value.code:
            raise end.value
        captured = capsys.readouterr()
        run.errors.append(captured.err)
        return captured.out

    run.errors = []
    return run


def test_every_example_is_tested_and_named_in_the_readme():
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == TESTED
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"examples/{name}.py" in readme for name in TESTED)


@pytest.mark.slow
def test_descriptors_with_scikit_learn(run, exported, tones):
    said = run("descriptors_with_scikit_learn", exported, tones, "--folds=3")
    assert "set aside: " in said and "damaged.wav" in said.replace("\n", "")
    accuracy = {name: float(value) for name, value in re.findall(r"^(.+): accuracy ([\d.]+) %", said, re.MULTILINE)}
    assert accuracy["SVM on descriptors"] > 80
    assert accuracy["the most frequent label"] < 50


@pytest.mark.slow
def test_similar_tracks(run, exported, tones, tagger):
    query = tones.parent / "low 3.wav"
    printed = run("similar_tracks", exported, query, tones.parent, "--count=4")
    assert run.errors[-1] == "1 of 15 files refused; mcc-zoo tag says why\n"  # damaged.wav
    said = re.findall(r"^([\d.]+)  (.*)$", printed, re.MULTILINE)
    own = tagger.tag(query).descriptor
    others = sorted(path for path in tones.parent.glob("*.wav") if path not in (query, tones.parent / "damaged.wav"))
    expected = {str(result.path): 1 - cosine(own, result.descriptor) for result in tagger.tag_files(others)}
    nearest = sorted(expected, key=expected.__getitem__, reverse=True)[:4]
    assert [path for _, path in said] == nearest
    np.testing.assert_allclose([float(value) for value, _ in said], [expected[path] for path in nearest], atol=1e-4)
    assert all(Path(path).name.startswith("low") for path in nearest)


@pytest.mark.slow
def test_keras_downstream(run, exported, tones, tmp_path):
    song, saved = tones.parent / "low 3.wav", tmp_path / "trained.keras"
    said = run("keras_downstream", exported, song, "Übermut", f"--save={saved}")
    before, after = map(float, re.findall(r"^(?:before|after): .*Übermut ([\d.]+)$", said, re.MULTILINE))
    assert after > before
    (last,) = re.findall(r"^last step: (.*)$", said, re.MULTILINE)
    assert set(re.findall(r"\w+(?= [\d.]+)", last)) == {"loss", "accuracy"}
    again = tf.keras.models.load_model(saved)(reading.read(song, 44_100)[np.newaxis])
    assert float(again["tags"][0, 2]) == pytest.approx(after, abs=6e-4)


def test_keras_downstream_refuses_an_unknown_label(run, exported, tones, capsys):
    with pytest.raises(SystemExit) as end:
        run("keras_downstream", exported, tones.parent / "low 3.wav", "polka")
    assert end.value.code == 2
    words = " ".join(re.sub("[│╭╮╰╯─]", " ", capsys.readouterr().err).split())  # out of typer's box
    assert "label 'polka' is not one of path, slow, sad, Übermut" in words


@pytest.mark.slow
def test_the_lines_of_the_docstring_train_a_loaded_model(exported, tones):
    page = (EXAMPLES / "keras_downstream.py").read_text(encoding="utf-8")
    plain, with_metrics = re.findall(r"\n\n((?:    (?:model|classifier)\b.*\n){3})", page)
    audio = reading.read(tones.parent / "low 3.wav", 44_100)[np.newaxis]
    names = {"tf": tf, "mcc_zoo": mcc_zoo, "audio": audio, "label_numbers": np.array([2])}
    exec(textwrap.dedent(plain.replace("mcclstm_emotify_genre", str(exported))), names)
    (loss,) = names["model"].history.history["loss"]
    model = names["model"] = tf.keras.models.load_model(exported)  # as it was before the step above
    before = [weight.numpy() for weight in model.trainable_weights]
    exec(textwrap.dedent(with_metrics), names)
    history = names["classifier"].history.history
    assert set(history) == {"loss", "accuracy"}
    assert np.isfinite([loss, *history["loss"]]).all() and history["accuracy"][0] in (0, 1)
    after = [weight.numpy() for weight in model.trainable_weights]
    changed = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    assert changed[-1] and len(changed) > 4, changed  # the classifier shares the model's layers


@pytest.mark.slow
def test_the_notebook_runs_and_shows_its_results(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    file = EXAMPLES / "quickstart.ipynb"
    notebook = nbformat.read(file, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # they are kept out of the file
    nbclient.NotebookClient(
        notebook, kernel_name="python3", timeout=300, resources={"metadata": {"path": str(EXAMPLES)}}
    ).execute()
    code = {cell["id"]: cell for cell in notebook.cells if cell.cell_type == "code"}
    assert code and all(cell.execution_count for cell in code.values())
    outputs = {name: cell.outputs for name, cell in code.items()}
    assert not [output for shown in outputs.values() for output in shown if output.output_type == "error"]
    assert "Tagger" in outputs["load"][-1]["data"]["text/plain"]
    rows = "".join(output.get("text", "") for output in outputs["tag"] if output.get("name") == "stdout")
    assert len(re.findall(r"^(?:chords|beat).*: (?:[\w' -]+ [01]\.\d\d(?:, )?){3}$", rows, re.MULTILINE)) == 3
    assert any("image/png" in output.get("data", {}) for output in outputs["taggram"])
    cosines = "".join(output.get("text", "") for output in outputs["descriptors"] if output.get("name") == "stdout")
    table = np.array([[float(value) for value in re.findall(r"-?\d\.\d\d", row)] for row in cosines.splitlines()])
    assert table.shape == (3, 3)
    np.testing.assert_allclose(np.diag(table), 1, atol=0.01)
    assert table[0, 1] > table[0, 2]  # chords are more like chords than like a beat


MISTAKES = {  # arguments, with {tones} for the folder of the tracks, and what is said of them
    "descriptors_with_scikit_learn": {
        ("{export}", "{tones}/nowhere.csv"): "{tones}/nowhere.csv: no such file",
        ("{export}", "{here}/other.csv"): "{here}/other.csv: lacks path, label ",
        ("{here}/nowhere", "{tones}/tones.csv"): "{here}/nowhere is no export, and no name of one in ",
        ("{export}", "{here}/broken.csv"): "{here}/broken.csv: none of its 2 tracks can be read",
        (
            "{export}",
            "{tones}/tones.csv",
            "--folds=1",
        ): "k-fold cross-validation requires at least one train/test split",
        ("{export}", "{tones}/tones.csv", "--folds=99"): "--folds=99: no label has more than ",
    },
    "keras_downstream": {
        ("{here}/nowhere", "{tones}/low 3.wav", "path"): "{here}/nowhere is no export, and no name of one in ",
        ("{export}", "{here}/nowhere.wav", "path"): "'{here}/nowhere.wav': no such file; check the path",
        ("{export}", "{tones}/damaged.wav", "path"): "'{tones}/damaged.wav': cannot be decoded (",
    },
    "similar_tracks": {
        ("{here}/nowhere", "{tones}/low 3.wav", "{tones}"): "{here}/nowhere is no export, and no name of one in ",
        ("{export}", "{here}/nowhere.wav", "{tones}"): "'{here}/nowhere.wav': no such file; check the path",
        ("{export}", "{tones}/damaged.wav", "{tones}"): "'{tones}/damaged.wav': cannot be decoded (",
        ("{export}", "{tones}/low 3.wav", "{here}/nowhere"): "'{here}/nowhere': cannot be listed as a folder",
        ("{export}", "{tones}/low 3.wav", "{here}"): "{here}: no audio file that can be read",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"), [(name, own) for name, mistakes in MISTAKES.items() for own in mistakes]
)
def test_mistakes_end_in_one_sentence(run, exported, tones, tmp_path, name, arguments):
    (tmp_path / "other.csv").write_text("file,genre\na.wav,pop\n")
    (tmp_path / "broken.csv").write_text("path,label\na.raw,pop\nb.raw,rock\n")
    for raw in ("a.raw", "b.raw"):
        (tmp_path / raw).touch()
    places = {"export": exported, "tones": tones.parent, "here": tmp_path}
    with pytest.raises(SystemExit) as end:
        run(name, *(argument.format(**places) for argument in arguments))
    said = end.value.code  # of a text, Python makes a line on standard error and the status 1
    assert said.startswith(f"error: {MISTAKES[name][arguments].format(**places)}")
    assert len(said.strip().splitlines()) == 1
