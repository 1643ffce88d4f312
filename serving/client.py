"""What the two clients share: arguments, files to requests, answers to lines of JSON, exit statuses.

Nothing here imports TensorFlow, or mcc_zoo before a file has to be decoded: with --wav the REST client needs `requests`
alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

ALL_TAGGED, SOME_REFUSED, IMPOSSIBLE, INTERRUPTED = 0, 1, 2, 130  # exit statuses, as of mcc-zoo
RETRIES = 3  # of a request that a server which starts or is full has not answered
MAX_SECONDS = 600.0
MAX_WAV_BYTES = 1 << 28  # 256 MiB; ten minutes of 16 bits, stereo, at 44,100 Hz are 101 MiB
ABOUT_THE_MODEL = re.compile(r"[Ss]ervable|[Ss]ignature|Malformed request")  # in what TF Serving says of no file
EPILOG = """\
One line of JSON a file goes to standard output: path, status (ok or refused), reason, tag (the most probable label) and
tags (the probability of each label), with --descriptors also descriptor. Exit status: 0 all tagged, 1 some refused,
2 the server or the export cannot be used, 130 Ctrl-C.
"""


class RequestRefused(Exception):
    """One file cannot be tagged; the message is its row's reason. Others may be."""


class ServerUnusable(Exception):
    """No file can be tagged: there is no server, no such model, or an export that does not fit."""


@dataclass(frozen=True)
class Request:
    """What a file asks of a server, before a protocol puts it into bytes.

    Attributes:
        file: Its path.
        model: The model's name on the server.
        version: Its version; None leaves the choice to the label, or to the server.
        label: `stable`, `canary` or whatever the server's models.config has; None for no label.
        signature: Of the SavedModel.
        input: The signature's one input.
        value: Its one row: audio, (samples,) float32, or the bytes of a WAV file.
    """

    file: str
    model: str
    version: int | None
    label: str | None
    signature: str
    input: str
    value: np.ndarray | bytes


Answer = Mapping[str, Any]  # an output's name to its values, as nested lists
Ask = Callable[[Request], Answer]


