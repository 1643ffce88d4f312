"""Griffe extension: the doctests of a docstring become its section of examples, not Markdown quotations."""

import re
from typing import Any

import griffe


class DoctestBlocks(griffe.Extension):
    """Put the heading `Examples:` before a doctest that has none, or `Example:`."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object."""
        if not obj.docstring:
            return
        text, start, examples = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n").partition("\n\n>>> ")
        if start:
            indented = re.sub("^(?=.)", "    ", f">>> {examples}", flags=re.MULTILINE)
            text = f"{text}\n\nExamples:\n{indented}"
        obj.docstring.value = text
