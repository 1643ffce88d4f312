"""A page on this machine to hear and see a model: a track, its taggram and tags while it plays, and tracks like it.

It needs the extra `[page]`. `models.py` asks the model by TF Serving's REST protocol, `tracks.py` makes of a track what
the page shows, `server.py` is the local server and page.html the page.
"""

from mcc_zoo.demo_page.models import LoadedModel, Model, ModelError, ServedModel
from mcc_zoo.demo_page.server import HOST, DemoPage, listening
from mcc_zoo.demo_page.tracks import Library

__all__ = ["HOST", "DemoPage", "Library", "LoadedModel", "Model", "ModelError", "ServedModel", "listening"]
