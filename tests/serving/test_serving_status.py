"""The state of the models of a server, against the double of TF Serving and against answers in its protocol."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers.served_models import ROOT, unused_port

from serving import status

pytest_plugins = ["helpers.serving_fixtures"]

FAILED = {"error_code": "INTERNAL", "error_message": "Warm-up failed:\n no such signature"}
FINE = {"error_code": "OK", "error_message": ""}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, tuple[int, bytes]]]]:
    """The address of a server that gives these answers: a path to status and body."""
    given: dict[str, tuple[int, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 http.server calls it so
            code, body = given[self.path]
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", given
        server.shutdown()


def describe(*versions: tuple[str, str, dict[str, str]]) -> tuple[int, bytes]:
    rows = [{"version": number, "state": state, "status": error} for number, state, error in versions]
    return 200, json.dumps({"model_version_status": rows}).encode()


def test_models_that_are_served(fake_server, capsys) -> None:
    assert status.main(["my_tagger", "my_moods", f"--server={fake_server.rest}"]) == 0
    assert capsys.readouterr().out == "my_tagger 1 AVAILABLE\nmy_moods 2 AVAILABLE\nmy_moods 1 AVAILABLE\n"


def test_a_model_that_the_server_does_not_have(fake_server, capsys) -> None:
    assert status.main(["my_tagger", "nobody", f"--server={fake_server.rest}"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == "my_tagger 1 AVAILABLE" and second.startswith("nobody UNKNOWN ")


@pytest.mark.parametrize(
    ("versions", "expected", "lines"),
    [
        ([("2", "AVAILABLE", FINE), ("1", "END", FINE)], 0, ["m 2 AVAILABLE", "m 1 END"]),
        ([("2", "LOADING", FINE), ("1", "AVAILABLE", FINE)], 0, ["m 2 LOADING", "m 1 AVAILABLE"]),
        ([("1", "LOADING", FINE)], 1, ["m 1 LOADING"]),
        ([("1", "UNLOADING", FINE)], 1, ["m 1 UNLOADING"]),
        (
            [("2", "END", FAILED), ("1", "AVAILABLE", FINE)],
            1,
            ["m 2 END Warm-up failed: no such signature", "m 1 AVAILABLE"],
        ),
        ([], 1, []),
    ],
)
def test_states_of_versions(versions, expected, lines, answers, capsys) -> None:
    server, given = answers
    given["/v1/models/m"] = describe(*versions)
    assert status.main(["m", f"--server={server}"]) == expected
    assert capsys.readouterr().out.splitlines() == lines


def test_all_models_of_the_configuration(answers, capsys) -> None:
    server, given = answers
    names = ["mcclstm_emotify_genre", "mcclstm_emotify_moods"]
    given |= {f"/v1/models/{name}": describe(("3", "AVAILABLE", FINE)) for name in names}
    assert status.main([f"--server={server}"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{name} 3 AVAILABLE" for name in names]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"model_version_status": 3}'])
def test_something_else_answers(body, answers, capsys) -> None:
    server, given = answers
    given["/v1/models/m"] = (200, body)
    assert status.main(["m", f"--server={server}"]) == 2
    assert f"error: what answers at --server={server} does not speak TF Serving" in capsys.readouterr().err


def test_no_server(capsys, monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert status.main(["m", f"--server=http://127.0.0.1:{unused_port()}"]) == 2
    assert "error: no TF Serving answers at --server=http://127.0.0.1" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "model_config_list {", None])
def test_a_configuration_without_models(text, tmp_path, capsys) -> None:
    config = tmp_path / "models.config"
    if text is not None:
        config.write_text(text)
    assert status.main([f"--config={config}"]) == 2
    assert f"--config={config}: " in capsys.readouterr().err


def test_it_starts_without_tensorflow() -> None:
    code = "import sys, serving.status; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
