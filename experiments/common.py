"""Flags that all experiments share, and the one call behind each script."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import tensorflow as tf
from absl import app, flags, logging

from mcc_zoo.audio import decoders
from mcc_zoo.datasets import Track, splits
from mcc_zoo.evaluation import metrics
from mcc_zoo.experiment import cross_validation, run_folder
from mcc_zoo.experiment.corpus import Corpus, prepare
from mcc_zoo.experiment.fold import train
from mcc_zoo.experiment.provenance import command_line
from mcc_zoo.experiment.report import write_report
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.export.metadata import ExportError
from mcc_zoo.export.saved_model import check_arguments, export_model
from mcc_zoo.export.signatures import MAX_SECONDS
from mcc_zoo.features.cache import FeatureCache
from mcc_zoo.features.front_end import FRONT_ENDS
from mcc_zoo.paper import ARCHITECTURES
from mcc_zoo.progress import progress_bar
from mcc_zoo.recipes import RECIPES, WARM_STARTS
from mcc_zoo.text import counted, named
from mcc_zoo.training import devices

FLAGS = flags.FLAGS
MOST_NAMES = 10  # of missing tracks; the rest is counted

flags.DEFINE_list("architectures", ["r3", "mcclstm"], f"Systems to compare, or all: {', '.join(ARCHITECTURES)}.")
flags.DEFINE_integer("folds", 10, "Folds. Fold k tests, fold k + 1 validates, the rest trains.")
flags.DEFINE_integer("seeds", 1, "How many times folds and weights are drawn anew.")
flags.DEFINE_integer("seed", 0, "The first of these seeds.")
flags.DEFINE_string(
    "split",
    "auto",
    "grouped: tracks of a group (artist, album, link) stay together. random: the paper's, leaky where groups matter. "
    "PATH.csv: a table with the columns path and fold. FOLDER: one fixed split by the lists train*.txt, valid*.txt and "
    "test*.txt there (FOLDER/train_filtered.txt if there are several). auto: the manifest's column fold where it has "
    "one, else grouped.",
)
flags.DEFINE_enum("recipe", "tuned", list(RECIPES), "How to train; paper is the paper's to the letter.")
flags.DEFINE_enum(
    "front_end", "44k", list(FRONT_ENDS), "44k: chunks of 1.858 s at 44.1 kHz. 22k: chunks of 3.715 s at 22.05 kHz."
)
flags.DEFINE_enum("compression", "log10_1p", ["log10_1p", "log"], "log10(1 + 10000 x) or ln(x + 1e-6) of mel energy.")
flags.DEFINE_integer("max_epochs", None, "Instead of the recipe's.", lower_bound=1)
flags.DEFINE_enum("device", "auto", ["auto", "cpu", "gpu", "tpu"], "Where to train; auto takes GPUs if there are any.")
flags.DEFINE_enum(
    "precision",
    "auto",
    ["auto", "float32", "mixed_bfloat16", "mixed_float16"],
    "Number type of training; auto: mixed_bfloat16 on TPUs, mixed_float16 on GPUs, float32 on CPUs.",
)
flags.DEFINE_integer(
    "jobs", None, "Folds trained at a time, each by a process with its share of the cores; one a core by default.", 1
)
flags.DEFINE_bool("shuffle_labels", False, "Deal the labels out anew among the tracks: the scores have to be chance.")
flags.DEFINE_string("results_dir", "results", "Where results/DATASET/RUN goes.")
flags.DEFINE_string("run", None, "Name of the run. The same name and settings go on where a run was interrupted.")
flags.DEFINE_string("cache_dir", None, "Where log-mel features are kept; RESULTS_DIR/cache by default.")
flags.DEFINE_enum(
    "decoder",
    "soundfile",
    list(decoders.DECODERS),
    "Who decodes. av also reads M4A, AAC and WMA (pip install .[av]); tfio is tensorflow-io (pip install .[tfio]).",
)
flags.DEFINE_enum(
    "export", None, list(ARCHITECTURES), "After the comparison train this system on all tracks, export it."
)
flags.DEFINE_string("export_dir", "exported_models", "Where exports go.")
flags.DEFINE_string("export_name", None, "Name of the export; ARCHITECTURE_DATASET by default.")
flags.DEFINE_string("licence", "not stated", "Licence of the training music, for the model card.")
flags.DEFINE_bool("quiet", False, "No progress bars.")


def settings(dataset: str) -> Settings:
    """Read the settings of a run from the flags."""
    recipe = RECIPES[FLAGS.recipe]
    if FLAGS.max_epochs:
        recipe = dataclasses.replace(recipe, max_epochs=FLAGS.max_epochs)
    asked = ARCHITECTURES if FLAGS.architectures == ["all"] else tuple(FLAGS.architectures)
    return Settings(
        dataset=dataset,
        architectures=asked,
        folds=FLAGS.folds,
        seeds=FLAGS.seeds,
        seed=FLAGS.seed,
        split=FLAGS.split,
        recipe=recipe,
        front_end=dataclasses.replace(named(FLAGS.front_end, FRONT_ENDS, "--front_end"), compression=FLAGS.compression),
        precision=devices.precision(FLAGS.precision, FLAGS.device),
        shuffle_labels=FLAGS.shuffle_labels,
    )


def default_run(asked: Settings) -> str:
    """Name a run after what distinguishes it."""
    drawn = asked.split in splits.SPLIT_NAMES
    split = asked.split if drawn else Path(asked.split).resolve().stem
    parts = [asked.recipe.name, split, FLAGS.front_end, *([f"{asked.folds}folds"] if drawn else [])]
    if asked.front_end.compression != "log10_1p":
        parts.append(asked.front_end.compression)
    if FLAGS.max_epochs:
        parts.append(f"{FLAGS.max_epochs}epochs")
    if FLAGS.decoder != "soundfile":
        parts.append(FLAGS.decoder)
    if asked.shuffle_labels:
        parts.append("shuffled")
    return "-".join(parts)


def run(dataset: str, tracks: Sequence[Track]) -> Path:
    """Cross-validate as the flags say, write and print the table, and export if asked.

    Returns:
        The folder of the run.
    """
    asked = settings(dataset)
    if FLAGS.export and FLAGS.export not in asked.architectures:
        raise ValueError(f"--export={FLAGS.export} is not among --architectures={','.join(asked.architectures)}")
    if FLAGS.export and asked.shuffle_labels:
        raise ValueError(f"--export={FLAGS.export}: nothing is learnt with --shuffle_labels: leave one of them out")
    if FLAGS.export:
        check_export_name(asked)
    if asked.split == "grouped" and not any(track.group for track in tracks):
        raise ValueError(
            "--split=grouped: no track has a group: name the artists or albums in the manifest's column group, or give "
            "--split=random, which is leaky if several tracks are of one artist"
        )
    for seed in range(asked.seed, asked.seed + asked.seeds):
        splits.draw_splits(tracks, asked.split, asked.folds, seed)  # raises before hours of decoding
    if rare := splits.describe_rare_label(tracks, asked.split, asked.folds):
        print(f"warning: {rare}", file=sys.stderr)
    if splits.is_fixed_split(asked.split):
        tracks = in_lists(tracks, Path(asked.split))
    run_dir = Path(FLAGS.results_dir) / dataset / (FLAGS.run or default_run(asked))
    cache = FeatureCache(FLAGS.cache_dir or Path(FLAGS.results_dir) / "cache", asked.front_end, FLAGS.decoder)
    corpus = prepare(tracks, cache, FLAGS.quiet)
    groups = len({track.group for track in corpus.tracks if track.group})
    print(f"{dataset}: {len(corpus.tracks)} tracks, {len(corpus.labels)} labels, {groups} groups; results in {run_dir}")
    predictions = cross_validation.cross_validate(
        corpus, asked, run_dir, device=FLAGS.device, processes=FLAGS.jobs, quiet=FLAGS.quiet
    )
    write_report(run_dir, dataset)
    print((run_dir / "summary.md").read_text())
    print(f"curves, confusions and scores of the labels: {run_dir / 'report.html'}")
    if FLAGS.export:
        print(f"exported to {export_winner(corpus, asked, run_dir, predictions)}")
    return run_dir


def in_lists(tracks: Sequence[Track], lists: Path) -> list[Track]:
    """Keep the tracks that the lists of a fixed split name, and say how the lists and the dataset differ."""
    fixed = splits.read_fixed_split(tracks, lists)
    for path, absent in fixed.missing.items():
        more = f" and {len(absent) - MOST_NAMES} more" if len(absent) > MOST_NAMES else ""
        names = ", ".join(absent[:MOST_NAMES])
        print(f"{path}: {counted(len(absent), 'track')} not there: {names}{more}", file=sys.stderr)
    if fixed.unlisted:
        print(f"left out, in none of the lists of {lists}: {counted(len(fixed.unlisted), 'track')}", file=sys.stderr)
    left_out = set(fixed.unlisted)
    return [track for track in tracks if track.name not in left_out]


def export_winner(corpus: Corpus, asked: Settings, run_dir: Path, predictions: pd.DataFrame) -> Path:
    """Refit the system of --export on all tracks and export it with its cross-validated scores."""
    epochs, before = run_folder.best_epochs(run_dir, FLAGS.export)
    source = WARM_STARTS.get(FLAGS.export)
    if source and asked.recipe.warm_start and before and not FLAGS.quiet:
        print(f"{FLAGS.export} starts from the channels of {source}: {source} is trained first", file=sys.stderr)
    model = train(corpus, asked, FLAGS.export, epochs, channels_epochs=before, device=FLAGS.device, quiet=FLAGS.quiet)
    scores = metrics.export_scores(predictions, asked.dataset, FLAGS.export)
    label, percent = metrics.most_frequent(predictions)
    provenance = {
        "recipe": dataclasses.asdict(asked.recipe),
        "dataset": asked.dataset,
        "licence": FLAGS.licence,
        "tracks": len(corpus.tracks),
        "epochs": epochs,
        "channels_epochs": before,
        "training_chunks": min(asked.recipe.max_chunks, max(features.chunks for features in corpus.features)),
        "scores": {**scores, "split": splits.describe_split(corpus.tracks, asked.split), "seeds": asked.seeds},
        "majority": {"label": label, "percent": percent},
        "command": command_line(),
    }
    if leak := run_folder.run_leak(run_dir, predictions, asked.dataset):
        provenance["limits"] = [f"Its score is not one on new music: {leak}"]
    return export_model(model, FLAGS.export_dir, export_name(asked), provenance)


def export_name(asked: Settings) -> str:
    """Name the export of --export."""
    return FLAGS.export_name or f"{FLAGS.export}_{asked.dataset}"


def check_export_name(asked: Settings) -> None:
    """Refuse before the training what the export would refuse after it."""
    try:
        check_arguments(export_name(asked), MAX_SECONDS, asked.front_end)
    except ValueError as error:
        raise ValueError(f"--export_name: {error}") from error


@contextlib.contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar for something that says how much is done of how much."""
    with progress_bar(FLAGS.quiet) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def main(load: Callable[[], tuple[str, Sequence[Track]]]) -> None:
    """Parse the flags and run an experiment.

    Args:
        load: Called after the flags are parsed, for the dataset's name and its tracks.
    """
    start(lambda: run(*load()))


def start(work: Callable[[], object]) -> None:
    """Parse the flags and call `work`; a mistake of the user's is one sentence and exit status 1."""

    def body(arguments: list[str]) -> None:
        try:
            if len(arguments) > 1:
                raise ValueError(f"{arguments[1]!r} is not a flag: flags start with --, see --help")
            work()
        except (ValueError, FloatingPointError, OSError, ExportError) as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            print("interrupted: the same command goes on, finished folds are kept", file=sys.stderr)
            sys.exit(130)

    logging.set_verbosity(logging.WARNING)
    tf.get_logger().setLevel("ERROR")  # it warns of retracing, once a new model a fold
    app.run(body)
