"""The four functions that an export offers a server, and what they refuse.

Each of them takes a batch and answers with outputs whose first axis is that batch, as TF Serving's batching and its
REST rows need. Bad input is refused in the graph, with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import keras
import tensorflow as tf

from mcc_zoo.export.faults import Fault, refuse_faults
from mcc_zoo.export.metadata import Signature
from mcc_zoo.export.wav_in_graph import decode_wav
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.log_mel import chunk_counts
from mcc_zoo.features.sound import has_sound
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
OF_A_TRACK = ("tags", "descriptor", "is_silent")
AXES = {
    "audio": ("batch", "samples"),
    "length": ("batch",),
    "wav_bytes": ("batch",),
    "tags": ("batch", "labels"),
    "descriptor": ("batch", "size"),
    "labels": ("batch", "labels"),
    "taggram": ("batch", "chunks", "labels"),
    "chunk_descriptors": ("batch", "chunks", "size"),
    "is_silent": ("batch",),
}


def make_signatures(model: keras.Model, max_seconds: float = MAX_SECONDS) -> Functions:
    """Make the functions that a server offers.

    Args:
        model: As `mcc_zoo.build` gives it.
        max_seconds: Longer clips are refused.

    Returns:
        By signature name: `serving_default`, `taggram`, `tag_padded`, `tag_wav`.
    """
    front_end = front_end_of(model)
    longest = int(max_seconds * front_end.sample_rate)
    answer = _make_answer(model)
    return {
        "serving_default": _make_audio_function(answer, front_end, longest, *OF_A_TRACK),
        "taggram": _make_audio_function(answer, front_end, longest, "taggram", "chunk_descriptors", "is_silent"),
        "tag_padded": _make_padded_audio_function(answer, front_end, longest),
        "tag_wav": _make_wav_function(answer, model, max_seconds),
    }


def describe_signatures(functions: Functions) -> dict[str, Signature]:
    """Describe what the functions take and give, type and shape of each tensor, by signature."""
    return {
        name: Signature(
            inputs={spec.name: _describe_tensor(spec.name, spec) for spec in function.input_signature},
            outputs={
                output: _describe_tensor(output, spec)
                for output, spec in function.get_concrete_function().structured_outputs.items()
            },
        )
        for name, function in functions.items()
    }


def _make_answer(model: keras.Model) -> Function:
    """Make the function from audio (batch, samples) and length (batch,) to all outputs, which the signatures share.

    Clips without sound get zeros, and `is_silent` says so.
    """
    classifier = Classifier(model)
    front_end = classifier.front_end

    def answer(audio: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        counts = chunk_counts(length, front_end)
        chunks = classifier.standardise_chunks(classifier.mel_chunks(audio), counts)
        found = compose(chunks, counts, classifier.chunk_network, classifier.sequence_network)
        is_silent = ~has_sound(audio, length, front_end)
        return {**{name: _hide(is_silent, values) for name, values in found.items()}, "is_silent": is_silent}

    return _make_function(answer, "audio", "length")


def _hide(is_silent: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Set the rows of silent clips to 0: (batch,) bool and (batch, ...)."""
    return tf.where(tf.reshape(is_silent, [-1, *[1] * (values.shape.rank - 1)]), 0.0, values)


def _make_audio_function(answer: Function, front_end: FrontEnd, longest: int, *outputs: str) -> Function:
    def tag_audio(audio: tf.Tensor) -> dict[str, tf.Tensor]:
        audio = refuse_faults(audio, _list_audio_faults(audio, front_end, longest))
        batch, samples = tf.unstack(tf.shape(audio))
        found = answer(audio, tf.fill([batch], samples))
        return {output: found[output] for output in outputs}

    return _make_function(tag_audio, "audio")


def _make_padded_audio_function(answer: Function, front_end: FrontEnd, longest: int) -> Function:
    def tag_padded_audio(audio: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        faults = _list_audio_faults(audio, front_end, longest) + _list_length_faults(audio, length, front_end)
        audio, length = refuse_faults((audio, length), faults)
        real = tf.sequence_mask(length, tf.shape(audio)[1])
        found = answer(tf.where(real, audio, 0.0), length)  # what stands in the padding does not matter
        return {output: found[output] for output in OF_A_TRACK}

    return _make_function(tag_padded_audio, "audio", "length")


def _make_wav_function(answer: Function, model: keras.Model, max_seconds: float) -> Function:
    types = {name: tf.TensorSpec(model.output[name].shape[1:], tf.float32) for name in ("tags", "descriptor")}
    types["is_silent"] = tf.TensorSpec((), tf.bool)

    def tag_file(indexed: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        audio = decode_wav(indexed[1], indexed[0], front_end_of(model), max_seconds)
        found = answer(audio[tf.newaxis], tf.shape(audio))
        return {name: found[name][0] for name in OF_A_TRACK}

    def tag_wav_files(wav_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        wav_bytes = refuse_faults(wav_bytes, _list_wav_faults(wav_bytes))
        batch = tf.shape(wav_bytes)[0]
        # File by file: batched, the longest would set the length, and the memory, of all.
        found = tf.map_fn(tag_file, (tf.range(batch), wav_bytes), fn_output_signature=types)
        return {**found, "labels": tf.tile(tf.constant([labels_of(model)]), tf.stack([batch, 1]))}

    return _make_function(tag_wav_files, "wav_bytes")


def _make_function(python: Callable[..., dict[str, tf.Tensor]], *inputs: str) -> Function:
    return tf.function(python, input_signature=[INPUTS[name] for name in inputs], autograph=False)


def _read_shape(tensor: tf.Tensor) -> tf.Tensor:
    """Read the shape that a tensor really has: a server does not compare it with the signature's.

    The detour hides what the signature says of the shape, by which the check would be taken for decided.
    """
    return tf.shape(tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=tf.TensorShape(None)))


def _list_audio_faults(audio: tf.Tensor, front_end: FrontEnd, longest: int) -> list[Fault]:
    """List what the model does not refuse by itself (see `mcc_zoo.features.log_mel.check_audio`)."""
    shape = _read_shape(audio)
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


def _list_length_faults(audio: tf.Tensor, length: tf.Tensor, front_end: FrontEnd) -> list[Fault]:
    shape = _read_shape(length)
    batch, samples = tf.unstack(tf.concat([_read_shape(audio), [1, 1]], 0)[:2], num=2)
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


def _list_wav_faults(wav_bytes: tf.Tensor) -> list[Fault]:
    shape = _read_shape(wav_bytes)
    return [
        (
            tf.not_equal(tf.size(shape), 1),
            tf.strings.format("wav_bytes has the shape {}: send a batch of files, (batch,)", shape),
        ),
        (tf.equal(tf.reduce_prod(shape), 0), tf.constant("wav_bytes holds no file: send one at least")),
    ]


def _describe_tensor(name: str, spec: tf.TensorSpec) -> str:
    shape = ", ".join(str(size or axis) for size, axis in zip(spec.shape, AXES[name], strict=True))
    return f"{spec.dtype.name} ({shape}{',' * (len(spec.shape) == 1)})"
