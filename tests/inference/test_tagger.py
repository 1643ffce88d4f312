"""An export used from Python: what it says equals what the model says, and every input gets exactly one result."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from helpers.c_library import ask
from helpers.soak import Tally, amount

import mcc_zoo
from mcc_zoo.audio import limits, reading
from mcc_zoo.audio.subprocess_decoder import TIMEOUT_SECONDS
from mcc_zoo.export.metadata import METADATA_FILE, ExportError
from mcc_zoo.features.chunking import samples_of
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.inference.result import Result
from mcc_zoo.inference.tagger import Mode, Tagger
from mcc_zoo.inference.waveform import to_waveform

RATE = 44_100
CLOSE: dict[str, Any] = {"rtol": 0, "atol": 1e-5}


def asked(model: keras.Model, samples: np.ndarray) -> dict[str, np.ndarray]:
    """The model's own outputs for one waveform."""
    return {name: value.numpy()[0] for name, value in model(tf.constant(samples[np.newaxis]), training=False).items()}


def tone(samples: int) -> np.ndarray:
    return np.sin(np.arange(samples) / 5).astype(np.float32)


def tags_of(result: Result) -> list[float]:
    return list(result.tags.values())


def assert_agrees(result: Result, expected: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(tags_of(result), expected["tags"], **CLOSE)
    for name in ("descriptor", "taggram", "chunk_descriptors"):
        found = getattr(result, name)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[name], err_msg=name, **CLOSE)


# --- Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["short.wav", "half chunk.ogg", "sub/stück.mp3"])
def test_a_short_file_gets_what_the_model_says(tagger: Tagger, music: Path, name: str) -> None:
    result = tagger.tag(music / name)
    assert_agrees(result, asked(tagger.model, reading.read(music / name, RATE)))
    assert (result.path, result.status, result.reason, result.windows) == (str(music / name), "ok", "", 1)
    assert list(result.tags) == tagger.labels == ["path", "slow, sad", "Übermut"]
    assert result.tag == tagger.labels[int(np.argmax(tags_of(result)))]
    assert sum(tags_of(result)) == pytest.approx(1, abs=1e-6)


def test_two_sounds_get_different_tags(tagger: Tagger, music: Path) -> None:
    """Else every comparison in this file were idle."""
    first, second = (tagger.tag(music / name) for name in ("short.wav", "sub/stück.mp3"))
    assert np.abs(np.subtract(tags_of(first), tags_of(second))).max() > 0.01


def test_a_long_file_is_the_weighed_average_of_its_windows(tagger: Tagger, music: Path) -> None:
    samples = reading.read(music / "long.wav", RATE)
    length, hop = tagger.metadata.training_chunks, tagger.front_end.chunk_hop
    assert length == 16
    first = asked(tagger.model, samples[: samples_of(16, tagger.front_end)])
    rest = asked(tagger.model, samples[16 * hop :])
    assert len(rest["taggram"]) == 2  # 18 chunks in all
    result = tagger.tag(music / "long.wav")
    assert result.windows == 2
    assert_agrees(
        result,
        {name: (16 * first[name] + 2 * rest[name]) / 18 for name in ("tags", "descriptor")}
        | {name: np.concatenate([first[name], rest[name]]) for name in ("taggram", "chunk_descriptors")},
    )


def test_whole_reads_one_sequence(tagger: Tagger, music: Path) -> None:
    result = tagger.tag(music / "long.wav", sequence="whole")
    assert result.windows == 1
    assert_agrees(result, asked(tagger.model, reading.read(music / "long.wav", RATE)))
    windows = tagger.tag(music / "long.wav", sequence="windows")
    assert np.abs(windows.taggram - result.taggram).max() > 1e-3  # it is not all one how a track is read
    assert windows.chunk_descriptors.shape == result.chunk_descriptors.shape  # other values: windows have other levels


def test_a_silent_window_does_not_count(tagger: Tagger) -> None:
    length = tagger.metadata.training_chunks
    music = np.random.default_rng(5).normal(scale=0.1, size=samples_of(length, tagger.front_end))
    alone = tagger.tag_waveform(music, RATE)
    result = tagger.tag_waveform(np.concatenate([music, np.zeros(3 * tagger.front_end.chunk_hop)]), RATE)
    assert (alone.windows, result.windows, len(result.taggram)) == (1, 2, length + 3)
    np.testing.assert_allclose(tags_of(result), tags_of(alone), **CLOSE)
    np.testing.assert_allclose(result.descriptor, alone.descriptor, **CLOSE)
    assert not result.taggram[length:].any()


