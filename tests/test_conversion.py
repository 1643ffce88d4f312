"""Files of LiteRT and ONNX answer as the export that they were made from, and nothing is written that does not."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as litert_schema
from ai_edge_litert.interpreter import Interpreter
from helpers.systems import MANY, SOME_EXPORTS
from typer.testing import CliRunner

import mcc_zoo
from mcc_zoo import conversion
from mcc_zoo.cli.main import app
from mcc_zoo.features.chunking import samples_of
from mcc_zoo.features.front_end import FRONT_ENDS, FrontEnd
from mcc_zoo.features.level import Level
from mcc_zoo.features.log_mel import MelChunks

LABELS = ["blues", "hip hop", "schlager ü"]
SUFFIXES = (".tflite", ".onnx")
ODD = FrontEnd(sample_rate=8_000, window_length=441, hop_length=147, compression="log")  # 441 is no power of two
ODD_CHUNK = samples_of(1, ODD)

Answers = dict[str, np.ndarray]


def answers_of(path: Path, audio: np.ndarray) -> Answers:
    """Ask a file as its users would."""
    if path.suffix == ".tflite":
        return Interpreter(model_path=str(path)).get_signature_runner()(audio=audio)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"audio": audio}), strict=True))


def assert_same(found: Answers, expected: dict[str, Any]) -> None:
    """Descriptors within 1e-5, tags by their logarithms: a softmax's logits, up to a constant."""
    assert set(found) == {"tags", "descriptor"}
    np.testing.assert_allclose(np.log(found["tags"]), np.log(expected["tags"]), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["descriptor"], expected["descriptor"], rtol=1e-5, atol=1e-5)


def music_of(samples: int, sample_rate: int, seed: int = 3) -> np.ndarray:
    """Noise that swells over a tone that rises: (1, samples)."""
    time = np.arange(samples) / sample_rate
    noise = np.random.default_rng(seed).normal(scale=0.3, size=samples) * time / time[-1]
    return (noise + 0.4 * np.sin(2 * np.pi * (100 + 300 * time) * time))[np.newaxis].astype(np.float32)


def operations_of(path: Path) -> set[Any]:
    """Return the names of custom operations (LiteRT), or the domains of all operations (ONNX)."""
    if path.suffix == ".tflite":
        codes = litert_schema.ModelT.InitFromPackedBuf(path.read_bytes()).operatorCodes
        return {code.customCode for code in codes}
    return {node.domain for node in onnx.load(path).graph.node}


def metadata_of(path: Path) -> dict[str, str]:
    if path.suffix == ".tflite":
        with zipfile.ZipFile(path) as behind:
            assert behind.read("labels.txt").decode().splitlines() == LABELS
            facts = json.loads(behind.read("mcc_zoo.json"))
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}
    return onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map


@pytest.fixture(scope="module")
def converted(trained, tmp_path_factory) -> Callable[[str, str], conversion.Conversion]:
    """Convert the export of a trained system, once."""
    folder = tmp_path_factory.mktemp("converted")

    @functools.cache
    def convert(architecture: str, suffix: str) -> conversion.Conversion:
        return mcc_zoo.convert(trained.folders[architecture], folder / f"{architecture}{suffix}")

    return convert


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> Path:
    """An export whose window is no power of two, and whose training tracks have three chunks."""
    keras.utils.set_random_seed(5)
    model = mcc_zoo.build("r2", LABELS, front_end=ODD, mean=-4.0, std=3.0)
    return mcc_zoo.export_model(model, tmp_path_factory.mktemp("exports"), "odd", {"training_chunks": 3}, 60.0)


