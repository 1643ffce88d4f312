"""Every refusal of an audio file, and its sentence."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path

import numpy as np

from mcc_zoo.audio import decoders
from mcc_zoo.audio.decoders import DECODERS, OF_FFMPEG, SUFFIXES
from mcc_zoo.audio.decoders.contract import Header, NotDecodable, OtherFormat, Sound, Waveform
from mcc_zoo.audio.decoders.magic_bytes import format_of_ffmpeg
from mcc_zoo.audio.limits import COMPLETE, MAX_AMPLITUDE, MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE

_UNKNOWN_BYTES = 0x7FFF_0000  # placeholders of programs that could not go back to the header are above
_LEFT_OVER_BYTES = 8_192  # tags at the end, and what the decoder of a very short MP3 does not touch
_LEFT_OVER_FRAMES = 8_192  # a codec's delay and padding
_OGG_PAGE_BYTES = 65_307  # at most
_FORMAT_OF = {suffix: name for name, suffixes in (SUFFIXES | OF_FFMPEG).items() for suffix in suffixes}
_USUAL = "WAV, FLAC or MP3"  # which every decoder reads
_WITH_AV = f"with --decoder=av ({DECODERS['av'].install})"


class AudioError(ValueError):
    """A file that is refused; the message is one sentence that names the file, the fault and what would do."""


def check_regular(path: str | os.PathLike[str]) -> None:
    """Look before opening: a FIFO would hang every decoder.

    Raises:
        AudioError: There is no regular file at the path, or it is empty.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise AudioError(f"{quoted(path)}: no such file; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise AudioError(
            f"{quoted(path)}: cannot be reached ({getattr(error, 'strerror', None) or error}); check the path"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"{quoted(path)}: a folder, not a file; give one of its files")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"{quoted(path)}: a pipe, socket or device, not a regular file; copy its audio to a file")
    if status.st_size == 0:
        raise AudioError(f"{quoted(path)}: empty (0 bytes); copy or download it again")


def check_header(path: str | os.PathLike[str], header: Header, decoder: decoders.Name) -> None:
    """Refuse what the header alone gives away."""
    if header.format not in DECODERS[decoder].formats:
        raise other_format(path, f"its format is {header.format}", decoder)
    if not MIN_SAMPLE_RATE <= header.sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{quoted(path)}: its sample rate is {header.sample_rate} Hz; give a file with a rate from "
            f"{MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz"
        )
    if not 1 <= header.channels <= MAX_CHANNELS:
        raise AudioError(f"{quoted(path)}: it has {header.channels} channels; give a file with 1 to {MAX_CHANNELS}")
    if header.frames is None and header.format not in DECODERS[decoder].without_length:
        hint = "" if decoder == "av" or header.format not in DECODERS["av"].without_length else f", or {_WITH_AV}"
        raise AudioError(
            f"{quoted(path)}: its header states no length; write the {header.format} file again, whole{hint}"
        )
    if header.frames is not None and header.frames <= 0:
        raise AudioError(f"{quoted(path)}: holds no samples; give a file with audio in it")
    declared, there = header.stated
    if declared < _UNKNOWN_BYTES and there < COMPLETE * declared:
        raise AudioError(
            f"{quoted(path)}: cut off, its header declares {declared} bytes or frames of audio and {there} are there; "
            "copy or download it again"
        )


def check_length(path: str | os.PathLike[str], header: Header, max_seconds: float) -> None:
    """Refuse a length before anything is decoded."""
    seconds = (header.frames or 0) / header.sample_rate
    if seconds > max_seconds:
        raise AudioError(
            f"{quoted(path)}: its header declares {seconds:.2f} s of audio and {max_seconds:g} s are allowed; "
            "if that is its length, cut it or raise max_seconds"
        )


def check_samples(path: str | os.PathLike[str], block: Waveform, start: int, rate: int) -> None:
    """Refuse NaN, infinity and absurd amplitudes in a block (frames, channels) that starts at frame `start`."""
    peak = max(float(block.max()), -float(block.min()))  # NaN in the block gives NaN
    if peak <= MAX_AMPLITUDE:
        return
    frame = int(np.argmax(~(np.abs(block) <= MAX_AMPLITUDE).all(axis=1)))
    value = block[frame][~(np.abs(block[frame]) <= MAX_AMPLITUDE)][0]
    where = f"{quoted(path)}: at {(start + frame) / rate:.2f} s a sample is {value:g}"
    if not np.isfinite(value):
        raise AudioError(f"{where}, not a finite number; write the file again without it")
    raise AudioError(f"{where} times full scale; scale the audio to ±1 and write the file again")


