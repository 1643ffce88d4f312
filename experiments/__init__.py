"""Experiment scripts, one per dataset: `python -m experiments.NAME --help`."""

from mcc_zoo.tensorflow_start import import_tensorflow

import_tensorflow()
