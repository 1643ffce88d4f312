"""MkDocs hook: fill pages from the package and from texts beside it, so that nothing is kept twice by hand.

Each is a line of its own on a page:

    ::: modules mcc_zoo.audio    that folder's docstring and its modules; of mcc_zoo the files beside the folders
    ::: names mcc_zoo            a table of the names that `import mcc_zoo` gives
    [words](../CHANGELOG.md)     that text of the repository without its title; where the page is not built, a link
    [words](../NOTES.md#title)   the section of a text below a heading of the second level
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import griffe
from markdown.extensions.toc import slugify

ROOT = Path(__file__).parents[2]
PAGES = {"serving/README.md": "serving.md", "exported_models/README.md": "exports.md", "CHANGELOG.md": "changelog.md"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace these lines."""
    fill = {"modules": list_modules, "names": list_names}
    markdown = re.sub(r"^\[.+\]\(\.\./(\S+\.md\S*)\)$", lambda line: read_text(line[1]), markdown, flags=re.MULTILINE)
    return re.sub(r"^::: (modules|names) (.+)$", lambda line: fill[line[1]](line[2]), markdown, flags=re.MULTILINE)


def read_text(source: str) -> str:
    """Read a text of the repository, or one section of it, with links that work from the pages.

    Raises:
        ValueError: It has no such section.
    """
    name, _, anchor = source.partition("#")
    text = (ROOT / name).read_text(encoding="utf-8").partition("\n")[2]
    if anchor:
        sections = dict(section.split("\n", 1) for section in text.split("\n## ")[1:])
        found = [section for title, section in sections.items() if slugify(title, "-") == anchor]
        if not found:
            raise ValueError(f"{name}: no section {anchor!r}; was it renamed?")
        text = found[0]
    return re.sub(r"(?<!!)\[([^\]\[]+)\]\(([^)\s]+)\)", lambda link: _relink(link[1], link[2]), text)


def _relink(words: str, target: str) -> str:
    """Point a link at a page, or leave its words alone where the target is a file of the repository and no page."""
    if "://" in target or target.startswith("#"):
        return f"[{words}]({target})"
    path, mark, anchor = target.partition("#")
    page = path.removeprefix("docs/") if path.startswith("docs/") else PAGES.get(path)
    return f"[{words}]({page}{mark}{anchor})" if page else words


def list_modules(package: str) -> str:
    """Ask mkdocstrings for each module of a folder, subfolders included; of the whole package for its own files only.

    Raises:
        ValueError: The folder holds no module.
    """
    folder = ROOT / package.replace(".", "/")
    found = folder.rglob("*.py") if "." in package else folder.glob("*.py")
    paths = [path for path in found if path.name != "__init__.py"]
    names = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths)
    if not names:
        raise ValueError(f"{folder}: no modules; is the reference page of a folder that was renamed?")
    docstring = load_package("mcc_zoo")[package.partition(".")[2]].docstring if "." in package else None
    listed = [f"## {name.removeprefix(package + '.')}\n\n`{name}`\n\n::: {name}" for name in names]
    return "\n\n".join([*([docstring.value] if docstring else []), *listed])


def list_names(package: str) -> str:
    """Make a table of the public names of a package: name, linked to its page, and first line of the docstring.

    Raises:
        ValueError: A name has no docstring.
    """
    loaded = load_package(package)
    rows = ["| name | what it is |", "| --- | --- |"]
    for name in sorted(loaded.exports or [], key=str.lower):
        item = loaded[name]
        target = item.final_target if item.is_alias else item
        if target.is_attribute:  # values such as RECIPES have a comment at most
            rows.append(f"| `{package}.{name}` | A value of `{target.module.path}`. |")
            continue
        if not target.docstring:
            raise ValueError(f"{target.path}: no docstring, and {package}.{name} is public")
        summary = target.docstring.value.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        link = f"({name}.md)" if target.is_module else f"[{target.path}]"  # a folder has a page, and no heading there
        rows.append(f"| [`{package}.{name}`]{link} | {summary} |")
    return "\n".join(rows)


@cache
def load_package(package: str) -> griffe.Module:
    """Read a package without importing it."""
    loaded = griffe.load(package, search_paths=[ROOT], resolve_aliases=True)
    assert isinstance(loaded, griffe.Module)
    return loaded
