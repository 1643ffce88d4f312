"""Experiment scripts, one per dataset: `python -m experiments.NAME --help`."""

from mcc_zoo.quiet_tensorflow import import_tensorflow

import_tensorflow()
