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
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
import soxr

from mcc_zoo import decoders
from mcc_zoo.decoders import DECODERS, OF_FFMPEG, SUFFIXES
from mcc_zoo.decoders.contract import DecodingStopped, Header, NotDecodable, OtherFormat, Sound, Waveform
from mcc_zoo.decoders.first_bytes import format_of_ffmpeg

AUDIO_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
OTHER_SUFFIXES = frozenset({".m4a", ".mp4", ".aac", ".wma", ".ape", ".mpc", ".wv"})  # audio that soundfile cannot read

MIN_SAMPLE_RATE = 1_000  # Hz
MAX_SAMPLE_RATE = 768_000  # Hz
MAX_CHANNELS = 64
MAX_AMPLITUDE = 100.0  # times full scale; a float file of integers is far above
MAX_SECONDS = 86_400.0  # a day
COMPLETE = 0.9  # share of the declared audio that has to be there

_PIECE_FRAMES = 16_384  # small enough for 64 channels, and for a rate that is raised 768 times
_UNKNOWN_BYTES = 0x7FFF_0000  # placeholders of programs that could not go back to the header are above
_LEFT_OVER_BYTES = 8_192  # tags at the end, and what the decoder of a very short MP3 does not touch
_LEFT_OVER_FRAMES = 8_192  # a codec's delay and padding
_OGG_PAGE_BYTES = 65_307  # at most
_FORMAT_OF = {suffix: name for name, suffixes in (SUFFIXES | OF_FFMPEG).items() for suffix in suffixes}
_USUAL = "WAV, FLAC or MP3"  # which every decoder reads
_WITH_AV = f"with --decoder=av ({DECODERS['av'].install})"


class AudioError(ValueError):
    """A file that is refused; the message is one sentence that names the file, the fault and what would do."""


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


