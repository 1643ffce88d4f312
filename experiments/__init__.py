"""Experiment scripts, one a dataset: `python -m experiments.NAME --help`."""

from mcc_zoo.silence import import_tensorflow

import_tensorflow()
