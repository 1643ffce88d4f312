"""Find an export by its name or folder."""

from __future__ import annotations

import contextlib
import difflib
import os
from pathlib import Path

from mcc_zoo.export.metadata import FACTS, ExportError

EXPORTS = Path("exported_models")  # where exports go, if nobody says otherwise
SHIPPED = (Path(__file__).parents[1] / EXPORTS,)  # those that come with the package
MOST_NAMED = 5  # exports, where the one that was asked for is not there


def newest(folder: Path) -> Path:
    """Return the newest version below a model's folder, or the folder itself where it is a version.

    Raises:
        ExportError: It is neither; the message names the exports in it, beside it, or in `exported_models`.
    """
    if (folder / FACTS).is_file():
        return folder
    if not (versions := _versions(folder)):
        raise ExportError(
            f"{folder} is no export: neither it nor a numbered folder in it holds {FACTS}{_choice(folder)}"
        )
    return max(versions, key=lambda path: int(path.name))


def find_exports() -> list[Path]:
    """List the models in the folder that MCC_ZOO_MODELS names, in ./exported_models, and in the package.

    Returns:
        The folder of each model's newest version, sorted by name. Of models of one name the first that is found counts.
    """
    named = os.environ.get("MCC_ZOO_MODELS")
    found: dict[str, Path] = {}
    for place in [*([Path(named)] if named else []), EXPORTS, *SHIPPED]:
        for model in _exports(place):
            if _versions(model):
                found.setdefault(model.name, newest(model))
    return [found[name] for name in sorted(found)]


def _versions(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*") if path.name.isdecimal() and (path / FACTS).is_file()]


def _choice(missing: Path) -> str:
    """Name the exports that may have been meant, the likeliest first, of the nearest folder that has some."""
    for place in (missing, missing.parent, EXPORTS):
        if found := {path.name: str(path) for path in _exports(place)}:
            nearest = difflib.get_close_matches(missing.name, found, MOST_NAMED, cutoff=0)
            more = f" (the nearest of {len(found)})" if len(found) > len(nearest) else ""
            return f"; choose {' or '.join(found[name] for name in nearest)}{more}"
    return ""


def _exports(place: Path) -> list[Path]:
    """List the models or versions in a folder; of what cannot be read, none."""
    found = []
    with contextlib.suppress(OSError):
        for path in sorted(place.iterdir()):
            with contextlib.suppress(OSError):
                if not path.name.startswith(".") and ((path / FACTS).is_file() or _versions(path)):
                    found.append(path)
    return found
