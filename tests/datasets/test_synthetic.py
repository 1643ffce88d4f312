"""The demo corpus: what is on disk, what is played, and that nothing but the rhythm tells the dances apart."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.stats import chi2_contingency
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, cross_val_score

from mcc_zoo.datasets import synthetic
from mcc_zoo.datasets.synthetic import DANCES, CorpusError, Note, Piece, PlannedTrack, demo
from mcc_zoo.datasets.synthetic.bands import BASS_TIMBRES
from mcc_zoo.datasets.synthetic.dances import VOICES
from mcc_zoo.features.front_end import FrontEnd

FACTS = {  # beats in a bar, slowest and fastest tempo, written down apart from the code
    "ChaChaCha": (4, 120, 128),
    "Jive": (4, 168, 176),
    "Quickstep": (4, 200, 208),
    "Rumba": (4, 100, 108),
    "Samba": (2, 100, 104),
    "Tango": (4, 120, 132),
    "VienneseWaltz": (3, 174, 180),
    "Waltz": (3, 84, 90),
}
PLAIN_BAND = replace(
    synthetic.draw_band(np.random.default_rng(0)),
    bass=BASS_TIMBRES[0],
    brightness=0.0,
    room=(0.1, 0.0),
)
FIVE_TRACKS = [PlannedTrack(f"audio/x/{number}.wav", "x", "g", 1.0, 20_000, 1) for number in range(5)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished corpus: 8 files, 2 bands."""
    folder = tmp_path_factory.mktemp("demo") / "new" / "corpus"
    synthetic.make_demo(folder, tracks_per_dance=1, seed=3)
    return folder


def decode(folder: Path) -> dict[str, np.ndarray]:
    """All samples of a corpus by relative path."""
    files = sorted((folder / "audio").rglob("*.*"))
    return {file.relative_to(folder).as_posix(): soundfile.read(file, dtype="float32")[0] for file in files}


