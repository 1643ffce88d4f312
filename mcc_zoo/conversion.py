"""An export to one file that runs without TensorFlow: LiteRT (.tflite) or ONNX (.onnx).

The file reads one clip of one length. Its graph is the export's, with what other runtimes lack written in products and
sums: the Fourier transform, and the loop of an LSTM step by step. It is compared with the export before it is written.
"""

from __future__ import annotations

import importlib
import io
import json
import math
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mcc_zoo.atomic import make_folder, temporary_folder, write_bytes
from mcc_zoo.disk import WriteError, explained
from mcc_zoo.export.metadata import METADATA_FILE, ExportError, ExportMetadata, hash_metadata
from mcc_zoo.export.signatures import Function
from mcc_zoo.export.verify import OTHER_MACHINE_TOLERANCE, full_precision, hash_files, measure_difference
from mcc_zoo.extras import MissingExtraError, require
from mcc_zoo.features.chunking import chunks_in, samples_of
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.level import bring_to_one_level
from mcc_zoo.features.log_mel import Operations, mel_frames, split_into_chunks
from mcc_zoo.inference.locate import latest
from mcc_zoo.inference.tagger import Tagger, load
from mcc_zoo.models.architectures import compose
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.version import __version__

OUTPUTS = ("tags", "descriptor")
ONNX_OPSET = 15  # the oldest that has all that is needed is read by the most runtimes
Answers = Mapping[str, np.ndarray]


