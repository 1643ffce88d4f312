"""The front end against oracles that share no code with it: scipy's spectrogram and mel filters by hand."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from mcc_zoo.features import log_mel
from mcc_zoo.features.chunking import chunks_in, frames_in, samples_of
from mcc_zoo.features.front_end import FRONT_ENDS, FrontEnd

FRONT_END_44 = FRONT_ENDS["paper"]


def oracle_filters(front_end: FrontEnd) -> np.ndarray:
    """Triangles linear in HTK mel between 42 points from 0 Hz to Nyquist, each with sum 1."""

    def mel(hertz):
        return 2595.0 * np.log10(1.0 + hertz / 700.0)

    bins = mel(np.arange(front_end.window_length // 2 + 1) * front_end.sample_rate / front_end.window_length)
    points = np.linspace(0.0, mel(front_end.sample_rate / 2), front_end.n_mels + 2)
    filters = np.stack(
        [
            np.clip(np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)), 0, None)
            for low, centre, high in zip(points[:-2], points[1:-1], points[2:], strict=True)
        ],
        axis=1,
    )
    filters[0] = 0.0  # tf.signal leaves the DC bin out
    return filters / filters.sum(axis=0)


def oracle_log_mel(samples: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    phase = 2 * np.pi * np.arange(front_end.window_length) / front_end.window_length
    window = 0.35875 - 0.48829 * np.cos(phase) + 0.14128 * np.cos(2 * phase) - 0.01168 * np.cos(3 * phase)
    _, _, spectrum = scipy.signal.spectrogram(
        samples.astype(np.float64),
        fs=front_end.sample_rate,
        window=window,
        nperseg=front_end.window_length,
        noverlap=front_end.window_length - front_end.hop_length,
        detrend=False,
        scaling="spectrum",
        mode="complex",
    )
    power = np.abs(2.0 * spectrum.T) ** 2  # scipy's window sums to 1, ours to 2
    energy = power @ oracle_filters(front_end)
    return np.log(energy + 1e-6) if front_end.compression == "log" else np.log10(1 + 10_000 * energy)


SIGNALS = {
    "silence": lambda n, rng: np.zeros(n),
    "impulse": lambda n, rng: np.eye(1, n, n // 2)[0],
    "440 Hz": lambda n, rng: np.sin(2 * np.pi * 440 * np.arange(n) / 44_100),
    "noise": lambda n, rng: rng.normal(scale=0.3, size=n),
}


@pytest.mark.parametrize("compression", ["log10_1p", "log"])
@pytest.mark.parametrize("rate", [44_100, 22_050])
@pytest.mark.parametrize("signal", SIGNALS)
def test_log_mel_is_scipys(signal, rate, compression, rng):
    front_end = FrontEnd(sample_rate=rate, compression=compression)
    for samples in (82_943, 82_944, 82_945):
        audio = SIGNALS[signal](samples, rng).astype(np.float32)
        expected = oracle_log_mel(audio, front_end)
        found = log_mel.mel_frames(audio[np.newaxis], front_end).numpy()[0]
        assert found.shape == expected.shape == (frames_in(samples, front_end), 40)
        # float32 leaves a floor of some 1e-7 of the loudest bin, which ln(x + 1e-6) shows and log10(1 + 1e4 x) not
        np.testing.assert_allclose(found, expected, atol=2e-4 if compression == "log10_1p" else 5e-3)


def test_full_scale_sine_has_power_one():
    hertz = 64 * 44_100 / 2_048  # in the middle of bin 64
    audio = np.sin(2 * np.pi * hertz * np.arange(2_048) / 44_100).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(audio * log_mel.make_window(2_048))) ** 2
    assert spectrum.max() == pytest.approx(1.0, rel=1e-3)
    assert log_mel.make_window(2_048).sum() == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("length", [1, 2_047, 2_048, 4_096])
def test_the_window_is_scipys(length: int) -> None:
    samples = scipy.signal.windows.blackmanharris(length, sym=False)
    np.testing.assert_array_equal(log_mel.make_window(length), (2.0 * samples / samples.sum()).astype(np.float32))


@pytest.mark.parametrize("front_end", FRONT_ENDS.values(), ids=list(FRONT_ENDS))
def test_every_mel_filter_sums_to_one_and_reaches_nyquist(front_end):
    matrix = log_mel.make_mel_matrix(front_end)
    np.testing.assert_allclose(matrix.sum(axis=0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(matrix, oracle_filters(front_end), atol=1e-5)
    assert matrix[-2, -1] > 0


@pytest.mark.parametrize(
    ("samples", "frames", "chunks"),
    [
        (2_048, 1, 1),
        (3_071, 1, 1),
        (3_072, 2, 1),
        (81_920, 79, 1),
        (82_943, 79, 1),
        (82_944, 80, 1),
        (82_945, 80, 1),
        (164_863, 159, 1),
        (164_864, 160, 2),
        (164_865, 160, 2),
        (1_323_000, 1_290, 16),
    ],
)
def test_lengths_by_hand(samples, frames, chunks):
    assert frames_in(samples, FRONT_END_44) == frames
    assert chunks_in(samples, FRONT_END_44) == chunks
    layer = log_mel.MelChunks(FRONT_END_44)
    assert layer(tf.zeros((1, samples))).shape == (1, chunks, 40, 80)


def test_under_one_window_is_refused_with_a_sentence():
    assert frames_in(2_047, FRONT_END_44) == 0
    with pytest.raises(ValueError, match="audio has 2047 samples: at least one window of 2048"):
        chunks_in(2_047, FRONT_END_44)
    layer = log_mel.MelChunks(FRONT_END_44)
    compiled = tf.function(lambda audio: layer(audio), input_signature=[tf.TensorSpec((None, None))])
    for call in (layer, compiled):
        with pytest.raises(tf.errors.InvalidArgumentError, match="at least one window of 2048 samples"):
            call(tf.zeros((2, 2_047)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused_with_a_sentence(value):
    audio = np.zeros((2, 90_000), np.float32)
    audio[1, 89_999] = value
    with pytest.raises(tf.errors.InvalidArgumentError, match="not finite"):
        log_mel.MelChunks(FRONT_END_44)(audio)


@pytest.mark.parametrize("value", [100.5, -32_768.0, 3e38])
def test_far_above_full_scale_is_refused_with_a_sentence(value):
    audio = np.zeros((1, 90_000), np.float32)
    audio[0, 50_000] = value
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="far above full scale, which is 1: divide 16-bit integers"
    ):
        log_mel.check_audio(audio, FRONT_END_44)
    audio[0, 50_000] = 100.0
    np.testing.assert_array_equal(log_mel.check_audio(audio, FRONT_END_44), audio)


@pytest.mark.parametrize("extra", [-1, 0, 1, 1_023])
def test_chunk_then_transform_equals_transform_then_chunk(extra, rng):
    audio = rng.normal(scale=0.2, size=samples_of(3, FRONT_END_44) + extra).astype(np.float32)
    together = log_mel.MelChunks(FRONT_END_44)(audio[np.newaxis]).numpy()[0]
    pieces = [audio[i * 81_920 : i * 81_920 + 82_944] for i in range(len(together))]
    apart = log_mel.MelChunks(FRONT_END_44)(np.stack(pieces)).numpy()[:, 0]
    np.testing.assert_array_equal(apart, together)
    assert len(together) == (2 if extra < 0 else 3)


def test_short_audio_is_padded_with_zeros_to_one_chunk(rng):
    audio = rng.normal(scale=0.2, size=(2, 50_000)).astype(np.float32)
    padded = np.pad(audio, ((0, 0), (0, 82_944 - 50_000)))
    layer = log_mel.MelChunks(FRONT_END_44)
    np.testing.assert_array_equal(layer(audio), layer(padded))


def test_stays_in_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        loud = 30 * np.ones((1, 82_944), np.float32) * np.sin(np.arange(82_944)).astype(np.float32)
        chunks = log_mel.MelChunks(FRONT_END_44)(loud)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert chunks.dtype == tf.float32
    assert np.isfinite(chunks).all()


def test_layer_is_saved_with_its_parameters():
    layer = log_mel.MelChunks(dataclasses.replace(FRONT_ENDS["22k"], compression="log"))
    again = log_mel.MelChunks.from_config(layer.get_config())
    assert again.front_end == layer.front_end


@pytest.mark.parametrize(("name", "value"), [("hop_length", 0), ("n_mels", -1), ("sample_rate", 0)])
def test_impossible_parameters_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        FrontEnd(**{name: value})
    with pytest.raises(ValueError, match="compression='sqrt'"):
        FrontEnd(compression="sqrt")
