"""Griffe extension: docstrings as the reference pages need them.

Doctests become the section of examples, not Markdown quotations. A class is described by its own docstring alone.
"""

import re
from typing import Any

import griffe


class PageDocstrings(griffe.Extension):
    """Put the heading `Examples:` before doctests, and leave out the docstrings of `__init__`."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object."""
        if obj.name == "__init__":
            obj.docstring = None
        if not obj.docstring:
            return
        text, start, examples = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n").partition("\n\n>>> ")
        if start:
            indented = re.sub("^(?=.)", "    ", f">>> {examples}", flags=re.MULTILINE)
            text = f"{text}\n\nExamples:\n{indented}"
        obj.docstring.value = text