@pytest.mark.parametrize("suffix", [pytest.param(".tflite", marks=pytest.mark.slow), ".onnx"])
@pytest.mark.parametrize("architecture", SOME_EXPORTS)
def test_a_file_answers_as_the_keras_model(trained, converted, architecture, suffix):
    made, model = converted(architecture, suffix), trained.models[architecture]
    assert (made.samples, made.sample_rate) == (164_864, 44_100)
    assert made.difference <= 1e-5
    clips = [music_of(made.samples, 44_100), np.zeros((1, made.samples), np.float32)]
    found = [answers_of(made.path, audio) for audio in clips]
    for audio, answers in zip(clips, found, strict=True):
        assert_same(answers, {name: values.numpy() for name, values in model(audio, training=False).items()})
    assert not np.array_equal(found[0]["descriptor"], found[1]["descriptor"])
    assert operations_of(made.path) == ({None} if suffix == ".tflite" else {""})

    source = trained.folders[architecture]
    assert metadata_of(made.path) == {
        "export": f"{architecture}/1",
        "export_sha256": hashlib.sha256((source / "mcc_zoo.json").read_bytes()).hexdigest(),
        "architecture": architecture.removesuffix(MANY),
        "labels": json.dumps(LABELS),
        "sample_rate": "44100",
        "samples": "164864",
        "mcc_zoo": mcc_zoo.__version__,
    }


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "samples",
    [
        ODD_CHUNK - 1,
        ODD_CHUNK + 1,
        samples_of(3, ODD),
    ],
)
def test_length_of_the_clips(odd, tmp_path, samples, suffix):
    """What is under a chunk is padded, what is left is dropped, and clips of another length are refused."""
    seconds = None if samples == samples_of(3, ODD) else samples / 8_000
    made = mcc_zoo.convert(odd.parent, tmp_path / f"new folder/odd{suffix}", seconds)
    assert made.samples == samples
    audio = music_of(samples, 8_000)
    expected = keras.models.load_model(odd)(audio, training=False)
    assert_same(answers_of(made.path, audio), {name: values.numpy() for name, values in expected.items()})
    if suffix == ".onnx":
        (given,) = onnxruntime.InferenceSession(made.path).get_inputs()
        assert (given.name, given.shape, given.type) == ("audio", [1, samples], "tensor(float)")
    others = [music_of(samples + more, 8_000) for more in (-1, 1, 50_000)]
    for other in (*others, np.tile(audio, (2, 1))):
        with pytest.raises(Exception, match=r"size_splits must sum|failed to (reshape|prepare)|Got invalid dimensions"):
            answers_of(made.path, other)


def outputs_by_place(path: Path, audio: np.ndarray) -> list[np.ndarray]:
    """Ask a file for all outputs without naming any."""
    if path.suffix == ".onnx":
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"audio": audio})
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], audio)
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_outputs_stand_in_the_order_of_the_signature(odd, tmp_path, suffix):
    made = mcc_zoo.convert(odd, tmp_path / f"odd{suffix}", 1.0)
    audio = music_of(made.samples, made.sample_rate)
    named, (tags, descriptor) = answers_of(made.path, audio), outputs_by_place(made.path, audio)
    np.testing.assert_array_equal(tags, named["tags"])
    np.testing.assert_array_equal(descriptor, named["descriptor"])


@pytest.mark.slow
def test_files_need_no_tensorflow(converted):
    paths = {suffix: str(converted("r0", suffix).path) for suffix in SUFFIXES}
    code = (
        "import sys, numpy as np, onnxruntime; from ai_edge_litert.interpreter import Interpreter;"
        "audio = np.zeros((1, 164864), np.float32);"
        f"lite = Interpreter(model_path={paths['.tflite']!r}).get_signature_runner()(audio=audio)['tags'];"
        f"(tags,) = onnxruntime.InferenceSession({paths['.onnx']!r}).run(['tags'], {{'audio': audio}});"
        "assert 'tensorflow' not in sys.modules and 'mcc_zoo' not in sys.modules;"
        "print(float(abs(lite - tags).max()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(run.stdout) <= 1e-6


@pytest.mark.parametrize("length", [1, 2, 7, 30, 441, 2_048])
def test_power_spectrum_is_that_of_a_fourier_transform(rng, length):
    frames = rng.normal(size=(2, 3, length)).astype(np.float32)
    expected = np.abs(np.fft.rfft(frames.astype(np.float64))) ** 2
    found = conversion.compute_power_spectrum(tf.constant(frames)).numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * length)


