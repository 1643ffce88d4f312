"""The model card of an export: what it is, what it was trained on, how well it does, and its limits."""

from __future__ import annotations

from mcc_zoo.audio.limits import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, SILENT_DBFS
from mcc_zoo.export.metadata import ExportMetadata, Scores
from mcc_zoo.paper import SYSTEMS, short_name
from mcc_zoo.recipes import WARM_STARTS
from mcc_zoo.tasks import Task
from mcc_zoo.text import counted

NOT_STATED = "not stated"
REFIT = "These are figures of models trained on the folds; the exported weights are a refit on all tracks."
TESTED = "These are figures of the exported weights, which have not seen the test tracks."
ANSWERS: dict[Task, str] = {
    "single-label": "one label a track, by softmax",
    "multi-label": "any number of labels a track, each by a sigmoid of its own",
}
LIMITS: dict[Task, str] = {
    "single-label": "- It gives every track with sound one of its labels, speech included: it has no way to say "
    "'none of these'.",
    "multi-label": "- It was trained on music: what it says of speech and noise means nothing.",
}


def write_card(metadata: ExportMetadata) -> str:
    """Write MODEL_CARD.md."""
    front_end, labels = metadata.front_end, metadata.labels
    window_ms = 1_000 * front_end.window_length / front_end.sample_rate
    tracks = "?" if metadata.tracks is None else metadata.tracks
    lines = [
        f"# {metadata.name}",
        "",
        f"{SYSTEMS[metadata.architecture].title}, after Chen and Wang (ISMIR 2017): {ANSWERS[metadata.task]}.",
        "",
        "| | |",
        "| --- | --- |",
        f"| labels | {', '.join(labels)} |",
        f"| input | mono float32 audio at **{front_end.sample_rate} Hz**, full scale ±1; at least {window_ms:.0f} ms |",
        f"| chunk | {metadata.chunk_seconds:.3f} s: {front_end.n_mels} mel bands x {front_end.chunk_frames} frames |",
        f"| track descriptor | {metadata.descriptor_size} values |",
        f"| weights | {metadata.parameters:,} |",
        f"| trained on | {metadata.dataset or NOT_STATED}, {tracks} tracks, {_describe_training(metadata)} |",
        *_list_origin(metadata),
        f"| licence of the training music | {metadata.licence or NOT_STATED} |",
        f"| exported | {metadata.exported}, "
        + ", ".join(f"{library} {version}" for library, version in metadata.versions.items())
        + " |",
        "",
        *_show_use(metadata),
        *_describe_contract(metadata),
        "## How well it does",
        "",
        *(_describe_scores(metadata) if metadata.task == "single-label" else _describe_tagging_scores(metadata)),
        "",
        "## Limits",
        "",
        LIMITS[metadata.task],
        _describe_level(metadata),
        f"- It was trained on sequences of up to {metadata.training_chunks} chunks. `mcc_zoo.load` averages windows of "
        "that length over longer files; a server reads the whole sequence at once.",
        "- Audio at another sample rate gets plausible, wrong tags through the signatures that take samples: resample "
        "first. `tag_wav`, `mcc_zoo.load` and `mcc-zoo` resample by themselves.",
        *[f"- {limit}" for limit in metadata.limits],
        "",
    ]
    return "\n".join(lines)


def describe_score(metadata: ExportMetadata) -> str:
    """Say in one line how well an export does and what guessing gives."""
    if metadata.task == "multi-label":
        return f"{format_score(metadata)}, where guessing gives 50.0 %"
    labels, majority = len(metadata.labels), metadata.majority
    score = format_accuracy(metadata.scores) if metadata.scores else "accuracy not measured"
    always = f", and always saying {majority.label} {majority.percent:.1f} %" if majority else ""
    return f"{score}, where guessing one of {labels} labels gives {100 / labels:.1f} %{always}"


def format_score(metadata: ExportMetadata) -> str:
    """Say the accuracy of an export, or with many labels a track its ROC-AUC."""
    if metadata.task == "single-label":
        return format_accuracy(metadata.scores) if metadata.scores else "accuracy not measured"
    if not (scores := metadata.tagging_scores):
        return "ROC-AUC not measured"
    spread = "" if scores.std is None else f" ± {scores.std:.1f}"
    return f"ROC-AUC {scores.roc_auc:.1f}{spread} %"


def format_accuracy(scores: Scores) -> str:
    """Say the accuracy, and its standard deviation over folds where there are several.

    >>> format_accuracy(Scores(accuracy=71.25, std=3.04, balanced_accuracy=70, macro_f1=69, folds=10, split="grouped"))
    'accuracy 71.2 ± 3.0 %'
    """
    spread = "" if scores.std is None else f" ± {scores.std:.1f}"
    return f"accuracy {scores.accuracy:.1f}{spread} %"


def _describe_training(metadata: ExportMetadata) -> str:
    if metadata.epochs == 0:
        return "the last layer alone, by logistic regression"
    before = ""
    if metadata.channels_epochs:  # of the system without the LSTM
        lender = short_name(WARM_STARTS[metadata.architecture])
        before = f"{counted(metadata.channels_epochs, 'epoch')} of {lender} for its channels, then "
    own = "? epochs" if metadata.epochs is None else counted(metadata.epochs, "epoch")
    return f"{before}{own}, recipe {(metadata.recipe or {}).get('name', NOT_STATED)}"


