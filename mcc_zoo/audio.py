"""Audio file to waveform: mono, float32, full scale ±1, at the rate that is asked for.

The sample rate is an argument of every function that gives samples, and has no default: a model that hears its
music at another rate than it was trained on answers with plausible, wrong tags. Ask for
`paper.FrontEnd.sample_rate` of the model's front end.

A file is decoded in blocks, never by a read of the whole file, for headers lie. It is refused with an `AudioError`
where less than 90 % of the declared audio is there, or where the declared audio ends before 90 % of a compressed
file. Two cuts cannot be noticed, because no length is stated: in an MP3 of constant bit rate without a Xing or Info
header, and in an uncompressed file whose header gives 2 GiB or more, the way programs mark a length that they did not
know. For an MP3 of variable bit rate without a Xing header the decoder guesses a length; most are refused for it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Waveform = npt.NDArray[np.float32]

# libsndfile's names. It knows further formats, but these are the ones in which a cut or lying file is noticed.
SUFFIXES = {
    "WAV": (".wav", ".wave"),
    "RF64": (".rf64",),
    "W64": (".w64",),
    "FLAC": (".flac",),
    "OGG": (".ogg", ".oga", ".opus"),
    "MP3": (".mp3",),
    "AU": (".au", ".snd"),
    "AIFF": (".aif", ".aiff", ".aifc"),
    "CAF": (".caf",),
}
AUDIO_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
OTHER_SUFFIXES = frozenset({".m4a", ".mp4", ".aac", ".wma", ".ape", ".mpc", ".wv"})  # audio that is not read here
FORMATS = (*SUFFIXES, "WAVEX")  # WAVEX is WAV with a longer header

MIN_SAMPLE_RATE = 1_000  # Hz
MAX_SAMPLE_RATE = 768_000  # Hz
MAX_CHANNELS = 64
MAX_AMPLITUDE = 100.0  # times full scale; a float file of integers is far above
MAX_SECONDS = 86_400.0  # a day
COMPLETE = 0.9  # share of the declared audio that has to be there

_DECODE_FRAMES = 16_384  # small enough for 64 channels, and for a rate that is raised 768 times
_UNKNOWN_BYTES = 0x7FFF_0000  # placeholders of programs that could not go back to the header are above
_UNKNOWN_FRAMES = 2**62  # libsndfile's are 2**63 - 1
_LEFT_OVER_BYTES = 8_192  # tags at the end, and what the decoder of a very short MP3 does not touch
_OGG_PAGE_BYTES = 65_307  # at most

_DECODER_ERRORS = (soundfile.SoundFileError, RuntimeError, OSError)


class AudioError(ValueError):
    """A file that is refused; the message is one sentence that names the file, the fault and what would do."""


@dataclass(frozen=True)
class AudioInfo:
    """What the header of an audio file declares.

    Attributes:
        sample_rate: Hz.
        channels: Channels, before they are mixed to one.
        seconds: Declared length; for MP3 without a Xing header it is the decoder's estimate.
        format: One of `FORMATS`.
    """

    sample_rate: int
    channels: int
    seconds: float
    format: str


def read(path: str | os.PathLike[str], sample_rate: int, *, max_seconds: float | None = None) -> Waveform:
    """Read a whole audio file as mono.

    Channels are averaged; then the rate is changed, where it differs, with soxr's HQ quality. The result takes
    4 bytes a sample (635 MB an hour at 44,100 Hz); `read_blocks` gives the same samples in little memory.

    Args:
        path: The file, in one of `FORMATS`; its suffix does not matter.
        sample_rate: Hz of the result, from 1,000 to 768,000.
        max_seconds: Longer files are refused; None allows a day.

    Returns:
        Float32 array (samples,), finite, at least one sample, full scale ±1. It holds
        samples · sample_rate / the file's rate, rounded to the nearest whole number.

    Raises:
        AudioError: The file is missing, not a regular file, empty, in no known format, damaged, cut, too long, or
            holds samples that no music has.
        ValueError: `sample_rate` or `max_seconds` means nothing.

    Example:
        >>> import numpy as np, soundfile, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/stereo.wav", np.zeros((22_050, 2)), 22_050)
        ...     read(f"{folder}/stereo.wav", 44_100).shape
        (44100,)
    """
    _check_arguments(sample_rate, max_seconds)
    samples = bytearray()  # grows in place, where joining a list of blocks would take twice the memory
    for piece in _pieces(path, sample_rate, max_seconds):
        samples += piece.tobytes()
    return np.frombuffer(samples, dtype=np.float32)


def read_blocks(
    path: str | os.PathLike[str], sample_rate: int, block_samples: int, *, max_seconds: float | None = None
) -> Iterator[Waveform]:
    """Read an audio file as mono, block by block, so that hours of audio never sit in memory.

    The blocks joined are what `read` returns, sample for sample. A damaged file can be refused at any block, the
    last included: what was made of earlier blocks is of no use then.

    Args:
        path: The file, in one of `FORMATS`; its suffix does not matter.
        sample_rate: Hz of the result, from 1,000 to 768,000.
        block_samples: Samples of a block at `sample_rate`.
        max_seconds: Longer files are refused; None allows a day.

    Yields:
        Float32 arrays (block_samples,); the last one may be shorter, and is never empty.

    Raises:
        AudioError: As in `read`, from the first block on.
        ValueError: `sample_rate`, `block_samples` or `max_seconds` means nothing; at the call itself.

    Example:
        >>> import numpy as np, soundfile, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/stereo.wav", np.zeros((22_050, 2)), 22_050)
        ...     [block.shape for block in read_blocks(f"{folder}/stereo.wav", 22_050, 10_000)]
        [(10000,), (10000,), (2050,)]
    """
    _check_arguments(sample_rate, max_seconds)
    if not block_samples >= 1:
        raise ValueError(f"block_samples={block_samples!r}: a block needs a positive whole number of samples")
    return _cut(_pieces(path, sample_rate, max_seconds), block_samples)


def probe(path: str | os.PathLike[str]) -> AudioInfo:
    """Read the header of an audio file, and decode nothing.

    Args:
        path: The file, in one of `FORMATS`.

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
    with _opened(path) as (_, sound):
        return AudioInfo(sound.samplerate, sound.channels, sound.frames / sound.samplerate, sound.format)


