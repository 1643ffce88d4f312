"""What a catalogue asks of each of its files: with which export, and with which options."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mcc_zoo.catalogue.rows import PROBABILITY, Row, make_descriptor_row, make_tag_row
from mcc_zoo.export.metadata import METADATA_FILE, ExportError, ExportMetadata

if TYPE_CHECKING:
    import pyarrow as pa

    from mcc_zoo.audio.decoders import DecoderName
    from mcc_zoo.inference.result import Result
    from mcc_zoo.inference.tagger import Mode, Tagger

EXPORT_HASH = "export"


@dataclass(frozen=True)
class Job:
    """What is asked of each file; a process that is given it can make rows.

    Attributes:
        command: `tag` for tags and descriptor, `describe` for the descriptor alone.
        folder: Folder of the export's version.
        export_hash: SHA-256 of its mcc_zoo.json, which holds the hashes of its other files.
        sequence: As in `mcc_zoo.Tagger.tag`.
        decoder: Name of the decoder.
        chunks: Whether `describe` gives the descriptors of the chunks too.
    """

    command: Literal["tag", "describe"]
    folder: Path
    export_hash: str
    sequence: Mode = "windows"
    decoder: DecoderName = "auto"
    chunks: bool = False

    @cached_property
    def metadata(self) -> ExportMetadata:
        """What the export's mcc_zoo.json says.

        Raises:
            ExportError: It cannot be read, or is not the one of the job.
        """
        if hash_export(self.folder) != self.export_hash:
            raise ExportError(f"{self.folder} holds another export than the one asked for: copy that one there")
        return ExportMetadata.read(self.folder)

    def identify(self) -> dict[str, str]:
        """Say what decides about the rows; two jobs that say the same have the same rows."""
        return {
            "command": self.command,
            "export": f"{self.metadata.name} version {self.folder.name}, {METADATA_FILE} {self.export_hash}",
            "sequence": self.sequence,
            "decoder": self.decoder,
            "chunks": "yes" if self.chunks else "no",
        }

    def make_row(self, result: Result, tagger: Tagger) -> Row:
        """Make the row of a result: its columns are those of `make_schema`."""
        if self.command == "describe":
            row = make_descriptor_row(result, tagger, self.chunks)
        else:
            row = make_tag_row(result, tagger) | {"descriptor": result.descriptor}
        return row | {EXPORT_HASH: self.export_hash}

    def make_refused_row(self, path: str, reason: str) -> Row:
        """Make the row of a file that no process could read; `path` is as the table has it."""
        empty = {"string": "", "int64": 0, "double": None}
        row: Row = {column.name: empty.get(str(column.type), ()) for column in self.make_schema()}
        known = {"path": path, "status": "refused", "reason": reason, "seconds": 0.0, EXPORT_HASH: self.export_hash}
        return row | known

    def make_schema(self) -> pa.Schema:
        """List the columns and their types."""
        import pyarrow as pa

        many = self.metadata.task == "multi-label"
        floats = pa.list_(pa.float32())
        columns = [(name, pa.string()) for name in ("path", "status", "reason", "tag", *(["tags"] if many else []))]
        columns += [("chunks", pa.int64()), ("seconds", pa.float64()), ("windows", pa.int64())]
        if self.command == "tag":
            columns += [(PROBABILITY + label, pa.float64()) for label in self.metadata.labels]
        columns += [("descriptor", floats)]
        if self.chunks:
            columns += [("chunk_descriptors", pa.list_(floats))]
        return pa.schema([*columns, (EXPORT_HASH, pa.string())])


def hash_export(folder: Path) -> str:
    """Hash the mcc_zoo.json of an export's version, which holds the hashes of all its other files.

    Raises:
        ExportError: There is none.
    """
    try:
        return hashlib.sha256((folder / METADATA_FILE).read_bytes()).hexdigest()
    except OSError as error:
        raise ExportError(
            f"{folder / METADATA_FILE} cannot be read ({error.strerror}): is the folder whole?"
        ) from error
