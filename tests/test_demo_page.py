"""The demo page: its HTTP contract, the model asked by REST here and at an address, and the page in a browser."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import requests
import soundfile
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig
from typer.testing import CliRunner

import mcc_zoo
from mcc_zoo import demo_page
from mcc_zoo.cli import common, main
from mcc_zoo.demo_page import DemoPage, Library, LoadedModel, ModelError, ServedModel, server, tracks
from mcc_zoo.features.framing import samples_of
from serving.fake_tf_serving import FakeTFServing

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

HOSTILE = "<img src=x onerror=alert(1)>\"'../../etc/passwd"
PREDICT = "/v1/models/tones:predict"
DEAF = "http://127.0.0.1:9"  # the discard port: nobody listens


@contextlib.contextmanager
def served(application: DemoPage) -> Iterator[str]:
    """Run a page and give its address."""
    listening = demo_page.listening(application, port=0)
    threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://{demo_page.HOST}:{listening.port}"
    listening.shutdown()


@pytest.fixture(scope="module")
def library(tagger, music) -> Library:
    return Library.of(tagger.tag_files([music / "notes.txt", *mcc_zoo.audio.folders.find(music)]), music)


@pytest.fixture(scope="module")
def loaded_model(exported) -> LoadedModel:
    return LoadedModel(exported, "tones")


@pytest.fixture(scope="module")
def page(tagger, loaded_model, library) -> Iterator[str]:
    """The address of a page that asks the export in this process."""
    with served(DemoPage(tagger, loaded_model, library)) as address:
        yield address


@pytest.fixture(scope="module")
def stand_in(exported) -> Iterator[FakeTFServing]:
    config = ModelServerConfig()
    config.model_config_list.config.add(name="tones", base_path=str(exported.parent), model_platform="tensorflow")
    with FakeTFServing(config) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(tagger, stand_in, library) -> Iterator[str]:
    """The address of a page that asks the stand-in of TF Serving."""
    with served(DemoPage(tagger, ServedModel(stand_in.rest + "/", "tones"), library)) as address:
        yield address


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def upload(address: str, body: bytes, name: str = "song.mp3", **headers: str) -> tuple[int, dict]:
    answer = requests.post(f"{address}/tag", params={"name": name}, data=body, headers=headers, timeout=30)
    return answer.status_code, answer.json()


def assert_tagged(said: dict, result: mcc_zoo.Result) -> None:
    assert said["labels"] == list(result.tags)
    np.testing.assert_allclose(said["tags"], list(result.tags.values()), atol=1e-5)
    np.testing.assert_allclose(said["taggram"], result.taggram, atol=1e-4)
    assert said["windows"] == result.windows


@pytest.mark.parametrize("where", ["page", "proxy"])
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
        found = tracks.tagged(np.split(noise[:samples], [1_000, samples // 2 + 1_000]), tagger, loaded_model)
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
    status, said = upload(page, wav(tmp_path, np.zeros(3 * 44_100)))
    assert status == 200
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


@pytest.mark.parametrize("where", ["page", "proxy"])
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


def test_a_model_of_other_labels_or_descriptors_is_not_believed(tagger, loaded_model):
    def answers(**shapes):
        outputs = {"tags": (1, 3), "descriptor": (1, 200), "taggram": (1, 1, 3), **shapes}
        return SimpleNamespace(predict=lambda *_: {name: np.zeros(shape) for name, shape in outputs.items() if shape})

    block = [np.zeros(5_000, np.float32)]
    assert tracks.tagged(block, tagger, answers()).windows == 1
    for shapes in ({"tags": (1, 4)}, {"taggram": (1, 1, 4)}, {"descriptor": (1, 7)}, {"tags": None}, {"tags": (0, 3)}):
        with pytest.raises(ModelError, match="the model's answer does not fit .*tones/1 .*: is it that export"):
            tracks.tagged(block, tagger, answers(**shapes))


def test_nearest_ranks_by_direction_and_bears_silence():
    library = Library(list("abc"), ["x"] * 3, np.array([[0, 0], [1, 0], [30, 30]], np.float32))
    assert [found["path"] for found in library.nearest(np.array([1.0, 1.0]))] == ["c", "b", "a"]
    assert [found["similarity"] for found in library.nearest(np.zeros(2), count=2)] == [0.0, 0.0]


@pytest.fixture
def command(tagger, monkeypatch):
    """Run `mcc-zoo demo-page EXPORT` with the export of the fixtures, up to where it would wait for requests."""
    monkeypatch.setattr(common, "load", lambda folder, decoder: tagger)
    pages: list[DemoPage] = []

    def listen(application, port):
        server.listening(application, port).server_close()
        pages.append(application)
        return SimpleNamespace(port=port, serve_forever=lambda: None)

    monkeypatch.setattr(demo_page, "listening", listen)

    def run(*arguments):
        result = CliRunner().invoke(main.app, ["demo-page", "export", *map(str, arguments)])
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
        2, f"error: --port={port} cannot be had (Address already in use): give another, or 0 for a free one\n"
    )  # fmt: skip
    status, said, _ = command("--server", "localhost:8501")
    assert (status, said) == (2, "error: --server='localhost:8501': give a URL, such as http://localhost:8501\n")
    status, said, _ = command("--folder", tmp_path)
    assert status == 2 and said.startswith(f"error: --folder={tmp_path}: no track of it can be read (")


def test_command_without_the_extra_says_what_to_install(command, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("mcc_zoo.demo_page")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(mcc_zoo, "demo_page")
    monkeypatch.setitem(sys.modules, "werkzeug.exceptions", None)
    status, said, _ = command()
    assert status == 2
    assert re.fullmatch(
        r"error: mcc-zoo demo-page needs the extra \[page\] \(.*werkzeug.*\): pip install 'mcc_zoo\[page\]'\n", said
    )


@pytest.fixture(scope="module")
def hostile_page(tagger, loaded_model, library) -> Iterator[str]:
    """A page whose folder holds a file of a hostile name, first of all."""
    paths = [HOSTILE if path == "short.wav" else path for path in library.paths]
    with served(DemoPage(tagger, loaded_model, replace(library, paths=paths))) as address:
        yield address


@pytest.fixture(params=[pytest.param((1_100, "light"), id="desktop"), pytest.param((360, "dark"), id="phone")])
def opened(browser: Browser, hostile_page: str, request: pytest.FixtureRequest) -> Iterator[tuple[Tab, list[str]]]:
    """The page in a tab, and what it complained of or asked of others."""
    width, scheme = request.param
    trouble: list[str] = []
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, device_scale_factor=1)
    tab.set_default_timeout(15_000)
    tab.on("console", lambda message: trouble.append(message.text))
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("request", lambda asked: asked.url.startswith((hostile_page, "blob:", "data:")) or trouble.append(asked.url))
    tab.goto(hostile_page)
    tab.wait_for_selector("#facts:not(:empty)")
    yield tab, trouble
    tab.close()


def choose(tab: Tab, path: Path, name: str = "") -> None:
    """Upload a file as its field does."""
    tab.set_input_files("#file", {"name": name or path.name, "mimeType": "", "buffer": path.read_bytes()})
    tab.wait_for_selector(f"#status:has-text({json.dumps(name or path.name)}):has-text('tagged')")


def opacities(tab: Tab, chunks: int, labels: int) -> np.ndarray:
    """Read the picture: how opaque the middle of each cell is, (chunks, labels) from 0 to 1."""
    cells = tab.evaluate(
        """([chunks, labels]) => {
            const picture = document.querySelector("canvas"), copy = document.createElement("canvas")
            const {width, height} = Object.assign(copy, {width: picture.width, height: picture.height})
            const brush = copy.getContext("2d", {willReadFrequently: true})
            brush.drawImage(picture, 0, 0)
            const alpha = (chunk, label) =>
                brush.getImageData((chunk + 0.5) * width / chunks, (label + 0.5) * height / labels, 1, 1).data[3]
            const places = count => [...Array(count).keys()]
            return places(chunks).map(chunk => places(labels).map(label => alpha(chunk, label) / 255))
        }""",
        [chunks, labels],
    )
    return np.array(cells)


def wait_until(tab: Tab, position: float) -> None:
    """Wait for the cursor; `wait_for_function` would need the right to evaluate text, which the page has not."""
    for _ in range(150):
        if float(tab.input_value("#position")) > position:
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"the cursor stays at {tab.input_value('#position')} s")


def test_browser_shows_a_track_and_plays_it(opened, music, tagger):
    tab, trouble = opened
    result = tagger.tag(music / "long.wav")
    choose(tab, music / "long.wav")
    rows = tab.eval_on_selector_all("#tags tr", "all => all.map(row => [...row.cells].map(cell => cell.innerText))")
    shown = {label: whole.replace("\N{NO-BREAK SPACE}", " ") for label, _, _, whole in rows}
    assert shown == {label: f"{100 * share:.0f} %" for label, share in result.tags.items()}
    assert list(shown)[0] == result.tag
    assert tab.inner_text("#near li:first-child .path") == "long.wav"
    assert tab.inner_text("#near li:first-child .score") == "1.00"
    assert "read in 2 windows of 29.7 s" in tab.inner_text("#how")
    assert tab.eval_on_selector_all("#names li", "all => all.map(name => name.innerText)") == tagger.labels
    np.testing.assert_allclose(opacities(tab, 18, 3), result.taggram, atol=0.02)
    tab.click("#play")
    wait_until(tab, 0.6)
    assert tab.inner_text("#play") == "Pause"
    tab.click("#play")
    at = float(tab.input_value("#position"))
    heard = opacities(tab, 18, 3)
    first = int(at // (81_920 / 44_100)) + 1
    np.testing.assert_allclose(heard[first:], result.taggram[first:] / 4, atol=0.02)
    tab.focus("#position")
    tab.keyboard.press("PageUp")
    assert float(tab.input_value("#position")) == pytest.approx(at + 10, abs=0.5)
    chunk = int(float(tab.input_value("#position")) // (81_920 / 44_100))
    now = tab.eval_on_selector_all(
        "#tags tr", "all => all.map(row => [row.cells[0].innerText, row.cells[2].innerText])"
    )
    expected = dict(zip(tagger.labels, result.taggram[chunk], strict=True))
    assert [int(share.split("\N{NO-BREAK SPACE}")[0]) for _, share in now] == pytest.approx(
        [100 * expected[label] for label, _ in now], abs=0.6
    )
    assert tab.evaluate("document.documentElement.scrollWidth") == tab.viewport_size["width"]
    assert trouble == []


def test_browser_takes_names_as_names_and_drops(opened, music):
    tab, trouble = opened
    dropped = tab.evaluate_handle(
        """([bytes, name]) => { const carried = new DataTransfer()
        carried.items.add(new File([new Uint8Array(bytes)], name)); return carried }""",
        [list((music / "half chunk.ogg").read_bytes()), HOSTILE * 3],
    )
    tab.dispatch_event("body", "drop", {"dataTransfer": dropped})
    tab.wait_for_selector("#status:has-text('tagged')")
    assert tab.inner_text("#title") == HOSTILE * 3
    assert HOSTILE in tab.eval_on_selector_all("#near .path", "all => all.map(path => path.innerText)")
    assert tab.query_selector("img") is None
    assert tab.evaluate("document.documentElement.scrollWidth") == tab.viewport_size["width"]
    assert trouble == []


def test_browser_shows_what_is_wrong_and_goes_on(opened, music, tmp_path):
    tab, _ = opened
    soundfile.write(tmp_path / "unplayable.aiff", np.zeros(100_000), 44_100)
    tab.set_input_files("#file", music / "corrupt.flac")
    tab.wait_for_selector("#error:has-text(\"'corrupt.flac': cannot be decoded\")")
    assert tab.get_attribute("#error", "role") == "alert"
    tab.set_input_files("#file", {"name": "nothing.wav", "mimeType": "", "buffer": b""})
    tab.wait_for_selector("#error:has-text(\"'nothing.wav': empty\")")
    assert not tab.is_visible("#result")
    tab.set_input_files("#file", tmp_path / "unplayable.aiff")
    tab.wait_for_selector("#status:has-text('cannot play this format')")
    assert not tab.is_visible("#error") and tab.is_disabled("#play")
    tab.focus("#position")
    tab.keyboard.press("ArrowRight")
    assert tab.input_value("#position") == "1"
    assert tab.inner_text("#time").startswith("0:01 / ")
