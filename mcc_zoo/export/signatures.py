"""The four functions that an export offers a server, and what they refuse.

Each of them takes a batch and answers with outputs whose first axis is that batch, as TF Serving's batching and its
REST rows need. A bad request is refused in the graph, with a sentence. Where clips differ (`tag_padded`, `tag_wav`), a
bad one does not fail the others, which may be another client's: it gets zeros, and the sentence is its `error`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import keras
import tensorflow as tf

from mcc_zoo.audio.limits import MAX_AMPLITUDE
from mcc_zoo.export.faults import Fault, find_first, refuse_faults
from mcc_zoo.export.metadata import Signature
from mcc_zoo.export.wav_in_graph import decode_wav, find_fault, read_header
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.log_mel import NOT_FINITE, TOO_LOUD, chunk_counts, pad_to_one_chunk
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
    "error": ("batch",),
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
        faults = _list_audio_faults(audio, front_end, longest) + _list_length_faults(audio, length)
        audio, length = refuse_faults((audio, length), faults)
        real = tf.sequence_mask(length, tf.shape(audio)[1])
        audio = tf.where(real, audio, 0.0)  # what stands in the padding does not matter
        error = find_first(_list_clip_faults(audio, length, front_end))
        is_good = tf.equal(error, "")
        # The model gets silence in place of a bad clip, for which it answers with zeros.
        audio = pad_to_one_chunk(tf.where(is_good[:, tf.newaxis], audio, 0.0), front_end)
        found = answer(audio, tf.where(is_good, length, front_end.window_length))
        return {**{output: found[output] for output in OF_A_TRACK}, "error": error}

    return _make_function(tag_padded_audio, "audio", "length")


def _make_wav_function(answer: Function, model: keras.Model, max_seconds: float) -> Function:
    front_end = front_end_of(model)
    sizes = {name: model.output[name].shape[-1] for name in ("tags", "descriptor")}
    types = {name: tf.TensorSpec((size,), tf.float32) for name, size in sizes.items()}
    types |= {"is_silent": tf.TensorSpec((), tf.bool), "error": tf.TensorSpec((), tf.string)}

    def tag_file(wav: tf.Tensor) -> dict[str, tf.Tensor]:
        header = read_header(wav)
        error = find_fault(wav, header, front_end, max_seconds)

        def tag() -> dict[str, tf.Tensor]:
            audio = decode_wav(wav, header, front_end)
            found = answer(audio[tf.newaxis], tf.shape(audio))
            return {name: found[name][0] for name in OF_A_TRACK}

        def answer_as_silence() -> dict[str, tf.Tensor]:
            return {**{name: tf.zeros(size) for name, size in sizes.items()}, "is_silent": tf.constant(True)}

        return {**tf.cond(tf.equal(error, ""), tag, answer_as_silence), "error": error}

    def tag_wav_files(wav_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        wav_bytes = refuse_faults(wav_bytes, _list_wav_faults(wav_bytes))
        # File by file: batched, the longest would set the length, and the memory, of all.
        found = tf.map_fn(tag_file, wav_bytes, fn_output_signature=types)
        return {**found, "labels": tf.tile(tf.constant([labels_of(model)]), tf.stack([tf.shape(wav_bytes)[0], 1]))}

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


def _list_length_faults(audio: tf.Tensor, length: tf.Tensor) -> list[Fault]:
    shape, batch = _read_shape(length), tf.concat([_read_shape(audio), [1]], 0)[0]
    return [
        (
            tf.not_equal(tf.size(shape), 1) | tf.not_equal(tf.size(length), batch),
            tf.strings.format("length has the shape {} and audio {} clips: send one length a clip", (shape, batch)),
        )
    ]


def _list_clip_faults(audio: tf.Tensor, length: tf.Tensor, front_end: FrontEnd) -> list[Fault]:
    """List what each clip is refused for.

    Args:
        audio: (batch, samples), 0 in the padding.
        length: (batch,) of any values.
        front_end: Of the model.
    """
    samples, stated = tf.shape(audio)[1], tf.strings.as_string(length)
    is_finite = tf.math.is_finite(audio)
    largest = tf.reduce_max(tf.where(is_finite, tf.abs(audio), 0.0), 1)
    window = tf.constant(f": at least one window of {front_end.window_length} samples is needed")
    width = tf.strings.format(
        " and audio has {} samples a clip: a length counts the samples before the padding", samples
    )
    return [
        (length < front_end.window_length, tf.strings.join(["length is ", stated, window])),
        (length > samples, tf.strings.join(["length is ", stated, width])),
        (~tf.reduce_all(is_finite, 1), tf.constant(NOT_FINITE)),
        (
            largest > MAX_AMPLITUDE,
            tf.strings.join([TOO_LOUD, tf.strings.as_string(largest, shortest=True)], separator=" "),
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