def find(folder: str | os.PathLike[str], suffixes: frozenset[str] = AUDIO_SUFFIXES | OTHER_SUFFIXES) -> list[Path]:
    """List the audio files of a folder and its subfolders, those that `mcc-zoo tag` has a row for.

    Audio that the default decoder does not read, such as M4A, is listed too: to refuse it with a reason is better than
    to leave it out in silence.

    Hidden files and folders are left out, and with them the "._" files that macOS leaves on other disks. Links to
    files count, links to folders are not followed.

    Args:
        folder: Where to look.
        suffixes: Of the files wanted, in small letters; `AUDIO_SUFFIXES` are those that every installation reads.

    Returns:
        Sorted paths, each beginning with `folder`, of regular files with one of the suffixes, in capitals or not.

    Raises:
        AudioError: `folder` is not a folder, or it or a subfolder cannot be listed.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("b.WAV", "a.mp3", "._a.mp3", "notes.txt"):
        ...         (pathlib.Path(folder) / name).touch()
        ...     [path.name for path in find(folder)]
        ['a.mp3', 'b.WAV']
    """
    found: list[Path] = []
    for parent, subfolders, names in os.walk(folder, onerror=_refuse_folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        paths = [Path(parent, name) for name in names if not name.startswith(".")]
        found += [path for path in paths if path.suffix.lower() in suffixes and path.is_file()]
    return sorted(found)


def _refuse_folder(error: OSError) -> None:
    """Raise what `os.walk` would pass over in silence."""
    raise AudioError(
        f"{error.filename!r}: cannot be listed as a folder ({error.strerror}); give a folder that can be read"
    ) from error


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
        _check_length(path, header, longest)
        for piece in _resampled(_decoded(path, stream, sound, longest, decoder), header.sample_rate, sample_rate):
            total += len(piece)
            yield piece
        if not total:
            raise AudioError(
                f"{_name(path)}: {header.frames or 'its'} samples at {header.sample_rate} Hz are not one whole sample "
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
            _check_samples(path, block, frames, rate)
            kept = len(block) if declared is None else max(0, declared - frames)
            frames += len(block)
            if declared is None and frames > max_seconds * rate:
                raise AudioError(
                    f"{_name(path)}: states no length, and is longer than the {max_seconds:g} s that are allowed; if "
                    "it should be, cut it or raise max_seconds"
                )
            for start in range(0, min(len(block), kept), _PIECE_FRAMES):
                yield _mixed(block[start : min(kept, start + _PIECE_FRAMES)])
        _check_end(path, stream, sound, frames)
    except NotDecodable as error:
        raise _not_decodable(path, stream, error, decoder) from error
    except DecodingStopped as error:
        of = "" if declared is None else f" of {declared / rate:.2f} s"
        raise AudioError(
            f"{_name(path)}: damaged, decoding stopped after {frames / rate:.2f} s{of} ({error}); copy or download it "
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
            raise _not_decodable(path, stream, error, decoder) from error
        with closing(sound):
            _check_header(path, sound.header, decoder)
            yield stream, sound


def _stream(path: str | os.PathLike[str]) -> FileIO:
    """Open without a buffer of our own: the position is then the decoder's."""
    try:
        return FileIO(path, "rb")
    except OSError as error:
        raise AudioError(f"{_name(path)}: cannot be opened ({error.strerror}); give a readable file") from error


def check_regular(path: str | os.PathLike[str]) -> None:
    """Look before opening: a FIFO would hang every decoder.

    Raises:
        AudioError: There is no regular file at the path, or it is empty.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise AudioError(f"{_name(path)}: no such file; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise AudioError(
            f"{_name(path)}: cannot be reached ({getattr(error, 'strerror', None) or error}); check the path"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"{_name(path)}: a folder, not a file; give one of its files")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"{_name(path)}: a pipe, socket or device, not a regular file; copy its audio to a file")
    if status.st_size == 0:
        raise AudioError(f"{_name(path)}: empty (0 bytes); copy or download it again")


def _check_header(path: str | os.PathLike[str], header: Header, decoder: decoders.Name) -> None:
    """Refuse what the header alone gives away."""
    if header.format not in DECODERS[decoder].formats:
        raise _other_format(path, f"its format is {header.format}", decoder)
    if not MIN_SAMPLE_RATE <= header.sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{_name(path)}: its sample rate is {header.sample_rate} Hz; give a file with a rate from "
            f"{MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz"
        )
    if not 1 <= header.channels <= MAX_CHANNELS:
        raise AudioError(f"{_name(path)}: it has {header.channels} channels; give a file with 1 to {MAX_CHANNELS}")
    if header.frames is None and header.format not in DECODERS[decoder].without_length:
        hint = "" if decoder == "av" or header.format not in DECODERS["av"].without_length else f", or {_WITH_AV}"
        raise AudioError(
            f"{_name(path)}: its header states no length; write the {header.format} file again, whole{hint}"
        )
    if header.frames is not None and header.frames <= 0:
        raise AudioError(f"{_name(path)}: holds no samples; give a file with audio in it")
    declared, there = header.stated
    if declared < _UNKNOWN_BYTES and there < COMPLETE * declared:
        raise AudioError(
            f"{_name(path)}: cut off, its header declares {declared} bytes or frames of audio and {there} are there; "
            "copy or download it again"
        )


def _check_length(path: str | os.PathLike[str], header: Header, max_seconds: float) -> None:
    """Refuse a length before anything is decoded."""
    seconds = (header.frames or 0) / header.sample_rate
    if seconds > max_seconds:
        raise AudioError(
            f"{_name(path)}: its header declares {seconds:.2f} s of audio and {max_seconds:g} s are allowed; "
            "if that is its length, cut it or raise max_seconds"
        )


def _check_samples(path: str | os.PathLike[str], block: Waveform, start: int, rate: int) -> None:
    """Refuse NaN, infinity and absurd amplitudes in a block (frames, channels) that starts at frame `start`."""
    peak = max(float(block.max()), -float(block.min()))  # NaN in the block gives NaN
    if peak <= MAX_AMPLITUDE:
        return
    frame = int(np.argmax(~(np.abs(block) <= MAX_AMPLITUDE).all(axis=1)))
    value = block[frame][~(np.abs(block[frame]) <= MAX_AMPLITUDE)][0]
    where = f"{_name(path)}: at {(start + frame) / rate:.2f} s a sample is {value:g}"
    if not np.isfinite(value):
        raise AudioError(f"{where}, not a finite number; write the file again without it")
    raise AudioError(f"{where} times full scale; scale the audio to ±1 and write the file again")


def _check_end(path: str | os.PathLike[str], stream: FileIO, sound: Sound, frames: int) -> None:
    """Compare what was decoded with what was declared, and with what the file holds."""
    header = sound.header
    seconds, size, position = frames / header.sample_rate, os.fstat(stream.fileno()).st_size, sound.position()
    if header.frames is not None:
        declared = f"{header.frames / header.sample_rate:.2f} s"
        if frames < COMPLETE * header.frames - header.slack:
            hint = " (or an MP3 of variable bit rate without a Xing header)" if header.format == "MP3" else ""
            raise AudioError(
                f"{_name(path)}: damaged or cut off{hint}, {seconds:.2f} s decoded of the {declared} that its header "
                "declares; copy or download it again, or write it again"
            )
        if COMPLETE * frames - _LEFT_OVER_FRAMES > header.frames:
            raise AudioError(
                f"{_name(path)}: its header is wrong, the {declared} that it declares are {seconds:.2f} s decoded; "
                f"write the {header.format} file again, whole"
            )
        if position is not None and size - position > max(_LEFT_OVER_BYTES, (1 - COMPLETE) * size):
            raise AudioError(
                f"{_name(path)}: its header is wrong, the {declared} that it declares are in the first {position} of "
                f"{size} bytes; write the {header.format} file again, whole"
            )
    elif not frames:
        raise AudioError(f"{_name(path)}: holds no samples; give a file with audio in it")
    if header.format == "OGG" and not _has_last_page(stream, size):
        raise AudioError(
            f"{_name(path)}: cut off, its Ogg stream breaks off after {seconds:.2f} s without a last page; copy or "
            "download it again"
        )


def _has_last_page(stream: FileIO, size: int) -> bool:
    """Whether an Ogg stream ends with a page that is marked as its last; its headers state no length."""
    stream.seek(max(0, size - 2 * _OGG_PAGE_BYTES))
    tail = stream.read(2 * _OGG_PAGE_BYTES)
    flags = tail.rfind(b"OggS") + 5
    return flags >= 5 and flags < len(tail) and bool(tail[flags] & 4)


def _not_decodable(
    path: str | os.PathLike[str], stream: FileIO, error: NotDecodable, decoder: decoders.Name
) -> AudioError:
    """The one sentence for what is no audio, damaged, or audio of another kind than the decoder's."""
    if isinstance(error, OtherFormat):
        return _other_format(path, str(error), decoder)
    stream.seek(0)
    if decoder != "av" and (found := format_of_ffmpeg(stream)):
        return AudioError(
            f"{_name(path)}: is {found}, which {decoder} does not read; read it {_WITH_AV}, or convert it to {_USUAL}"
        )
    if not (named := _FORMAT_OF.get(Path(os.fsdecode(path)).suffix.lower())):
        return _other_format(path, f"{error}: damaged, or of another kind", decoder)
    av = f"; {named} is read {_WITH_AV}" if named not in DECODERS[decoder].formats else ""
    return AudioError(
        f"{_name(path)}: cannot be decoded ({error}), so it is damaged or not the {named} file that its name says; "
        f"copy or download it again, or convert it to {_USUAL}{av}"
    )


def _other_format(path: str | os.PathLike[str], reason: str, decoder: decoders.Name) -> AudioError:
    """The one sentence for a kind of file that is not read: which ones are."""
    hint = "" if decoder == "av" else f"; M4A, AAC and WMA too {_WITH_AV}"
    return AudioError(
        f"{_name(path)}: cannot be decoded ({reason}); {DECODERS[decoder].said}, so convert others to one of them{hint}"
    )


def _name(path: str | os.PathLike[str]) -> str:
    """The path in quotes, safe to print whatever bytes it holds."""
    return repr(os.fspath(path))
