"""Audio files to mono waveforms at the rate asked for, and every refusal."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
