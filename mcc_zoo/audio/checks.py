"""Checks of audio files, from the path to the last sample; each raises `AudioError` with one sentence.

Further refusals stand where alone they can be found: audio that proves too short or too long while it is decoded
(`audio.reading`), a decoder that crashed or hangs (`subprocess_decoder`), audio under one STFT window
(`features.streaming`), and audio without sound (in training `features.cache`, else `inference.tagger`).
"""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path

import numpy as np

from mcc_zoo.audio.decoders import ALL_FORMATS, FFMPEG_SUFFIXES, SUFFIXES, Decoder, flac, frames, ogg, tags
from mcc_zoo.audio.decoders.contract import Header, NotDecodable, OtherFormat, Sound, Waveform
from mcc_zoo.audio.decoders.pieces import Reader
from mcc_zoo.audio.decoders.sources import find_source
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
_SEARCH_BYTES = 1 << 20  # in which a further frame of FLAC is looked for
_FORMAT_OF_SUFFIX = {suffix: name for name, suffixes in (SUFFIXES | FFMPEG_SUFFIXES).items() for suffix in suffixes}
_COMMON_FORMATS = "WAV, FLAC or MP3"  # every decoder reads them
_WITH_AUTO = "with decoder=auto"


class AudioError(ValueError):
    """Audio is refused; the message is one sentence: the file, the fault and the remedy.

    Attributes:
        path: The file; None for audio that has none.
        reason: The sentence without the file.

    >>> str(AudioError("song.mp3", "empty (0 bytes); copy or download it again"))
    "'song.mp3': empty (0 bytes); copy or download it again"
    """

    def __init__(self, path: str | os.PathLike[str] | None, reason: str) -> None:
        """Take the file and the reason."""
        super().__init__(path, reason)
        self.path, self.reason = None if path is None else os.fspath(path), reason

    def __str__(self) -> str:
        """Say which file, if there is one, and why."""
        return self.reason if self.path is None else f"{quote(self.path)}: {self.reason}"


