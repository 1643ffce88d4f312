"""Audio file to waveform: mono, float32, full scale ±1, at the rate that is asked for.

The sample rate is an argument of every function that gives samples, and has no default: a model that hears its
music at another rate than it was trained on answers with plausible, wrong tags. Ask for
`paper.FrontEnd.sample_rate` of the model's front end.

A file is decoded in blocks, never by a read of the whole file, for headers lie. It is refused with an `AudioError`
where less than 90 % of the declared audio is there, or where the declared audio ends before 90 % of a compressed
file. Two cuts cannot be noticed, because no length is stated: in an MP3 of constant bit rate without a Xing or Info
header, and in an uncompressed file whose header gives 2 GiB or more, the way programs mark a length that they did not
know. For an MP3 of variable bit rate without a Xing header the decoder guesses a length; most are refused for it.

`decoder` chooses who decodes; the checks are the same. `soundfile` is the default, `av` (extra [av]) also reads M4A,
AAC, WMA and FLAC that states no length, and `tfio` (extra [tfio]) is tensorflow-io, for WAV, FLAC, Ogg Vorbis and MP3.
A cut AAC file, or a FLAC without a length, cannot be told from a shorter one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import FileIO

import numpy as np
import soxr

from mcc_zoo.audio import decoders
from mcc_zoo.audio.checks import (
    AudioError,
    check_end,
    check_header,
    check_length,
    check_regular,
    check_samples,
    not_decodable,
    quoted,
)
from mcc_zoo.audio.decoders.contract import DecodingStopped, NotDecodable, Sound, Waveform
from mcc_zoo.audio.limits import MAX_SAMPLE_RATE, MAX_SECONDS, MIN_SAMPLE_RATE

_PIECE_FRAMES = 16_384  # small enough for 64 channels, and for a rate that is raised 768 times


@dataclass(frozen=True)
class AudioInfo:
    """What the header of an audio file declares.

    Attributes:
        sample_rate: Hz.
        channels: Channels, before they are mixed to one.
        seconds: Declared length, None where none is stated; for MP3 without a Xing header the decoder's estimate.
        format: One of its decoder's formats.
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
    decoder: decoders.Name = "soundfile",
) -> Waveform:
    """Read a whole audio file as mono.

    Channels are averaged; then the rate is changed, where it differs, with soxr's HQ quality. The result takes
    4 bytes a sample (635 MB an hour at 44,100 Hz); `read_blocks` gives the same samples in little memory.

    Args:
        path: The file, in a format of the decoder; its suffix does not matter.
        sample_rate: Hz of the result, from 1,000 to 768,000.
        max_seconds: Longer files are refused; None allows a day.
        decoder: Who decodes it; `tfio` only in a process of its own, see `mcc_zoo.isolation`.

    Returns:
        Float32 array (samples,), finite, at least one sample, full scale ±1. It holds
        samples · sample_rate / the file's rate, rounded to the nearest whole number.

    Raises:
        AudioError: The file is missing, not a regular file, empty, in no known format, damaged, cut, too long, or
            holds samples that no music has.
        ValueError: `sample_rate` or `max_seconds` means nothing, or the decoder is not installed.

    Example:
        >>> import numpy as np, soundfile, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/stereo.wav", np.zeros((22_050, 2)), 22_050)
        ...     read(f"{folder}/stereo.wav", 44_100).shape
        (44100,)
    """
    _check_arguments(sample_rate, max_seconds, decoder)
    samples = bytearray()  # grows in place, where joining a list of blocks would take twice the memory
    for piece in _pieces(path, sample_rate, max_seconds, decoder):
        samples += piece.tobytes()
    return np.frombuffer(samples, dtype=np.float32)


def read_blocks(
    path: str | os.PathLike[str],
    sample_rate: int,
    block_samples: int,
    *,
    max_seconds: float | None = None,
    decoder: decoders.Name = "soundfile",
) -> Iterator[Waveform]:
    """Read an audio file as mono, block by block, so that hours of audio never sit in memory.

    The blocks joined are what `read` returns, sample for sample. A damaged file can be refused at any block, the
    last included: what was made of earlier blocks is of no use then.

    Args:
        path: The file, in a format of the decoder; its suffix does not matter.
        sample_rate: Hz of the result, from 1,000 to 768,000.
        block_samples: Samples of a block at `sample_rate`.
        max_seconds: Longer files are refused; None allows a day.
        decoder: Who decodes it; `tfio` only in a process of its own, see `mcc_zoo.isolation`.

    Yields:
        Float32 arrays (block_samples,); the last one may be shorter, and is never empty.

    Raises:
        AudioError: As in `read`, from the first block on.
        ValueError: As in `read`, or `block_samples` means nothing; at the call itself.

    Example:
        >>> import numpy as np, soundfile, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/stereo.wav", np.zeros((22_050, 2)), 22_050)
        ...     [block.shape for block in read_blocks(f"{folder}/stereo.wav", 22_050, 10_000)]
        [(10000,), (10000,), (2050,)]
    """
    _check_arguments(sample_rate, max_seconds, decoder)
    if not block_samples >= 1:
        raise ValueError(f"block_samples={block_samples!r}: a block needs a positive whole number of samples")
    return _cut(_pieces(path, sample_rate, max_seconds, decoder), block_samples)


