"""Damaged files: none is read with less than 90 % of its audio without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.soak import Tally, amount
from helpers.sound_kinds import RATE, encoded, make_music, vorbis
from helpers.wav_files import wav

from mcc_zoo.audio import reading
from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.decoders import DecoderName
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder

FILES: dict[str, Callable[[Path], bytes]] = {
    "a.wav": lambda _: wav(np.round(32_767 * make_music()).astype(np.int16), RATE),
    "a.flac": lambda folder: encoded(folder, "a.flac"),
    "a.ogg": lambda _: vorbis(seconds=20.0),
    "a.opus": lambda folder: encoded(folder, "a.opus", 48_000, page_duration="100000"),
    "a.mp3": lambda folder: encoded(folder, "a.mp3"),
    "a.m4a": lambda folder: encoded(folder, "a.m4a", movflags="faststart"),
}
SEEDS = amount(100, 400)  # of each format


def mutate(content: bytes, seed: int) -> bytes:
    """Damage a file: flip bytes anywhere or near its beginning, cut a part out or the end off, insert or overwrite."""
    random = np.random.default_rng(seed)
    damaged = bytearray(content)
    start, end = sorted(int(place) for place in random.integers(0, len(content), 2))
    kind = seed % 6
    if kind < 2:
        reach = len(content) if kind else 256
        for place in random.integers(0, reach, random.integers(1, 30)):
            damaged[place] ^= int(random.integers(1, 256))
    elif kind == 2:
        del damaged[start:end]
    elif kind == 3:
        del damaged[end:]
    elif kind == 4:
        damaged[start:start] = random.bytes(int(random.integers(1, len(content) // 2)))
    else:
        damaged[start:end] = random.bytes(end - start)
    return bytes(damaged)


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["auto", "av"])
@pytest.mark.parametrize("name", FILES)
def test_no_audio_is_lost_in_silence(name: str, decoder: DecoderName, tmp_path: Path, tally: Tally) -> None:
    whole, path = FILES[name](tmp_path), tmp_path / f"damaged {name}"
    path.write_bytes(whole)
    least = 0.9 * len(reading.read(path, 22_050)) / 22_050
    lengths, short = [], []
    with IsolatedDecoder(timeout=20, decoder=decoder) as isolated:
        for seed in range(SEEDS):
            path.write_bytes(mutate(whole, seed))
            try:
                seconds = sum(map(len, isolated.read_blocks(path, 22_050, 50_000))) / 22_050
            except AudioError as error:
                assert str(error).startswith(repr(str(path))), (seed, error)  # neither a crash nor a hang nor a bug
                continue
            lengths.append(seconds)
            if seconds < least:
                short.append((seed, round(seconds, 2)))
    assert not short
    assert 5 <= len(lengths) <= SEEDS - 5
    tally.add("damaged sound files", read=len(lengths), refused=SEEDS - len(lengths))
