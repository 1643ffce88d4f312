"""The signatures as a server asks them, through TensorFlow's C library: padded batches, WAV files, what is refused.

The C library, like TF Serving, does not compare what it is given with the shapes of a signature: the graph has to.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import TRAINED_LABELS
from helpers.c_library import ask
from helpers.systems import MARKED_SYSTEMS
from helpers.wav_files import integers, wav

from mcc_zoo.audio import reading
from mcc_zoo.features.front_end import FRONT_ENDS

FRONT_END = FRONT_ENDS["44k"]
RATE = FRONT_END.sample_rate
LENGTHS = [2_048, 82_943, 82_944, 82_945, 164_863, 164_864, 500_000]  # around the ends of one and two chunks
QUICK = 90_000  # samples; a chunk and a bit
LEVELS = (0.0, 1e-30, 100.0)
KINDS = [(RATE, 1, 90_001), (RATE, 2, 170_000), (48_000, 2, 130_000), (22_050, 1, 99_999), (8_000, 1, 20_000)]


Answer = dict[str, np.ndarray] | str


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.2, size=shape).astype(np.float32)


def with_value(value: float, at: int = 40_000) -> np.ndarray:
    audio = noise(0, 2, QUICK)
    audio[1, at] = value
    return audio


def padded(*lengths: int) -> dict[str, np.ndarray]:
    return {"audio": noise(0, 2, QUICK), "length": np.array(lengths, np.int32)}


def files(*contents: bytes) -> dict[str, np.ndarray]:
    return {"wav_bytes": np.array(contents, object)}


def assert_same(found: Answer, expected: dict[str, Any]) -> None:
    assert isinstance(found, dict), found
    np.testing.assert_allclose(np.log(found["tags"]), np.log(expected["tags"]), rtol=0, atol=1e-5)
    np.testing.assert_allclose(found["descriptor"], expected["descriptor"], rtol=1e-5, atol=1e-5)


CLIPS = [noise(length, length) for length in LENGTHS]
WAVS = [wav(integers(rate, frames, channels), rate) for rate, channels, frames in KINDS]


def clips_in_one_batch() -> dict[str, np.ndarray]:
    """Clips above NaN, for whatever stands in the padding does not matter."""
    audio = np.full((len(CLIPS), max(LENGTHS) + 7), np.nan, np.float32)
    for row, clip in zip(audio, CLIPS, strict=True):
        row[: len(clip)] = clip
    return {"audio": audio, "length": np.array(LENGTHS, np.int32)}


def flac() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, integers(0, QUICK), RATE, format="FLAC")
    return file.getvalue()


BAD_REQUESTS = {  # what is wrong: signature, inputs, what the answer says
    "no samples": ("serving_default", {"audio": noise(0, 1, 0)}, "at least one window of 2048 samples"),
    "no clips": ("serving_default", {"audio": noise(0, 0, QUICK)}, "audio holds no clip"),
    "nothing": ("taggram", {"audio": noise(0, 0, 0)}, "audio holds no clip"),
    "under one window": ("serving_default", {"audio": noise(0, 2, 2_047)}, "at least one window of 2048 samples"),
    "too long": ("taggram", {"audio": noise(0, 1, 40 * RATE + 1)}, "has 1764001 samples and 1764000 are allowed (40 s"),
    "NaN": ("serving_default", {"audio": with_value(np.nan)}, "audio has samples that are not finite"),
    "infinite": ("taggram", {"audio": with_value(-np.inf)}, "audio has samples that are not finite"),
    "NaN in the rest": ("serving_default", {"audio": with_value(np.nan, QUICK - 1)}, "samples that are not finite"),
    "16-bit integers as floats": ("serving_default", {"audio": with_value(-32_768)}, "divide 16-bit integers by 32768"),
    "absurdly loud": ("serving_default", {"audio": with_value(3e38)}, "far above full scale"),
    "one clip without a batch": ("serving_default", {"audio": noise(0, QUICK)}, "audio has the shape [90000]"),
    "a channel axis": ("taggram", {"audio": noise(0, 1, QUICK, 1)}, "audio has the shape [1 90000 1]: send a batch"),
    "a number": ("serving_default", {"audio": noise(0)}, "audio has the shape []"),
    "too few lengths": ("tag_padded", padded(QUICK), "length has the shape [1] and audio 2 clips"),
    "too many lengths": ("tag_padded", padded(QUICK, QUICK, QUICK), "length has the shape [3] and audio 2 clips"),
    "no lengths": ("tag_padded", padded(), "length has the shape [0] and audio 2 clips"),
    "a length with two axes": (
        "tag_padded",
        {"audio": noise(0, 2, QUICK), "length": np.full((2, 1), QUICK, np.int32)},
        "length has the shape [2 1]",
    ),
    "one padded clip without a batch": (
        "tag_padded",
        {"audio": noise(0, QUICK), "length": np.array([QUICK], np.int32)},
        "audio has the shape [90000]",
    ),
    "no files": ("tag_wav", files(), "wav_bytes holds no file"),
    "a file without a batch": ("tag_wav", {"wav_bytes": np.array(wav(integers(0, QUICK)), object)}, "has the shape []"),
}  # fmt: skip


def with_length(length: int) -> dict[str, np.ndarray]:
    return padded(QUICK, length)


def with_sample(value: float) -> dict[str, np.ndarray]:
    return padded(QUICK, QUICK) | {"audio": with_value(value)}


def with_file(content: bytes) -> dict[str, np.ndarray]:
    return files(wav(integers(0, QUICK)), content)


BAD_CLIPS = {  # what is wrong with the second of two clips: signature, inputs, its error
    "length 0": ("tag_padded", with_length(0), "length is 0: at least one window of 2048 samples"),
    "negative length": ("tag_padded", with_length(-5), "length is -5: at least one window"),
    "length under one window": ("tag_padded", with_length(2_047), "length is 2047: at least one window"),
    "too large a length": ("tag_padded", with_length(QUICK + 1), "length is 90001 and audio has 90000 samples"),
    "largest length": ("tag_padded", with_length(2**31 - 1), "length is 2147483647 and audio has 90000"),
    "NaN before the padding": ("tag_padded", with_sample(np.nan), "audio has samples that are not finite"),
    "infinity before the padding": ("tag_padded", with_sample(np.inf), "audio has samples that are not finite"),
    "one loud sample": ("tag_padded", with_sample(-32_768), "divide 16-bit integers by 32768; the largest is 32768"),
    "no bytes": ("tag_wav", with_file(b""), "wav_bytes is empty"),
    "FLAC": ("tag_wav", with_file(flac()), "wav_bytes is no WAV file"),
    "text": ("tag_wav", with_file(b"[0.1, 0.2, 0.3]"), "wav_bytes is no WAV file"),
    "truncated WAV": ("tag_wav", with_file(wav(integers(0, QUICK))[:-1_000]), "180000 bytes of audio and 179000 are"),
    "float WAV": ("tag_wav", with_file(wav(integers(0, QUICK), coding=3, bits=32, block=4)), "has WAV coding 3"),
    "lying header": ("tag_wav", with_file(wav(integers(0, QUICK), declared=2**31 - 1)), "declares 2147483647 bytes"),
    "0 Hz": ("tag_wav", with_file(wav(integers(0, QUICK), 0)), "has a sample rate of 0 Hz"),
    "too short a WAV": ("tag_wav", with_file(wav(integers(0, 2_047))), "is needed; it has 2047"),
    "too long a WAV": ("tag_wav", with_file(wav(np.zeros(320_001, np.int16), 8_000)), "s and 40 s are allowed"),
}  # fmt: skip
GOOD_ONES = {"tag_padded": padded(QUICK, QUICK), "tag_wav": with_file(wav(integers(0, QUICK)))}


def odd(level: float) -> dict[str, dict[str, np.ndarray]]:
    """Noise of two values, 0 to the loudest that is taken, for each signature."""
    audio = np.sign(noise(1, 1, QUICK)) * np.float32(level)
    return {
        "serving_default": {"audio": audio},
        "tag_padded": {"audio": audio, "length": np.array([QUICK], np.int32)},
        "tag_wav": files(wav(np.rint(np.clip(audio[0], -1, 1) * 32_767))),
    }


@pytest.fixture(scope="module")
def answers(trained) -> Callable[[str], dict[tuple[Any, ...], Answer]]:
    """All answers of a system, from one process: by question."""

    @functools.cache
    def ask_library(name: str) -> dict[tuple[Any, ...], Answer]:
        questions: dict[tuple[Any, ...], tuple[str, dict[str, np.ndarray]]] = {
            ("padded",): ("tag_padded", clips_in_one_batch()),
            ("wav",): ("tag_wav", files(*WAVS)),
        }
        music = odd(100.0)["serving_default"]["audio"]
        offset = np.full_like(music, 0.5)
        questions["silent",] = ("serving_default", {"audio": np.concatenate([0 * music, music, offset])})
        for level in LEVELS:
            questions |= {("odd", level, signature): (signature, asked) for signature, asked in odd(level).items()}
        if name == "r0":
            for what, (signature, asked, _) in (BAD_REQUESTS | BAD_CLIPS).items():
                questions["bad", what] = signature, asked
            few = {"audio": noise(0, 3, 1_000), "length": np.array([0, 2_000, 2_048], np.int32)}  # under one window
            questions["all bad",] = ("tag_padded", few)
            questions |= {("good", signature): (signature, asked) for signature, asked in GOOD_ONES.items()}
        found = ask([(trained.folders[name], *question) for question in questions.values()])
        return dict(zip(questions, found, strict=True))

    return ask_library


@pytest.mark.parametrize("architecture", MARKED_SYSTEMS)
def test_a_padded_clip_has_the_answer_of_the_clip_alone(trained, answers, architecture):
    found = answers(architecture)["padded",]
    assert isinstance(found, dict), found
    for i, clip in enumerate(CLIPS):
        alone = trained.models[architecture](clip[np.newaxis], training=False)
        assert_same({name: values[i : i + 1] for name, values in found.items()}, alone)


def test_a_silent_clip_gets_zeros_and_its_neighbours_do_not(answers):
    found = answers("r0")["silent",]
    assert isinstance(found, dict), found
    assert found["is_silent"].tolist() == [True, False, True]
    assert_same({name: values[1:2] for name, values in found.items()}, answers("r0")["odd", 100.0, "serving_default"])
    for name in ("tags", "descriptor"):
        assert not found[name][[0, 2]].any()


@pytest.mark.parametrize("architecture", MARKED_SYSTEMS)
def test_wav_files_of_different_length_and_rate_in_one_request(trained, answers, architecture, tmp_path):
    """At the model's rate the answer is that of the samples; at others, that of the file as the tagger reads it."""
    found = answers(architecture)["wav",]
    assert isinstance(found, dict), found
    assert set(found) == {"tags", "descriptor", "is_silent", "labels", "error"}
    assert [[label.decode() for label in row] for row in found["labels"]] == [TRAINED_LABELS] * len(WAVS)
    for i, content in enumerate(WAVS):
        (tmp_path / "clip.wav").write_bytes(content)
        samples = reading.read(tmp_path / "clip.wav", RATE)
        alone = trained.models[architecture](samples[np.newaxis], training=False)
        if KINDS[i][0] == RATE:
            assert_same({name: found[name][i : i + 1] for name in ("tags", "descriptor")}, alone)
        else:
            np.testing.assert_allclose(found["tags"][i : i + 1], alone["tags"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_a_bad_request_is_answered_with_a_sentence(answers, name):
    answer, words = answers("r0")["bad", name], BAD_REQUESTS[name][2]
    assert isinstance(answer, str), f"it was answered with {answer}"
    assert words in answer
    assert "assertion failed: [" in answer


@pytest.mark.parametrize("name", BAD_CLIPS)
def test_a_bad_clip_answers_for_itself(answers, name):
    """Its neighbour has the answer that it has beside a good one."""
    signature, _, words = BAD_CLIPS[name]
    found, beside_a_good_one = answers("r0")["bad", name], answers("r0")["good", signature]
    assert isinstance(found, dict) and isinstance(beside_a_good_one, dict), found
    of_neighbour, of_itself = (text.decode() for text in found["error"])
    assert of_neighbour == "" and words in of_itself
    assert found["is_silent"].tolist() == [False, True]
    for output in ("tags", "descriptor"):
        assert found[output][0].any() and not found[output][1].any()
    assert_same(*({output: values[:1] for output, values in answer.items()} for answer in (found, beside_a_good_one)))


def test_good_clips_have_no_error(answers):
    for signature in GOOD_ONES:
        found = answers("r0")["good", signature]
        assert isinstance(found, dict), found
        assert found["error"].tolist() == [b"", b""] and not found["is_silent"].any()


def test_clips_that_are_all_bad_have_their_own_errors(answers):
    found = answers("r0")["all bad",]
    assert isinstance(found, dict), found
    assert [text.decode().split(":")[0] for text in found["error"]] == [
        "length is 0", "length is 2000", "length is 2048 and audio has 1000 samples a clip",
    ]  # fmt: skip
    assert not found["tags"].any()


@pytest.mark.parametrize("architecture", MARKED_SYSTEMS)
def test_odd_audio_gets_tags_that_are_numbers(answers, architecture):
    for level in LEVELS:
        for signature in odd(level):
            found = answers(architecture)["odd", level, signature]
            assert isinstance(found, dict), found
            assert found["is_silent"] == [level < 1e-3]
            assert found["tags"].sum() == pytest.approx(0 if found["is_silent"] else 1)
            assert np.isfinite(found["descriptor"]).all()
