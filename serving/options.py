"""The options of a client, and the two ways in which a request fails."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcc_zoo.atomic import make_folder, write_bytes
from mcc_zoo.disk import WriteError, explained

MAX_SECONDS = 600.0
ABOUT_THE_MODEL = re.compile(
    r"[Ss]ervable|[Ss]ignature|Malformed request|[Nn]ot initialized|uninitialized"
)  # messages for which no file is to blame


class RequestRefused(Exception):
    """One file cannot be tagged; the message is the reason in its row. The next file is tried."""


class ServerUnusable(Exception):
    """No file can be tagged: there is no server, no such model, or an export that does not fit."""


@dataclass(frozen=True)
class Options:
    """The command line of a client.

    Attributes:
        model: The model's name on the server.
        files: Paths of audio files.
        server: The server's address.
        version: The version to ask; None leaves the choice to the label, or to the server.
        label: `stable`, `canary` or what the server's models.config has; None for no label.
        wav: Whether WAV files are sent as they are.
        export: Copy of the served export; None is exported_models/MODEL.
        decoder: What decodes the files.
        descriptors: Whether descriptors are printed.
        max_seconds: Longer files are refused.
        timeout: Seconds to wait for an answer.
        record: Folder that requests are written into.
    """

    model: str
    files: Sequence[str]
    server: str
    version: int | None = None
    label: str | None = None
    wav: bool = False
    export: Path | None = None
    decoder: str = "auto"
    descriptors: bool = False
    max_seconds: float = MAX_SECONDS
    timeout: float = 60.0
    record: Path | None = None

    @property
    def signature(self) -> str:
        """The signature of the SavedModel that is asked."""
        return "tag_wav" if self.wav else "serving_default"

    @property
    def input(self) -> str:
        """The signature's one input."""
        return "wav_bytes" if self.wav else "audio"

    @property
    def export_folder(self) -> Path:
        """Where the labels and the sample rate are read."""
        return self.export or Path("exported_models") / self.model

    def record_request(self, file: str, suffix: str, sent: bytes) -> None:
        """Write a request to the --record folder as FILE.SIGNATURE.SUFFIX; of files of one name the last stays.

        Raises:
            ServerUnusable: The folder cannot be written.
        """
        if self.record:
            try:
                with explained(self.record, "--record=", "name another"):
                    make_folder(self.record)
                    write_bytes(self.record / f"{Path(file).name}.{self.signature}.{suffix}", sent)
            except WriteError as error:
                raise ServerUnusable(str(error)) from error

    def as_error(self, status: str, reason: str, of_the_file: bool) -> RequestRefused | ServerUnusable:
        """Tell a file that the server refuses from a server that cannot be used.

        Args:
            status: The protocol's word for what happened.
            reason: The server's, in plain text.
            of_the_file: Whether a bad file can cause this status.
        """
        if of_the_file and not ABOUT_THE_MODEL.search(reason):
            return RequestRefused(reason)
        return ServerUnusable(f"model {self.model!r} at --server={self.server} did not answer ({status}): {reason}")

    def as_late(self) -> RequestRefused:
        """Make the error of an answer that did not come in time."""
        return RequestRefused(f"no answer within --timeout={self.timeout:g} s; allow more, or send a shorter file")