def check_end(path: str | os.PathLike[str], stream: FileIO, sound: Sound, frames: int) -> None:
    """Compare what was decoded with what was declared, and with what the file holds."""
    header = sound.header
    seconds, size, position = frames / header.sample_rate, os.fstat(stream.fileno()).st_size, sound.position()
    if header.frames is not None:
        declared = f"{header.frames / header.sample_rate:.2f} s"
        if frames < COMPLETE * header.frames - header.slack:
            hint = " (or an MP3 of variable bit rate without a Xing header)" if header.format == "MP3" else ""
            raise AudioError(
                f"{quoted(path)}: damaged or cut off{hint}, {seconds:.2f} s decoded of the {declared} that its header "
                "declares; copy or download it again, or write it again"
            )
        if COMPLETE * frames - _LEFT_OVER_FRAMES > header.frames:
            raise AudioError(
                f"{quoted(path)}: its header is wrong, the {declared} that it declares are {seconds:.2f} s decoded; "
                f"write the {header.format} file again, whole"
            )
        if position is not None and size - position > max(_LEFT_OVER_BYTES, (1 - COMPLETE) * size):
            raise AudioError(
                f"{quoted(path)}: its header is wrong, the {declared} that it declares are in the first {position} of "
                f"{size} bytes; write the {header.format} file again, whole"
            )
    elif not frames:
        raise AudioError(f"{quoted(path)}: holds no samples; give a file with audio in it")
    if header.format == "OGG" and not _has_last_page(stream, size):
        raise AudioError(
            f"{quoted(path)}: cut off, its Ogg stream breaks off after {seconds:.2f} s without a last page; copy or "
            "download it again"
        )


def _has_last_page(stream: FileIO, size: int) -> bool:
    """Whether an Ogg stream ends with a page that is marked as its last; its headers state no length."""
    stream.seek(max(0, size - 2 * _OGG_PAGE_BYTES))
    tail = stream.read(2 * _OGG_PAGE_BYTES)
    flags = tail.rfind(b"OggS") + 5
    return flags >= 5 and flags < len(tail) and bool(tail[flags] & 4)


def not_decodable(
    path: str | os.PathLike[str], stream: FileIO, error: NotDecodable, decoder: decoders.Name
) -> AudioError:
    """The one sentence for what is no audio, damaged, or audio of another kind than the decoder's."""
    if isinstance(error, OtherFormat):
        return other_format(path, str(error), decoder)
    stream.seek(0)
    if decoder != "av" and (found := format_of_ffmpeg(stream)):
        return AudioError(
            f"{quoted(path)}: is {found}, which {decoder} does not read; read it {_WITH_AV}, or convert it to {_USUAL}"
        )
    if not (named := _FORMAT_OF.get(Path(os.fsdecode(path)).suffix.lower())):
        return other_format(path, f"{error}: damaged, or of another kind", decoder)
    av = f"; {named} is read {_WITH_AV}" if named not in DECODERS[decoder].formats else ""
    return AudioError(
        f"{quoted(path)}: cannot be decoded ({error}), so it is damaged or not the {named} file that its name says; "
        f"copy or download it again, or convert it to {_USUAL}{av}"
    )


def other_format(path: str | os.PathLike[str], reason: str, decoder: decoders.Name) -> AudioError:
    """The one sentence for a kind of file that is not read: which ones are."""
    hint = "" if decoder == "av" else f"; M4A, AAC and WMA too {_WITH_AV}"
    return AudioError(
        f"{quoted(path)}: cannot be decoded ({reason}); {DECODERS[decoder].said}, so convert others to one of "
        f"them{hint}"
    )


def quoted(path: str | os.PathLike[str]) -> str:
    """The path in quotes, safe to print whatever bytes it holds."""
    return repr(os.fspath(path))
