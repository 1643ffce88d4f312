"""An export that is not what was written is found out, file by file and answer by answer."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import mcc_zoo
from mcc_zoo.cli.main import app
from mcc_zoo.export.metadata import METADATA_FILE, ExportMetadata
from mcc_zoo.export.verify import TOLERANCE, find_differences, hash_files, verify_export
from mcc_zoo.export.warm_up import ANSWERS_FILE, REQUESTS_FILE, read_requests


@pytest.fixture
def copy(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained.folders["r0"], tmp_path / "tagger" / "1"))


def run(folder: Path) -> tuple[int, list[str], str]:
    """Run `mcc-zoo verify`: exit status, lines of the standard output, standard error."""
    result = CliRunner().invoke(app, ["verify", str(folder)])
    return result.exit_code, result.stdout.splitlines(), result.stderr


def sign_again(folder: Path) -> None:
    """Make the hashes those of the files, so that only the answers can tell."""
    facts = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))
    signed = ExportMetadata.from_json({**facts, "files": hash_files(folder)})
    replace(signed, sha256=signed.hash_facts()).write(folder)


@pytest.mark.parametrize("architecture", ["r0", pytest.param("mcclstm", marks=pytest.mark.slow)])
def test_an_export_is_what_was_exported(trained, architecture):
    assert find_differences(trained.folders[architecture], TOLERANCE) == []


@pytest.mark.slow
def test_the_command_says_that_it_is_the_same(copy):
    sentence = f"{copy}: file hashes and predictions are as exported"
    assert run(copy) == run(copy.parent) == (0, [sentence], "")


@pytest.mark.slow
def test_the_command_says_what_differs(copy):
    (copy / "assets/labels.txt").write_text("blues\n")
    (copy / "batching_params.pbtxt").unlink()
    (copy / "notes.txt").write_text("mine")
    data = copy / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1] + b"\1")
    status, lines, heard = run(copy.parent)
    assert status == 1
    assert lines == [
        "batching_params.pbtxt: missing",
        "notes.txt: not part of the export",
        "assets/labels.txt: not what was exported",
        "variables/variables.data-00000-of-00001: not what was exported",
    ]
    assert heard == f"{copy} is not as it was exported: copy it again, or export it again\n"


def test_the_command_needs_an_export(tmp_path):
    status, lines, heard = run(tmp_path / "nowhere")
    assert (status, lines) == (2, [])
    assert heard.startswith(f"error: {tmp_path}/nowhere is no export, and no name of one")


@pytest.mark.parametrize("facts", ["", "{", "[]", "{}", '{"files": 3}', '{"files": null}'])
def test_facts_that_cannot_be_read_are_a_difference(copy, facts):
    (copy / METADATA_FILE).write_text(facts)
    (found,) = find_differences(copy)
    assert f"{copy}/mcc_zoo.json cannot be read (" in found


@pytest.mark.slow
def test_other_weights_are_found_by_their_answers(copy):
    """The Keras half alone is replaced, and the hashes are made anew."""
    model = mcc_zoo.build("r0", ["blues", "hip hop", "schlager ü"], mean=0.5, std=0.8)
    model.save_weights(copy / "model.weights.h5")
    sign_again(copy)
    found = find_differences(copy)
    assert {sentence.split(":")[0] for sentence in found} <= {
        f"load_model {name}"
        for name in (
            "serving_default/tags",
            "serving_default/descriptor",
            "taggram/taggram",
            "taggram/chunk_descriptors",
        )
    }
    assert "load_model serving_default/tags" in {sentence.split(":")[0] for sentence in found}
    assert all(sentence.endswith("away from the answer when it was exported") for sentence in found)
    with pytest.raises(mcc_zoo.ExportError, match=r"tagger/1: load_model .* away from the answer"):
        verify_export(copy)


@pytest.mark.slow
def test_other_answers_are_found(copy):
    with np.load(copy / ANSWERS_FILE) as stored:
        answers = dict(stored)
    assert answers["tag_wav/labels"].tolist() == [["blues", "hip hop", "schlager ü"]] * 2
    answers["tag_wav/labels"][1, 2] = "pop"
    answers["tag_padded/descriptor"][0, 0] += 0.01
    answers["taggram/taggram"] = answers["taggram/taggram"][:, 1:]
    answers["serving_default/tags"][0, 0] *= 1.00005  # within what another machine may differ by
    np.savez(copy / ANSWERS_FILE, **answers)
    sign_again(copy)
    assert sorted(sentence.split(":")[0] for sentence in find_differences(copy)) == [
        "load_model taggram/taggram",
        "signature tag_padded/descriptor",
        "signature tag_wav/labels",
        "signature taggram/taggram",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", [ANSWERS_FILE, REQUESTS_FILE, "saved_model.pb", "config.json"])
def test_a_damaged_part_is_a_difference_and_no_crash(copy, name):
    (copy / name).write_bytes(b"no such thing")
    sign_again(copy)
    (found,) = find_differences(copy)
    assert found.startswith("cannot be asked (")


@pytest.mark.slow
def test_stored_answers_are_the_keras_models(trained):
    """And one question is of two chunks, so that an LSTM's recurrent weights count."""
    folder = trained.folders["mcclstm"]
    with np.load(folder / ANSWERS_FILE) as stored:
        answers = dict(stored)
    requests = read_requests(folder / REQUESTS_FILE)
    for signature, chunks in {"taggram": 1, "serving_default": 2}.items():
        expected = trained.models["mcclstm"](requests[signature]["audio"], training=False)
        assert expected["taggram"].shape[1] == chunks
        for name in (name for name in answers if name.startswith(signature)):
            output = name.split("/")[1]
            wanted = expected[output] if output != "is_silent" else [False]
            np.testing.assert_allclose(answers[name], wanted, rtol=1e-5, atol=1e-5)
    lstm = keras.models.clone_model(trained.models["mcclstm"])
    lstm.set_weights(trained.models["mcclstm"].get_weights())
    kernel = lstm.get_layer("sequence_network").get_layer("lstm").cell.recurrent_kernel
    kernel.assign(0 * kernel)
    other = lstm(requests["serving_default"]["audio"], training=False)
    assert np.abs(other["tags"] - expected["tags"]).max() > 1e-4
