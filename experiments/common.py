"""The flags that all experiments share, and the function that runs an experiment."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import tensorflow as tf
from absl import app, flags, logging

from experiments import devices, exporting
from mcc_zoo.audio import decoders
from mcc_zoo.cli.standard_output import OutputError, checked_output
from mcc_zoo.datasets import Track, splits
from mcc_zoo.datasets.cautions import list_spellings
from mcc_zoo.datasets.fixed_splits import write_lists
from mcc_zoo.disk import explain
from mcc_zoo.experiment.corpus import Corpus, prepare
from mcc_zoo.experiment.report import write_report
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.export.metadata import ExportError, ExportMetadata
from mcc_zoo.features.cache import FeatureCache
from mcc_zoo.features.front_end import FRONT_ENDS, Level
from mcc_zoo.inference.locate import latest
from mcc_zoo.paper import ARCHITECTURES
from mcc_zoo.process_limits import explain_limit
from mcc_zoo.progress import progress_bar
from mcc_zoo.recipes import RECIPES, Recipe
from mcc_zoo.tensorflow_start import INTERRUPTED
from mcc_zoo.termination import TERMINATED, Terminated, interrupt_on_sigterm
from mcc_zoo.text import counted

FLAGS = flags.FLAGS
MOST_NAMES = 10  # of missing tracks; the rest is counted
CONTINUES = "interrupted: finished folds and epochs are kept, the same command continues"

flags.DEFINE_list("architectures", ["r3", "mcclstm"], f"Systems to compare, or all: {', '.join(ARCHITECTURES)}.")
flags.DEFINE_integer("folds", 10, "Folds. Fold k tests, fold k + 1 validates, the rest trains.")
flags.DEFINE_integer("seeds", 1, "How many times folds and weights are drawn.")
flags.DEFINE_integer("seed", 0, "The first of these seeds.")
flags.DEFINE_string(
    "split",
    "auto",
    "grouped: tracks of a group (artist, album, link) stay in one fold. random: the paper's split, leaky where groups "
    "matter. "
    "PATH.csv: a table with the columns path and fold. FOLDER: one fixed split by the lists train*.txt, valid*.txt and "
    "test*.txt there (FOLDER/train_filtered.txt if there are several). auto: the manifest's column fold where it has "
    "one, else grouped.",
)
flags.DEFINE_enum(
    "recipe",
    "tuned",
    list(RECIPES),
    "How to train. paper follows the paper to the letter; pretraining is tuned, with the tags learnt at every "
    "step of an LSTM.",
)
flags.DEFINE_enum(
    "front_end",
    "44k",
    list(FRONT_ENDS),
    "44k: chunks of 1.858 s at 44.1 kHz. 22k: chunks of 3.715 s at 22.05 kHz. paper: 44k with --level=none.",
)
flags.DEFINE_enum(
    "level",
    None,
    ["window", "chunk", "none"],
    "What is scaled to one loudness before the logarithm, so that tags do not follow the volume: all chunks that the "
    "model reads as one track (window), or each chunk. none leaves the volume in, as the paper does: it is the default "
    "with --recipe=paper, else window is.",
)
flags.DEFINE_enum("compression", "log10_1p", ["log10_1p", "log"], "log10(1 + 10000 x) or ln(x + 1e-6) of mel energy.")
flags.DEFINE_string(
    "start_from",
    None,
    "An export, by name or folder, whose weights every system starts from: channels, fusion and LSTM, where it has the "
    "same. Its front end is taken instead of --front_end, --level and --compression.",
)
flags.DEFINE_enum(
    "frozen",
    "descriptor",
    ["nothing", "channels", "descriptor"],
    "What --start_from leaves as it is: nothing; the channels; or the descriptor, which is channels and fusion.",
)
flags.DEFINE_integer("max_epochs", None, "Most epochs per fold, instead of the recipe's.", lower_bound=1)
flags.adopt_module_key_flags(devices)
flags.DEFINE_bool(
    "shuffle_labels", False, "Permute the labels among the tracks: a control, whose accuracy has to be at chance."
)
flags.DEFINE_string("results_dir", "results", "Folder of all results; a run writes into RESULTS_DIR/DATASET/RUN.")
flags.DEFINE_string("run", None, "Name of the run. With the same name and settings an interrupted run continues.")
flags.DEFINE_string("cache_dir", None, "Folder of the feature cache; RESULTS_DIR/cache by default.")
flags.DEFINE_enum(
    "decoder",
    "auto",
    list(decoders.DECODERS),
    "Decoder. auto is soundfile where it reads a file whole, else av; tfio is tensorflow-io (pip install .[tfio]).",
)
flags.adopt_module_key_flags(exporting)
flags.DEFINE_bool("quiet", False, "No progress bars.")


def make_settings(dataset: str) -> Settings:
    """Make the settings of a run from the flags."""
    recipe = RECIPES[FLAGS.recipe]
    if FLAGS.max_epochs:
        recipe = dataclasses.replace(recipe, max_epochs=FLAGS.max_epochs)
    front_end = dataclasses.replace(
        FRONT_ENDS[FLAGS.front_end], compression=FLAGS.compression, level=choose_level(recipe)
    )
    start_from = None
    if FLAGS.start_from:
        start_from = str(latest(FLAGS.start_from))
        front_end = ExportMetadata.read(Path(start_from)).front_end
    architectures = ARCHITECTURES if FLAGS.architectures == ["all"] else tuple(FLAGS.architectures)
    return Settings(
        dataset=dataset,
        architectures=architectures,
        folds=FLAGS.folds,
        seeds=FLAGS.seeds,
        seed=FLAGS.seed,
        split=FLAGS.split,
        recipe=recipe,
        front_end=front_end,
        precision=devices.choose_precision(),
        shuffle_labels=FLAGS.shuffle_labels,
        start_from=start_from,
        frozen=FLAGS.frozen,
        workers=devices.make_distribution().workers,
    )


def choose_level(recipe: Recipe) -> Level:
    """Choose the level that --level asks for; by default that of the recipe's front end."""
    return FLAGS.level or FRONT_ENDS["paper" if recipe.name == "paper" else FLAGS.front_end].level


