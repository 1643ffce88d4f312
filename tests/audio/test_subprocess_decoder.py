"""Decoding in a process of its own: the same samples and sentences, and what is left of a crash or a hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.soak import Tally, amount

import mcc_zoo
from mcc_zoo.audio import reading, subprocess_decoder
from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder

START_AND_HANG = "import sys, time\nsys.stdin.readline()\ntime.sleep(60)\n"
START_AND_ANSWER_LATE = (
    "import struct, sys, time\nsys.stdin.readline()\ntime.sleep(0.5)\n"
    "sys.stdout.buffer.write(struct.pack('<qfq', 1, 0.25, 0))\nsys.stdout.flush()\nsys.stdin.read()\n"
)
READ_A_FILE = f"""
import sys
from mcc_zoo.audio import subprocess_decoder
subprocess_decoder.START = {START_AND_ANSWER_LATE!r}
with subprocess_decoder.IsolatedDecoder(timeout=3) as decoder:
    decoder.start()
    print("asking", flush=True)
    print([block.tolist() for block in decoder.read_blocks("a.wav", 44_100, 1)], flush=True)
"""
START_AND_CRASH = "import os, sys\nsys.stdin.readline()\nos.abort()\n"


@pytest.fixture
def decoder() -> Iterator[IsolatedDecoder]:
    with IsolatedDecoder() as started:
        yield started


def joined(blocks: Iterator[np.ndarray]) -> np.ndarray:
    return np.concatenate(list(blocks))


def pid_of(decoder: IsolatedDecoder) -> int:
    assert decoder._process is not None
    return decoder._process.pid


def assert_ended(pid: int) -> None:
    """The process is gone, and was waited for: no zombie is left."""
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("name", "sample_rate", "block_samples"),
    [
        ("short.wav", 44_100, 81_920),  # a whole number of blocks
        ("short.wav", 22_050, 163_839),  # one sample is left over
        ("half chunk.ogg", 44_100, 10_000),
        ("sub/stück.mp3", 44_100, 1_000_000),  # one block, shorter than asked
    ],
)
def test_blocks_are_those_of_audio(
    decoder: IsolatedDecoder, music: Path, name: str, sample_rate: int, block_samples: int
) -> None:
    expected = list(reading.read_blocks(music / name, sample_rate, block_samples))
    found = list(decoder.read_blocks(music / name, sample_rate, block_samples))
    assert [block.shape for block in found] == [block.shape for block in expected]
    assert {block.dtype for block in found} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))


def test_one_process_reads_many_files_and_ends_with_the_block(music: Path) -> None:
    with IsolatedDecoder() as decoder:
        pids = set()
        for name in ("short.wav", "half chunk.ogg", "short.wav"):
            assert len(joined(decoder.read_blocks(music / name, 8_000, 5_000)))
            pids.add(pid_of(decoder))
    assert len(pids) == 1
    assert_ended(pids.pop())


def test_refusals_pass_through_word_for_word(decoder: IsolatedDecoder, music: Path) -> None:
    odd = music / os.fsdecode(b'it\'s \xff\n"odd".wav')
    for path in (music / "corrupt.flac", music / "sub/empty.mp3", music / "missing.wav", music, odd):
        with pytest.raises(AudioError) as expected:
            list(reading.read_blocks(path, 44_100, 81_920))
        with pytest.raises(AudioError) as found:
            list(decoder.read_blocks(path, 44_100, 81_920))
        assert str(found.value) == str(expected.value)
    with pytest.raises(AudioError, match=r"sample_rate=5: give a whole number of Hz"):
        list(decoder.read_blocks(music / "short.wav", 5, 81_920))
    assert len(joined(decoder.read_blocks(music / "short.wav", 44_100, 81_920))) == 4 * 81_920


def test_names_of_any_bytes_are_read(decoder: IsolatedDecoder, music: Path, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9\n.wav")
    path.write_bytes((music / "short.wav").read_bytes())
    np.testing.assert_array_equal(
        joined(decoder.read_blocks(path, 44_100, 50_001)), reading.read(music / "short.wav", 44_100)
    )


def test_a_relative_path_is_relative_to_where_this_process_is(
    decoder: IsolatedDecoder, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not to where it was when the decoder started."""
    for folder, name in ((music, "short.wav"), (music / "sub", "stück.mp3"), (music.parent, f"{music.name}/long.wav")):
        monkeypatch.chdir(folder)
        assert len(joined(decoder.read_blocks(name, 8_000, 5_000)))
    with pytest.raises(AudioError, match=r"^'short\.wav': no such file"):
        joined(decoder.read_blocks("short.wav", 8_000, 5_000))