class ConversionError(ValueError):
    """An export cannot be converted as asked, or the file does not answer as the export does."""


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Attributes:
        path: The file.
        samples: Length of the clips that it reads.
        sample_rate: Hz.
        difference: The largest between its answers and the export's: absolute below 1, relative above, of tags in
            their logarithms.
    """

    path: Path
    samples: int
    sample_rate: int
    difference: float


@dataclass(frozen=True)
class Description:
    """What a file says about itself.

    Attributes:
        export: Name and version of the export, NAME/VERSION.
        export_sha256: Hash of its mcc_zoo.json.
        architecture: One of `mcc_zoo.ARCHITECTURES`.
        labels: Class names in the order of `tags`.
        sample_rate: Hz.
        samples: Length of the clips that the file reads.
        mcc_zoo: Version of mcc_zoo that converted it.
    """

    export: str
    export_sha256: str
    architecture: str
    labels: list[str]
    sample_rate: int
    samples: int
    mcc_zoo: str


@dataclass(frozen=True)
class Format:
    """A kind of file: the modules it takes, how its bytes are made, and how they answer to audio (1, samples)."""

    modules: tuple[str, ...]
    convert: Callable[[Function, Description], bytes]
    answer: Callable[[bytes, np.ndarray], Answers]


def convert(export: str | os.PathLike[str], output: str | os.PathLike[str], seconds: float | None = None) -> Conversion:
    """Convert an export to one file that runs without TensorFlow, whole or not at all.

    The file has one input, `audio` (1, samples) float32, mono, full scale 1, at the export's sample rate, and the
    outputs `tags` (1, labels) and `descriptor` (1, D). Its length is fixed and it checks nothing: samples that are not
    finite give tags that are not. Labels, sample rate, samples and the hash of the export's mcc_zoo.json are in the
    metadata of an .onnx file; a .tflite file is also a ZIP file with labels.txt and mcc_zoo.json in it.

    Args:
        export: A version's folder, or the folder of all versions of a model: the newest is taken.
        output: A .tflite or .onnx file. One that is there is replaced.
        seconds: Length of the clips that the file reads, the chunks of a training track by default. As always, clips
            under one chunk are padded, and what is left past the last whole chunk is dropped.

    Returns:
        What was written.

    Raises:
        ExportError: There is no whole export.
        ConversionError: `output` or `seconds` cannot be, a package of the extra `convert` is missing, or the file does
            not answer as the export does. Nothing is written.
    """
    output, folder = Path(output), latest(export)
    chosen, source, tagger = _choose_format(output, folder), _hash_export(folder), load(folder)
    samples, sample_rate = _count_samples(seconds, tagger), tagger.front_end.sample_rate
    description = Description(
        export=f"{tagger.metadata.name}/{folder.name}",
        export_sha256=source,
        architecture=tagger.metadata.architecture,
        labels=tagger.labels,
        sample_rate=sample_rate,
        samples=samples,
        mcc_zoo=__version__,
    )
    clips = make_probe_clips(samples, sample_rate)
    with full_precision():  # asked before the graph is made, which changes the model
        expected = {clip: tagger.model(audio, training=False) for clip, audio in clips.items()}
    try:
        content = chosen.convert(make_graph(tagger, samples), description)
        found = {clip: chosen.answer(content, audio) for clip, audio in clips.items()}
    except WriteError as error:
        raise ConversionError(str(error)) from error
    except Exception as error:  # of converters and runtimes, which raise anything
        raise ConversionError(f"{output}: not written, converting failed ({type(error).__name__}: {error})") from error
    pairs = [(f"{clip}/{name}", found[clip][name], expected[clip][name].numpy()) for clip in clips for name in OUTPUTS]
    away = float(np.max([measure_difference(*pair) for pair in pairs]))
    if not away <= OTHER_MACHINE_TOLERANCE:
        raise ConversionError(f"{output}: not written, its answers are {away:.1e} away from those of {folder}")
    _write(output, content)
    return Conversion(output, samples, sample_rate, away)


def make_graph(tagger: Tagger, samples: int) -> Function:
    """Make the function from audio (1, samples) to tags and descriptor, with fixed shapes and without complex numbers.

    The tagger's LSTM is unrolled for it.
    """
    front_end, chunks = tagger.front_end, chunks_in(samples, tagger.front_end)
    classifier = Classifier(tagger.model)
    mean, std = classifier.mean, classifier.std
    for layer in classifier.lstms:
        layer.unroll = True

    def tag_clip(audio: tf.Tensor) -> dict[str, tf.Tensor]:
        sequence = compute_chunks(audio, front_end)
        sequence.set_shape((1, chunks, front_end.n_mels, front_end.chunk_frames))
        # As numbers: what a function captures from a layer becomes an input of an ONNX file.
        sequence = (sequence - mean) / std
        outputs = compose(sequence, tf.fill([1], chunks), classifier.chunk_network, classifier.sequence_network)
        return {name: outputs[name] for name in OUTPUTS}

    signature = [tf.TensorSpec((1, samples), tf.float32, name="audio")]
    return tf.function(tag_clip, input_signature=signature, autograph=False)


def compute_chunks(audio: tf.Tensor, front_end: FrontEnd) -> tf.Tensor:
    """Do what the front end does, checks and standardising apart: (1, samples) to (1, chunks, n_mels, chunk_frames)."""
    samples = audio.shape[1]
    chunks = chunks_in(samples, front_end)
    whole = samples_of(chunks, front_end)
    if samples > whole:  # split, because LiteRT gives its input the size of what comes, and a slice would cut any
        audio, _ = tf.split(audio, [whole, samples - whole], axis=1)
    audio = tf.pad(audio, [[0, 0], [0, max(0, whole - samples)]])
    real = Operations(compute_power_spectrum, log1p=lambda x: tf.math.log(1 + x))  # without complex numbers
    mel_chunks = split_into_chunks(mel_frames(audio, front_end, real), front_end)
    if front_end.level == "none":
        return mel_chunks
    mel_chunks.set_shape((1, chunks, front_end.n_mels, front_end.chunk_frames))
    return bring_to_one_level(mel_chunks, tf.constant([chunks]), front_end, real)


def compute_power_spectrum(frames: tf.Tensor) -> tf.Tensor:
    """Compute |DFT|^2 by matrix products: (batch, frames, length) to (batch, frames, length // 2 + 1).

    Two short transforms make a long one (Cooley and Tukey 1965): with length = rows * columns, sample number
    row + rows * column and frequency column' + columns * row', the first goes along the columns, the second along the
    rows. For 2,048 samples it takes a hundredth of the numbers, and a tenth of the work, of one product.
    """
    batch, count, length = frames.shape
    rows = max(n for n in range(1, math.isqrt(length) + 1) if length % n == 0)
    columns = length // rows
    row, column = np.arange(rows), np.arange(columns)
    grid = tf.linalg.matrix_transpose(tf.reshape(frames, (batch, count, columns, rows)))  # (..., rows, columns)
    cosine, sine = _make_rotations(column, column, columns)
    real, imaginary = _multiply_complex(grid @ cosine, grid @ sine, *_make_rotations(row, column, length), tf.multiply)
    real, imaginary = tf.linalg.matrix_transpose(real), tf.linalg.matrix_transpose(imaginary)  # (..., columns, rows)
    real, imaginary = _multiply_complex(real, imaginary, *_make_rotations(row, row[: rows // 2 + 1], rows), tf.matmul)
    power = tf.linalg.matrix_transpose(tf.square(real) + tf.square(imaginary))
    return tf.reshape(power, (batch, count, -1))[..., : length // 2 + 1]


def _make_rotations(times: np.ndarray, frequencies: np.ndarray, period: int) -> tuple[np.ndarray, np.ndarray]:
    """Make real and imaginary part of exp(-2 pi i time frequency / period): (times, frequencies) float32 each."""
    angles = -2 * np.pi * (np.outer(times, frequencies) % period) / period
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _multiply_complex(
    real: tf.Tensor, imaginary: tf.Tensor, cosine: np.ndarray, sine: np.ndarray, product: Callable[..., tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Multiply two complex arrays that are given by their parts."""
    return (
        product(real, cosine) - product(imaginary, sine),
        product(real, sine) + product(imaginary, cosine),
    )


def make_probe_clips(samples: int, sample_rate: int) -> dict[str, np.ndarray]:
    """Make the clips that a file and its export are asked about: noise and a tone, (1, samples) float32 each."""
    time = np.arange(samples) / sample_rate
    noise = np.random.default_rng(0).normal(scale=0.1, size=samples)
    clips = {"noise": noise, "tone": 0.5 * np.sin(2 * np.pi * 440.0 * time)}
    return {name: values[np.newaxis].astype(np.float32) for name, values in clips.items()}


def _convert_to_litert(function: Function, description: Description) -> bytes:
    with temporary_folder() as folder:
        archive = keras.export.ExportArchive()
        archive.add_endpoint("serving_default", function)
        archive.write_out(str(folder), verbose=False)
        content = io.BytesIO(_sort_outputs(tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert()))
    # LiteRT's custom: files with a model are a ZIP file behind it, which readers of the model do not look at.
    with zipfile.ZipFile(content, "a") as behind:
        behind.writestr(zipfile.ZipInfo("labels.txt"), "".join(f"{label}\n" for label in description.labels))
        said = json.dumps(asdict(description), ensure_ascii=False)
        behind.writestr(zipfile.ZipInfo(METADATA_FILE), f"{said}\n")
    return content.getvalue()


def _sort_outputs(model: bytes) -> bytes:
    """Number a LiteRT model's outputs as `OUTPUTS` does, not by name as TensorFlow does; its signature names them."""
    schema, content = importlib.import_module("ai_edge_litert.schema_py_generated"), bytearray(model)
    root = schema.Model.GetRootAs(content)
    signature = root.SignatureDefs(0)
    named = [signature.Outputs(i) for i in range(signature.OutputsLength())]
    tensors = {output.Name().decode(): output.TensorIndex() for output in named}
    root.Subgraphs(signature.SubgraphIndex()).OutputsAsNumpy()[:] = [tensors[name] for name in OUTPUTS]  # in `content`
    return bytes(content)


def _ask_litert(content: bytes, audio: np.ndarray) -> Answers:
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=content)
    return interpreter.get_signature_runner("serving_default")(audio=audio)


