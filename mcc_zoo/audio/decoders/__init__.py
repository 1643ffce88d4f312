"""Decoders: what reads which formats, and what has to be installed for it.

Each is a file here with one function, `opened`, that gives a `contract.Sound`. `mcc_zoo.audio` applies the same checks
to what any of them says and decodes. Nothing here imports TensorFlow before tensorflow-io has something to decode.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from io import FileIO
from typing import Literal, get_args

from mcc_zoo.audio.decoders.contract import Sound

Name = Literal["soundfile", "av", "tfio"]
NAMES: tuple[Name, ...] = get_args(Name)

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
OF_FFMPEG = {"M4A": (".m4a", ".mp4"), "AAC": (".aac",), "WMA": (".wma",)}  # and of no other decoder here
OF_LIBSNDFILE = frozenset({*SUFFIXES, "WAVEX"})  # WAVEX is WAV with a longer header


@dataclass(frozen=True)
class Decoder:
    """What is to be known of a decoder before it is imported.

    Attributes:
        module: Its file here.
        needs: The module that it imports.
        install: How to get that.
        formats: What it reads; names as libsndfile's.
        said: The formats, as messages list them.
        without_length: Formats of which it reads files that state no length, and in which a cut goes unnoticed.
    """

    module: str
    needs: str
    install: str
    formats: frozenset[str]
    said: str
    without_length: frozenset[str] = frozenset()


DECODERS: dict[Name, Decoder] = {
    "soundfile": Decoder(
        "libsndfile", "soundfile", "pip install soundfile", OF_LIBSNDFILE, f"{', '.join(SUFFIXES)} files are read "
        "(Ogg: Vorbis, Opus)",
    ),
    "av": Decoder(
        "ffmpeg", "av", "pip install .[av]", OF_LIBSNDFILE | set(OF_FFMPEG), f"{', '.join(SUFFIXES)}, M4A, "
        "AAC, WMA files are read (Ogg: Vorbis, Opus)", frozenset({"FLAC", "AAC"}),
    ),
    "tfio": Decoder(
        "tfio", "tensorflow_io", "pip install .[tfio] into an environment of its own, with Python 3.11 or 3.12",
        frozenset({"WAV", "WAVEX", "FLAC", "OGG", "MP3"}), "WAV (8, 16 or 24 bits, or float), FLAC, OGG (Vorbis), MP3 "
        "files are read",
    ),
}  # fmt: skip
process_is_its_own = False  # set in the process of `mcc_zoo.isolation`, which may be ended by a file
TFIO_TENSORFLOW = "2.17."  # tensorflow-io's last release can be imported beside others, but none of its operations runs


def check(decoder: str) -> None:
    """Refuse a decoder that there is not, or not here.

    Raises:
        ValueError: One sentence that says what to choose or to install.
    """
    if decoder not in NAMES:
        raise ValueError(f"decoder={decoder!r} is not known: choose one of {', '.join(NAMES)}")
    known = DECODERS[decoder]
    if importlib.util.find_spec(known.needs) is None:
        raise ValueError(f"decoder={decoder!r} needs the module {known.needs}, which is not installed: {known.install}")
    if decoder == "tfio":
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found = importlib.metadata.version("tensorflow")
            if not found.startswith(TFIO_TENSORFLOW):
                raise ValueError(
                    f"decoder='tfio' needs TensorFlow 2.17.1 and {found} is installed: {known.install}, or choose "
                    "another decoder"
                )


def check_here(decoder: str) -> None:
    """Refuse to decode in this process with a decoder that some damaged files make end it.

    Raises:
        ValueError: As `check`, or it is tensorflow-io, and this process is not one of `mcc_zoo.isolation`.
    """
    check(decoder)
    if decoder == "tfio" and not process_is_its_own:
        raise ValueError(
            "decoder='tfio' ends the process on some damaged files: give it one of its own, "
            "mcc_zoo.audio.subprocess_decoder.IsolatedDecoder(decoder='tfio'), as mcc_zoo.load and FeatureCache do"
        )


def opened(stream: FileIO, decoder: Name) -> Sound:
    """Open a file with a decoder.

    Args:
        stream: The file, at its beginning.
        decoder: One that `check` lets pass.

    Raises:
        contract.NotDecodable: The file is in no format that the decoder reads.
    """
    module = importlib.import_module(f"mcc_zoo.audio.decoders.{DECODERS[decoder].module}")
    sound: Sound = module.opened(stream)
    return sound