def test_a_file_that_is_cut_is_refused_after_its_blocks(decoder: IsolatedDecoder, music: Path, tmp_path: Path) -> None:
    whole = (music / "sub/stück.mp3").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(whole[: len(whole) // 2])
    blocks = decoder.read_blocks(tmp_path / "cut.mp3", 22_050, 5_000)
    assert len(next(blocks)) == 5_000
    with pytest.raises(AudioError, match=r"cut\.mp3.*copy or download it again"):
        list(blocks)


@pytest.mark.soak
@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "blocks_before", [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(2, marks=pytest.mark.slow)]
)
def test_a_file_whose_decoder_somebody_ends_is_read_all_the_same(
    decoder: IsolatedDecoder, music: Path, how: signal.Signals, blocks_before: int, tally: Tally
) -> None:
    rounds = amount(1, 20)
    for _ in range(rounds):
        end_and_read_on(decoder, music, how, blocks_before)
    tally.add("SIGKILL or SIGTERM of a decoder", file_read_all_the_same=rounds)


def end_and_read_on(decoder: IsolatedDecoder, music: Path, how: signal.Signals, blocks_before: int) -> None:
    decoder.start()
    blocks = decoder.read_blocks(music / "long.wav", 44_100, 81_920)
    found = [next(blocks) for _ in range(blocks_before)]
    killed = pid_of(decoder)
    os.kill(killed, how)
    found += blocks
    np.testing.assert_array_equal(np.concatenate(found), reading.read(music / "long.wav", 44_100))
    assert_ended(killed)
    assert pid_of(decoder) != killed


def test_a_decoder_that_is_ended_twice_costs_one_file(
    decoder: IsolatedDecoder, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess_decoder, "PIPE_BYTES", 4_096)  # so that the file is not in the pipe already
    blocks = decoder.read_blocks(music / "long.wav", 44_100, 81_920)
    next(blocks)
    os.kill(pid_of(decoder), signal.SIGKILL)
    next(blocks)
    os.kill(pid_of(decoder), signal.SIGKILL)
    with pytest.raises(AudioError, match=r"long\.wav': the decoder was ended from outside twice, perhaps"):
        list(blocks)
    np.testing.assert_array_equal(
        joined(decoder.read_blocks(music / "short.wav", 44_100, 81_920)), reading.read(music / "short.wav", 44_100)
    )


def test_a_process_that_crashes_is_a_sentence(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess_decoder, "START", START_AND_CRASH)
    with IsolatedDecoder() as decoder, pytest.raises(AudioError, match=r"short\.wav': the decoder crashed on it"):
        list(decoder.read_blocks(music / "short.wav", 44_100, 81_920))


def test_a_process_that_hangs_is_ended(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = IsolatedDecoder(timeout=0.6)
    with decoder, monkeypatch.context() as patch:
        patch.setattr(subprocess_decoder, "START", START_AND_HANG)
        blocks = decoder.read_blocks(music / "short.wav", 44_100, 81_920)
        hung = pid_of_first_request(decoder, blocks)
    assert_ended(hung)
    decoder.timeout = subprocess_decoder.TIMEOUT_SECONDS
    with decoder:
        assert len(joined(decoder.read_blocks(music / "short.wav", 44_100, 81_920))) == 4 * 81_920


def pid_of_first_request(decoder: IsolatedDecoder, blocks: Iterator[np.ndarray]) -> int:
    """Ask for the first block, in vain."""
    pid = decoder.start().pid
    started = time.monotonic()
    with pytest.raises(AudioError, match=r"short\.wav': the decoder returned nothing for 1 s"):
        next(blocks)
    assert 0.5 < time.monotonic() - started < 30
    return pid


@pytest.mark.slow
def test_time_in_which_everything_is_stopped_does_not_count() -> None:
    """As when a container is suspended: this process and its decoder, for longer than the timeout."""
    environment = os.environ | {"PYTHONPATH": str(Path(mcc_zoo.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", READ_A_FILE], stdout=subprocess.PIPE, env=environment, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asking\n"
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(3.5)
    os.killpg(process.pid, signal.SIGCONT)
    assert process.communicate(timeout=60)[0] == "[[0.25]]\n"


def test_a_thread_that_waits_is_woken_when_another_closes_the_decoder(
    music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess_decoder, "START", START_AND_HANG)
    said: list[str] = []

    def read() -> None:
        try:
            list(decoder.read_blocks(music / "short.wav", 44_100, 81_920))
        except AudioError as error:
            said.append(str(error))

    for _ in range(5):
        decoder = IsolatedDecoder()
        reader = threading.Thread(target=read)
        reader.start()
        while decoder._process is None:  # on a busy machine it takes its time; closed before, there is nothing to wake
            time.sleep(0.01)
        time.sleep(0.1)
        decoder.close()
        reader.join(timeout=20)
        assert not reader.is_alive()
    assert len(said) == 5


def test_an_iterator_that_was_left_early_does_not_spoil_the_next(decoder: IsolatedDecoder, music: Path) -> None:
    first = decoder.read_blocks(music / "long.wav", 44_100, 10_000)
    next(first)
    np.testing.assert_array_equal(
        joined(decoder.read_blocks(music / "short.wav", 44_100, 10_000)), reading.read(music / "short.wav", 44_100)
    )
    for block in decoder.read_blocks(music / "long.wav", 44_100, 10_000):
        assert len(block) == 10_000
        break
    np.testing.assert_array_equal(
        joined(decoder.read_blocks(music / "half chunk.ogg", 44_100, 10_000)),
        reading.read(music / "half chunk.ogg", 44_100),
    )


def test_the_decoder_process_imports_no_tensorflow(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a whole file; the list of its modules comes back as an error message."""
    listing = (
        "import mcc_zoo.audio.subprocess_decoder as room\n"
        "def decode_blocks(**request):\n"
        "    list(decode(**request))\n"
        "    raise ValueError(' '.join(sorted(sys.modules)))\n"
        "decode, room.decode_blocks = room.decode_blocks, decode_blocks\n"
        "main(sys.argv[2])"
    )
    monkeypatch.setattr(
        subprocess_decoder, "START", subprocess_decoder.START.replace("main(sys.argv[2])", "\n" + listing)
    )
    with IsolatedDecoder() as decoder, pytest.raises(AudioError) as answer:
        list(decoder.read_blocks(music / "short.wav", 44_100, 81_920))
    modules = set(str(answer.value).split())
    assert {"mcc_zoo", "mcc_zoo.audio.reading", "soundfile"} <= modules
    assert not {module.split(".")[0] for module in modules} & {"tensorflow", "keras"}
