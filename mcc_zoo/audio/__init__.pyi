from .checks import AudioError
from .folders import AUDIO_SUFFIXES, find
from .reading import AudioInfo, probe, read, read_blocks
from .subprocess_decoder import IsolatedDecoder

__all__ = ["AUDIO_SUFFIXES", "AudioError", "AudioInfo", "IsolatedDecoder", "find", "probe", "read", "read_blocks"]