def test_a_track_of_which_no_window_has_sound_is_silent(tagger: Tagger) -> None:
    """Three loud moments in each of two windows, where four make sound: tags of zeros would be no answer."""
    length = tagger.metadata.training_chunks * tagger.front_end.chunk_hop
    samples = np.zeros(2 * length)
    for start in (0, 40, 100):
        for window in (0, length):
            samples[window + start * 1_024 : window + (start + 1) * 1_024] = tone(1_024)
    result = tagger.tag_waveform(samples, RATE)
    assert (result.status, result.tags, result.windows) == ("silent", {}, 0)
    assert tagger.tag_waveform(samples, RATE, sequence="whole").status == "ok"  # six in its one window


@pytest.mark.parametrize("sequence", ["windows", "whole"])
def test_what_has_no_sound_is_not_tagged(tagger: Tagger, tmp_path: Path, sequence: Mode) -> None:
    """Silence, an offset, and two channels that cancel out; a quiet tone is music."""
    time = np.arange(3 * RATE) / RATE
    sine = np.sin(2 * np.pi * 440 * time)
    for name, samples in {
        "zeros": 0 * time,
        "offset": 0.5 + 0 * time,
        "antiphase": np.stack([sine, -sine], axis=1),
        "quiet": 1e-3 * np.stack([sine, 0 * sine], axis=1),
    }.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
        result = tagger.tag(tmp_path / f"{name}.wav", sequence)
        assert result.status == ("ok" if name == "quiet" else "silent"), name
        if name != "quiet":
            assert (result.tag, result.tags, result.taggram.shape, result.windows) == ("", {}, (0, 3), 0)
            assert result.reason.startswith(
                f"'{tmp_path / name}.wav': silent, its level (RMS) reaches -70 dBFS for less than"
            )


