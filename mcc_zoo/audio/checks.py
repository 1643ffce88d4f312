"""Checks of audio files, from the path to the last sample; each raises `AudioError` with one sentence."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path

import numpy as np

from mcc_zoo.audio.decoders import DECODERS, FFMPEG_SUFFIXES, SUFFIXES, Decoder
from mcc_zoo.audio.decoders.contract import Header, NotDecodable, OtherFormat, Sound, Waveform
from mcc_zoo.audio.decoders.magic_bytes import detect_ffmpeg_format
from mcc_zoo.audio.limits import (
    MAX_AMPLITUDE,
    MAX_CHANNELS,
    MAX_SAMPLE_RATE,
    MIN_COMPLETE,
    MIN_SAMPLE_RATE,
    UNKNOWN_BYTES,
)

_UNREAD_BYTES = 8_192  # tags at the end, and what the decoder of a very short MP3 does not read
_PADDING_FRAMES = 8_192  # a codec's delay and padding
_MAX_OGG_PAGE_BYTES = 65_307
_FORMAT_OF_SUFFIX = {suffix: name for name, suffixes in (SUFFIXES | FFMPEG_SUFFIXES).items() for suffix in suffixes}
_COMMON_FORMATS = "WAV, FLAC or MP3"  # every decoder reads them
_AV = DECODERS["av"]
_WITH_AV = f"with --decoder=av ({_AV.install})"


class AudioError(ValueError):
    """An audio file is refused; the message is one sentence: the file, the fault and the remedy."""


def check_regular(path: str | os.PathLike[str]) -> None:
    """Check that the path is a regular file and not empty; it is not opened, because a FIFO would block.

    Raises:
        AudioError: There is no regular file at the path, or it is empty.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise AudioError(f"{quote(path)}: no such file; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise AudioError(
            f"{quote(path)}: cannot be reached ({getattr(error, 'strerror', None) or error}); check the path"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"{quote(path)}: a folder, not a file; give one of its files")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"{quote(path)}: a pipe, socket or device, not a regular file; copy its audio to a file")
    if status.st_size == 0:
        raise AudioError(f"{quote(path)}: empty (0 bytes); copy or download it again")


def check_header(path: str | os.PathLike[str], header: Header, decoder: Decoder) -> None:
    """Check what the header declares: format, sample rate, channels and length."""
    if header.format not in decoder.formats:
        raise explain_other_format(path, f"its format is {header.format}", decoder)
    if not MIN_SAMPLE_RATE <= header.sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{quote(path)}: its sample rate is {header.sample_rate} Hz; give a file with a rate from "
            f"{MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz"
        )
    if not 1 <= header.channels <= MAX_CHANNELS:
        raise AudioError(f"{quote(path)}: it has {header.channels} channels; give a file with 1 to {MAX_CHANNELS}")
    if header.frames is None and header.format not in decoder.formats_without_length:
        hint = f", or read it {_WITH_AV}" if header.format in _AV.formats_without_length else ""
        raise AudioError(
            f"{quote(path)}: its header states no length; write the whole {header.format} file again{hint}"
        )
    if header.frames is not None and header.frames <= 0:
        raise AudioError(f"{quote(path)}: holds no samples; give a file with audio in it")
    declared, present = header.declared_and_present
    if declared < UNKNOWN_BYTES and present < MIN_COMPLETE * declared:
        raise AudioError(
            f"{quote(path)}: cut off, its header declares {declared} bytes or frames of audio and {present} are "
            "present; copy or download it again"
        )


def check_length(path: str | os.PathLike[str], header: Header, max_seconds: float) -> None:
    """Check the declared length, before anything is decoded."""
    seconds = (header.frames or 0) / header.sample_rate
    if seconds > max_seconds:
        raise AudioError(
            f"{quote(path)}: its header declares {seconds:.2f} s of audio and {max_seconds:g} s are allowed; "
            "cut it, or raise max_seconds"
        )


