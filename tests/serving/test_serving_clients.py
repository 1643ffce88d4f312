"""Both clients against the fake server: answers, refused files, busy and missing servers, command lines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from helpers.served_models import CLIENTS, ROOT, configure, unused_port, write_wav
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2_grpc

from mcc_zoo.export.rest import extract_reason
from serving import grpc_client, rest_client
from serving.fake_tf_serving import Batching, FakeTFServing
from serving.options import Options, RequestRefused, ServerUnusable

pytest_plugins = ["helpers.serving_fixtures"]


def test_a_client_gives_the_taggers_answers_for_real_files(ask, tagger, music):
    files = [music / "half chunk.ogg", music / "sub/stück.mp3", music / "corrupt.flac", music / "short.wav"]
    status, rows, said = ask("my_tagger", *files, "--descriptors")
    assert status == 1 and "1 of 4 files refused" in said
    assert [row["path"] for row in rows] == [str(file) for file in files]
    for row, expected in zip(rows, tagger.tag_files(files), strict=True):
        assert (row["status"], row["tag"]) == (expected.status, expected.tag)
        assert row["tags"] == pytest.approx(expected.tags, abs=1e-5)
        assert row["reason"] == expected.reason
        assert row.get("descriptor", []) == pytest.approx(expected.descriptor.tolist(), abs=1e-4)


def test_wav_files_are_sent_as_they_are(ask, tmp_path):
    quiet, loud = write_wav(tmp_path / "quiet.wav", 0.1), write_wav(tmp_path / "loud.wav", 0.9)
    status, rows, _ = ask("my_moods", quiet, loud, "--wav", "--version", "2")
    assert status == 0
    assert [list(row["tags"]) for row in rows] == [["laut", "leise ü"]] * 2
    assert rows[0]["tags"]["laut"] < rows[1]["tags"]["laut"]
    assert "descriptor" not in rows[0]


@pytest.mark.parametrize(
    ("which", "label"),
    [([], "laut"), (["--version=1"], "loud"), (["--label=stable"], "loud"), (["--label=canary"], "laut")],
)
def test_versions_and_labels_reach_the_server(ask, tmp_path, which, label):
    status, rows, _ = ask("my_moods", write_wav(tmp_path / "a.wav"), "--wav", *which)
    assert status == 0 and label in rows[0]["tags"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody", "--wav"], "model 'nobody'"),
        (["my_moods", "--wav", "--version=7"], "Servable not found for request: Specific(my_moods, 7)"),
        (["my_moods", "--wav", "--label=best"], "Unrecognized servable version label: best"),
        (["my_moods"], 'signature name: "serving_default" not found'),
        (["my_tagger", "--export=nowhere"], "give --export=FOLDER, or --wav"),
    ],
)
def test_what_no_file_can_get_past_ends_the_command(ask, tmp_path, arguments, words):
    model, *options = arguments
    status, rows, said = ask(model, write_wav(tmp_path / "a.wav"), tmp_path / "b.wav", *options)
    assert (status, rows) == (2, [])
    assert words in said and len(said.splitlines()) == 1


def test_an_export_with_other_labels_is_found_out(ask, tmp_path, exported):
    facts = json.loads((exported / "mcc_zoo.json").read_text(encoding="utf-8"))
    (tmp_path / "mcc_zoo.json").write_text(json.dumps(facts | {"labels": ["one", "two"]}))
    status, rows, said = ask("my_tagger", write_wav(tmp_path / "a.wav"), "--export", tmp_path)
    assert (status, rows) == (2, [])
    assert "does not fit" in said and str(tmp_path) in said


def test_each_bad_file_has_its_row_and_reason(ask, tmp_path):
    """my_moods has no output `error`, as exports of earlier versions: it refuses the whole request."""
    (tmp_path / "text.wav").write_text("no audio")
    os.mkfifo(tmp_path / "pipe.wav")
    good = write_wav(tmp_path / "good.wav")
    files = [tmp_path / "text.wav", tmp_path / "missing.wav", tmp_path / "pipe.wav", tmp_path, good]
    status, rows, said = ask("my_moods", *files, "--wav")
    assert status == 1 and "4 of 5 files refused" in said
    assert [row["status"] for row in rows] == ["refused"] * 4 + ["ok"]
    assert all(row["path"] in row["reason"] and "\n" not in row["reason"] for row in rows[:4])
    assert "RIFF" in rows[0]["reason"]
    assert all("no regular file" in row["reason"] for row in rows[1:4])


def test_what_the_model_says_of_a_clip_is_the_files_reason(ask, tmp_path):
    """The export answers a bad clip with its output `error`, and the next file is tagged."""
    (tmp_path / "text.wav").write_text("no audio")
    status, rows, said = ask("my_tagger", tmp_path / "text.wav", write_wav(tmp_path / "good.wav"), "--wav")
    assert status == 1 and "1 of 2 files refused" in said
    assert [row["status"] for row in rows] == ["refused", "ok"]
    assert (rows[0]["tag"], rows[0]["tags"]) == ("", {})
    assert rows[0]["reason"] == (
        f"{tmp_path}/text.wav: wav_bytes is no WAV file, it does not begin with RIFF and WAVE: send 16-bit PCM WAV"
    )


def test_a_clip_that_meets_another_length_in_its_batch_is_one_files_row(ask, models, tmp_path):
    other = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(name="my_tagger"))
    other.inputs["audio"].CopyFrom(tf.make_tensor_proto(np.zeros((1, 30_000), np.float32)))
    file = write_wav(tmp_path / "a.wav", seconds=0.5)
    with (
        FakeTFServing(configure(models), Batching(rows=2, seconds=60.0)) as server,
        grpc.insecure_channel(server.grpc) as channel,
    ):
        neighbour = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict.future(other)
        status, rows, said = ask("my_tagger", file, server=getattr(server, ask.protocol))
        assert neighbour.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert (status, rows[0]["status"]) == (1, "refused")
    assert rows[0]["reason"].startswith(
        f"{file}: Tensors with name 'audio:0' from different tasks have different shapes"
    )
    assert "1 of 1 files refused" in said


def test_what_the_graph_refuses_is_one_plain_sentence(ask, tmp_path):
    status, rows, _ = ask("my_tagger", write_wav(tmp_path / "blink.wav", seconds=0.01), write_wav(tmp_path / "a.wav"))
    assert status == 1
    assert [row["status"] for row in rows] == ["refused", "ok"]
    assert re.fullmatch(
        re.escape(f"{tmp_path}/blink.wav: audio has too few samples: at least one window of 2048 samples")
        + r" \(46 ms at 44100 Hz\) is needed; it has 441",
        rows[0]["reason"],
    )


def test_too_long_files_are_not_sent(ask, music):
    status, rows, _ = ask("my_tagger", music / "short.wav", "--max-seconds=7")
    assert status == 1
    assert "longer than --max-seconds=7" in rows[0]["reason"]


def test_a_server_that_is_busy_is_asked_again(ask, fake_server, tmp_path):
    fake_server.models.busy = 2
    status, rows, _ = ask("my_moods", write_wav(tmp_path / "a.wav"), "--wav")
    assert (status, rows[0]["status"]) == (0, "ok")
    assert fake_server.models.busy == 0


def test_a_file_without_sound_is_silent_and_not_tagged(ask, tmp_path):
    """Its tags would be zeros, of which the first is the largest."""
    files = [tmp_path / "zeros.wav", tmp_path / "tone.wav"]
    soundfile.write(files[0], np.zeros(100_000), 44_100)
    soundfile.write(files[1], np.sin(np.arange(100_000) / 5), 44_100)
    for options in ([], ["--wav"]):
        status, rows, said = ask("my_tagger", *files, *options)
        assert status == 1 and "1 of 2 files" in said
        assert [row["status"] for row in rows] == ["silent", "ok"]
        assert (rows[0]["tag"], rows[0]["tags"]) == ("", {})
        assert rows[0]["reason"] == f"{files[0]}: silent, the model found no sound in it"


def test_an_answer_that_is_too_late_for_one_file_is_asked_for_once(tmp_path, capsys):
    """A stand-in answers 504: the file is refused, and the next one is tried."""
    asked = []

    class Late(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(504)
            self.end_headers()
            self.wfile.write(b'{"error": "Timed out waiting for the batch"}')

        def log_message(self, *_):
            pass

    files = [str(write_wav(tmp_path / f"{level}.wav", level)) for level in (0.1, 0.9)]
    with HTTPServer(("127.0.0.1", 0), Late) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        status = rest_client.main(["my_tagger", *files, "--wav", f"--server=http://127.0.0.1:{server.server_port}"])
        server.shutdown()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == 1
    assert [(row["path"], row["status"], row["reason"]) for row in rows] == [
        (file, "refused", f"{file}: Timed out waiting for the batch") for file in files
    ]
    assert len(asked) == len(set(asked)) == 2


@pytest.mark.parametrize(
    ("details", "error"),
    [
        ("Tensors with name 'audio:0' from different tasks have different shapes", RequestRefused),
        ('Serving signature key "tag_wav" not found.', ServerUnusable),
        ("Table not initialized.", ServerUnusable),
    ],
)
def test_a_failed_precondition_is_one_files_or_the_models(details, error):
    """A stub that fails as TF Serving does: clips of other lengths in a batch, or a model that cannot answer."""

    class Failed(grpc.RpcError):
        def code(self):
            return grpc.StatusCode.FAILED_PRECONDITION

        def details(self):
            return details

    def predict(*_, **__):
        raise Failed

    options = Options("my_tagger", [], "localhost:8500", wav=True)
    with pytest.raises(error):
        grpc_client.ask(SimpleNamespace(Predict=predict), options, "a.wav", b"RIFF")


def test_a_server_that_stays_busy_is_said(ask, fake_server, tmp_path):
    fake_server.models.busy = 99
    status, rows, said = ask("my_moods", write_wav(tmp_path / "a.wav"), "--wav")
    assert (status, rows) == (2, [])
    assert "queue" in said and "full" in said
    assert fake_server.models.busy == 99 - 4  # asked once, and three times again


def test_a_slow_answer_is_not_waited_for(ask, fake_server, tmp_path):
    fake_server.models.delay = 0.5
    status, rows, _ = ask("my_moods", write_wav(tmp_path / "a.wav"), "--wav", "--timeout=0.1")
    assert status == 1
    assert "no answer within --timeout=0.1 s" in rows[0]["reason"]


def test_no_server_is_said_with_what_to_do(ask, tmp_path):
    scheme = "http://" if ask.protocol == "rest" else ""
    server = f"{scheme}127.0.0.1:{unused_port()}"
    status, rows, said = ask("my_moods", write_wav(tmp_path / "a.wav"), "--wav", server=server)
    assert (status, rows) == (2, [])
    assert server in said and "serving/README.md" in said


def test_something_else_at_the_address_is_said(fake_server, tmp_path, capsys):
    arguments = ["my_moods", str(write_wav(tmp_path / "a.wav")), "--wav", "--server"]
    assert rest_client.main([*arguments, f"{fake_server.rest}/elsewhere"]) == 2
    assert "Malformed request" in capsys.readouterr().err
    assert grpc_client.main([*arguments, fake_server.rest.removeprefix("http://")]) == 2
    assert "did not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("client", "arguments", "words"),
    [
        ("rest", ["m", "a.wav", "--server=localhost:8501"], "give a URL, such as http://localhost:8501"),
        ("grpc", ["m", "a.wav", "--server=http://localhost:8500"], "give HOST:PORT, such as localhost:8500"),
        ("rest", ["m", "a.wav", "--version=new"], "--version"),
        ("rest", ["m", "a.wav", "--version=-1"], "--version"),
        ("rest", ["m", "a.wav", "--version=1", "--label=stable"], "give --version or --label, not both"),
        ("grpc", ["m", "a.wav", "--timeout=0"], "0: give a positive number of seconds"),
        ("grpc", ["m", "a.wav", "--max-seconds=nan"], "nan: give a positive number of seconds"),
        ("rest", ["m"], "FILE"),
    ],
)
def test_impossible_arguments_are_refused(client, arguments, words, capsys):
    assert CLIENTS[client](arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Error: " in printed.err and words in printed.err.partition("Error: ")[2]


def test_an_unknown_decoder_is_refused(ask, tmp_path):
    status, rows, said = ask("my_tagger", write_wav(tmp_path / "a.wav"), "--decoder=lame")
    assert (status, rows) == (2, [])
    assert "--decoder='lame'" in said and "soundfile" in said


@pytest.mark.parametrize("client", CLIENTS)
def test_help_teaches(client, capsys):
    assert CLIENTS[client](["--help"]) == 0
    said = capsys.readouterr().out
    assert all(words in said for words in ("Example: python -m serving", "Exit status", "tag_wav", "models.config"))


def test_the_rest_client_starts_without_tensorflow():
    code = (
        "import sys; from serving import rest_client; rest_client.main(['m', 'nowhere.wav', '--wav'])\n"
        "print({'tensorflow', 'keras', 'numpy', 'pandas'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    row, imported = run.stdout.splitlines()
    assert json.loads(row)["status"] == "refused"
    assert imported == "set()"


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("assertion failed: [one sentence] [7] \n\t [[{{node a/b}}]]", "one sentence 7"),
        ("Graph execution error: assertion failed: [x] [[{{node a}}]] [Op:__inference_1]", "x"),
        ("{{function_node __inference_f_1}} No header:\n no RIFF [[{{node DecodeWav}}]]", "No header: no RIFF"),
        ("Servable not found for request: Latest(a)", "Servable not found for request: Latest(a)"),
        ("", ""),
    ],
)
def test_messages_of_servers_become_plain_text(message, kept):
    assert extract_reason(message) == kept