def test_windows_and_whole_are_one_without_an_lstm(tagger: Tagger, tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    front_end = replace(FRONT_ENDS["22k"], level="chunk")  # the level of a window would differ from that of the whole
    model = mcc_zoo.build("r2", ["calm", "tense"], front_end=front_end)
    metadata = replace(tagger.metadata, labels=("calm", "tense"), front_end=front_end, training_chunks=2)
    tagger = Tagger(tmp_path, metadata, model)
    assert not tagger.has_lstm
    samples = np.random.default_rng(3).normal(scale=0.1, size=samples_of(5, front_end)).astype(np.float32)
    windows = tagger.tag_waveform(samples, 22_050)
    whole = tagger.tag_waveform(samples, 22_050, sequence="whole")
    assert (windows.windows, whole.windows) == (3, 1)
    for result in (windows, whole):
        assert_agrees(result, asked(model, samples))


def test_files_are_read_in_blocks_without_a_seam(tagger: Tagger, tmp_path: Path) -> None:
    """A track over the 32 chunks that are computed at a time, and under one more."""
    samples = np.random.default_rng(4).normal(scale=0.1, size=samples_of(33, tagger.front_end) + 81_919)
    soundfile.write(tmp_path / "noise.wav", samples.astype(np.float32), RATE, subtype="FLOAT")
    result = tagger.tag(tmp_path / "noise.wav", sequence="whole")
    assert result.taggram.shape == (33, 3)
    assert_agrees(result, asked(tagger.model, samples.astype(np.float32)))


def test_every_input_gets_one_result_in_its_place(tagger: Tagger, music: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "click.wav", np.zeros(2_047), RATE)
    paths = [
        music / "missing.wav",
        music / "half chunk.ogg",
        music / "corrupt.flac",
        music / "sub/empty.mp3",
        tmp_path / "click.wav",
        music / "half chunk.ogg",
        music,
    ]
    results = list(tagger.tag_files(paths))
    assert [result.path for result in results] == [str(path) for path in paths]
    assert [result.status for result in results] == ["refused", "ok", "refused", "refused", "refused", "ok", "refused"]
    for result, reason in zip(
        results, ["no such file", "", "cannot be decoded", "empty", "2047 samples", "", "a folder"], strict=True
    ):
        assert reason in result.reason
        assert (Path(result.path).name in result.reason) == (result.status == "refused")
    assert results[1].tags == results[5].tags != {}
    refused = results[0]
    assert (refused.tag, refused.tags, refused.windows) == ("", {}, 0)
    assert refused.descriptor.size == refused.taggram.size == refused.chunk_descriptors.size == 0


def test_files_are_read_a_few_ahead_and_answered_in_their_order(tagger: Tagger, music: Path) -> None:
    names = ["long.wav", "short.wav", "corrupt.flac", "half chunk.ogg", "short.wav"] * 6
    taken: list[str] = []
    paths = (taken.append(name) or music / name for name in names)  # type: ignore[func-returns-value]
    results = tagger.tag_files(paths, workers=3)
    first = next(results)
    assert len(taken) <= 24  # eight for each worker
    together = [first, *results]
    assert [Path(result.path).name for result in together] == names
    one_by_one = [next(tagger.tag_files([music / name])) for name in names[:5]]
    for result, alone in zip(together, one_by_one * 6, strict=True):
        assert (result.status, result.reason) == (alone.status, alone.reason)
        np.testing.assert_allclose(tags_of(result), tags_of(alone), **CLOSE)


@pytest.mark.parametrize("name", ["corrupt.flac", "missing.wav", "sub/empty.mp3"])
def test_one_file_that_is_refused_raises(tagger: Tagger, music: Path, name: str) -> None:
    (result,) = tagger.tag_files([music / name])
    assert result.status == "refused" and Path(name).name in result.reason
    with pytest.raises(mcc_zoo.AudioError) as refused:
        tagger.tag(music / name)
    assert str(refused.value) == result.reason


def test_results_may_be_left_unread(tagger: Tagger, music: Path) -> None:
    results = tagger.tag_files([music / "short.wav"] * 50, workers=2)
    assert next(results).status == "ok"
    results.close()  # ends the decoders, and does not wait for the other 49


@pytest.mark.soak
@pytest.mark.slow
def test_leaving_early_never_waits_for_a_decoder(tagger: Tagger, music: Path, tally: Tally) -> None:
    """A thread that waited for a pipe closed under it waited for the whole timeout, in two of nine rounds."""
    rounds = amount(100, 400)
    for _ in range(rounds):
        results = tagger.tag_files([music / "long.wav"] * 6)
        next(results)
        began = time.monotonic()
        results.close()
        assert time.monotonic() - began < TIMEOUT_SECONDS / 4
    tally.add("leaving in the middle of tagging", ended_at_once=rounds)


@pytest.mark.parametrize("folder", ["music", Path("music")])
def test_one_path_is_not_taken_for_a_list_of_paths(tagger: Tagger, folder: str | Path) -> None:
    with pytest.raises(TypeError) as refused:
        list(tagger.tag_files(folder))  # type: ignore[arg-type]
    said = f"paths={folder!r}: give a list of files, such as [{folder!r}], or mcc_zoo.audio.find({folder!r}) for those"
    assert str(refused.value).startswith(said)


def test_unknown_sequences_are_refused(tagger: Tagger, music: Path) -> None:
    with pytest.raises(ValueError, match=r"sequence='all' is not known: choose windows or whole"):
        tagger.tag(music / "short.wav", sequence="all")  # type: ignore[arg-type]


# --- Waveforms -------------------------------------------------------------------------------------------------------


def test_a_waveform_gets_what_its_file_gets(tagger: Tagger, music: Path) -> None:
    of_file = tagger.tag(music / "short.wav")
    of_waveform = tagger.tag_waveform(reading.read(music / "short.wav", RATE).astype(np.float64), RATE)
    assert of_waveform.path == ""
    np.testing.assert_allclose(tags_of(of_waveform), tags_of(of_file), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "sample_rate", "message"),
    [
        (np.zeros(100_000), 999, r"sample_rate=999: give a whole number of Hz from 1000 to 768000"),
        (np.zeros(100_000), 44_100.5, r"sample_rate=44100.5: give a whole number"),
        (np.zeros(100_000), None, r"sample_rate=None: give a whole number"),
        (np.zeros(100_000), float("nan"), r"sample_rate=nan: give a whole number"),
        (np.zeros((2, 100_000)), RATE, r"shape \(2, 100000\), channels first: give \(samples, channels\), which is"),
        (np.zeros((64, 65)), RATE, r"shape \(64, 65\), channels first"),
        (
            np.zeros((100_000, 65)),
            RATE,
            r"shape \(100000, 65\): give one waveform \(samples,\), or ",
        ),
        (np.zeros((100_000, 0)), RATE, r"shape \(100000, 0\): give one waveform"),
        (np.zeros((1, 100_000, 2)), RATE, r"shape \(1, 100000, 2\): give one waveform"),
        (np.float64(0), RATE, r"shape \(\): give one waveform"),
        (np.zeros(100_000, bool), RATE, r"samples are bool: give floats with full scale ±1, or integers"),
        (np.zeros(100_000, complex), RATE, r"samples are complex128: give floats"),
        (np.arange(100_000) % 30_000, RATE, r"samples are int64 and use next to nothing of its range: convert them"),
        (np.full(100_000, np.nan), RATE, r"samples hold values that are not finite"),
        (np.append(np.zeros(100_000), np.inf), RATE, r"samples hold values that are not finite"),
        (np.append(np.zeros(100_000), -32_768.0), RATE, r"samples go up to 32768 times full scale, which is 1: scale"),
        (np.append(np.zeros(100_000), 100.5), RATE, r"samples go up to 100.5 times full scale, which is 1: scale"),
        (np.zeros(2_047), RATE, r"audio has 2047 samples: at least one window of 2048 samples \(46 ms"),
        (np.zeros(0), RATE, r"audio has 0 samples"),
        (np.zeros(0, np.int64), 22_050, r"audio has 0 samples"),
        (np.zeros(1_023), 22_050, r"audio has 2046 samples"),
    ],
)
def test_waveforms_that_mean_nothing_are_refused(
    tagger: Tagger, samples: np.ndarray, sample_rate: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tagger.tag_waveform(samples, sample_rate)


def test_one_window_of_samples_is_enough(tagger: Tagger) -> None:
    assert tagger.tag_waveform(tone(2_048), RATE).taggram.shape == (1, 3)


def test_what_a_file_may_hold_a_waveform_may(tagger: Tagger) -> None:
    loud = np.sign(tone(2_048)) * np.float32(limits.MAX_AMPLITUDE)
    assert tagger.tag_waveform(loud, RATE).status == "ok"


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_and_channels_get_what_their_file_gets(tagger: Tagger, tmp_path: Path, rate: int) -> None:
    samples = np.random.default_rng(rate).normal(scale=0.1, size=(5 * rate, 2)).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", samples, rate, subtype="FLOAT")
    of_file, found = tagger.tag(tmp_path / "noise.wav"), tagger.tag_waveform(samples, rate)
    np.testing.assert_allclose(found.taggram, of_file.taggram, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.descriptor, of_file.descriptor, rtol=0, atol=1e-5)
    mono = samples.mean(axis=1)
    np.testing.assert_allclose(tagger.tag_waveform(mono, float(rate)).descriptor, found.descriptor, **CLOSE)


def test_the_models_own_rate_is_taken_bit_for_bit() -> None:
    samples = np.random.default_rng(8).normal(scale=0.1, size=5_000)
    for dtype in (np.float16, np.float32, np.float64):
        np.testing.assert_array_equal(
            to_waveform(samples.astype(dtype), RATE, RATE), samples.astype(dtype, copy=True).astype(np.float32)
        )
    np.testing.assert_array_equal(to_waveform(samples[:, np.newaxis], RATE, RATE), samples.astype(np.float32))


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000, 96_000])
def test_samples_are_resampled_as_files_are(tmp_path: Path, rate: int) -> None:
    samples = np.random.default_rng(rate).normal(scale=0.1, size=2 * rate + 7).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", samples, rate, subtype="FLOAT")
    expected = reading.read(tmp_path / "noise.wav", RATE)
    found = to_waveform(samples, rate, RATE)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        (np.int8, -128, 127), (np.int16, -32_768, 32_767), (np.int32, -(2**31), 2**31 - 1),
        (np.int64, -(2**63), 2**63 - 1), (np.uint8, 0, 255), (np.uint16, 0, 65_535),
    ],
)  # fmt: skip
def test_integers_are_scaled_by_their_type(dtype: type, low: int, high: int) -> None:
    waveform = to_waveform(np.array([low, high], dtype), RATE, RATE)
    assert waveform.dtype == np.float32
    np.testing.assert_allclose(waveform, [-1, 1], atol=1 / 127)
    middle = 0 if np.dtype(dtype).kind == "i" else (high + 1) // 2
    assert to_waveform(np.full(3, middle, dtype), RATE, RATE).tolist() == [0, 0, 0]


