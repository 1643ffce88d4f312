"""Fixtures of the tests of serving; a test file gets them by `pytest_plugins = ["helpers.serving_fixtures"]`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf
from helpers.served_models import CLIENTS, Loudness, configure

from serving.fake_tf_serving import FakeTFServing


@pytest.fixture(scope="session")
def models(exported, tmp_path_factory) -> Path:
    """The folder of models.config: my_tagger is an export, my_moods the small module; each in versions 1 and 2."""
    folder = tmp_path_factory.mktemp("models")
    for version, order in ((1, ["loud", "quiet"]), (2, ["laut", "leise ü"])):
        module = Loudness(order)
        signatures = {"tag_wav": module.tag_wav, "two": module.two}
        tf.saved_model.save(module, str(folder / f"my_moods/{version}"), signatures)
    (folder / "my_tagger").mkdir()
    (folder / "my_tagger/1").symlink_to(exported)
    return folder


@pytest.fixture(scope="session")
def running(models):
    with FakeTFServing(configure(models, stable=1, canary=2)) as fake_server:
        yield fake_server


@pytest.fixture
def fake_server(running, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield running
    running.models.busy, running.models.delay = 0, 0.0


@pytest.fixture(params=CLIENTS)
def ask(request, fake_server, exported, capsys):
    """A client that talks to the fake server: arguments to exit status, rows and standard error."""

    def call(*arguments: object, server: str = ""):
        address = server or getattr(fake_server, request.param)
        texts = [str(argument) for argument in arguments]
        if not any(text.startswith(("--wav", "--export")) for text in texts):
            texts += ["--export", str(exported)]
        status = CLIENTS[request.param]([*texts, "--server", address])
        written = capsys.readouterr()
        return status, [json.loads(line) for line in written.out.splitlines()], written.err

    call.protocol = request.param
    return call
