"""The models that are shipped in exported_models/ answer a synthesised clip as they did when they were added.

A release that changes an answer fails here. Where a model is exported anew on purpose, its new answers are stored by

    PYTHONPATH=tests python tests/export/test_shipped_exports.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from helpers.c_library import ask

import mcc_zoo
from mcc_zoo.export.signatures import make_signatures
from mcc_zoo.export.verify import find_differences

EXPORTS = Path(__file__).parents[2] / "exported_models"
ANSWERS = Path(__file__).parents[1] / "fixtures" / "shipped_answers.json"
NAMES = ("mcclstm_emotify_genre", "mcclstm_emotify_moods", "mcclstm_pretrained")
SAID = {  # in their cards
    "mcclstm_emotify_genre": ("CC BY-NC-SA", "Emotify", "over 30 folds; split: grouped"),
    "mcclstm_emotify_moods": ("CC BY-NC-SA", "Emotify", "Cross-validated on 30 folds, split: grouped"),
    "mcclstm_pretrained": ("GPL", "musicnn", "hours of music from Debian's games", "Tested once, split: "),
}
MOST_BYTES = 22_000_000
TOLERANCE = 1e-4
RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)  # Hz


def clip(sample_rate: int) -> np.ndarray:
    """Synthesise twenty seconds: a falling saw chord with a beat, then noise that swells; (samples,) float32."""
    time = np.arange(20 * sample_rate) / sample_rate
    chord = sum(2 * ((hertz * time * 2 ** (-time / 40)) % 1) - 1 for hertz in (110.0, 138.6, 164.8))
    beat = np.exp(-8 * (time % 0.5)) * np.sin(2 * np.pi * 60 * time)
    noise = np.random.default_rng(3).normal(size=len(time)) * time / 20
    return (0.08 * np.where(time < 12, chord, 0.0) + 0.4 * beat + 0.1 * np.where(time < 12, 0.0, noise)).astype(
        np.float32
    )


def answers(name: str) -> dict[str, list[float]]:
    """Ask a shipped model: tags (labels,) and descriptor (D,)."""
    tagger = mcc_zoo.load(EXPORTS / name)
    result = tagger.tag_waveform(clip(tagger.front_end.sample_rate), tagger.front_end.sample_rate)
    return {"tags": [result.tags[label] for label in tagger.labels], "descriptor": result.descriptor.tolist()}


def test_each_shipped_model_has_a_stored_answer():
    assert sorted(json.loads(ANSWERS.read_text(encoding="utf-8"))) == sorted(NAMES)  # other exports there are a user's


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_answers_as_when_it_was_added(name):
    expected = json.loads(ANSWERS.read_text(encoding="utf-8"))[name]
    for output, values in answers(name).items():
        np.testing.assert_allclose(values, expected[output], atol=TOLERANCE, err_msg=f"{name}: {output}")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_hears_music_alike_at_any_volume(name):
    tagger = mcc_zoo.load(EXPORTS / name)
    audio, rate = clip(tagger.sample_rate), tagger.sample_rate
    own = tagger.tag_waveform(audio, rate)
    for gain_db in (-40, -23, -12, 12):
        changed = tagger.tag_waveform(audio * np.float32(10 ** (gain_db / 20)), rate)
        assert changed.status == "ok"
        assert list(changed.tags.values()) == pytest.approx(list(own.tags.values()), abs=1e-3), gain_db
        np.testing.assert_allclose(changed.descriptor, own.descriptor, atol=1e-3, err_msg=f"{gain_db} dB")
        np.testing.assert_allclose(changed.taggram, own.taggram, atol=1e-3, err_msg=f"{gain_db} dB")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_small_whole_and_says_what_it_was_trained_on(name):
    (folder,) = (path for path in (EXPORTS / name).iterdir() if path.is_dir())
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < MOST_BYTES
    assert find_differences(folder) == []
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    for words in (*SAID[name], "Limits"):
        assert words in card, words


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_wav_file_of_any_rate_gets_the_taggers_tags(name, tmp_path):
    """Music, and white noise, which has as much where the filters fall as below: within 1e-4 of a tag."""
    tagger = mcc_zoo.load(EXPORTS / name)
    music = clip(44_100)[4 * 44_100 : 16 * 44_100]
    files, expected = [], []
    for rate in RATES:
        noise = np.random.default_rng(rate).normal(scale=0.1, size=8 * rate)
        for kind, sound in (("music", soxr.resample(music, 44_100, rate)), ("noise", noise)):
            path = tmp_path / f"{kind}.{rate}.wav"
            soundfile.write(path, sound, rate, subtype="PCM_16")
            files.append(path.read_bytes())
            expected.append(list(tagger.tag(path).tags.values()))
        wrong = tagger.tag_waveform(soundfile.read(tmp_path / f"music.{rate}.wav", dtype="float32")[0], 44_100)
        away = np.abs(np.subtract(list(wrong.tags.values()), expected[-2])).max()
        assert away > 0.02 or rate == 44_100, "the clip does not tell rates apart"
    request = {"wav_bytes": np.array(files, object)}
    (shipped,) = ask([(tagger.folder, "tag_wav", request)])
    assert isinstance(shipped, dict), shipped
    np.testing.assert_allclose(shipped["tags"], expected, rtol=0, atol=TOLERANCE)
    made_now = make_signatures(tagger.model)["tag_wav"](**request)
    np.testing.assert_allclose(made_now["tags"], expected, rtol=0, atol=TOLERANCE)


if __name__ == "__main__":
    ANSWERS.write_text(json.dumps({name: answers(name) for name in NAMES}, indent=1))