# --- Results ---------------------------------------------------------------------------------------------------------


def test_a_result_lists_its_best_tags_and_times(tagger: Tagger, music: Path) -> None:
    result = tagger.tag(music / "long.wav")
    best = result.top(2)
    assert best == sorted(result.tags.items(), key=lambda tag: tag[1], reverse=True)[:2]
    assert best[0] == (result.tag, result.tags[result.tag])
    assert len(result.top(99)) == 3
    with pytest.raises(ValueError, match="n=0"):
        result.top(0)
    assert result.times.dtype == np.float64
    np.testing.assert_allclose(result.times, np.arange(18) * 81_920 / 44_100)


def test_what_they_are_is_told(tagger: Tagger, music: Path) -> None:
    assert repr(tagger) == "<Tagger: tones, version 1; mcclstm, 3 labels, 44100 Hz>"
    result = tagger.tag(music / "long.wav")
    label, probability = result.top(1)[0]
    said = repr(result)
    assert said.startswith(f"<Result: '{music / 'long.wav'}': {label} {probability:.0%}, ")
    assert said.endswith("; 18 chunks, 33.4 s, 2 windows>")
    assert repr(tagger.tag_waveform(tone(2_048), RATE)).startswith("<Result: 'waveform': ")
    (refused,) = tagger.tag_files([music / "missing.wav"])
    assert repr(refused) == f"<Result: '{music / 'missing.wav'}' refused: {refused.reason}>"
    assert refused.top(3) == [] and refused.times.shape == (0,)


