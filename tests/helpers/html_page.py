"""An HTML page as a test reads it."""

from __future__ import annotations

import base64
from html.parser import HTMLParser

VOID = {"meta", "link", "img"}


class Page(HTMLParser):
    """What a browser would see of a page, and whether its tags match."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data.replace("\N{NO-BREAK SPACE}", " ")

    def find(self, tag: str, /, **attributes: str | None) -> list[dict[str, str | None]]:
        """The attributes of each such element."""
        return [found for name, found in self.tags if name == tag and attributes.items() <= found.items()]

    def pictures(self) -> list[bytes]:
        """The decoded data URIs."""
        sources = [str(image["src"]) for image in self.find("img")]
        assert all(source.startswith("data:image/png;base64,") for source in sources)
        return [base64.b64decode(source.partition(",")[2], validate=True) for source in sources]