def check_regular(path: str | os.PathLike[str]) -> None:
    """Check that the path is a regular file and not empty; it is not opened, because a FIFO would block.

    Raises:
        AudioError: There is no regular file at the path, or it is empty.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise AudioError(path, "no such file; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise AudioError(
            path, f"cannot be reached ({getattr(error, 'strerror', None) or error}); check the path"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(path, "a folder, not a file; give one of its files")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(path, "a pipe, socket or device, not a regular file; copy its audio to a file")
    if status.st_size == 0:
        raise AudioError(path, "empty (0 bytes); copy or download it again")


def check_header(path: str | os.PathLike[str], header: Header, decoder: Decoder) -> None:
    """Check what the header declares: format, sample rate, channels and length."""
    if header.format not in decoder.formats:
        raise explain_other_format(path, f"its format is {header.format}", decoder)
    if not MIN_SAMPLE_RATE <= header.sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            path,
            f"its sample rate is {header.sample_rate} Hz; give a file with a rate from "
            f"{MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz",
        )
    if not 1 <= header.channels <= MAX_CHANNELS:
        raise AudioError(path, f"it has {header.channels} channels; give a file with 1 to {MAX_CHANNELS}")
    if header.fault:
        raise AudioError(path, f"{header.fault}; write the whole {header.format} file again")
    if header.frames is None and header.format not in decoder.formats_without_length:
        hint = f", or read it {_WITH_AUTO}"
        raise AudioError(path, f"its header states no length; write the whole {header.format} file again{hint}")
    if header.frames is not None and header.frames <= 0:
        raise AudioError(path, "holds no samples; give a file with audio in it")
    declared, present = header.declared_and_present
    if declared < UNKNOWN_BYTES and present < MIN_COMPLETE * declared:
        raise AudioError(
            path,
            f"cut off, its header declares {declared} bytes or frames of audio and {present} are "
            "present; copy or download it again",
        )


def check_length(path: str | os.PathLike[str], header: Header, max_seconds: float) -> None:
    """Check the declared length, before anything is decoded."""
    seconds = (header.frames or 0) / header.sample_rate
    if seconds > max_seconds:
        raise AudioError(
            path,
            f"its header declares {seconds:.2f} s of audio and {max_seconds:g} s are allowed; "
            "cut it, or raise max_seconds",
        )


def check_samples(path: str | os.PathLike[str], block: Waveform, start: int, rate: int) -> None:
    """Check a block (frames, channels) that starts at frame `start` for NaN, infinity and absurd amplitudes."""
    peak = max(float(block.max()), -float(block.min()))  # NaN where the block holds one
    if peak <= MAX_AMPLITUDE:
        return
    frame = int(np.argmax(~(np.abs(block) <= MAX_AMPLITUDE).all(axis=1)))
    value = block[frame][~(np.abs(block[frame]) <= MAX_AMPLITUDE)][0]
    where = f"at {(start + frame) / rate:.2f} s a sample is {value:g}"
    if not np.isfinite(value):
        raise AudioError(path, f"{where}, not a finite number; write the file again without it")
    raise AudioError(path, f"{where} times full scale; scale the audio to ±1 and write the file again")


def check_end(path: str | os.PathLike[str], stream: FileIO, sound: Sound, count: int, decoder: Decoder) -> None:
    """Compare the decoded frames, of which there are `count`, with the declared ones, and see whether any are left."""
    header, position = sound.header, sound.get_position()
    seconds = count / header.sample_rate
    if not count and header.frames is None:
        raise AudioError(path, "holds no samples; give a file with audio in it")
    declared = "no length" if header.frames is None else f"{header.frames / header.sample_rate:.2f} s"
    if header.frames is not None:
        if count < min(MIN_COMPLETE * header.frames, header.frames - header.tolerance_frames):
            raise AudioError(
                path,
                f"damaged or cut off, {seconds:.2f} s decoded of the {declared} that its header "
                "declares; copy or download it again, or write it again",
            )
        if MIN_COMPLETE * count - _PADDING_FRAMES > header.frames:
            raise AudioError(
                path,
                f"its header is wrong, it declares {declared} and {seconds:.2f} s were decoded; "
                f"write the whole {header.format} file again",
            )
    reader = Reader(stream)
    if position is not None and _has_audio_behind(reader, header.format, position):
        if header.frames is None:
            raise AudioError(
                path,
                f"{decoder.name} stops after {seconds:.2f} s of it, as its header states no length; "
                f"read it {_WITH_AUTO}",
            )
        raise AudioError(
            path,
            f"its header is wrong, it declares {declared} and these are in the first {position} of "
            f"{reader.size} bytes; write the whole {header.format} file again",
        )
    if header.format == "OGG" and not ((chains := ogg.read_chains(reader)) and chains[-1].is_complete):
        raise AudioError(
            path, f"cut off, its Ogg stream ends after {seconds:.2f} s without a last page; copy or download it again"
        )


def _has_audio_behind(reader: Reader, name: str, position: int) -> bool:
    """Check whether more than a tenth of a file is audio that the decoder did not read, which ended at a position."""
    end = tags.find_end(reader, position)
    if end - position <= max(_UNREAD_BYTES, (1 - MIN_COMPLETE) * reader.size):
        return False
    if name == "FLAC":
        return flac.has_frame(reader.read(position, _SEARCH_BYTES))
    if name == "OGG":
        return reader.find(b"OggS", position, end) >= 0
    return frames.find_run(reader, frames.MPEG, position, end) is not None


def explain_not_decodable(
    path: str | os.PathLike[str], stream: FileIO, error: NotDecodable, decoder: Decoder
) -> AudioError:
    """Make the error for a file that is not audio, is damaged, or is in a format that the decoder does not read."""
    if isinstance(error, OtherFormat):
        return explain_other_format(path, str(error), decoder)
    if decoder.formats != ALL_FORMATS and (detected := _detect_format(stream)):
        read = f"of a kind that {decoder.name} does not read ({error})" if detected in decoder.formats else ""
        return AudioError(
            path,
            f"is {detected}, {read or f'which {decoder.name} does not read'}; read it {_WITH_AUTO}, or "
            f"convert it to {_COMMON_FORMATS}",
        )
    if not (expected := _FORMAT_OF_SUFFIX.get(Path(os.fsdecode(path)).suffix.lower())):
        return explain_other_format(path, f"{error}: damaged, or in another format", decoder)
    hint = f"; {expected} is read {_WITH_AUTO}" if expected not in decoder.formats else ""
    return AudioError(
        path,
        f"cannot be decoded ({error}), so it is damaged or not the {expected} file that its name says; "
        f"copy or download it again, or convert it to {_COMMON_FORMATS}{hint}",
    )


def _detect_format(stream: FileIO) -> str:
    """Find the format that a file is in by its content; "" where it is none that FFmpeg is known to read."""
    try:
        return find_source(stream).format
    except NotDecodable:
        return ""


def explain_other_format(path: str | os.PathLike[str], reason: str, decoder: Decoder) -> AudioError:
    """Make the error for a format that the decoder does not read; it lists those that it reads."""
    hint = "" if decoder.formats == ALL_FORMATS else f"; M4A, AAC, WMA and more too {_WITH_AUTO}"
    return AudioError(path, f"cannot be decoded ({reason}); {decoder.formats_text}, so convert it to one of them{hint}")


def quote(path: str | os.PathLike[str]) -> str:
    """Quote a path, so that it can be printed whatever bytes it holds."""
    return repr(os.fspath(path))