def name_run(settings: Settings) -> str:
    """Name a run by the settings that distinguish it."""
    drawn = settings.split in splits.SPLIT_NAMES
    split = settings.split if drawn else Path(settings.split).resolve().stem
    front_end = [] if settings.start_from else [FLAGS.front_end]
    parts = [settings.recipe.name, split, *front_end, *([f"{settings.folds}folds"] if drawn else [])]
    if settings.front_end.compression != "log10_1p":
        parts.append(settings.front_end.compression)
    if FLAGS.level:
        parts.append(f"level-{FLAGS.level}")
    if settings.start_from:
        version = Path(settings.start_from)
        parts.append(f"from-{version.parent.name}-{version.name}-{settings.frozen}-frozen")
    if FLAGS.max_epochs:
        parts.append(f"{FLAGS.max_epochs}epochs")
    if FLAGS.decoder != "auto":
        parts.append(FLAGS.decoder)
    if settings.workers:
        parts.append(f"parameter-server-{settings.workers}workers")
    if settings.shuffle_labels:
        parts.append("shuffled")
    return "-".join(parts)


def run(
    dataset: str,
    tracks: Sequence[Track],
    teach: Callable[[Corpus], Corpus] = lambda corpus: corpus,
    limits: Sequence[str] = (),
) -> Path:
    """Cross-validate as the flags say, write and print the table, and export if --export is given.

    Args:
        dataset: Its name.
        tracks: Its tracks.
        teach: Adds to the corpus what a teacher says of it.
        limits: Sentences for the card of an export.

    Returns:
        The folder of the run.
    """
    settings = make_settings(dataset)
    if FLAGS.export and FLAGS.export not in settings.architectures:
        raise ValueError(f"--export={FLAGS.export} is not among --architectures={','.join(settings.architectures)}")
    if FLAGS.export and settings.shuffle_labels:
        raise ValueError(f"--export={FLAGS.export}: with --shuffle_labels nothing is learnt: leave one of the two out")
    if FLAGS.export:
        exporting.check_export_name(settings)
    if settings.split == "grouped" and not any(track.group for track in tracks):
        raise ValueError(
            "--split=grouped: no track has a group: name the artists or albums in the manifest's column group, or give "
            "--split=random, which is leaky if several tracks are of one artist"
        )
    for caution in list_spellings(tracks):  # before folds are refused because of a label that few tracks have
        print(f"warning: {caution}", file=sys.stderr)
    for seed in range(settings.seed, settings.seed + settings.seeds):
        splits.draw_splits(tracks, settings.split, settings.folds, seed)  # raises before hours of decoding
    if rare := splits.describe_rare_label(tracks, settings.split, settings.folds):
        print(f"warning: {rare}", file=sys.stderr)
    if splits.is_fixed_split(settings.split):
        tracks = keep_listed(tracks, Path(settings.split))
    run_dir = Path(FLAGS.results_dir) / dataset / (FLAGS.run or name_run(settings))
    cache = FeatureCache(FLAGS.cache_dir or Path(FLAGS.results_dir) / "cache", settings.front_end, FLAGS.decoder)
    corpus = teach(prepare(tracks, cache, FLAGS.quiet))
    groups = len({track.group for track in corpus.tracks if track.group})
    print(f"{dataset}: {len(corpus.tracks)} tracks, {len(corpus.labels)} labels, {groups} groups; results in {run_dir}")
    predictions = devices.cross_validate(corpus, settings, run_dir)
    write_report(run_dir, dataset)
    print((run_dir / "summary.md").read_text())
    print(f"curves, confusions and scores of the labels: {run_dir / 'report.html'}")
    if FLAGS.export:
        print(f"exported to {exporting.export_system(corpus, settings, run_dir, predictions, limits)}")
    return run_dir


