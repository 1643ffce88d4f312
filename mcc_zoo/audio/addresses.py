"""Files at an address, such as s3://music/song.mp3: whatever fsspec reads, which extra [remote] installs.

A file at an address is fetched into a temporary file, because decoders seek and because memory must not grow with a
file's length. The decoder's process reads that file: it gets bytes, and neither the address nor the keys to it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

from mcc_zoo.audio.checks import AudioError
from mcc_zoo.extras import MissingExtraError, require

LOCAL = "file://"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?:::[A-Za-z0-9+.-]+)*://")
_SUFFIX = re.compile(r"\.\w{1,8}", re.ASCII)
_PIECE_BYTES = 1 << 20
_PAUSES = (1.0, 4.0)  # seconds before a further try, where a connection failed
_FINAL = (PermissionError, IsADirectoryError, ValueError)  # another try would end in the same way


def is_address(path: str) -> bool:
    """Check whether a text is an address and no path of this machine.

    >>> is_address("s3://music/song.mp3"), is_address("music/song.mp3")
    (True, False)
    """
    return _ADDRESS.match(path) is not None


@contextlib.contextmanager
def as_local_file(path: str) -> Iterator[str]:
    """Give the path of a file on this machine while the block runs: the path itself, or that of a fetched copy.

    Args:
        path: A path, which is not looked at, or an address. `file://` URIs name files of this machine.

    Raises:
        AudioError: The file cannot be fetched.
        MissingExtraError: A package that reads such addresses is not installed.
    """
    if not is_address(path):
        yield path
    elif path.startswith(LOCAL):
        yield os.fsdecode(urllib.parse.unquote_to_bytes(path.removeprefix(LOCAL)))
    else:
        suffix = PurePosixPath(urllib.parse.urlsplit(path).path).suffix  # messages about unknown formats name it
        with tempfile.TemporaryDirectory(prefix="mcc_zoo-") as folder:
            copy = os.path.join(folder, f"audio{suffix if _SUFFIX.fullmatch(suffix) else ''}")
            _fetch(path, copy)
            yield copy


@contextlib.contextmanager
def open_address(address: str) -> Iterator[IO[bytes]]:
    """Open a file at an address for reading, with fsspec.

    Raises:
        MissingExtraError: A package that reads such addresses is not installed.
        OSError: It cannot be opened; there are also errors of the packages behind fsspec.
    """
    with _named_package(address):
        found = require("fsspec", "remote").open(address, "rb")
    with found as opened:  # and not `found.open()`: a file in an archive is closed together with `found`
        yield opened


def find_file_system(address: str) -> tuple[Any, str]:
    """Return the file system of fsspec for an address, and the path in it.

    Raises:
        MissingExtraError: A package that reads such addresses is not installed.
    """
    with _named_package(address):
        system, path = require("fsspec.core", "remote").url_to_fs(address)
    return system, path


@contextlib.contextmanager
def _named_package(address: str) -> Iterator[None]:
    """Say which package is missing, where fsspec knows an address and lacks the package that reads it."""
    try:
        yield
    except MissingExtraError:
        raise
    except ImportError as error:
        raise MissingExtraError(f"{address} cannot be read ({error})") from error


def _fetch(address: str, copy: str) -> None:
    """Copy a file to a path; where the connection fails, try again."""
    for pause in (*_PAUSES, None):
        try:
            with open_address(address) as source, open(copy, "wb") as target:
                shutil.copyfileobj(source, target, _PIECE_BYTES)
            return
        except MissingExtraError:
            raise
        except FileNotFoundError as error:
            raise AudioError(address, "no such file; check the address") from error
        except Exception as error:  # each package behind fsspec has errors of its own
            if pause is None or isinstance(error, _FINAL):
                reason = str(error).partition("\n")[0] or repr(error)
                raise AudioError(address, f"cannot be fetched ({reason}); check address and connection") from error
            time.sleep(pause)