def probe(path: str | os.PathLike[str], decoder: decoders.Name = "soundfile") -> AudioInfo:
    """Read the header of an audio file, and decode nothing.

    Args:
        path: The file, in a format of the decoder.
        decoder: Who reads it.

    Returns:
        What the header declares. A file that passes can still be refused by `read`.

    Raises:
        AudioError: The header alone shows that `read` would refuse the file (its length apart).

    Example:
        >>> import numpy as np, soundfile, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/stereo.wav", np.zeros((11_025, 2)), 22_050)
        ...     probe(f"{folder}/stereo.wav")
        AudioInfo(sample_rate=22050, channels=2, seconds=0.5, format='WAV')
    """
    decoders.check(decoder)
    with _opened(path, decoder) as (_, sound):
        header = sound.header
        seconds = None if header.frames is None else header.frames / header.sample_rate
        return AudioInfo(header.sample_rate, header.channels, seconds, header.format)


def _check_arguments(sample_rate: int, max_seconds: float | None, decoder: str) -> None:
    """Refuse what no caller can mean, before any file is touched."""
    whole = isinstance(sample_rate, (int, np.integer))
    if not whole or not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise ValueError(
            f"sample_rate={sample_rate!r}: give a whole number of Hz from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
        )
    if max_seconds is not None and not max_seconds > 0:
        raise ValueError(f"max_seconds={max_seconds!r}: give a positive number of seconds, or None for a day")
    decoders.check_here(decoder)


def _pieces(
    path: str | os.PathLike[str], sample_rate: int, max_seconds: float | None, decoder: decoders.Name
) -> Iterator[Waveform]:
    """Decode, mix and resample a file; pieces of any length, at least one sample in all."""
    longest = MAX_SECONDS if max_seconds is None else max_seconds
    with _opened(path, decoder) as (stream, sound):
        header, total = sound.header, 0
        check_length(path, header, longest)
        for piece in _resampled(_decoded(path, stream, sound, longest, decoder), header.sample_rate, sample_rate):
            total += len(piece)
            yield piece
        if not total:
            raise AudioError(
                f"{quoted(path)}: {header.frames or 'its'} samples at {header.sample_rate} Hz are not one whole sample "
                f"at {sample_rate} Hz; give a longer file"
            )


def _cut(pieces: Iterator[Waveform], block_samples: int) -> Iterator[Waveform]:
    """Pieces of any length to blocks (block_samples,), the last one shorter."""
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


def _resampled(pieces: Iterator[Waveform], rate: int, sample_rate: int) -> Iterator[Waveform]:
    """Bring mono pieces from one rate to another; soxr's delay is compensated."""
    if rate == sample_rate:
        yield from pieces
        return
    resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
    for piece in pieces:
        yield resampler.resample_chunk(piece)
    yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def _decoded(
    path: str | os.PathLike[str], stream: FileIO, sound: Sound, max_seconds: float, decoder: decoders.Name
) -> Iterator[Waveform]:
    """Decode a file, check it and mix it to mono (frames,), no longer than it declares."""
    rate, declared, frames = sound.header.sample_rate, sound.header.frames, 0
    try:
        for block in sound.blocks():
            check_samples(path, block, frames, rate)
            kept = len(block) if declared is None else max(0, declared - frames)
            frames += len(block)
            if declared is None and frames > max_seconds * rate:
                raise AudioError(
                    f"{quoted(path)}: states no length, and is longer than the {max_seconds:g} s that are allowed; if "
                    "it should be, cut it or raise max_seconds"
                )
            for start in range(0, min(len(block), kept), _PIECE_FRAMES):
                yield _mixed(block[start : min(kept, start + _PIECE_FRAMES)])
        check_end(path, stream, sound, frames)
    except NotDecodable as error:
        raise not_decodable(path, stream, error, decoder) from error
    except DecodingStopped as error:
        of = "" if declared is None else f" of {declared / rate:.2f} s"
        raise AudioError(
            f"{quoted(path)}: damaged, decoding stopped after {frames / rate:.2f} s{of} ({error}); copy or download it "
            "again"
        ) from error


def _mixed(block: Waveform) -> Waveform:
    """Average the channels of a block (frames, channels); some times as fast as its `mean` over so short an axis."""
    mono = block[:, 0].copy()
    for channel in range(1, block.shape[1]):
        mono += block[:, channel]
    return mono / block.shape[1] if block.shape[1] > 1 else mono


@contextmanager
def _opened(path: str | os.PathLike[str], decoder: decoders.Name) -> Iterator[tuple[FileIO, Sound]]:
    """Open a file whose header is sound."""
    check_regular(path)
    with _stream(path) as stream:
        try:
            sound = decoders.opened(stream, decoder)
        except NotDecodable as error:
            raise not_decodable(path, stream, error, decoder) from error
        with closing(sound):
            check_header(path, sound.header, decoder)
            yield stream, sound


def _stream(path: str | os.PathLike[str]) -> FileIO:
    """Open without a buffer of our own: the position is then the decoder's."""
    try:
        return FileIO(path, "rb")
    except OSError as error:
        raise AudioError(f"{quoted(path)}: cannot be opened ({error.strerror}); give a readable file") from error