def split_by_lists(dataset: str, split: str, names: Mapping[str, Sequence[str]]) -> None:
    """Write the lists of a split that the dataset brings along, and let --split name their folder.

    Args:
        dataset: Name of the dataset.
        split: Name of the split, and of the folder in RESULTS_DIR/splits/DATASET.
        names: The names of the tracks of each part, as for `mcc_zoo.datasets.fixed_splits.write_lists`.
    """
    FLAGS.split = str(write_lists(Path(FLAGS.results_dir) / "splits" / dataset / split, names))


def keep_listed(tracks: Sequence[Track], lists: Path) -> list[Track]:
    """Keep the tracks in the lists of a fixed split; print how the lists and the dataset differ."""
    fixed = splits.read_fixed_split(tracks, lists)
    for path, absent in fixed.missing.items():
        more = f" and {len(absent) - MOST_NAMES} more" if len(absent) > MOST_NAMES else ""
        names = ", ".join(absent[:MOST_NAMES])
        print(f"{path}: {counted(len(absent), 'track')} not there: {names}{more}", file=sys.stderr)
    if fixed.unlisted:
        print(f"left out, in none of the lists of {lists}: {counted(len(fixed.unlisted), 'track')}", file=sys.stderr)
    left_out = set(fixed.unlisted)
    return [track for track in tracks if track.name not in left_out]


@contextlib.contextmanager
def show_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar; yields a function to call with the number done and the total."""
    with progress_bar(FLAGS.quiet) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def main(load: Callable[[], tuple[str, Sequence[Track]]]) -> None:
    """Parse the flags and run an experiment.

    Args:
        load: Returns the dataset's name and its tracks; called after the flags are parsed.
    """
    start(lambda: run(*load()))


def start(work: Callable[[], object]) -> None:
    """Parse the flags and call `work`.

    An error of the user prints one sentence and exits with status 1; what cannot be written, or a limit that
    is too low, with status 2.
    """

    def body(arguments: list[str]) -> None:
        try:
            if len(arguments) > 1:
                raise ValueError(f"{arguments[1]!r} is not a flag: flags start with --, see --help")
            with devices.take_part():
                work()
        except KeyboardInterrupt as error:
            print(CONTINUES, file=sys.stderr)
            sys.exit(TERMINATED if isinstance(error, Terminated) else INTERRUPTED)
        except Exception as error:
            if reason := str(error) if isinstance(error, OutputError) else explain(error) or explain_limit(error):
                end_impossible(str(reason))
            if isinstance(error, (ValueError, FloatingPointError, OSError, ExportError)):
                sys.exit(f"error: {error}")
            raise

    logging.set_verbosity(logging.WARNING)
    tf.get_logger().setLevel("ERROR")  # it warns of retracing, once per fold, for each has a new model
    try:
        with interrupt_on_sigterm(f"{CONTINUES}\n"), checked_output():
            app.run(body)
    except OutputError as error:  # of --help, or of the last lines
        end_impossible(str(error))


def end_impossible(reason: str) -> NoReturn:
    """Say why this machine cannot do it, and exit with status 2."""
    with contextlib.suppress(OSError):  # standard error may be on the same full disk
        print(f"error: {reason}", file=sys.stderr)
    sys.exit(2)