def parser(protocol: str, server: str, example: str) -> argparse.ArgumentParser:
    """Make the parser of a client's command line.

    Args:
        protocol: For the description.
        server: The address that --server has by default.
        example: How the client is called.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m serving.{protocol.lower()}_client",
        description=f"Tag audio files by a model that TF Serving serves, over {protocol}.",
        epilog=f"{EPILOG}\nExample: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("model", metavar="MODEL", help="the model's name on the server: a name of models.config")
    made.add_argument("files", metavar="FILE", nargs="+", help="audio files")
    made.add_argument("--server", default=server, help="where TF Serving listens (%(default)s)")
    which = made.add_mutually_exclusive_group()
    which.add_argument("--version", type=_version, help="ask this version; without it the server takes the newest")
    which.add_argument("--label", help="ask the version that has this label: stable, canary")
    made.add_argument(
        "--wav",
        action="store_true",
        help="send WAV files as they are, at any rate, and let the server decode them (signature tag_wav). "
        "Without it files of all formats are decoded here and sent as samples (serving_default)",
    )
    made.add_argument(
        "--export",
        type=Path,
        help="a copy of the export that is served, whose labels and sample rate are needed without --wav "
        "(exported_models/MODEL)",
    )
    made.add_argument(
        "--decoder",
        default="soundfile",
        choices=("soundfile", "av", "tfio"),
        help="who decodes files; av also reads M4A, AAC and WMA (%(default)s); not with --wav",
    )
    made.add_argument("--descriptors", action="store_true", help="print the tracks' descriptors too")
    made.add_argument(
        "--max-seconds", type=_positive, default=MAX_SECONDS, help="refuse longer files (%(default)s); not with --wav"
    )
    made.add_argument("--timeout", type=_positive, default=60.0, help="seconds to wait for an answer (%(default)s)")
    made.add_argument("--record", type=Path, metavar="FOLDER", help="also write each request there, as it is sent")
    return made


def run(arguments: argparse.Namespace, ask: Ask) -> int:
    """Tag the files, a line of JSON each, and return the exit status.

    Args:
        arguments: As `parser` gives them.
        ask: Sends a request and returns the outputs; raises `RequestRefused` or `ServerUnusable`.
    """
    refused = 0
    try:
        for row in _rows(arguments, ask):
            refused += row["status"] != "ok"
            print(json.dumps(row, ensure_ascii=False), flush=True)
    except ServerUnusable as error:
        print(f"error: {error}", file=sys.stderr)
        return IMPOSSIBLE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the rows has enough of them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    if refused:
        print(f"{refused} of {len(arguments.files)} files refused, see their reasons", file=sys.stderr)
    return SOME_REFUSED if refused else ALL_TAGGED


def recorded(arguments: argparse.Namespace, request: Request, suffix: str, sent: bytes) -> None:
    """Write a request where --record asks for it: FILE.SIGNATURE.SUFFIX; of files of one name the last stays."""
    if arguments.record:
        try:
            arguments.record.mkdir(parents=True, exist_ok=True)
            name = f"{Path(request.file).name}.{request.signature}.{suffix}"
            (arguments.record / name).write_bytes(sent)
        except OSError as error:
            raise ServerUnusable(f"--record={arguments.record} cannot be written: {error.strerror}") from error


def failure(
    arguments: argparse.Namespace, status: str, reason: str, of_the_file: bool
) -> RequestRefused | ServerUnusable:
    """Tell a file that the server refuses from a server that cannot be used.

    Args:
        arguments: Of the command line.
        status: The protocol's word for what happened.
        reason: The server's, as a sentence.
        of_the_file: Whether the status is one that a file can be to blame for.
    """
    if of_the_file and not ABOUT_THE_MODEL.search(reason):
        return RequestRefused(reason)
    return ServerUnusable(
        f"model {arguments.model!r} at --server={arguments.server} did not answer ({status}): {reason}"
    )


def late(arguments: argparse.Namespace) -> RequestRefused:
    """Say that an answer did not come in time."""
    return RequestRefused(f"no answer within --timeout={arguments.timeout:g} s; allow more, or send a shorter file")


def sentence(message: str) -> str:
    r"""Keep what a person can use of a server's message: no names of nodes, no brackets of assertions.

    >>> sentence("assertion failed: [audio is too short; it has] [100]\n\t [[{{node model/Assert}}]]")
    'audio is too short; it has 100'
    """
    message = message.rpartition("assertion failed: ")[2]
    message = re.split(r"\s*\[\[\{\{|\s*\[Op:", message)[0]
    message = re.sub(r"\{\{[^}]*\}\}\s*", "", message).strip()
    if message.startswith("[") and message.endswith("]"):
        message = message[1:-1].replace("] [", " ")
    return " ".join(message.split())


def _rows(arguments: argparse.Namespace, ask: Ask) -> Iterator[dict[str, Any]]:
    with _reader(arguments) as (read, labels):
        for file in arguments.files:
            row: dict[str, Any] = {"path": file, "status": "ok", "reason": "", "tag": "", "tags": {}}
            try:
                answer = ask(_request(arguments, file, read(file)))
            except RequestRefused as error:
                reason = str(error)
                row |= {"status": "refused", "reason": reason if file in reason else f"{file}: {reason}"}
            else:
                row |= _tagged(answer, labels, arguments)
            yield row


def _request(arguments: argparse.Namespace, file: str, value: np.ndarray | bytes) -> Request:
    signature, name = ("tag_wav", "wav_bytes") if arguments.wav else ("serving_default", "audio")
    return Request(file, arguments.model, arguments.version, arguments.label, signature, name, value)


def _tagged(answer: Answer, labels: Sequence[str] | None, arguments: argparse.Namespace) -> dict[str, Any]:
    try:
        (tags,), (descriptor,) = answer["tags"], answer["descriptor"]
        names = labels or [_text(label) for label in answer["labels"][0]]
        named = dict(zip(names, tags, strict=True))
        row = {"tag": max(named, key=named.__getitem__), "tags": named}
    except (KeyError, TypeError, ValueError) as error:
        raise ServerUnusable(
            f"the answer of model {arguments.model!r} does not fit ({error!r}): is it an export of mcc_zoo, and the "
            f"one of --export={arguments.export or _default_export(arguments)}?"
        ) from error
    return row | ({"descriptor": descriptor} if arguments.descriptors else {})


def _text(label: str | bytes) -> str:
    return label.decode() if isinstance(label, bytes) else label  # gRPC gives bytes


@contextlib.contextmanager
def _reader(
    arguments: argparse.Namespace,
) -> Iterator[tuple[Callable[[str], np.ndarray | bytes], Sequence[str] | None]]:
    """Give the function that reads a file, and the labels; None where the server says them."""
    if arguments.wav:
        yield _wav_bytes, None
        return
    from mcc_zoo.silence import quiet

    with quiet():  # the package imports TensorFlow, which takes its seconds and writes lines of its own
        from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder

    sample_rate, labels = _contract(arguments)
    try:
        isolated = IsolatedDecoder(decoder=arguments.decoder)
    except ValueError as error:
        raise ServerUnusable(f"--{error}") from error
    with isolated as decoder:
        yield lambda file: _decoded(decoder, file, sample_rate, arguments.max_seconds), labels


def _wav_bytes(file: str) -> bytes:
    try:
        if not os.path.isfile(file):  # a pipe would be waited for
            raise RequestRefused(f"{file!r}: no regular file is there; give an audio file")
        if os.path.getsize(file) > MAX_WAV_BYTES:
            raise RequestRefused(f"{file!r}: larger than {MAX_WAV_BYTES >> 20} MiB; cut it, or leave --wav out")
        return Path(file).read_bytes()
    except OSError as error:
        raise RequestRefused(f"{file!r}: cannot be read ({error.strerror})") from error


def _decoded(decoder: Any, file: str, sample_rate: int, max_seconds: float) -> np.ndarray:
    from mcc_zoo.audio.checks import AudioError

    try:
        blocks = decoder.read_blocks(file, sample_rate, max(1, round(max_seconds * sample_rate)))
        audio = next(blocks)
        if next(blocks, None) is not None:
            raise RequestRefused(f"{file!r}: longer than --max-seconds={max_seconds:g}; cut it, or allow more")
        return audio
    except AudioError as error:
        raise RequestRefused(str(error)) from error


def _contract(arguments: argparse.Namespace) -> tuple[int, list[str]]:
    """Read sample rate and labels, which serving_default does not tell, from a copy of the export."""
    from mcc_zoo.export.metadata import ExportError, ExportMetadata
    from mcc_zoo.inference.locate import latest

    folder: Path = arguments.export or _default_export(arguments)
    version = folder / str(arguments.version)
    try:
        metadata = ExportMetadata.read(latest(version if version.is_dir() else folder))
        return metadata.sample_rate, list(metadata.labels)
    except ExportError as error:
        raise ServerUnusable(
            f"{error}. The served model's sample rate and labels are read from there: give --export=FOLDER, or --wav "
            "to let the server decode"
        ) from error


def _default_export(arguments: argparse.Namespace) -> Path:
    return Path("exported_models") / arguments.model


def _version(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no version: give a whole number, such as 1")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: give a positive number of seconds")
    return value