def find(folder: str | os.PathLike[str], suffixes: frozenset[str] = AUDIO_SUFFIXES) -> list[Path]:
    """List the audio files of a folder and its subfolders.

    Hidden files and folders are left out, and with them the "._" files that macOS leaves on other disks. Links to
    files count, links to folders are not followed.

    Args:
        folder: Where to look.
        suffixes: Of the files wanted, in small letters; with `OTHER_SUFFIXES` also of files that `read` refuses.

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


class _Forward(soundfile.SoundFile):
    """A sound file that is read from its first frame to its last.

    soundfile seeks to where it is after each read of a file that can be sought. In an MP3 of variable bit rate that
    loses the decoder's state: measured, some 2,500 samples near zero after each block.
    """

    def seekable(self) -> bool:
        """No, whatever the file."""
        return False


def _refuse_folder(error: OSError) -> None:
    """Raise what `os.walk` would pass over in silence."""
    raise AudioError(
        f"{error.filename!r}: cannot be listed as a folder ({error.strerror}); give a folder that can be read"
    ) from error


def _check_arguments(sample_rate: int, max_seconds: float | None) -> None:
    """Refuse what no caller can mean, before any file is touched."""
    whole = isinstance(sample_rate, (int, np.integer))
    if not whole or not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise ValueError(
            f"sample_rate={sample_rate!r}: give a whole number of Hz from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
        )
    if max_seconds is not None and not max_seconds > 0:
        raise ValueError(f"max_seconds={max_seconds!r}: give a positive number of seconds, or None for a day")


def _pieces(path: str | os.PathLike[str], sample_rate: int, max_seconds: float | None) -> Iterator[Waveform]:
    """Decode, mix and resample a file; pieces of any length, at least one sample in all."""
    with _opened(path) as (stream, sound):
        _check_length(path, sound, MAX_SECONDS if max_seconds is None else max_seconds)
        total = 0
        for piece in _resampled(_decoded(path, stream, sound), sound.samplerate, sample_rate):
            total += len(piece)
            yield piece
        if not total:
            raise AudioError(
                f"{_name(path)}: {sound.frames} samples at {sound.samplerate} Hz are not one whole sample at "
                f"{sample_rate} Hz; give a longer file"
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


def _decoded(path: str | os.PathLike[str], stream: FileIO, sound: _Forward) -> Iterator[Waveform]:
    """Decode at most as many frames as the header declares, check them and mix them to mono (frames,)."""
    frames = 0
    while frames < sound.frames:
        try:
            wanted = min(_DECODE_FRAMES, sound.frames - frames)
            block = sound.read(wanted, dtype="float32", always_2d=True)  # (frames, channels)
        except _DECODER_ERRORS as error:
            raise AudioError(
                f"{_name(path)}: damaged, decoding stopped after {frames / sound.samplerate:.2f} s of "
                f"{sound.frames / sound.samplerate:.2f} s ({_reason(error)}); copy or download it again"
            ) from error
        if not len(block):
            break
        _check_samples(path, block, frames, sound.samplerate)
        frames += len(block)
        yield _mixed(block)
    _check_end(path, stream, sound, frames)


def _mixed(block: Waveform) -> Waveform:
    """Average the channels of a block (frames, channels); some times as fast as its `mean` over so short an axis."""
    mono = block[:, 0].copy()
    for channel in range(1, block.shape[1]):
        mono += block[:, channel]
    return mono / block.shape[1] if block.shape[1] > 1 else mono


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[tuple[FileIO, _Forward]]:
    """Open a file whose header is sound.

    libsndfile gets a descriptor, never the path: from the path it would take the suffix, and decode any bytes at
    all in a file called .au, .snd, .gsm or .vox as headerless speech.
    """
    _check_regular(path)
    with _stream(path) as stream:
        try:
            sound = _Forward(stream.fileno(), closefd=False)
        except _DECODER_ERRORS as error:
            raise _not_decodable(path, _reason(error)) from error
        with sound:
            _check_header(path, sound)
            yield stream, sound


def _stream(path: str | os.PathLike[str]) -> FileIO:
    """Open without a buffer of our own: the position is then the decoder's."""
    try:
        return FileIO(path, "rb")
    except OSError as error:
        raise AudioError(f"{_name(path)}: cannot be opened ({error.strerror}); give a readable file") from error


