"""The four functions that an export offers a server, what they refuse, and an example request of each.

Every one of them takes a batch and answers with outputs whose first axis is that batch, as TF Serving's batching and
its REST rows need. What they refuse they refuse in the graph, with a sentence, because no Python runs on a server.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from mcc_zoo.audio.limits import MIN_SAMPLE_RATE
from mcc_zoo.export.wav_in_graph import checked, waveform_of_wav
from mcc_zoo.features.framing import samples_of
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.log_mel import chunk_counts
from mcc_zoo.models.architectures import compose
from mcc_zoo.models.classifier import Classifier, front_end_of, labels_of

Function: TypeAlias = tf.types.experimental.PolymorphicFunction
Functions = dict[str, Function]
MAX_SECONDS = 600.0  # ours: ten minutes of samples take MCCLSTM 0.7 GiB, as WAV at 192 kHz in stereo 2.2
LONGEST_SECONDS = 3_600.0  # that an export can be made to allow; samples are counted in 32 bits
INPUTS = {
    "audio": tf.TensorSpec((None, None), tf.float32, name="audio"),
    "length": tf.TensorSpec((None,), tf.int32, name="length"),
    "wav_bytes": tf.TensorSpec((None,), tf.string, name="wav_bytes"),
}
AXES = {
    "audio": ("batch", "samples"),
    "length": ("batch",),
    "wav_bytes": ("batch",),
    "tags": ("batch", "labels"),
    "descriptor": ("batch", "size"),
    "labels": ("batch", "labels"),
    "taggram": ("batch", "chunks", "labels"),
    "chunk_descriptors": ("batch", "chunks", "size"),
}


def signatures(model: keras.Model, max_seconds: float = MAX_SECONDS) -> Functions:
    """Make the functions that a server offers.

    Args:
        model: As `mcc_zoo.build` gives it.
        max_seconds: Longer clips are refused.

    Returns:
        By signature name: `serving_default`, `taggram`, `tag_padded`, `tag_wav`.
    """
    front_end = front_end_of(model)
    longest = int(max_seconds * front_end.sample_rate)
    answer = _answer(model)
    return {
        "serving_default": _of_audio(answer, front_end, longest, "tags", "descriptor"),
        "taggram": _of_audio(answer, front_end, longest, "taggram", "chunk_descriptors"),
        "tag_padded": _of_padded_audio(answer, front_end, longest),
        "tag_wav": _of_wav_files(answer, model, max_seconds),
    }


def contract(functions: Functions) -> dict[str, dict[str, dict[str, str]]]:
    """Say what the functions take and give: by signature, `inputs` and `outputs`, by name, as type and shape."""
    return {
        name: {
            "inputs": {spec.name: _described(spec.name, spec) for spec in function.input_signature},
            "outputs": {
                output: _described(output, spec)
                for output, spec in function.get_concrete_function().structured_outputs.items()
            },
        }
        for name, function in functions.items()
    }


def requests(front_end: FrontEnd) -> dict[str, dict[str, np.ndarray]]:
    """Make an example request for each signature: inputs by name.

    A server warms up with them, and an export is asked them. Two hold two chunks and a bit, because the first step of
    an LSTM does not show its recurrent weights; the others are short, because an export carries them and noise does not
    compress. Batches are of clips that differ in length and rate, where that is allowed.
    """
    audio = probe_audio(front_end)
    window = front_end.window_length
    short = audio[:, : max(window + 1, front_end.chunk_samples // 8)]
    step = max(1, min(5, front_end.sample_rate // MIN_SAMPLE_RATE))
    slower = wav_file(audio[0, ::step], front_end.sample_rate // step)
    return {
        "serving_default": {"audio": audio[:1]},
        "taggram": {"audio": short[:1]},
        "tag_padded": {"audio": short, "length": np.array([short.shape[1], window + 1], np.int32)},
        "tag_wav": {"wav_bytes": np.array([slower, wav_file(short[1], front_end.sample_rate)], object)},
    }


def answers(functions: Mapping[str, Callable[..., Any]], asked: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Ask each function its request: outputs by SIGNATURE/OUTPUT, text as arrays of `str`."""
    return {
        f"{name}/{output}": _text(values.numpy())
        for name, inputs in asked.items()
        for output, values in functions[name](**{key: tf.constant(value) for key, value in inputs.items()}).items()
    }


def probe_audio(front_end: FrontEnd) -> np.ndarray:
    """Make the audio that an export is asked about: (2, samples) of two chunks and a bit, a chord in noise."""
    samples = samples_of(2, front_end) + 100
    time = np.arange(samples) / front_end.sample_rate
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.2, 329.6)) / 6
    noise = np.random.default_rng(0).normal(scale=0.05, size=samples)
    return np.stack([chord * (time % 0.5 < 0.25) + noise, noise]).astype(np.float32)


