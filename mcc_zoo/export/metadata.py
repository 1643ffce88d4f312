"""What mcc_zoo.json says of an export."""

from __future__ import annotations


class ExportError(RuntimeError):
    """An export that was written does not answer as the model does, or cannot be read."""


FACTS = "mcc_zoo.json"
