from . import audio, datasets
from .audio.checks import AudioError
from .conversion import Conversion, ConversionError, convert
from .datasets import Track
from .experiment.corpus import prepare
from .experiment.cross_validation import cross_validate
from .experiment.refit import train
from .experiment.settings import Settings
from .export.metadata import ExportError
from .export.saved_model import export_model
from .features.cache import FeatureCache
from .features.front_end import FRONT_ENDS, FrontEnd
from .finetuning import finetune
from .inference.locate import find_exports, latest
from .inference.result import Result
from .inference.tagger import Tagger, load
from .models.architectures import build
from .models.classifier import adapt, front_end_of, labels_of
from .paper import ARCHITECTURES
from .recipes import RECIPES, Recipe
from .version import __version__

__all__ = [
    "ARCHITECTURES",
    "FRONT_ENDS",
    "RECIPES",
    "AudioError",
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
    "adapt",
    "audio",
    "build",
    "convert",
    "cross_validate",
    "datasets",
    "export_model",
    "find_exports",
    "finetune",
    "front_end_of",
    "labels_of",
    "latest",
    "load",
    "prepare",
    "train",
]
