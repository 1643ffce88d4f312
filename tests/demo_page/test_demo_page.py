"""The demo page: its HTTP contract, the model asked by REST here and at an address, and the command."""

from __future__ import annotations

import json
import re
import socket
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import requests
import soundfile
import tensorflow as tf
from helpers.demo_pages import DEAF, HOSTILE, PREDICT, served
from typer.testing import CliRunner

import mcc_zoo
from mcc_zoo import demo_page
from mcc_zoo.cli.main import app
from mcc_zoo.demo_page import DemoPage, Library, LoadedModel, ModelError, ServedModel, server, tracks
from mcc_zoo.features.chunking import samples_of


def upload(address: str, body: bytes, name: str = "song.mp3", **headers: str) -> tuple[int, dict]:
    answer = requests.post(f"{address}/tag", params={"name": name}, data=body, headers=headers, timeout=30)
    return answer.status_code, answer.json()


def assert_tagged(said: dict, result: mcc_zoo.Result) -> None:
    assert said["labels"] == list(result.tags)
    np.testing.assert_allclose(said["tags"], list(result.tags.values()), atol=1e-5)
    np.testing.assert_allclose(said["taggram"], result.taggram, atol=1e-4)
    assert said["windows"] == result.windows


@pytest.mark.parametrize("where", ["page", pytest.param("proxy", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["long.wav", "half chunk.ogg", "sub/stück.mp3"])
def test_a_track_gets_the_taggers_tags_and_is_its_own_nearest(where, name, music, tagger, request):
    result = tagger.tag(music / name)
    status, said = upload(request.getfixturevalue(where), (music / name).read_bytes(), name)
    assert status == 200
    assert_tagged(said, result)
    assert (said["name"], said["window_chunks"], said["so_far"]) == (name, 16, True)
    assert said["chunk_seconds"] == pytest.approx(81_920 / 44_100)
    first, *others = said["nearest"]
    assert (first["path"], first["tag"], len(others)) == (name, result.tag, 3)
    assert first["similarity"] == pytest.approx(1, abs=1e-4)
    assert [first["similarity"] >= found["similarity"] for found in others] == [True] * 3


def test_every_length_is_cut_as_the_tagger_cuts_it(tagger, loaded_model, rng):
    chunk, window = tagger.front_end.chunk_samples, samples_of(16, tagger.front_end)
    hop = tagger.front_end.chunk_hop
    noise = rng.normal(scale=0.2, size=window + 2 * hop).astype(np.float32)
    for samples in (2_048, chunk - 1, chunk, window - 1, window, window + hop - 1, window + hop, window + hop + 1):
        result = tagger.tag_waveform(noise[:samples], 44_100)
        found = tracks.tag_track(np.split(noise[:samples], [1_000, samples // 2 + 1_000]), tagger, loaded_model)
        np.testing.assert_allclose(found.tags, list(result.tags.values()), atol=1e-5)
        np.testing.assert_allclose(found.taggram, result.taggram, atol=1e-5)
        np.testing.assert_allclose(found.descriptor, result.descriptor, atol=1e-4)
        assert found.windows == result.windows == 1 + (samples >= window + hop)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "'song.mp3': empty"),
        (b"Dear diary, no music today.\n" * 50, "'song.mp3': cannot be decoded"),
        (b"fLaC and nothing that a decoder knows", "'song.mp3': cannot be decoded"),
    ],
)
def test_what_is_no_audio_is_refused_in_a_sentence(page, body, words):
    status, said = upload(page, body)
    assert status == 400
    assert list(said) == ["error"] and said["error"].startswith(words)
    assert "/mcc_zoo-" not in said["error"]


def wav(tmp_path: Path, samples: np.ndarray) -> bytes:
    soundfile.write(tmp_path / "track.wav", samples, 44_100, subtype="FLOAT")
    return (tmp_path / "track.wav").read_bytes()


def test_audio_that_is_cut_too_short_or_too_long_is_refused_in_a_sentence(page, music, tmp_path, monkeypatch):
    cut = (music / "short.wav").read_bytes()[:400_000]
    assert re.match("'song.mp3': cut off", upload(page, cut)[1]["error"])
    status, said = upload(page, wav(tmp_path, np.zeros(2_047)))
    assert status == 400 and said["error"].startswith("'song.mp3': audio has 2047 samples: at least one window")
    monkeypatch.setattr(tracks, "MAX_SECONDS", 3.0)
    status, said = upload(page, wav(tmp_path, np.sin(np.arange(3 * 44_100) / 5)))
    assert status == 200
    status, said = upload(page, wav(tmp_path, np.zeros(3 * 44_100)))
    assert status == 400 and said["error"].startswith(
        "'song.mp3': silent, its level (RMS) reaches -70 dBFS for less than"
    )
    status, said = upload(page, wav(tmp_path, np.zeros(3 * 44_100 + 1)))
    assert status == 400 and said["error"].startswith("'song.mp3': longer than the 0.05 minutes")


def test_a_clip_that_the_model_refuses_is_named(tagger, loaded_model, tmp_path):
    class Strict:
        def predict(self, signature, audio):
            return loaded_model.predict(signature, np.full_like(audio, np.nan))

    with served(DemoPage(tagger, Strict())) as address:
        status, said = upload(address, wav(tmp_path, np.zeros(5_000)), "a.wav")
    assert status == 400
    assert re.fullmatch("'a.wav': audio .*not finite[^\\[]*", said["error"])


def test_an_upload_that_is_too_large_is_refused_before_it_is_kept(tagger, loaded_model, music):
    body = (music / "short.wav").read_bytes()
    with served(DemoPage(tagger, loaded_model, max_bytes=len(body))) as address:
        assert upload(address, body)[0] == 200
        status, said = upload(address, body + b"0")
        assert status == 413 and said["error"].endswith("MiB that this page takes; give a smaller file")
        answer = requests.post(address + PREDICT, data=body + b"0", timeout=30)
        assert answer.status_code == 413


@pytest.mark.parametrize("sent", [0.5, 1.0])
def test_a_client_that_leaves_ends_its_work(sent, tagger, loaded_model, tmp_path, monkeypatch):
    """One leaves while its file is read, one while the first of five windows is tagged."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir()
    asked: list[str] = []
    is_asked, has_left, is_done = threading.Event(), threading.Event(), threading.Event()

    class Waiting:
        def predict(self, signature, audio):
            asked.append(signature)
            is_asked.set()
            assert has_left.wait(60)
            return loaded_model.predict(signature, audio)

    class Page(DemoPage):
        def __call__(self, *request):
            try:
                return super().__call__(*request)
            finally:
                is_done.set()

    time = np.arange(150 * 8_000) / 8_000
    soundfile.write(tmp_path / "track.wav", 0.3 * np.sin(2 * np.pi * 440 * time), 8_000)
    body = (tmp_path / "track.wav").read_bytes()
    with served(Page(tagger, Waiting())) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            head = f"POST /tag?name=a.wav HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body[: int(sent * len(body))])
            assert sent < 1 or is_asked.wait(60)
        has_left.set()
        assert is_done.wait(60)
    assert asked == (["serving_default", "taggram"] if sent == 1 else [])
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_hostile_name_is_a_name(page, music):
    assert upload(page, (music / "short.wav").read_bytes(), HOSTILE)[1]["name"] == HOSTILE
    status, said = upload(page, b"no audio", HOSTILE)
    assert (status, said["error"].startswith(f"{HOSTILE!r}: cannot be decoded")) == (400, True)
    assert len(upload(page, b"", "n" * 9_000)[1]["error"]) < 300
    assert upload(page, b"", "a\n\x00b")[1]["error"].startswith("'a\\n\\x00b': empty")


def test_other_sites_are_kept_out(page):
    for headers, status in (
        ({"Origin": "https://example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "example.com"}, 400),
        ({"Origin": page}, 200),
    ):
        assert requests.get(f"{page}/about", headers=headers, timeout=30).status_code == status
    with pytest.raises(OSError):  # another address of this machine
        socket.create_connection(("127.0.0.2", int(page.rpartition(":")[2])), timeout=1)


def test_the_page_is_one_file_that_runs_no_script_but_its_own(page):
    answer = requests.get(page, timeout=30)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and re.search("script-src 'sha256-[^' ]+';", policy)
    assert not re.search(r"https?://|innerHTML|insertAdjacent|document\.write|@import|url\(", answer.text)
    assert 'lang="en"' in answer.text and 'name="viewport"' in answer.text


def test_the_model_introduces_itself(page, proxy, stand_in, exported):
    about = requests.get(f"{page}/about", timeout=30).json()
    assert about["name"] == "tones" and about["labels"] == ["path", "slow, sad", "Übermut"]
    assert (about["sample_rate"], about["tracks"], about["server"]) == (44_100, 4, "")
    assert requests.get(f"{proxy}/about", timeout=30).json()["server"] == stand_in.rest


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/tag", 405), ("GET", "/../setup.cfg", 404)])
def test_what_is_not_there_is_said_in_json(page, method, path, status):
    answer = requests.request(method, page + path, timeout=30)
    assert answer.status_code == status and answer.json()["error"]


def test_a_fault_of_the_server_is_said_and_logged(tagger, caplog):
    with served(DemoPage(tagger, SimpleNamespace())) as address:
        answer = requests.post(address + PREDICT, timeout=30)
    assert answer.status_code == 500
    assert answer.json()["error"] == "this is a fault of the server (AttributeError): see its terminal"
    assert "a request failed" in caplog.text


@pytest.mark.parametrize("where", ["page", pytest.param("proxy", marks=pytest.mark.slow)])
def test_rest_answers_both_signatures(where, tagger, request, rng):
    audio = rng.normal(scale=0.2, size=(2, 90_000)).round(6)
    outputs = tagger.model(audio.astype(np.float32))
    for signature, names in (
        ("serving_default", ("tags", "descriptor")),
        ("taggram", ("taggram", "chunk_descriptors")),
    ):
        for inputs in (audio.tolist(), {"audio": audio.tolist()}):
            asked = {"signature_name": signature, "inputs": inputs}
            answer = requests.post(request.getfixturevalue(where) + PREDICT, json=asked, timeout=30)
            assert answer.status_code == 200
            assert answer.headers["Content-Type"] == "application/json"
            said = answer.json()["outputs"]
            assert said.pop("is_silent") == [False, False]
            assert set(said) == set(names)
            for name in names:
                np.testing.assert_allclose(said[name], outputs[name], atol=1e-4)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the request cannot be read"),
        (b"\xff\xfe", "the request cannot be read"),
        (b"[" * 100_000, "the request cannot be read"),
        (b"[]", "the request cannot be read"),
        (b'{"instances": [[0.1]]}', "the request cannot be read (KeyError('inputs'))"),
        (b'{"inputs": {"sound": [[0.1]]}}', "the request cannot be read (KeyError('audio'))"),
        (b'{"inputs": [[0.1], [0.1, 0.2]]}', "the request cannot be read"),
        (b'{"inputs": [0.1, 0.2]}', "audio is float64 (2,): send numbers, a batch of clips"),
        (b'{"inputs": [["0.1"]]}', "audio is <U3 (1, 1): send numbers"),
        (b'{"inputs": [[0.1, 0.2]]}', "audio has too few samples: at least one window"),
        (b'{"inputs": [[' + b"NaN," * 5_000 + b"1]]}", "audio has samples that are not finite"),
        (b'{"signature_name": "tag_wav", "inputs": [[0.1]]}', "signature_name='tag_wav' is not answered here"),
        (b'{"signature_name": ["a"], "inputs": [[0.1]]}', "signature_name=['a'] is not answered here"),
    ],
)
def test_rest_refuses_in_a_sentence(page, body, words):
    answer = requests.post(page + PREDICT, data=body, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(words)


def test_rest_of_the_loaded_export_says_what_it_answers(page):
    for method, path in (("POST", "/v1/models/other:predict"), ("GET", PREDICT), ("GET", "/v1/models/tones")):
        answer = requests.request(method, page + path, timeout=30)
        assert answer.status_code == 404
        assert answer.json()["error"] == f"{method} {path} is not answered here: ask POST {PREDICT}"


def test_requests_are_passed_on_to_tf_serving(proxy):
    status = requests.get(f"{proxy}/v1/models/tones", timeout=30).json()
    assert status["model_version_status"][0]["version"] == "1"
    missing = requests.get(f"{proxy}/v1/models/no%20such", timeout=30)
    assert (missing.status_code, missing.json()["error"]) == (404, "Servable not found for request: Latest(no%20such)")


@pytest.mark.slow
def test_a_server_that_cannot_be_used_is_said(tagger, stand_in, proxy, tmp_path, monkeypatch):
    clip = wav(tmp_path, np.zeros(5_000))
    stand_in.models.busy = 1
    status, said = upload(proxy, clip)
    assert status == 502
    assert said["error"].startswith(f"model 'tones' at --server={stand_in.rest} did not answer (HTTP 503): The batch")
    other = ServedModel(DEAF, "tones")
    monkeypatch.setattr(other, "exchange", lambda *_: (200, b"<html>hello"))
    for model, words in (
        (ServedModel(stand_in.rest, "moods"), "did not answer (HTTP 404): Servable not found"),
        (ServedModel(DEAF, "tones"), f"no TF Serving answers at --server={DEAF} (ConnectionError): start it"),
        (ServedModel(f"{stand_in.rest}/elsewhere", "tones"), "Malformed request: POST /elsewhere/v1"),
        (other, "it does not speak TF Serving's REST protocol"),
    ):
        with served(DemoPage(tagger, model)) as address:
            status, said = upload(address, clip)
            assert words in said["error"]
            assert status in (400, 502)


def test_a_clip_with_an_error_is_refused_in_its_words(loaded_model, monkeypatch):
    """A stand-in for exports that answer a bad clip with zeros and its error; an empty one is left out."""
    audio, words = np.zeros((1, 5_000), np.float32), "audio has samples that are not finite (NaN or infinite)"
    remote = ServedModel(DEAF, "tones")
    for error in (words, ""):
        outputs = {"tags": [[0.0, 0.0, 0.0]], "error": [error]}
        monkeypatch.setattr(remote, "exchange", lambda *_, said=outputs: (200, json.dumps({"outputs": said}).encode()))
        tensors = {name: tf.constant(value) for name, value in outputs.items()}
        signatures = {"serving_default": lambda audio, said=tensors: said}
        monkeypatch.setattr(loaded_model, "_saved", SimpleNamespace(signatures=signatures))
        for model in (remote, loaded_model):
            if error:
                with pytest.raises(ModelError, match=re.escape(words)) as raised:
                    model.predict("serving_default", audio)
                assert raised.value.status == 400
            else:
                assert set(model.predict("serving_default", audio)) == {"tags"}


def test_a_model_of_other_labels_or_descriptors_is_not_believed(tagger, loaded_model):
    def answers(**shapes):
        outputs = {"tags": (1, 3), "descriptor": (1, 200), "taggram": (1, 1, 3), **shapes}
        return SimpleNamespace(predict=lambda *_: {name: np.zeros(shape) for name, shape in outputs.items() if shape})

    block = [np.sin(np.arange(5_000) / 5).astype(np.float32)]
    assert tracks.tag_track(block, tagger, answers()).windows == 1
    for shapes in ({"tags": (1, 4)}, {"taggram": (1, 1, 4)}, {"descriptor": (1, 7)}, {"tags": None}, {"tags": (0, 3)}):
        with pytest.raises(ModelError, match="the model's answer does not fit .*tones/1 .*: is it that export"):
            tracks.tag_track(block, tagger, answers(**shapes))


def test_nearest_ranks_by_direction_and_bears_silence():
    library = Library(list("abc"), ["x"] * 3, np.array([[0, 0], [1, 0], [30, 30]], np.float32))
    assert [found["path"] for found in library.find_nearest(np.array([1.0, 1.0]))] == ["c", "b", "a"]
    assert [found["similarity"] for found in library.find_nearest(np.zeros(2), count=2)] == [0.0, 0.0]


@pytest.fixture
def command(tagger, monkeypatch):
    """Run `mcc-zoo demo-page EXPORT` with the export of the fixtures, up to where it would wait for requests."""
    monkeypatch.setattr("mcc_zoo.inference.tagger.load", lambda folder, decoder: tagger)
    pages: list[DemoPage] = []

    def listen(application, port):
        server.listen(application, port).server_close()
        pages.append(application)
        return SimpleNamespace(port=port, serve_forever=lambda: None)

    monkeypatch.setattr(demo_page, "listen", listen)

    def run(*arguments):
        result = CliRunner().invoke(app, ["demo-page", str(tagger.folder), *map(str, arguments)])
        return result.exit_code, result.stderr, pages

    return run


def test_command_reads_the_folder_and_says_the_address(command, music):
    status, said, (application,) = command("--folder", music, "--port", 0)
    assert (status, said) == (130, "http://127.0.0.1:0 shows tones; Ctrl-C ends it\n")
    assert application._library.paths == ["half chunk.ogg", "long.wav", "short.wav", "sub/stück.mp3"]
    assert isinstance(application._model, LoadedModel)
    status, _, (_, application) = command("--server", DEAF, "--port", 0)
    assert (status, application._model.server, application._model.name) == (130, DEAF, "tones")


def test_command_says_what_it_cannot_do(command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said, _ = command("--port", port)
    assert (status, said) == (
        2, f"error: --port={port} cannot be used (Address already in use): give another, or 0 for a free one\n"
    )  # fmt: skip
    status, said, _ = command("--server", "localhost:8501")
    assert (status, said) == (2, "error: --server='localhost:8501': give a URL, such as http://localhost:8501\n")
    status, said, _ = command("--folder", tmp_path)
    assert status == 2 and said.startswith(f"error: '{tmp_path}': no track of it can be read (")
