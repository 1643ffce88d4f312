"""What has sound and what is silent: levels, offsets and clicks, of whole clips, in blocks and by window."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from mcc_zoo.audio.limits import SILENT_DBFS
from mcc_zoo.audio.sound import SoundMeter
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.sound import has_sound

FRONT_END = FrontEnd(sample_rate=8_000, window_length=256, hop_length=128, chunk_frames=8)
SEGMENT, CHUNK = 128, 8 * 128


def sine(samples: int, dbfs: float) -> np.ndarray:
    """A tone whose RMS is so many decibels below full scale; whole periods in a segment."""
    time = np.arange(samples) / SEGMENT
    return (np.sqrt(2) * 10 ** (dbfs / 20) * np.sin(2 * np.pi * 8 * time)).astype(np.float32)


CLIPS = {
    "zeros": (np.zeros(2_000), False),
    "a tone above the threshold": (sine(2_000, SILENT_DBFS + 0.1), True),
    "a tone below it": (sine(2_000, SILENT_DBFS - 0.1), False),
    "an offset": (np.full(2_000, 0.9), False),
    "a tone above the threshold on an offset": (0.9 + sine(2_000, SILENT_DBFS + 1), True),
    "a tone below it on an offset": (0.9 + sine(2_000, SILENT_DBFS - 1), False),
    "a click": (np.eye(1, 2_000, 700)[0], False),
    "a tone of three segments": (np.pad(sine(3 * SEGMENT, -20), (256, 1_360)), False),
    "a tone of four segments": (np.pad(sine(4 * SEGMENT, -20), (256, 1_232)), True),
    "the shortest clip": (sine(256, -20), True),
    "the shortest clip, silent": (np.zeros(256), False),
}


@pytest.mark.parametrize("name", CLIPS)
def test_clips_have_sound_or_not(name):
    clip, expected = CLIPS[name]
    audio = clip.astype(np.float32)
    assert has_sound(tf.constant(audio[None]), tf.constant([len(audio)]), FRONT_END).numpy().tolist() == [expected]
    for block in (1, 127, 128, 129, 5_000):
        meter = SoundMeter(SEGMENT)
        blocks = [audio[i : i + block] for i in range(0, len(audio), block)]
        np.testing.assert_array_equal(np.concatenate(list(meter.listen(blocks))), audio)
        assert meter.has_sound == expected
        assert meter.find_sound(1, None) == [expected]


def test_padding_is_no_sound():
    audio = np.stack([sine(4_000, -20), np.zeros(4_000, np.float32), sine(4_000, -20)])
    audio[2, :2_000] = 0
    lengths = tf.constant([256, 4_000, 2_000])
    assert has_sound(tf.constant(audio), lengths, FRONT_END).numpy().tolist() == [True, False, False]


@pytest.mark.parametrize("more", [-1, 0, 1, 700])
def test_windows_have_sound_or_not(more):
    """Of five chunks the third and fourth sound; windows of two are silent, sounding, and silent."""
    audio = np.zeros(5 * CHUNK + 128 + more, np.float32)
    audio[2 * CHUNK : 4 * CHUNK] = sine(2 * CHUNK, -30)
    meter = SoundMeter(SEGMENT)
    for _ in meter.listen([audio]):
        pass
    assert meter.find_sound(3, 2 * CHUNK) == [False, True, False]
    assert meter.find_sound(5, CHUNK) == [False, False, True, True, False]
    assert meter.find_sound(1, None) == [True]