# --- Loading ---------------------------------------------------------------------------------------------------------


def test_load_takes_a_version_or_the_newest(tagger: Tagger, exported: Path, tmp_path: Path) -> None:
    assert tagger.folder == exported
    model = tmp_path / "model"
    for version in ("9", "10"):
        (model / version).mkdir(parents=True)
        (model / version / METADATA_FILE).write_text("{}")
    (model / "12").symlink_to(exported)
    loaded = mcc_zoo.load(os.fspath(model))
    assert loaded.folder == model / "12"
    assert loaded.labels == tagger.labels
    samples = np.random.default_rng(5).normal(scale=0.1, size=90_000)
    assert loaded.tag_waveform(samples, RATE).tags == pytest.approx(tagger.tag_waveform(samples, RATE).tags, abs=1e-6)


def test_load_takes_a_name(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCC_ZOO_MODELS", str(exported.parents[1]))
    assert mcc_zoo.load("tones").folder == exported


def test_what_is_no_export_is_refused(tmp_path: Path, exported: Path) -> None:
    with pytest.raises(ExportError, match=r"nowhere is no export, and no name of one"):
        mcc_zoo.load(tmp_path / "nowhere")
    (tmp_path / METADATA_FILE).write_text("{")
    with pytest.raises(ExportError, match=r"mcc_zoo\.json cannot be read \(.+\): is the folder whole\?"):
        mcc_zoo.load(tmp_path)
    (tmp_path / METADATA_FILE).write_text((exported / METADATA_FILE).read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ExportError, match=r"model\.weights\.h5: cannot be read \(No such file"):
        mcc_zoo.load(tmp_path)  # the metadata, and no model beside it


def test_the_c_library_answers_as_the_tagger(exported: Path, tagger: Tagger, music: Path) -> None:
    """A reader that is not Python TensorFlow, on the oldest TensorFlow too; test_readers.py has all systems."""
    waveform = reading.read(music / "short.wav", 44_100)
    (found,) = ask([(exported, "serving_default", {"audio": waveform[None]})])
    expected = tagger.tag_waveform(waveform, 44_100)
    assert isinstance(found, dict), found
    np.testing.assert_allclose(found["tags"][0], list(expected.tags.values()), atol=1e-5)
    np.testing.assert_allclose(found["descriptor"][0], expected.descriptor, atol=1e-5)
