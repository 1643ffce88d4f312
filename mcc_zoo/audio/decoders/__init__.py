"""The decoders: which formats each reads, and which package it needs.

Each decoder is a module of this folder with one function, `open_sound`, which returns a `contract.Sound`.
`mcc_zoo.audio.reading` applies the same checks to all of them. Only tensorflow-io imports TensorFlow, and only when it
decodes its first block.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from io import FileIO
from typing import Literal

from mcc_zoo.audio.decoders.contract import Sound

DecoderName = Literal["auto", "soundfile", "av", "tfio"]

# Named as in libsndfile. It reads further formats; in these a cut file, or one with a wrong header, is detected.
SUFFIXES = {
    "WAV": (".wav", ".wave"),
    "RF64": (".rf64",),
    "W64": (".w64",),
    "FLAC": (".flac",),
    "OGG": (".ogg", ".oga", ".opus", ".spx"),
    "MP3": (".mp3",),
    "AU": (".au", ".snd"),
    "AIFF": (".aif", ".aiff", ".aifc"),
    "CAF": (".caf",),
}
FFMPEG_SUFFIXES = {  # formats that only FFmpeg reads
    "M4A": (".m4a", ".m4b", ".mp4"),
    "AAC": (".aac",),
    "WMA": (".wma",),
    "MKA": (".mka", ".weba", ".webm"),
    "MP2": (".mp2",),
    "AC3": (".ac3",),
    "EAC3": (".eac3",),
    "WV": (".wv",),
    "TTA": (".tta",),
    "APE": (".ape",),
    "MPC": (".mpc",),
}
LIBSNDFILE_FORMATS = frozenset({*SUFFIXES, "WAVEX"})  # WAVEX is WAV with a longer header
ALL_FORMATS = LIBSNDFILE_FORMATS | set(FFMPEG_SUFFIXES)
_ALL_TEXT = f"{', '.join([*SUFFIXES, *FFMPEG_SUFFIXES])} files are read"
TFIO_TENSORFLOW = "2.17."  # tensorflow-io's last release imports beside later versions, but its operations fail


@dataclass(frozen=True)
class Decoder:
    """A decoder, described without importing it.

    Attributes:
        name: Its name in `DECODERS`.
        module: Its module in this package.
        required_module: The third-party module that it imports.
        install: The command that installs that module.
        formats: The formats that it reads, named as in libsndfile.
        formats_text: The formats as messages list them.
        formats_without_length: The formats that it reads even where the file states no length; a cut goes unnoticed.
        needs_own_process: Whether some damaged files end the process that decodes them.
    """

    name: DecoderName
    module: str
    required_module: str
    install: str
    formats: frozenset[str]
    formats_text: str
    formats_without_length: frozenset[str] = frozenset()
    needs_own_process: bool = False

    def open_sound(self, stream: FileIO) -> Sound:
        """Open a file.

        Args:
            stream: The file, at its beginning.

        Raises:
            contract.NotDecodable: The file is in no format that the decoder reads.
        """
        module = importlib.import_module(f"{__name__}.{self.module}")
        sound: Sound = module.open_sound(stream)
        return sound


DECODERS: dict[DecoderName, Decoder] = {
    decoder.name: decoder
    for decoder in (
        Decoder(
            name="auto",
            module="auto",
            required_module="av",
            install="pip install av",
            formats=ALL_FORMATS,
            formats_text=_ALL_TEXT,
            formats_without_length=ALL_FORMATS,
        ),
        Decoder(
            name="soundfile",
            module="libsndfile",
            required_module="soundfile",
            install="pip install soundfile",
            formats=LIBSNDFILE_FORMATS,
            formats_text=f"{', '.join(SUFFIXES)} files are read (Ogg: Vorbis, Opus)",
            formats_without_length=frozenset({"MP3"}),
        ),
        Decoder(
            name="av",
            module="ffmpeg",
            required_module="av",
            install="pip install av",
            formats=ALL_FORMATS,
            formats_text=_ALL_TEXT,
            formats_without_length=ALL_FORMATS,
        ),
        Decoder(
            name="tfio",
            module="tfio",
            required_module="tensorflow_io",
            install="pip install .[tfio] into an environment of its own, with Python 3.11 or 3.12",
            formats=frozenset({"WAV", "WAVEX", "FLAC", "OGG", "MP3"}),
            formats_text="WAV (8, 16 or 24 bits, or float), FLAC, OGG (Vorbis), MP3 files are read",
            formats_without_length=frozenset({"MP3"}),
            needs_own_process=True,
        ),
    )
}


def find_decoder(decoder: DecoderName | Decoder) -> Decoder:
    """Look up a decoder by its name, and check that it is installed.

    A decoder that was found already is returned as it is: its name is checked once.

    Raises:
        ValueError: The decoder is unknown or not installed; the message says what to choose or to install.
    """
    if isinstance(decoder, Decoder):
        return decoder
    if decoder not in DECODERS:
        raise ValueError(f"decoder={decoder!r} is not known: choose one of {', '.join(DECODERS)}")
    found = DECODERS[decoder]
    if importlib.util.find_spec(found.required_module) is None:
        raise ValueError(
            f"decoder={decoder!r} needs the module {found.required_module}, which is not installed: {found.install}"
        )
    if decoder == "tfio":
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            version = importlib.metadata.version("tensorflow")
            if not version.startswith(TFIO_TENSORFLOW):
                raise ValueError(
                    f"decoder='tfio' needs TensorFlow 2.17.1 and {version} is installed: {found.install}, or choose "
                    "another decoder"
                )
    return found
