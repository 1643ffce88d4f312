"""Kinds of files that every player plays: each is read whole, by default and by FFmpeg alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.sound_kinds import KINDS, RATE, make_music

from mcc_zoo.audio import reading
from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.decoders import DecoderName


def correlate(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest correlation of two sounds at any delay; 1 where one is the other, louder or later.

    The music is below a few kHz, so every fourth sample is enough.
    """
    found, expected = found[::4], expected[::4]
    size = 1 << (len(found) + len(expected)).bit_length()
    product = np.fft.irfft(np.fft.rfft(found, size) * np.conj(np.fft.rfft(expected, size)), size)
    return float(product.max() / np.sqrt(np.sum(found**2) * np.sum(expected**2)))


@pytest.mark.parametrize("name", KINDS)
def test_sound_files_are_read_whole(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    path = tmp_path / f"track.{kind.suffix}"
    path.write_bytes(kind.make(tmp_path))
    music = make_music(min(kind.seconds, 6.0))
    decoders: tuple[DecoderName, ...] = ("auto", "av")
    for decoder in decoders:
        found = reading.read(path, RATE, decoder=decoder)
        assert len(found) / RATE == pytest.approx(kind.seconds, abs=kind.tolerance), decoder
        info = reading.probe(path, decoder)
        assert info.seconds is None or info.seconds == pytest.approx(kind.seconds, abs=kind.tolerance)
        if name.endswith("cut without decoding"):
            music = make_music()[-len(found) :]
        for part in np.array_split(found, round(kind.seconds * RATE / len(music))):  # of joined files
            assert correlate(part, music) > 0.9, decoder


@pytest.mark.parametrize("decoder", ["auto", "av"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"MPCKSH", "(its format is Musepack 8, of which FFmpeg leaves out the end)"),
        (b"\xff\xfb\x02\xc4", "(it is an MP3 of free bit rate, which FFmpeg does not read)"),
    ],
)
def test_what_is_not_understood_is_not_damaged(
    tmp_path: Path, content: bytes, words: str, decoder: DecoderName
) -> None:
    path = tmp_path / "track.mp3"
    path.write_bytes(content + bytes(range(200)) * 20)
    with pytest.raises(AudioError) as caught:
        reading.read(path, RATE, decoder=decoder)
    assert words in str(caught.value)
    assert "damaged" not in str(caught.value)