def _list_origin(metadata: ExportMetadata) -> list[str]:
    if not (origin := metadata.finetuned_from):
        return []
    return [
        f"| fine-tuned from | {origin.name}, version {origin.version}, trained on {origin.dataset} "
        f"(licence of that music: {origin.licence}); its mcc_zoo.json has the SHA-256 {origin.sha256} |"
    ]


def _show_use(metadata: ExportMetadata) -> list[str]:
    name = metadata.name
    return [
        "## How to use it",
        "",
        "```python",
        "import mcc_zoo",
        "",
        f'mcc_zoo.load("{name}").tag("song.mp3").top(3)  # the name, or the folder',
        "",
        "import tensorflow as tf",
        "",
        f'model = tf.keras.models.load_model(mcc_zoo.latest("{name}"))  # Keras takes the folder of one version',
        "```",
        "",
    ]


def _compare_with_majority(metadata: ExportMetadata) -> str:
    if not (majority := metadata.majority):
        return ""
    return f" Always saying {majority.label}, the most frequent one, is right for {majority.percent:.1f} %."


def _describe_level(metadata: ExportMetadata) -> str:
    if metadata.front_end.level == "none":
        return "- Its tags follow the volume: give it music as loud as that which it was trained on."
    return (
        "- It hears music alike at any volume: music that is 40 dB softer or 12 dB louder, but neither clipped nor "
        "rounded, has the same probabilities within 0.001. A clipped or noisy recording is another sound, and so is "
        "quiet music in 16 bits, a little."
    )


def _describe_contract(metadata: ExportMetadata) -> list[str]:
    def join(tensors: dict[str, str]) -> str:
        return ", ".join(f"`{name}` {kind}" for name, kind in tensors.items())

    front_end = metadata.front_end
    rows = [f"| {name} | {join(of.inputs)} | {join(of.outputs)} |" for name, of in metadata.signatures.items()]
    return [
        "## What a server is asked",
        "",
        "| signature | in | out |",
        "| --- | --- | --- |",
        *rows,
        "",
        f"`audio` is mono at {front_end.sample_rate} Hz; `length` counts the samples of each clip before its "
        f"padding; `wav_bytes` are WAV files of 16-bit PCM at {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz with 1 to "
        f"{MAX_CHANNELS} channels. A clip has at least {front_end.window_length} samples and lasts "
        f"{metadata.max_seconds:g} s at most. Its `chunks` are the whole groups of {front_end.chunk_frames} among "
        f"its 1 + (samples - {front_end.window_length}) // {front_end.hop_length} frames, at least 1. "
        "Bad input is refused with a sentence.",
        "",
        f"`is_silent` is true for a clip whose level (RMS) reaches {SILENT_DBFS:g} dBFS for less than a tenth of a "
        "second: its other outputs are zeros. `error` is the sentence for which a clip is refused, and "
        "empty where it is not. A refused clip has zeros too.",
        "",
    ]


def _describe_scores(metadata: ExportMetadata) -> list[str]:
    labels = len(metadata.labels)
    chance = f"Chance is {100 / labels:.1f} %, one of {labels} labels.{_compare_with_majority(metadata)}"
    return [chance, "", *_list_scores(metadata)]


def _describe_weights(metadata: ExportMetadata) -> str:
    return TESTED if metadata.trained_on == "training tracks" else REFIT


def _list_scores(metadata: ExportMetadata) -> list[str]:
    if not (scores := metadata.scores):
        return ["Not measured: no cross-validation was given."]
    if scores.folds > 1:
        spread = f"± {scores.std or 0:.1f} %** (mean and standard deviation over {scores.folds} folds; "
    else:
        spread = "%** (on the test tracks of one fixed split; "
    return [
        f"Cross-validated accuracy **{scores.accuracy:.1f} {spread}split: {scores.split}), "
        f"balanced accuracy {scores.balanced_accuracy:.1f} %, macro F1 {scores.macro_f1:.1f} %. "
        f"{_describe_weights(metadata)}",
        "",
        f"Made with `{metadata.command or NOT_STATED}`.",
    ]


def _describe_tagging_scores(metadata: ExportMetadata) -> list[str]:
    """Tabulate scores of many labels a track beside chance, and the thresholds."""
    thresholds = ", ".join(f"{label} {value:.2f}" for label, value in (metadata.thresholds or {}).items())
    shown = [f"A label is given where its probability reaches its threshold: {thresholds}."] if thresholds else []
    if not (scores := metadata.tagging_scores):
        return ["Not measured: no cross-validation was given.", *shown]
    chance = {name: f"{100 * value:.1f}" for name, value in scores.chance.items()}
    spread = "" if scores.std is None else f" ± {scores.std:.1f}"
    tested = f"Cross-validated on {scores.folds} folds" if scores.folds > 1 else "Tested once"
    return [
        f"{tested}, split: {scores.split}. {_describe_weights(metadata)}",
        "",
        "| | % | guessing gives |",
        "| --- | --- | --- |",
        f"| ROC-AUC, mean over labels | **{scores.roc_auc:.1f}{spread}** | {chance['roc_auc']} |",
        f"| average precision, mean over labels | {scores.average_precision:.1f} | {chance['average_precision']} |",
        f"| F1, mean over labels | {scores.f1:.1f} | {chance['f1']}, every label given |",
        f"| ROC-AUC, mean over tracks | {scores.roc_auc_of_tracks:.1f} | {chance['roc_auc']} |",
        f"| average precision, mean over tracks | {scores.average_precision_of_tracks:.1f} | |",
        "",
        *shown,
        "",
        f"Made with `{metadata.command or NOT_STATED}`.",
    ]