def _check_regular(path: str | os.PathLike[str]) -> None:
    """Look before opening: a FIFO would hang every decoder."""
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise AudioError(f"{_name(path)}: no such file; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise AudioError(f"{_name(path)}: cannot be reached ({_reason(error)}); check the path") from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"{_name(path)}: a folder, not a file; give one of its files")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"{_name(path)}: a pipe, socket or device, not a regular file; copy its audio to a file")
    if status.st_size == 0:
        raise AudioError(f"{_name(path)}: empty (0 bytes); copy or download it again")


def _check_header(path: str | os.PathLike[str], sound: _Forward) -> None:
    """Refuse what the header alone gives away."""
    if sound.format not in FORMATS:
        raise _not_decodable(path, f"its format is {sound.format}")
    if not MIN_SAMPLE_RATE <= sound.samplerate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{_name(path)}: its sample rate is {sound.samplerate} Hz; give a file with a rate from "
            f"{MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz"
        )
    if not 1 <= sound.channels <= MAX_CHANNELS:
        raise AudioError(f"{_name(path)}: it has {sound.channels} channels; give a file with 1 to {MAX_CHANNELS}")
    if sound.frames <= 0:
        raise AudioError(f"{_name(path)}: holds no samples; give a file with audio in it")
    if sound.frames > _UNKNOWN_FRAMES:
        raise AudioError(f"{_name(path)}: its header states no length; write the {sound.format} file again, whole")
    declared, there = _declared_and_there(sound)
    if declared < _UNKNOWN_BYTES and there < COMPLETE * declared:
        raise AudioError(
            f"{_name(path)}: cut off, its header declares {declared} bytes or frames of audio and {there} are there; "
            "copy or download it again"
        )


