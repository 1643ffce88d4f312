"""A zoo of music taggers after Chen and Wang (ISMIR 2017): waveform in, tags and high-level descriptors out.

The import is light. A name below brings its module, and TensorFlow where it needs it, when it is first used; and as
soon as Keras is imported its `load_model` knows the layers of the zoo.
"""

import importlib
import sys
from types import ModuleType

import lazy_loader
import wrapt

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_LAYERS = ("mcc_zoo.models.", "mcc_zoo.features.level", "mcc_zoo.features.log_mel")


class _KerasFirst:
    """A finder of modules that finds none, but has Keras imported before a module with layers.

    Otherwise that module, while half imported, would import Keras and so be asked for its layers.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name.startswith(_LAYERS):
            importlib.import_module("keras")


def _register_layers(keras: ModuleType) -> None:
    """Register the layers with Keras, which looks up by name what a saved model is made of."""
    importlib.import_module("mcc_zoo.models.architectures")


importlib.import_module("mcc_zoo.forking")  # which takes note of forks from now on
sys.meta_path.insert(0, _KerasFirst)
wrapt.register_post_import_hook(_register_layers, "keras")  # at once where Keras is there already