def check_samples(path: str | os.PathLike[str], block: Waveform, start: int, rate: int) -> None:
    """Check a block (frames, channels) that starts at frame `start` for NaN, infinity and absurd amplitudes."""
    peak = max(float(block.max()), -float(block.min()))  # NaN where the block holds one
    if peak <= MAX_AMPLITUDE:
        return
    frame = int(np.argmax(~(np.abs(block) <= MAX_AMPLITUDE).all(axis=1)))
    value = block[frame][~(np.abs(block[frame]) <= MAX_AMPLITUDE)][0]
    where = f"{quote(path)}: at {(start + frame) / rate:.2f} s a sample is {value:g}"
    if not np.isfinite(value):
        raise AudioError(f"{where}, not a finite number; write the file again without it")
    raise AudioError(f"{where} times full scale; scale the audio to ±1 and write the file again")


def check_end(path: str | os.PathLike[str], stream: FileIO, sound: Sound, frames: int) -> None:
    """Compare the decoded length with the declared one, and the decoder's position with the file's size."""
    header = sound.header
    seconds, size, position = frames / header.sample_rate, os.fstat(stream.fileno()).st_size, sound.get_position()
    if header.frames is not None:
        declared = f"{header.frames / header.sample_rate:.2f} s"
        if frames < MIN_COMPLETE * header.frames - header.tolerance_frames:
            hint = " (or an MP3 of variable bit rate without a Xing header)" if header.format == "MP3" else ""
            raise AudioError(
                f"{quote(path)}: damaged or cut off{hint}, {seconds:.2f} s decoded of the {declared} that its header "
                "declares; copy or download it again, or write it again"
            )
        if MIN_COMPLETE * frames - _PADDING_FRAMES > header.frames:
            raise AudioError(
                f"{quote(path)}: its header is wrong, it declares {declared} and {seconds:.2f} s were decoded; "
                f"write the whole {header.format} file again"
            )
        if position is not None and size - position > max(_UNREAD_BYTES, (1 - MIN_COMPLETE) * size):
            raise AudioError(
                f"{quote(path)}: its header is wrong, it declares {declared} and these are in the first {position} of "
                f"{size} bytes; write the whole {header.format} file again"
            )
    elif not frames:
        raise AudioError(f"{quote(path)}: holds no samples; give a file with audio in it")
    if header.format == "OGG" and not _has_last_page(stream, size):
        raise AudioError(
            f"{quote(path)}: cut off, its Ogg stream ends after {seconds:.2f} s without a last page; copy or "
            "download it again"
        )


def _has_last_page(stream: FileIO, size: int) -> bool:
    """Check whether an Ogg stream, which states no length, ends with a page that is marked as the last."""
    stream.seek(max(0, size - 2 * _MAX_OGG_PAGE_BYTES))
    tail = stream.read(2 * _MAX_OGG_PAGE_BYTES)
    flags = tail.rfind(b"OggS") + 5
    return flags >= 5 and flags < len(tail) and bool(tail[flags] & 4)


def explain_not_decodable(
    path: str | os.PathLike[str], stream: FileIO, error: NotDecodable, decoder: Decoder
) -> AudioError:
    """Make the error for a file that is not audio, is damaged, or is in a format that the decoder does not read."""
    if isinstance(error, OtherFormat):
        return explain_other_format(path, str(error), decoder)
    stream.seek(0)
    if decoder.name != "av" and (detected := detect_ffmpeg_format(stream)):
        return AudioError(
            f"{quote(path)}: is {detected}, which {decoder.name} does not read; read it {_WITH_AV}, or convert it "
            f"to {_COMMON_FORMATS}"
        )
    if not (expected := _FORMAT_OF_SUFFIX.get(Path(os.fsdecode(path)).suffix.lower())):
        return explain_other_format(path, f"{error}: damaged, or in another format", decoder)
    hint = f"; {expected} is read {_WITH_AV}" if expected not in decoder.formats else ""
    return AudioError(
        f"{quote(path)}: cannot be decoded ({error}), so it is damaged or not the {expected} file that its name says; "
        f"copy or download it again, or convert it to {_COMMON_FORMATS}{hint}"
    )


def explain_other_format(path: str | os.PathLike[str], reason: str, decoder: Decoder) -> AudioError:
    """Make the error for a format that the decoder does not read; it lists those that it reads."""
    hint = "" if decoder.name == "av" else f"; M4A, AAC and WMA too {_WITH_AV}"
    return AudioError(
        f"{quote(path)}: cannot be decoded ({reason}); {decoder.formats_text}, so convert it to one of them{hint}"
    )


def quote(path: str | os.PathLike[str]) -> str:
    """Quote a path, so that it can be printed whatever bytes it holds."""
    return repr(os.fspath(path))
