"""Audio files to what the clients send: samples at the export's rate, or WAV files as they are."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.options import Options, RequestRefused, ServerUnusable

if TYPE_CHECKING:
    import numpy as np

MAX_WAV_BYTES = 1 << 28  # 256 MiB; ten minutes of 16 bits, stereo, at 44,100 Hz are 101 MiB


@contextlib.contextmanager
def open_reader(
    options: Options,
) -> Iterator[tuple[Callable[[str], np.ndarray | bytes], Sequence[str] | None]]:
    """Give the function that reads a file, and the labels; None where the server's answer has them.

    The function returns audio (samples,) float32 or the bytes of a WAV file, and raises `RequestRefused`.

    Raises:
        ServerUnusable: The decoder is not installed, or the export is not there.
    """
    if options.wav:
        yield _read_wav, None
        return
    from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder

    sample_rate, labels = _read_contract(options)
    try:
        isolated = IsolatedDecoder(decoder=options.decoder)  # type: ignore[arg-type]  # it checks the name
    except ValueError as error:
        raise ServerUnusable(f"--{error}") from error
    with isolated as decoder:
        yield lambda file: _decode(decoder, file, sample_rate, options.max_seconds), labels


def _read_wav(file: str) -> bytes:
    try:
        if not os.path.isfile(file):  # a pipe would be waited for
            raise RequestRefused(f"{file!r}: no regular file is there; give an audio file")
        if os.path.getsize(file) > MAX_WAV_BYTES:
            raise RequestRefused(f"{file!r}: larger than {MAX_WAV_BYTES >> 20} MiB; cut it, or leave --wav out")
        return Path(file).read_bytes()
    except OSError as error:
        raise RequestRefused(f"{file!r}: cannot be read ({error.strerror})") from error


def _decode(decoder: Any, file: str, sample_rate: int, max_seconds: float) -> np.ndarray:
    from mcc_zoo.audio.checks import AudioError

    try:
        blocks = decoder.read_blocks(file, sample_rate, max(1, round(max_seconds * sample_rate)))
        audio = next(blocks)
        if next(blocks, None) is not None:
            raise RequestRefused(f"{file!r}: longer than --max-seconds={max_seconds:g}; cut it, or allow more")
        return audio
    except AudioError as error:
        raise RequestRefused(str(error)) from error


def _read_contract(options: Options) -> tuple[int, list[str]]:
    """Read sample rate and labels, which serving_default does not tell, from a copy of the export."""
    from mcc_zoo.export.metadata import ExportError, ExportMetadata
    from mcc_zoo.inference.locate import latest

    folder = options.export_folder
    version = folder / str(options.version)
    try:
        metadata = ExportMetadata.read(latest(version if version.is_dir() else folder))
        return metadata.sample_rate, list(metadata.labels)
    except ExportError as error:
        raise ServerUnusable(
            f"{error}. The served model's sample rate and labels are read from there: give --export=FOLDER, or --wav "
            "to let the server decode"
        ) from error