def wav_file(samples: np.ndarray, sample_rate: int) -> bytes:
    """Write mono samples (samples,), full scale 1, as a WAV file of 16-bit PCM."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(sample_rate)
        wav.writeframes(np.rint(np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def _answer(model: keras.Model) -> Function:
    """Make the function from audio (batch, samples) and length (batch,) to all outputs, which the signatures share."""
    classifier = Classifier(model)
    front_end = classifier.front_end

    def answer(audio: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        chunks = classifier.front_end_network(audio)
        counts = chunk_counts(length, front_end)
        return compose(chunks, counts, classifier.chunk_network, classifier.sequence_network)

    return _function(answer, "audio", "length")


def _of_audio(answer: Function, front_end: FrontEnd, longest: int, *outputs: str) -> Function:
    def of_audio(audio: tf.Tensor) -> dict[str, tf.Tensor]:
        audio = checked(audio, _audio_faults(audio, front_end, longest))
        batch, samples = tf.unstack(tf.shape(audio))
        found = answer(audio, tf.fill([batch], samples))
        return {output: found[output] for output in outputs}

    return _function(of_audio, "audio")


def _of_padded_audio(answer: Function, front_end: FrontEnd, longest: int) -> Function:
    def of_padded_audio(audio: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        faults = _audio_faults(audio, front_end, longest) + _length_faults(audio, length, front_end)
        audio, length = checked((audio, length), faults)
        real = tf.sequence_mask(length, tf.shape(audio)[1])
        found = answer(tf.where(real, audio, 0.0), length)  # what stands in the padding does not matter
        return {output: found[output] for output in ("tags", "descriptor")}

    return _function(of_padded_audio, "audio", "length")


def _of_wav_files(answer: Function, model: keras.Model, max_seconds: float) -> Function:
    outputs = {name: tf.TensorSpec(model.output[name].shape[1:], tf.float32) for name in ("tags", "descriptor")}

    def of_file(indexed: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        audio = waveform_of_wav(indexed[1], indexed[0], front_end_of(model), max_seconds)
        found = answer(audio[tf.newaxis], tf.shape(audio))
        return {name: found[name][0] for name in outputs}

    def of_wav_files(wav_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        wav_bytes = checked(wav_bytes, _wav_faults(wav_bytes))
        batch = tf.shape(wav_bytes)[0]
        # File by file: batched, the longest would set the length, and the memory, of all.
        found = tf.map_fn(of_file, (tf.range(batch), wav_bytes), fn_output_signature=outputs)
        return {**found, "labels": tf.tile(tf.constant([labels_of(model)]), tf.stack([batch, 1]))}

    return _function(of_wav_files, "wav_bytes")


def _function(python: Callable[..., dict[str, tf.Tensor]], *inputs: str) -> Function:
    return tf.function(python, input_signature=[INPUTS[name] for name in inputs], autograph=False)


def _shape(tensor: tf.Tensor) -> tf.Tensor:
    """Read the shape that a tensor really has: a server does not compare it with the signature's.

    The detour hides what the signature says of the shape, by which the check would be taken for decided.
    """
    return tf.shape(tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=tf.TensorShape(None)))


def _audio_faults(audio: tf.Tensor, front_end: FrontEnd, longest: int) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """List what the model does not refuse by itself (see `front_end.check_audio`)."""
    shape = _shape(audio)
    batch, samples = tf.unstack(tf.concat([shape, [1, 1]], 0)[:2], num=2)
    return [
        (
            tf.not_equal(tf.size(shape), 2),
            tf.strings.format("audio has the shape {}: send a batch of clips, (batch, samples)", shape),
        ),
        (tf.equal(batch, 0), tf.constant("audio holds no clip: send one at least")),
        (
            samples > longest,
            tf.strings.format(
                f"audio has {{}} samples and {longest} are allowed ({longest / front_end.sample_rate:g} s at "
                f"{front_end.sample_rate} Hz): send it in parts",
                samples,
            ),
        ),
    ]


def _length_faults(audio: tf.Tensor, length: tf.Tensor, front_end: FrontEnd) -> list[tuple[tf.Tensor, tf.Tensor]]:
    shape = _shape(length)
    batch, samples = tf.unstack(tf.concat([_shape(audio), [1, 1]], 0)[:2], num=2)
    lengths = tf.concat([tf.reshape(length, [-1]), [front_end.window_length]], 0)  # one that is right, if there is none
    least, most = tf.reduce_min(lengths), tf.reduce_max(lengths[:-1])
    return [
        (
            tf.not_equal(tf.size(shape), 1) | tf.not_equal(tf.size(lengths) - 1, batch),
            tf.strings.format("length has the shape {} and audio {} clips: send one length a clip", (shape, batch)),
        ),
        (
            least < front_end.window_length,
            tf.strings.format(
                f"length[{{}}] is {{}}: at least one window of {front_end.window_length} samples is needed",
                (tf.argmin(lengths), least),
            ),
        ),
        (
            most > samples,
            tf.strings.format(
                "length[{}] is {} and audio has {} samples a clip: a length counts the samples before the padding",
                (tf.argmax(lengths), most, samples),
            ),
        ),
    ]


def _wav_faults(wav_bytes: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
    shape = _shape(wav_bytes)
    return [
        (
            tf.not_equal(tf.size(shape), 1),
            tf.strings.format("wav_bytes has the shape {}: send a batch of files, (batch,)", shape),
        ),
        (tf.equal(tf.reduce_prod(shape), 0), tf.constant("wav_bytes holds no file: send one at least")),
    ]


def _described(name: str, spec: tf.TensorSpec) -> str:
    shape = ", ".join(str(size or axis) for size, axis in zip(spec.shape, AXES[name], strict=True))
    return f"{spec.dtype.name} ({shape}{',' * (len(spec.shape) == 1)})"


def _text(values: np.ndarray) -> np.ndarray:
    """Text comes as bytes objects, which numpy would store with pickle."""
    return np.char.decode(values.astype(bytes), "utf-8") if values.dtype == object else values