def _declared_and_there(sound: _Forward) -> tuple[int, int]:
    """Audio that an uncompressed format's header declares, and that the file holds.

    libsndfile takes a cut WAV, AU, AIFF, W64 or RF64 file for a shorter one, and says so in its log alone.

    Returns:
        Two lengths in the same unit, bytes or frames; (0, 0) where the log has none.
    """
    if sound.format not in ("WAV", "WAVEX", "AU", "AIFF", "W64", "RF64"):
        return 0, 0
    log = sound.extra_info
    if frames := re.search(r"Calculated frame count (\d+) does not match value from 'ds64' chunk of (\d+)", log):
        return int(frames[2]), int(frames[1])
    lengths = {
        chunk: (int(declared), int(there or declared))
        for chunk, declared, there in re.findall(
            r"^ *(riff|data|SSND|Data Size|RIFF|FORM) *: (\d+)\b(?: \(should be (\d+)\))?", log, re.MULTILINE
        )
    }
    # The whole file's length (RIFF, FORM) is often wrong and harmless. It counts where long metadata has filled the
    # log before the line of the audio came. In W64 (riff) it is the only one that is compared.
    for chunk in ("riff", "data", "SSND", "Data Size", "RIFF", "FORM"):
        if chunk in lengths:
            return lengths[chunk]
    return 0, 0


def _check_length(path: str | os.PathLike[str], sound: _Forward, max_seconds: float) -> None:
    """Refuse a length before anything is decoded."""
    seconds = sound.frames / sound.samplerate
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


def _check_end(path: str | os.PathLike[str], stream: FileIO, sound: _Forward, frames: int) -> None:
    """Compare what was decoded with what was declared, and with what the file holds."""
    seconds, declared = frames / sound.samplerate, sound.frames / sound.samplerate
    if frames < COMPLETE * sound.frames:
        hint = " (or an MP3 of variable bit rate without a Xing header)" if sound.format == "MP3" else ""
        raise AudioError(
            f"{_name(path)}: damaged or cut off{hint}, {seconds:.2f} s decoded of the {declared:.2f} s that its header "
            "declares; copy or download it again, or write it again"
        )
    if sound.format not in ("MP3", "FLAC", "OGG"):  # others may hold any amount of metadata after the audio
        return
    position, size = stream.tell(), os.fstat(stream.fileno()).st_size
    if size - position > max(_LEFT_OVER_BYTES, (1 - COMPLETE) * size):
        raise AudioError(
            f"{_name(path)}: its header is wrong, the {declared:.2f} s that it declares are in the first {position} of "
            f"{size} bytes; write the {sound.format} file again, whole"
        )
    if sound.format == "OGG" and not _has_last_page(stream, size):
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


def _not_decodable(path: str | os.PathLike[str], reason: str) -> AudioError:
    """The one sentence for what is no audio, or audio of another kind."""
    return AudioError(
        f"{_name(path)}: cannot be decoded ({reason}); {', '.join(SUFFIXES)} files are read (Ogg: Vorbis, Opus), "
        "so convert others, such as M4A, AAC and WMA, to one of them"
    )


def _name(path: str | os.PathLike[str]) -> str:
    """The path in quotes, safe to print whatever bytes it holds."""
    return repr(os.fspath(path))


def _reason(error: Exception) -> str:
    """The library's own words, without its names for our descriptor and our path."""
    if isinstance(error, soundfile.LibsndfileError):
        return error.error_string.rstrip(". ")
    return getattr(error, "strerror", None) or str(error)
