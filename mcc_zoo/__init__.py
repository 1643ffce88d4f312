"""A zoo of music taggers after Chen and Wang (ISMIR 2017): waveform in, tags and high-level descriptors out."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads it when it is imported

from mcc_zoo.version import __version__  # isort: skip  # what follows reads it
from mcc_zoo.architectures import build, front_end_of, labels_of
from mcc_zoo.conversion import Conversion, ConversionError, convert
from mcc_zoo.datasets import Track
from mcc_zoo.experiment import Settings, cross_validate, prepare, train
from mcc_zoo.export import ExportError, export_model
from mcc_zoo.finetuning import finetune
from mcc_zoo.paper import ARCHITECTURES, FRONT_ENDS, RECIPES, FrontEnd, Recipe
from mcc_zoo.pipeline import FeatureCache
from mcc_zoo.tagger import Result, Tagger, load

__all__ = [
    "ARCHITECTURES",
    "FRONT_ENDS",
    "RECIPES",
    "Conversion",
    "ConversionError",
    "ExportError",
    "FeatureCache",
    "FrontEnd",
    "Recipe",
    "Result",
    "Settings",
    "Tagger",
    "Track",
    "__version__",
    "build",
    "convert",
    "cross_validate",
    "export_model",
    "finetune",
    "front_end_of",
    "labels_of",
    "load",
    "prepare",
    "train",
]