def snapshot(folder: Path) -> dict[str, int]:
    """When each file below a folder was last written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*")}


# --- The files -------------------------------------------------------------------------------------------------------


def test_files_are_as_planned_and_sound(corpus: Path) -> None:
    tracks = synthetic.plan_demo(tracks_per_dance=1, seed=3)
    decoded = decode(corpus)
    assert set(decoded) == {track.path for track in tracks}
    front_end = FrontEnd()
    for track in tracks:
        info = soundfile.info(corpus / track.path)
        samples = decoded[track.path]
        assert info.format == track.path.rsplit(".", 1)[1].upper()
        assert (info.samplerate, info.channels) == (track.sample_rate, track.channels)
        assert info.frames == len(samples) == round(track.seconds * track.sample_rate)
        assert np.isfinite(samples).all()
        assert 0.1 < np.abs(samples).max() < 1
        mono = samples if samples.ndim == 1 else samples.mean(axis=1)
        chunk = round(front_end.chunk_seconds * track.sample_rate)
        assert 4 <= len(mono) // chunk <= 7
        whole = mono[: len(mono) // chunk * chunk].reshape(-1, chunk)
        assert np.sqrt(np.mean(whole**2, axis=1)).min() > 0.005


def test_manifest_is_the_plan(corpus: Path) -> None:
    planned = pd.DataFrame(synthetic.plan_demo(tracks_per_dance=1, seed=3))[["path", "label", "group"]]
    pd.testing.assert_frame_equal(pd.read_csv(corpus / "manifest.csv"), planned)
    assert all(
        path.startswith(f"audio/{label}/") for path, label in zip(planned["path"], planned["label"], strict=True)
    )
    assert b"\r" not in (corpus / "manifest.csv").read_bytes()


def test_same_seed_same_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SECONDS", (0.5, 1.5))
    for name, seed in (("one", 7), ("two", 7), ("other", 8)):
        synthetic.make_demo(tmp_path / name, tracks_per_dance=1, seed=seed)
    one, two, other = (decode(tmp_path / name) for name in ("one", "two", "other"))
    assert one.keys() == two.keys() == other.keys()
    assert all(np.array_equal(one[path], two[path]) for path in one)
    assert not any(np.array_equal(one[path], other[path]) for path in one)
    assert (tmp_path / "one/manifest.csv").read_bytes() == (tmp_path / "two/manifest.csv").read_bytes()


# --- Whole or not at all ---------------------------------------------------------------------------------------------


def test_finished_corpus_is_kept(corpus: Path) -> None:
    before = snapshot(corpus)
    progress = Mock()
    manifest = synthetic.make_demo(corpus, tracks_per_dance=1, seed=3, progress=progress)
    assert manifest == corpus.resolve() / "manifest.csv"
    assert snapshot(corpus) == before
    progress.assert_called_once_with(8, 8)
    assert [path.name for path in corpus.parent.iterdir()] == ["corpus"]


@pytest.mark.parametrize("other", [{"seed": 4}, {"seed": 3, "tracks_per_dance": 2}])
def test_other_settings_are_refused(corpus: Path, other: dict[str, Any]) -> None:
    before = snapshot(corpus)
    with pytest.raises(CorpusError, match=r"not this corpus.*'seed': 3.* there, .* asked for") as refusal:
        synthetic.make_demo(corpus, **{"tracks_per_dance": 1, **other})
    assert isinstance(refusal.value, ValueError)
    assert str(corpus.resolve()) in str(refusal.value)
    assert snapshot(corpus) == before


def test_interrupted_corpus_leaves_nothing(tmp_path: Path) -> None:
    play = Mock(side_effect=[np.zeros(20_000), np.zeros(20_000), KeyboardInterrupt])
    with pytest.raises(KeyboardInterrupt):
        synthetic.write_corpus(tmp_path / "corpus", FIVE_TRACKS, play, {})
    assert list(tmp_path.iterdir()) == []


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    folder, progress = tmp_path / "corpus", Mock()
    folder.mkdir()
    manifest = synthetic.write_corpus(folder, FIVE_TRACKS, lambda _: np.zeros(20_000), {"seed": 1}, progress=progress)
    assert manifest == folder.resolve() / "manifest.csv"
    assert progress.call_args_list == [call(done, 5) for done in range(1, 6)]
    assert len(decode(folder)) == 5
    assert json.loads((folder / "corpus.json").read_text()) == {"seed": 1}
    (tmp_path / "reference").mkdir()
    assert folder.stat().st_mode == (tmp_path / "reference").stat().st_mode


def test_corpus_made_meanwhile_by_another_process_stays(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"

    def play(number: int) -> np.ndarray:
        if number == 4:
            synthetic.write_corpus(folder, FIVE_TRACKS, lambda _: np.full(20_000, 0.25), {})
        return np.zeros(20_000)

    synthetic.write_corpus(folder, FIVE_TRACKS, play, {})
    assert all(np.all(samples == 0.25) for samples in decode(folder).values())
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_foreign_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in (("notes.txt", "mine"), ("corpus.json", "{"), ("corpus.json", "[1]")):
        folder = tmp_path / f"foreign-{len(content)}"
        folder.mkdir()
        (folder / name).write_text(content)
        with pytest.raises(CorpusError, match=rf"{folder.name} is not this corpus"):
            synthetic.make_demo(folder, tracks_per_dance=1)
        assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(name, content)]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CorpusError, match="file is not this corpus .*: name a new or empty folder"):
        synthetic.make_demo(tmp_path / "file", tracks_per_dance=1)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(CorpusError, match="is the working folder or a mount point"):
        synthetic.make_demo(Path("."), tracks_per_dance=1)


def test_corpus_with_a_file_lost_is_refused(tmp_path: Path) -> None:
    def make() -> Path:
        return synthetic.write_corpus(tmp_path / "corpus", FIVE_TRACKS, lambda _: np.zeros(20_000), {})

    make()
    (tmp_path / "corpus/audio/x/3.wav").unlink()
    with pytest.raises(CorpusError, match=r"lacks 1 files of its corpus, such as audio/x/3\.wav: remove"):
        make()


def test_format_unknown_to_libsndfile_is_refused(tmp_path: Path) -> None:
    track = replace(FIVE_TRACKS[0], path="audio/x/0.m4a")
    with pytest.raises(CorpusError, match="m4a: this libsndfile .* cannot write the format"):
        synthetic.write_corpus(tmp_path / "corpus", [track], lambda _: np.zeros(20_000), {})


# --- The plan --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tracks_per_dance", [5, 20])
def test_files_do_not_tell_the_dance(tracks_per_dance: int) -> None:
    frame = pd.DataFrame(synthetic.plan_demo(tracks_per_dance, seed=1))
    frame["format"] = frame["path"].str.rsplit(".", n=1).str[1]
    for column, values in (("format", 4), ("sample_rate", 3), ("channels", 2)):
        table = pd.crosstab(frame["label"], frame[column])
        assert table.shape == (8, values)
        assert (table.max(axis=1) - table.min(axis=1)).max() <= 1
        assert chi2_contingency(table).pvalue > 0.9
    lengths = frame.groupby("label")["seconds"]
    assert (lengths.mean() - 11).abs().max() < 3 / tracks_per_dance
    assert 8 <= frame["seconds"].min() < 8.3 and 13.7 < frame["seconds"].max() <= 14
    for pair in (("format", "sample_rate"), ("format", "channels"), ("sample_rate", "channels")):
        assert chi2_contingency(pd.crosstab(frame[pair[0]], frame[pair[1]])).pvalue > 0.01


def test_bands_allow_grouped_folds() -> None:
    tracks = synthetic.plan_demo()
    labels, groups = [track.label for track in tracks], [track.group for track in tracks]
    assert len(tracks) == len({track.path for track in tracks}) == 160
    assert Counter(Counter(groups).values()) == {4: 40}
    dances_of = defaultdict(set)
    for label, group in zip(labels, groups, strict=True):
        dances_of[group].add(label)
    assert all(len(dances) == 4 for dances in dances_of.values())
    for train, test in GroupKFold(5).split(labels, groups=groups):
        assert {labels[row] for row in train} == {labels[row] for row in test} == set(FACTS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tracks_per_dance": 0}, "tracks_per_dance=0: give a whole number of 1 or more"),
        ({"tracks_per_dance": 2.5}, r"tracks_per_dance=2\.5: give a whole number"),
        ({"tracks_per_dance": True}, "tracks_per_dance=True: give a whole number"),
        ({"seed": -1}, "seed=-1: give a whole number of 0 or more"),
        ({"seed": "a"}, "seed='a': give a whole number"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        synthetic.make_demo(tmp_path / "corpus", **arguments)
    assert list(tmp_path.iterdir()) == []


# --- The music -------------------------------------------------------------------------------------------------------


def test_facts_of_the_dances() -> None:
    assert {dance.name: (dance.beats_per_bar, *dance.tempo) for dance in DANCES} == FACTS


@pytest.mark.parametrize("dance", DANCES, ids=lambda dance: dance.name)
def test_patterns_fit_the_metre_and_can_be_played(dance: synthetic.Dance) -> None:
    beats = FACTS[dance.name][0]
    for voice in VOICES:
        marks = set(dance.get_pattern(voice)) - {"."}
        assert marks and marks <= set("13568" if voice == "bass" else "123456789"), voice
        for bar in getattr(dance, voice).split("|"):
            groups = bar.split()
            assert len(groups) == beats, voice
            assert {len(group) for group in groups} == {3 if dance.name == "Jive" else 4}, voice


def test_patterns_all_differ() -> None:
    for voice in ("kick", "snare", "hat", "bell"):
        assert len({dance.get_pattern(voice) for dance in DANCES}) == len(DANCES), voice


@pytest.mark.parametrize("dance", DANCES, ids=lambda dance: dance.name)
def test_notes_lie_on_the_grid_of_the_tempo(dance: synthetic.Dance) -> None:
    rng = np.random.default_rng(5)
    piece = synthetic.draw_piece(dance, rng)
    notes = synthetic.compose(dance, 9.7, piece, rng)
    _, slowest, fastest = FACTS[dance.name]
    assert slowest <= piece.tempo <= fastest
    assert {note.voice for note in notes} == set(VOICES) - set(piece.silent)
    step = 60 / piece.tempo / (3 if dance.name == "Jive" else 4)
    places = np.array([note.start for note in notes]) / step + piece.start * (3 if dance.name == "Jive" else 4)
    assert np.abs(places - places.round()).max() * step < 0.02
    starts = np.array([note.start for note in notes])
    assert starts.min() < 0 < 9 < starts.max() < 9.8


@pytest.mark.slow
@pytest.mark.parametrize("dance", DANCES, ids=lambda dance: dance.name)
def test_onsets_repeat_at_beat_and_bar(dance: synthetic.Dance) -> None:
    rng = np.random.default_rng(11)
    beats, slowest, fastest = FACTS[dance.name]
    piece = Piece(tempo=(slowest + fastest) / 2, start=1.3)
    notes = [note for note in synthetic.compose(dance, 12.0, piece, rng) if note.voice in ("kick", "hat")]
    samples = synthetic.render(notes, 12.0, 22_050, PLAIN_BAND, rng)
    strength = librosa.onset.onset_strength(y=samples, sr=22_050, hop_length=128)
    likeness = librosa.autocorrelate(strength - strength.mean())
    for period in (60 / piece.tempo, beats * 60 / piece.tempo):
        lags = np.arange(len(likeness)) * 128 / 22_050
        near = np.flatnonzero(np.abs(lags / period - 1) < 0.1)
        assert lags[near[likeness[near].argmax()]] == pytest.approx(period, rel=0.02)
        assert likeness[near].max() > 0.25 * likeness[0]


def test_bass_sounds_at_its_pitch() -> None:
    note = Note("bass", 0.0, 1.0, 1.5, (45,))  # A2 is 110 Hz
    samples = synthetic.render([note], 2.0, 44_100, PLAIN_BAND, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert spectrum.argmax() / 2.0 == pytest.approx(110.0, abs=1.0)


def test_notes_across_the_edges_are_cut() -> None:
    whole = [Note("chords", 0.0, 1.0, 1.0, (60, 64, 67))]
    late = [Note("chords", -0.5, 1.0, 1.0, (60, 64, 67))]
    one, two = (synthetic.render(notes, 0.5, 16_000, PLAIN_BAND, np.random.default_rng(0)) for notes in (whole, late))
    assert one.shape == two.shape == (8_000,)
    assert np.abs(one[:5]).max() < 0.1 * np.abs(one).max() < np.abs(two[:5]).max()
    outside = [Note("kick", 3.0, 1.0), Note("kick", -30.0, 1.0)]
    silence = synthetic.render(outside, 1.0, 16_000, PLAIN_BAND, np.random.default_rng(0))
    assert np.isfinite(silence).all()


@pytest.mark.parametrize(("channels", "shape"), [(1, (23_153,)), (2, (23_153, 2))])
def test_synthesise(channels: int, shape: tuple[int, ...]) -> None:
    for seed, dance in enumerate(DANCES):
        rng = np.random.default_rng(seed)
        band = synthetic.draw_band(rng)
        samples = synthetic.synthesise(dance, 1.05002, 22_050, rng, band, channels=channels)
        assert samples.dtype == np.float32 and samples.shape == shape and samples.flags.c_contiguous
        assert 0.2 < np.abs(samples).max() < 0.8
        assert channels == 1 or not np.array_equal(samples[:, 0], samples[:, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seconds": 0.0}, r"seconds=0\.0: a track has a finite length above 0"),
        ({"seconds": float("nan")}, "seconds=nan: a track"),
        ({"seconds": float("inf")}, "seconds=inf: a track"),
        ({"sample_rate": 8_000}, "sample_rate=8000: these instruments need 16000 Hz or more"),
        ({"channels": 3}, "channels=3: choose 1 for mono or 2 for stereo"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"seconds": 1.0, "sample_rate": 22_050, "rng": np.random.default_rng(0), "band": PLAIN_BAND}
    with pytest.raises(CorpusError, match=message):
        synthetic.synthesise(DANCES[0], **{**usual, **arguments})


def test_impossible_notes_are_refused() -> None:
    with pytest.raises(CorpusError, match="voice='flute': choose one of kick, snare, hat, bell, bass, chords"):
        Note("flute", 0.0, 1.0)
    with pytest.raises(CorpusError, match=r"pitches=\(\) for the bass: bass and chords need some"):
        Note("bass", 0.0, 1.0, 1.0)
    with pytest.raises(CorpusError, match=r"pitches=\(60,\) for the kick: .* drums take none"):
        Note("kick", 0.0, 1.0, 1.0, (60,))
    with pytest.raises(CorpusError, match="tempo=0: give 10 to 1000 beats per minute"):
        Piece(tempo=0)


@pytest.mark.slow
def test_rhythm_tells_the_dance_and_loudness_and_brightness_do_not() -> None:
    rhythm, aside, labels, groups = [], [], [], []
    for take in range(9):
        band = synthetic.draw_band(np.random.default_rng(take))
        for number, dance in enumerate(DANCES):
            rng = np.random.default_rng([take, number])
            samples = synthetic.synthesise(dance, 6.0, 16_000, rng, band)
            power = np.abs(librosa.stft(samples, n_fft=512, hop_length=256)) ** 2
            mel = np.log1p(1_000 * librosa.feature.melspectrogram(S=power, sr=16_000, n_mels=20))
            onsets = np.maximum(np.diff(mel, axis=1), 0).mean(axis=0)
            likeness = librosa.autocorrelate(onsets - onsets.mean(), max_size=130)
            rhythm.append(likeness / likeness[0])
            centroid = librosa.feature.spectral_centroid(S=np.sqrt(power), sr=16_000).mean()
            aside.append([samples.std(), np.abs(samples).max(), centroid])
            labels.append(dance.name)
            groups.append(take)
    forest = RandomForestClassifier(100, random_state=0)
    accuracy = {
        name: cross_val_score(forest, features, labels, groups=groups, cv=GroupKFold(3)).mean()
        for name, features in (("rhythm", rhythm), ("aside", aside))
    }
    assert accuracy["rhythm"] > 0.75
    assert accuracy["aside"] < 0.45  # chance is 0.125
