"""A demo page that runs while a test asks it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from mcc_zoo import demo_page
from mcc_zoo.demo_page import DemoPage

HOSTILE = "<img src=x onerror=alert(1)>\"'../../etc/passwd"
PREDICT = "/v1/models/tones:predict"
DEAF = "http://127.0.0.1:9"  # the discard port: nobody listens


@contextlib.contextmanager
def served(application: DemoPage) -> Iterator[str]:
    """Run a page and give its address."""
    listening = demo_page.listen(application, port=0)
    threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://{demo_page.HOST}:{listening.port}"
    listening.shutdown()