@pytest.mark.parametrize("front_end", [FRONT_ENDS["44k"], ODD], ids=["44k", "odd"])
@pytest.mark.parametrize("chunks", [0.5, 1, 2])
def test_the_converted_front_end_is_the_front_end(front_end, chunks):
    for more in (-1, 0, 1):
        samples = samples_of(1, front_end) // 2 if chunks == 0.5 else samples_of(chunks, front_end)
        audio = tf.constant(music_of(samples + more, front_end.sample_rate))
        energy = MelChunks(front_end)(audio)
        expected = Level(front_end)([energy, tf.fill([1], energy.shape[1])]) if front_end.level != "none" else energy
        found = conversion.compute_chunks(audio, front_end).numpy()
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("wrong", [1e-3, np.nan, "killed", "broken"])
def test_a_file_that_answers_otherwise_is_not_written(odd, tmp_path, monkeypatch, suffix, wrong):
    output = tmp_path / f"odd{suffix}"
    output.write_text("an older file")

    def answer(content: bytes, audio: np.ndarray) -> Answers:
        assert [path.name for path in tmp_path.iterdir()] == [output.name]  # whoever is killed here leaves nothing
        if wrong == "killed":
            raise KeyboardInterrupt
        if wrong == "broken":
            raise RuntimeError("no such operation")
        found = {name: values.numpy() for name, values in keras.models.load_model(odd)(audio).items()}
        return {"tags": found["tags"] * np.exp(wrong), "descriptor": found["descriptor"]}

    made = conversion.Format((), lambda function, facts: b"", answer)
    monkeypatch.setitem(conversion.FORMATS, suffix, made)
    reason = {
        1e-3: rf"odd\{suffix}: not written, its answers are 1\.0e-03 away from those of .*odd/1",
        "broken": rf"odd\{suffix}: not written, converting failed \(RuntimeError: no such operation\)",
    }
    kind = KeyboardInterrupt if wrong == "killed" else mcc_zoo.ConversionError
    with pytest.raises(kind, match=reason.get(wrong)):
        mcc_zoo.convert(odd, output, 1.0)
    assert output.read_text() == "an older file"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_file_that_cannot_be_finished_is_not_there(tmp_path, monkeypatch, error):
    def fail(descriptor: int) -> None:
        (part,) = tmp_path.iterdir()
        assert part.read_bytes() == b"content"
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    kind = mcc_zoo.ConversionError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(
        kind, match=r"a\.onnx cannot be written \(No space left" if isinstance(error, OSError) else None
    ):
        conversion._write(tmp_path / "a.onnx", b"content")
    assert list(tmp_path.iterdir()) == []


def refusal(*arguments: object) -> str:
    """Run `mcc-zoo convert`, which has to say what cannot be done."""
    result = CliRunner().invoke(app, ["convert", *map(str, arguments)])
    assert (result.exit_code, result.stdout) == (2, "")
    *_, last = result.stderr.splitlines()
    return last


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.h5", "{}/a.h5 has the suffix '.h5': choose one of .tflite, .onnx"),
        ("a", "{}/a has the suffix '': choose one of .tflite, .onnx"),
        ("folder.onnx", "{}/folder.onnx is a folder: name a file"),
        ("odd/1/a.onnx", "{}/odd/1/a.onnx lies in the export, which it would change: name a file elsewhere"),
    ],
)
def test_impossible_outputs_are_refused(exported, tmp_path, name, message):
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "odd").symlink_to(exported.parent)
    assert refusal(tmp_path / "odd", tmp_path / name) == f"error: {message.format(tmp_path)}"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", ["0", "-1", "0.055", "60.1", "inf", "nan"])
def test_impossible_lengths_are_refused(odd, tmp_path, seconds):
    said = refusal(odd, tmp_path / "a.onnx", f"--seconds={seconds}")
    assert said == (f"error: seconds={seconds}: give 0.0551, which is one window, to 60, which the export allows")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "module"), [(".onnx", "tf2onnx.convert"), (".tflite", "ai_edge_litert.interpreter")]
)
def test_without_the_extra_it_is_named(exported, tmp_path, monkeypatch, suffix, module):
    monkeypatch.setitem(sys.modules, module, None)
    said = refusal(exported, tmp_path / f"a{suffix}")
    assert said.startswith(f"error: {tmp_path}/a{suffix} cannot be made: {module} is needed here (")
    assert said.endswith("pip install 'mcc_zoo[convert]'")


def test_exports_that_are_not_whole_are_refused(exported, tmp_path):
    assert refusal("nowhere", tmp_path / "a.onnx").startswith("error: nowhere is no export, and no name of one")
    copy = Path(shutil.copytree(exported, tmp_path / "copy"))
    (copy / "model.weights.h5").write_bytes(b"others")
    assert refusal(copy, tmp_path / "a.onnx") == (
        f"error: {copy} is not what was exported: `mcc-zoo verify {copy}` says what differs"
    )
    (copy / "mcc_zoo.json").write_text("[]")
    assert refusal(copy, tmp_path / "a.onnx").startswith(f"error: {copy}/mcc_zoo.json cannot be read (")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.slow
def test_the_command_says_what_it_wrote(odd, tmp_path):
    output = tmp_path / "odd.ONNX"
    output.write_text("an older file")
    result = CliRunner().invoke(app, ["convert", str(odd), str(output), "--seconds", "1.5"])
    assert (result.exit_code, result.stdout) == (0, "")
    said = f"wrote {output}: audio (1, 12000) at 8000 Hz, 1.50 s; differs from the model by at most "
    assert result.stderr.splitlines()[-1].startswith(said)
    assert onnxruntime.InferenceSession(output.read_bytes()).get_inputs()[0].shape == [1, 12_000]
    assert [path.name for path in tmp_path.iterdir()] == [output.name]
