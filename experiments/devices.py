"""The flags that say where and how training runs, which all experiments share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pandas as pd
from absl import flags

from mcc_zoo.experiment import cross_validation
from mcc_zoo.experiment.corpus import Corpus
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.training import devices as training
from mcc_zoo.training import taking_part

FLAGS = flags.FLAGS

flags.DEFINE_enum(
    "device",
    "auto",
    list(training.DEVICES),
    "The devices of this machine; auto uses GPUs if there are any, else the CPU.",
)
flags.DEFINE_enum(
    "strategy",
    "default",
    list(training.STRATEGIES),
    "How training is spread. default: over the GPUs of this machine, or on its one GPU or CPU. mirrored: likewise, and "
    "an error where there are not several. tpu: over the cores of a TPU. parameter_server: by many machines "
    "asynchronously, as in the paper (docs/scaling.md); run the same command on each, with its own TF_CONFIG.",
)
flags.DEFINE_string(
    "tpu",
    "",
    "With --strategy=tpu: name or grpc://HOST:PORT of the TPU; local on a TPU VM. By default TPU_NAME names it.",
)
flags.DEFINE_integer(
    "local_workers",
    None,
    "With --strategy=parameter_server and no TF_CONFIG: start so many workers and a parameter server on this machine.",
    lower_bound=1,
)
flags.DEFINE_enum(
    "precision",
    "auto",
    ["auto", "float32", "mixed_bfloat16", "mixed_float16"],
    "Number type of training; auto: mixed_bfloat16 on TPUs and on processors with AVX512_BF16 or AMX, mixed_float16 on "
    "GPUs, else float32. Exports are float32.",
)
flags.DEFINE_integer(
    "jobs", None, "Folds trained at a time, each by a process with its share of the cores; by default one per core.", 1
)


def take_part() -> AbstractContextManager[None]:
    """Take this process's part in the training that the flags and TF_CONFIG describe, for a block."""
    if FLAGS.strategy != "default" and (FLAGS.jobs or 1) > 1:
        raise ValueError(f"--jobs={FLAGS.jobs}: with --strategy={FLAGS.strategy} all devices train one fold at a time")
    return taking_part.take_part(FLAGS.strategy, FLAGS.tpu, FLAGS.local_workers)


def make_distribution() -> training.Distribution:
    """Say how training is spread, by the flags and TF_CONFIG."""
    return taking_part.choose_distribution(FLAGS.strategy, FLAGS.tpu, FLAGS.local_workers)


def choose_precision() -> str:
    """Choose the Keras dtype policy of the flags."""
    return training.choose_precision(FLAGS.precision, FLAGS.device, FLAGS.strategy)


def cross_validate(corpus: Corpus, settings: Settings, run_dir: Path) -> pd.DataFrame:
    """Train and test all folds, on the devices and by the processes that the flags say."""
    return cross_validation.cross_validate(
        corpus,
        settings,
        run_dir,
        device=FLAGS.device,
        distribution=make_distribution(),
        processes=FLAGS.jobs,
        quiet=FLAGS.quiet,
    )