def _convert_to_onnx(function: Function, description: Description) -> bytes:
    converter, helper = importlib.import_module("tf2onnx.convert"), importlib.import_module("onnx.helper")
    model, _ = converter.from_function(function, function.input_signature, opset=ONNX_OPSET)
    texts = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in asdict(description).items()
    }
    helper.set_model_props(model, texts)
    outputs = {output.name: output for output in model.graph.output}  # by name, as TensorFlow sorts them
    del model.graph.output[:]
    model.graph.output.extend(outputs[name] for name in OUTPUTS)
    return model.SerializeToString()


def _ask_onnx(content: bytes, audio: np.ndarray) -> Answers:
    runtime = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return dict(zip(OUTPUTS, session.run(OUTPUTS, {"audio": audio}), strict=True))


FORMATS = {
    ".tflite": Format(
        ("ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated"), _convert_to_litert, _ask_litert
    ),
    ".onnx": Format(("tf2onnx.convert", "onnx.helper", "onnxruntime"), _convert_to_onnx, _ask_onnx),
}


def _choose_format(output: Path, folder: Path) -> Format:
    """Choose the format by the file's name, before anything slow."""
    suffix = output.suffix.lower()
    if suffix not in FORMATS:
        raise ConversionError(f"{output} has the suffix {suffix!r}: choose one of {', '.join(FORMATS)}")
    if output.is_dir():
        raise ConversionError(f"{output} is a folder: name a file")
    if folder.resolve() in output.resolve().parents:
        raise ConversionError(f"{output} lies in the export, which it would change: name a file elsewhere")
    try:
        for module in FORMATS[suffix].modules:
            require(module, "convert")
    except MissingExtraError as error:
        raise ConversionError(f"{output} cannot be made: {error}") from error
    return FORMATS[suffix]


def _hash_export(folder: Path) -> str:
    """Return the hash of mcc_zoo.json, which holds the hashes of the other files, if these are as it says."""
    if ExportMetadata.read(folder).files != hash_files(folder):
        raise ExportError(f"{folder} is not what was exported: `mcc-zoo verify {folder}` says what differs")
    return hash_metadata(folder)


def _count_samples(seconds: float | None, tagger: Tagger) -> int:
    front_end = tagger.front_end
    if seconds is None:
        return samples_of(tagger.metadata.training_chunks, front_end)
    least, most = front_end.window_length / front_end.sample_rate, tagger.metadata.max_seconds
    if not least <= seconds <= most:
        raise ConversionError(
            f"seconds={seconds:g}: give {least:.3g}, which is one window, to {most:g}, which the export allows"
        )
    return round(seconds * front_end.sample_rate)


def _write(output: Path, content: bytes) -> None:
    try:
        with explained(output, "the converted model", "name another file"):
            make_folder(output.parent)
            write_bytes(output, content)
    except WriteError as error:
        raise ConversionError(str(error)) from error
