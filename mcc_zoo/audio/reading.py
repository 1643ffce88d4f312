"""Audio file to waveform: mono, float32, full scale ±1, at a given sample rate.

The sample rate is an argument of every function that returns samples, and has no default: a model that gets audio at
another rate than it was trained on returns plausible, wrong tags. Use `FrontEnd.sample_rate` of the model's front end.

A file is decoded in blocks, never in one read, because headers may be wrong. It is refused with an `AudioError` where
less than 90 % of the declared audio is present, or where audio follows the declared audio. A cut cannot be detected
where no length is stated, and the file is read as a shorter one: MP3 without a Xing, Info or VBRI header, MP2, AAC and
AC-3; FLAC, WebM and Matroska that were written to a pipe; WAV and its kin that were never closed. Tags and junk before,
behind and between the audio are stepped over.

`decoder` chooses the decoder; the checks are the same. `auto` is the default: soundfile where it reads the file whole,
else FFmpeg (`decoders/auto.py` has the rule). `soundfile` and `av`, which is FFmpeg, are each of them alone. `tfio`
(extra [tfio]) is tensorflow-io, for WAV, FLAC, Ogg Vorbis and MP3.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import FileIO

import numpy as np
import soxr

from mcc_zoo.audio.checks import (
    AudioError,
    check_end,
    check_header,
    check_length,
    check_regular,
    check_samples,
    explain_not_decodable,
)
from mcc_zoo.audio.decoders import Decoder, DecoderName, find_decoder
from mcc_zoo.audio.decoders.contract import DecodingStopped, NotDecodable, Sound, Waveform
from mcc_zoo.audio.limits import MAX_SAMPLE_RATE, MAX_SECONDS, MIN_SAMPLE_RATE

_PIECE_FRAMES = 16_384  # keeps memory small at 64 channels, and when the rate is raised 768 times


@dataclass(frozen=True)
class AudioInfo:
    """What the header of an audio file declares.

    Attributes:
        sample_rate: Hz.
        channels: Channels, before they are mixed to one.
        seconds: Declared length; None where none is stated.
        format: One of the decoder's formats.
    """

    sample_rate: int
    channels: int
    seconds: float | None
    format: str


def read(
    path: str | os.PathLike[str],
    sample_rate: int,
    *,
    max_seconds: float | None = None,
    decoder: DecoderName | Decoder = "auto",
) -> Waveform:
    """Read a whole audio file as mono.

    Channels are averaged; then the rate is changed, where it differs, with soxr's HQ quality. The result takes 4 bytes
    per sample (635 MB per hour at 44,100 Hz); `read_blocks` returns the same samples in little memory.

    Args:
        path: The file, in a format that the decoder reads; its suffix does not matter.
        sample_rate: Hz of the result, from 1,000 to 768,000.
        max_seconds: Longer files are refused; None allows a day.
        decoder: The decoder; `tfio` runs in `mcc_zoo.audio.IsolatedDecoder` only.

    Returns:
        Float32 array (samples,), finite, at least one sample, full scale ±1. It holds
        samples · sample_rate / the file's rate, rounded to the nearest whole number.

    Raises:
        AudioError: The file is missing, not a regular file, empty, in no known format, damaged, cut, too long, or
            has samples that are not finite or far above full scale.
        ValueError: `sample_rate` or `max_seconds` is out of range, or the decoder is unknown or not installed.

    Example:
        >>> import numpy as np, soundfile, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/stereo.wav", np.zeros((22_050, 2)), 22_050)
        ...     read(f"{folder}/stereo.wav", 44_100).shape
        (44100,)
    """
    _check_arguments(sample_rate, max_seconds)
    samples = bytearray()  # grows in place; joining a list of blocks would take twice the memory
    for piece in _decode_file(path, sample_rate, max_seconds, _find_decoder_here(decoder)):
        samples += piece.tobytes()
    return np.frombuffer(samples, dtype=np.float32)


def read_blocks(
    path: str | os.PathLike[str],
    sample_rate: int,
    block_samples: int,
    *,
    max_seconds: float | None = None,
    decoder: DecoderName | Decoder = "auto",
) -> Iterator[Waveform]:
    """Read an audio file as mono in blocks, so that hours of audio are never held in memory.

    The blocks joined are what `read` returns, sample for sample. A damaged file can be refused at any block, even after
    the last: discard what was computed from the earlier ones.

    Args:
        path: The file, in a format that the decoder reads; its suffix does not matter.
        sample_rate: Hz of the result, from 1,000 to 768,000.
        block_samples: Samples per block at `sample_rate`.
        max_seconds: Longer files are refused; None allows a day.
        decoder: The decoder; `tfio` runs in `mcc_zoo.audio.IsolatedDecoder` only.

    Yields:
        Float32 arrays (block_samples,); the last one may be shorter, and is never empty.

    Raises:
        AudioError: As in `read`, from the first block on.
        ValueError: As in `read`, or `block_samples` is below 1; raised by the call itself.

    Example:
        >>> import numpy as np, soundfile, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/stereo.wav", np.zeros((22_050, 2)), 22_050)
        ...     [block.shape for block in read_blocks(f"{folder}/stereo.wav", 22_050, 10_000)]
        [(10000,), (10000,), (2050,)]
    """
    return decode_blocks(path, sample_rate, block_samples, max_seconds, _find_decoder_here(decoder))


def decode_blocks(
    path: str | os.PathLike[str],
    sample_rate: int,
    block_samples: int,
    max_seconds: float | None,
    decoder: Decoder,
) -> Iterator[Waveform]:
    """Do what `read_blocks` does, with any decoder: the process may end on a damaged file if it is tensorflow-io."""
    _check_arguments(sample_rate, max_seconds)
    if not block_samples >= 1:
        raise ValueError(f"block_samples={block_samples!r}: a block needs a positive whole number of samples")
    return _cut_into_blocks(_decode_file(path, sample_rate, max_seconds, decoder), block_samples)


def probe(path: str | os.PathLike[str], decoder: DecoderName | Decoder = "auto") -> AudioInfo:
    """Read the header of an audio file without decoding it.

    Args:
        path: The file, in a format that the decoder reads.
        decoder: The decoder.

    Returns:
        What the header declares. A file that passes can still be refused by `read`.

    Raises:
        AudioError: The header alone shows that `read` would refuse the file, whatever its `max_seconds`.
        ValueError: The decoder is unknown or not installed.

    Example:
        >>> import numpy as np, soundfile, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/stereo.wav", np.zeros((11_025, 2)), 22_050)
        ...     probe(f"{folder}/stereo.wav")
        AudioInfo(sample_rate=22050, channels=2, seconds=0.5, format='WAV')
    """
    with _open_sound(path, find_decoder(decoder)) as (_, sound):
        header = sound.header
        seconds = None if header.frames is None else header.frames / header.sample_rate
        return AudioInfo(header.sample_rate, header.channels, seconds, header.format)


def _find_decoder_here(decoder: DecoderName | Decoder) -> Decoder:
    """Find a decoder that may decode in this process."""
    found = find_decoder(decoder)
    if found.needs_own_process:
        raise ValueError(
            f"decoder={found.name!r} ends the process on some damaged files: run it in a process of its own, "
            f"mcc_zoo.audio.IsolatedDecoder(decoder={found.name!r}), as mcc_zoo.load and FeatureCache do"
        )
    return found


def _check_arguments(sample_rate: int, max_seconds: float | None) -> None:
    """Check the arguments before any file is touched."""
    whole = isinstance(sample_rate, (int, np.integer))
    if not whole or not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise ValueError(
            f"sample_rate={sample_rate!r}: give a whole number of Hz from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
        )
    if max_seconds is not None and not max_seconds > 0:
        raise ValueError(f"max_seconds={max_seconds!r}: give a positive number of seconds, or None for a day")


def _decode_file(
    path: str | os.PathLike[str], sample_rate: int, max_seconds: float | None, decoder: Decoder
) -> Iterator[Waveform]:
    """Decode, mix and resample a file: pieces (samples,) of any length, at least one sample in all."""
    max_seconds = MAX_SECONDS if max_seconds is None else max_seconds
    with _open_sound(path, decoder) as (stream, sound):
        header, total = sound.header, 0
        check_length(path, header, max_seconds)
        pieces = _decode_to_mono(path, stream, sound, max_seconds, decoder)
        for piece in _resample(pieces, header.sample_rate, sample_rate):
            total += len(piece)
            yield piece
        if not total:
            raise AudioError(
                path,
                f"{header.frames or 'its'} samples at {header.sample_rate} Hz are less than one "
                f"sample at {sample_rate} Hz; give a longer file",
            )


def _cut_into_blocks(pieces: Iterator[Waveform], block_samples: int) -> Iterator[Waveform]:
    """Cut pieces of any length into blocks (block_samples,); the last one may be shorter."""
    block, filled = np.empty(block_samples, np.float32), 0
    for piece in pieces:
        while len(piece):
            taken = piece[: block_samples - filled]
            block[filled : filled + len(taken)] = taken
            filled += len(taken)
            piece = piece[len(taken) :]
            if filled == block_samples:
                yield block
                block, filled = np.empty(block_samples, np.float32), 0
    if filled:
        yield block[:filled].copy()


def _resample(pieces: Iterator[Waveform], from_rate: int, to_rate: int) -> Iterator[Waveform]:
    """Resample mono pieces; soxr compensates its delay."""
    if from_rate == to_rate:
        yield from pieces
        return
    resampler = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality="HQ")
    for piece in pieces:
        yield resampler.resample_chunk(piece)
    yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def _decode_to_mono(
    path: str | os.PathLike[str], stream: FileIO, sound: Sound, max_seconds: float, decoder: Decoder
) -> Iterator[Waveform]:
    """Decode a file, check it and mix it to mono pieces (frames,), in all at most as long as its header declares."""
    rate, declared, frames = sound.header.sample_rate, sound.header.frames, 0
    try:
        for block in sound.decode_blocks():
            check_samples(path, block, frames, rate)
            kept = len(block) if declared is None else max(0, declared - frames)
            frames += len(block)
            if declared is None and frames > max_seconds * rate:
                raise AudioError(
                    path,
                    f"its header states no length, and it is longer than the {max_seconds:g} s that "
                    "are allowed; cut it, or raise max_seconds",
                )
            for start in range(0, min(len(block), kept), _PIECE_FRAMES):
                yield _mix_to_mono(block[start : min(kept, start + _PIECE_FRAMES)])
        check_end(path, stream, sound, frames, decoder)
    except NotDecodable as error:
        raise explain_not_decodable(path, stream, error, decoder) from error
    except DecodingStopped as error:
        of = "" if declared is None else f" of {declared / rate:.2f} s"
        raise AudioError(
            path, f"damaged, decoding stopped after {frames / rate:.2f} s{of} ({error}); copy or download it again"
        ) from error


def _mix_to_mono(block: Waveform) -> Waveform:
    """Average the channels of a block (frames, channels); several times as fast as `mean` over so short an axis."""
    mono = block[:, 0].copy()
    for channel in range(1, block.shape[1]):
        mono += block[:, channel]
    return mono / block.shape[1] if block.shape[1] > 1 else mono


@contextmanager
def _open_sound(path: str | os.PathLike[str], decoder: Decoder) -> Iterator[tuple[FileIO, Sound]]:
    """Open a file and check its header."""
    check_regular(path)
    with _open_stream(path) as stream:
        try:
            sound = decoder.open_sound(stream)
        except NotDecodable as error:
            raise explain_not_decodable(path, stream, error, decoder) from error
        with closing(sound):
            check_header(path, sound.header, decoder)
            yield stream, sound


def _open_stream(path: str | os.PathLike[str]) -> FileIO:
    """Open a file without a buffer, so that its position is the decoder's."""
    try:
        return FileIO(path, "rb")
    except OSError as error:
        raise AudioError(path, f"cannot be opened ({error.strerror}); give a readable file") from error
