"""Experiment scripts, one per dataset: `python -m experiments.NAME --help`."""

from mcc_zoo.cli.standard_output import fill_closed_streams
from mcc_zoo.tensorflow_start import import_tensorflow

fill_closed_streams()  # before a library opens a file, which would take the number of a standard stream
import_tensorflow()
