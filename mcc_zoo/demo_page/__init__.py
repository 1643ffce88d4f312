"""A local web page to hear a track and see its taggram, its tags while it plays, and the most similar tracks.

It needs the extra `[page]`. `models.py` asks the model by TF Serving's REST protocol, `tracks.py` makes the page's data
for a track, `server.py` is the local server, and page.html, page.css and page.js are the page.
"""

from mcc_zoo.demo_page.models import LoadedModel, Model, ModelError, ServedModel
from mcc_zoo.demo_page.server import HOST, DemoPage, listen
from mcc_zoo.demo_page.tracks import Library

__all__ = ["HOST", "DemoPage", "Library", "LoadedModel", "Model", "ModelError", "ServedModel", "listen"]
