"""The model card of an export: what it is, what it was trained on, how well it does, and its limits."""

from __future__ import annotations

from typing import Any

from mcc_zoo.audio.limits import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from mcc_zoo.paper import SYSTEMS, short_name
from mcc_zoo.recipes import WARM_STARTS
from mcc_zoo.text import counted


def model_card(facts: dict[str, Any]) -> str:
    """Write MODEL_CARD.md from the facts of mcc_zoo.json."""
    front_end = facts["front_end"]
    window_ms = 1_000 * front_end["window_length"] / front_end["sample_rate"]
    lines = [
        f"# {facts['name']}",
        "",
        f"{SYSTEMS[facts['architecture']].title}, after Chen and Wang (ISMIR 2017): one label a track, by softmax.",
        "",
        "| | |",
        "| --- | --- |",
        f"| labels | {', '.join(facts['labels'])} |",
        f"| input | mono float32 audio at **{front_end['sample_rate']} Hz**, full scale ±1; "
        f"at least {window_ms:.0f} ms |",
        f"| chunk | {facts['chunk_seconds']:.3f} s: {front_end['n_mels']} mel bands x {front_end['chunk_frames']} "
        "frames |",
        f"| track descriptor | {facts['descriptor_size']} values |",
        f"| weights | {facts['parameters']:,} |",
        f"| trained on | {facts.get('dataset', 'not stated')}, {facts.get('tracks', '?')} tracks, {_how(facts)} |",
        *_origin(facts),
        f"| licence of the training music | {facts.get('licence', 'not stated')} |",
        f"| exported | {facts['exported']}, "
        + ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        + " |",
        "",
        *_contract(facts),
        "## How well it does",
        "",
        f"Chance is {100 / len(facts['labels']):.1f} %, one of {len(facts['labels'])} labels." + _majority(facts),
        "",
        *_scores(facts),
        "",
        "## Limits",
        "",
        "- It gives every track one of its labels, silence and speech included: it has no way to say 'none of these'.",
        f"- It was trained on sequences of up to {facts['training_chunks']} chunks. Of longer files `mcc_zoo.load` "
        "averages windows of that length; a server gets the whole sequence at once.",
        "- Audio at another sample rate gets plausible, wrong tags through the signatures that take samples: resample "
        "first. `tag_wav`, `mcc_zoo.load` and `mcc-zoo` resample by themselves.",
        *[f"- {limit}" for limit in facts.get("limits", [])],
        "",
    ]
    return "\n".join(lines)


def _how(facts: dict[str, Any]) -> str:
    if facts.get("epochs") == 0:
        return "the softmax alone, by logistic regression"
    before = ""
    if channels_epochs := facts.get("channels_epochs"):  # of the system without the LSTM
        lender = short_name(WARM_STARTS[facts["architecture"]])
        before = f"{counted(channels_epochs, 'epoch')} of {lender} for its channels, then "
    own = counted(facts["epochs"], "epoch") if "epochs" in facts else "? epochs"
    return f"{before}{own}, recipe {facts.get('recipe', {}).get('name', 'not stated')}"


def _origin(facts: dict[str, Any]) -> list[str]:
    if not (origin := facts.get("finetuned_from")):
        return []
    return [
        f"| fine-tuned from | {origin['name']}, version {origin['version']}, trained on {origin['dataset']} "
        f"(licence of that music: {origin['licence']}); its mcc_zoo.json has the SHA-256 {origin['sha256']} |"
    ]


def _majority(facts: dict[str, Any]) -> str:
    if not (majority := facts.get("majority")):
        return ""
    return f" Always saying {majority['label']}, the most frequent one, is right for {majority['percent']:.1f} %."


def score_beside_chance(facts: dict[str, Any]) -> str:
    """Say in one line how well an export does and what guessing gives, from the facts of mcc_zoo.json.

    >>> score_beside_chance({"labels": ["pop", "rock"], "scores": {"accuracy": 71.25, "std": None}})
    'accuracy 71.2 %, where guessing one of 2 labels gives 50.0 %'
    """
    scores, labels, majority = facts.get("scores"), len(facts["labels"]), facts.get("majority")
    score = accuracy(scores) if scores else "accuracy not measured"
    always = f", and always saying {majority['label']} {majority['percent']:.1f} %" if majority else ""
    return f"{score}, where guessing one of {labels} labels gives {100 / labels:.1f} %{always}"


def accuracy(scores: dict[str, Any]) -> str:
    """Say the accuracy, and its standard deviation over folds where there are several.

    >>> accuracy({"accuracy": 71.25, "std": 3.04})
    'accuracy 71.2 ± 3.0 %'
    """
    spread = "" if scores["std"] is None else f" ± {scores['std']:.1f}"
    return f"accuracy {scores['accuracy']:.1f}{spread} %"


def _contract(facts: dict[str, Any]) -> list[str]:
    def listed(tensors: dict[str, str]) -> str:
        return ", ".join(f"`{name}` {kind}" for name, kind in tensors.items())

    front_end = facts["front_end"]
    rows = [
        f"| {name} | {listed(of['inputs'])} | {listed(of['outputs'])} |" for name, of in facts["signatures"].items()
    ]
    return [
        "## What a server is asked",
        "",
        "| signature | in | out |",
        "| --- | --- | --- |",
        *rows,
        "",
        f"`audio` is mono at {front_end['sample_rate']} Hz; `length` counts the samples of each clip before its "
        f"padding; `wav_bytes` are WAV files of 16-bit PCM at {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz with 1 to "
        f"{MAX_CHANNELS} channels. A clip has {front_end['window_length']} samples at least and lasts "
        f"{facts['max_seconds']:g} s at most. Its `chunks` are the whole groups of {front_end['chunk_frames']} among "
        f"its 1 + (samples - {front_end['window_length']}) // {front_end['hop_length']} frames, at least 1. "
        "What is refused gets a sentence.",
        "",
    ]


def _scores(facts: dict[str, Any]) -> list[str]:
    scores = facts.get("scores")
    if not scores:
        return ["Not measured: no cross-validation was given."]
    if scores["folds"] > 1:
        spread = f"± {scores['std']:.1f} %** (mean and standard deviation over {scores['folds']} folds; "
    else:
        spread = "%** (on the test tracks of one fixed split; "
    return [
        f"Cross-validated accuracy **{scores['accuracy']:.1f} {spread}split: {scores['split']}), "
        f"balanced accuracy {scores['balanced_accuracy']:.1f} %, macro F1 {scores['macro_f1']:.1f} %. "
        "These are figures of models trained on the folds; the exported weights are a refit on all tracks.",
        "",
        f"Made with `{facts.get('command', 'not stated')}`.",
    ]
