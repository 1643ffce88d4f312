"""The page's local server: a WSGI application, and the local socket that it listens on."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import Forbidden, HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from mcc_zoo.audio.checks import AudioError
from mcc_zoo.audio.subprocess_decoder import IsolatedDecoder
from mcc_zoo.demo_page.connection import pass_while_connected
from mcc_zoo.demo_page.models import BAD_GATEWAY, Model, ModelError, ServedModel
from mcc_zoo.demo_page.tracks import MAX_SECONDS, Library, tag_track
from mcc_zoo.disk import WriteError, explained
from mcc_zoo.inference.tagger import Tagger
from mcc_zoo.paper import SYSTEMS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HOST = "127.0.0.1"
MAX_BYTES = 1 << 28  # 256 MiB; an hour of MP3 at 320 kbit/s takes 144
LONGEST_NAME = 200  # characters
NO_ROOM = 507  # status of a server whose disk is full
PAGE, STYLE, SCRIPT = (Path(__file__).with_name(f"page.{suffix}") for suffix in ("html", "css", "js"))
ROUTES = Map(
    [
        Rule("/", endpoint="page", methods=["GET"]),
        Rule("/about", endpoint="about", methods=["GET"]),
        Rule("/tag", endpoint="tag", methods=["POST"]),
        Rule("/v1/<path:_>", endpoint="rest", methods=["GET", "POST"]),
    ]
)


class _Request(Request):
    trusted_hosts = [HOST, "localhost"]  # a foreign host name that resolves to this machine is refused


class DemoPage:
    """The application: `/` the page, `/about` the model, `/tag` a track, `/v1/...` TF Serving's REST protocol.

    `POST /tag?name=song.mp3` takes an audio file as the body and answers with what the page shows about it, in JSON.
    When the client leaves, the work ends. Errors are answered as `{"error": SENTENCE}`.

    Args:
        tagger: The export.
        model: The model to ask: the loaded export, or a TF Serving that serves it.
        library: Tracks to compare with.
        max_bytes: Largest size of a request.
    """

    def __init__(
        self, tagger: Tagger, model: Model, library: Library | None = None, max_bytes: int = MAX_BYTES
    ) -> None:
        """Read the page."""
        self._tagger, self._model, self._library, self._max_bytes = tagger, model, library, max_bytes
        script = SCRIPT.read_text(encoding="utf-8")
        self._html = _put_into_page(STYLE.read_text(encoding="utf-8"), script)
        allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        self._headers = {
            "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
            f"frame-ancestors 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; connect-src 'self'; "
            "media-src blob:; img-src data:",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        """Answer a request."""
        request = _Request(environ)
        request.max_content_length = self._max_bytes
        response = self._answer(request)
        response.headers.extend(self._headers)
        return response(environ, start_response)

    def _answer(self, request: _Request) -> Response:
        try:
            host, origin = request.host_url.rstrip("/"), request.headers.get("Origin")  # the host is checked here
            if origin not in (None, host):
                raise Forbidden(f"a page of {origin} may not ask this server")
            endpoint, _ = ROUTES.bind_to_environ(request.environ).match()
            return getattr(self, f"_{endpoint}")(request)
        except (AudioError, ModelError) as error:
            return _json({"error": str(error)}, getattr(error, "status", 400))
        except WriteError as error:
            return _json({"error": str(error)}, NO_ROOM)
        except HTTPException as error:
            sentence = error.description or error.name
            if error.code == 413:
                sentence = f"larger than the {self._max_bytes / 2**20:g} MiB that this page takes; give a smaller file"
            return _json({"error": sentence}, error.code or 500)
        except Exception as error:  # one bad track does not end the server
            logging.getLogger(__name__).exception("a request failed")
            return _json({"error": f"this is a fault of the server ({type(error).__name__}): see its terminal"}, 500)

    def _page(self, request: _Request) -> Response:
        return Response(self._html, mimetype="text/html")

    def _about(self, request: _Request) -> Response:
        metadata, front_end = self._tagger.metadata, self._tagger.front_end
        return _json(
            {
                "name": metadata.name,
                "system": SYSTEMS[metadata.architecture].title,
                "labels": self._tagger.labels,
                "formats": ", ".join(sorted(self._tagger.decoder.formats - {"WAVEX"})),
                "sample_rate": front_end.sample_rate,
                "server": self._model.server if isinstance(self._model, ServedModel) else "",
                "tracks": len(self._library.paths) if self._library else 0,
                "max_bytes": self._max_bytes,
                "max_minutes": MAX_SECONDS / 60,
            }
        )

    def _tag(self, request: _Request) -> Response:
        tagger = self._tagger
        name = request.args.get("name", "")[:LONGEST_NAME] or "the track"
        block = tagger.metadata.training_chunks * tagger.front_end.chunk_hop
        with (
            explained(tempfile.gettempdir(), "the track", "start the page with another folder in TMPDIR"),
            tempfile.NamedTemporaryFile(prefix="mcc_zoo-") as file,
            IsolatedDecoder(decoder=tagger.decoder) as decoder,
        ):
            shutil.copyfileobj(request.stream, file)
            file.flush()
            try:
                blocks = decoder.read_blocks(file.name, tagger.front_end.sample_rate, block)
                waited_for = pass_while_connected(blocks, request.environ.get("werkzeug.socket"))
                track = tag_track(waited_for, tagger, self._model)
            except AudioError as error:
                raise ModelError(f"{name!r}: {error.reason}") from error
            except ModelError as error:
                is_server_fault = error.status == BAD_GATEWAY
                raise error if is_server_fault else ModelError(f"{name!r}: {error}") from error
        return _json(
            {
                "name": name,
                "labels": tagger.labels,
                "tags": track.tags.tolist(),
                "thresholds": list(tagger.thresholds.values()),
                "taggram": track.taggram.astype("float64").round(4).tolist(),
                "chunk_seconds": tagger.front_end.chunk_seconds,
                "windows": track.windows,
                "window_chunks": tagger.metadata.training_chunks,
                "so_far": tagger.has_lstm,
                "nearest": self._library.find_nearest(track.descriptor) if self._library else [],
            }
        )

    def _rest(self, request: _Request) -> Response:
        status, body = self._model.exchange(request.method, request.path, request.get_data(cache=False))
        return Response(body, status, mimetype="application/json")


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log no requests: the page shows what happens."""


def listen(application: DemoPage, port: int) -> BaseWSGIServer:
    """Listen on this machine alone.

    Args:
        application: The application that answers.
        port: 0 takes a free one.

    Returns:
        A server; its `serve_forever` answers, several requests at a time, and its `port` is the port.

    Raises:
        OSError: The port cannot be used.
    """
    with socket.create_server((HOST, port)) as opened:
        return make_server(HOST, port, application, threaded=True, request_handler=_Quiet, fd=opened.fileno())


def _put_into_page(style: str, script: str) -> str:
    """Put style and script into the page, so that it is one file and its policy can name its one script by hash."""
    html = PAGE.read_text(encoding="utf-8")
    html = html.replace(f'<link rel="stylesheet" href="{STYLE.name}">', f"<style>{style}</style>")
    return html.replace(f'<script src="{SCRIPT.name}"></script>', f"<script>{script}</script>")


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status, mimetype="application/json")
