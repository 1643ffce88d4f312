"""Find exports: those of a folder, those beside, and those that come with the package."""

from __future__ import annotations

import contextlib
import difflib
import os
from pathlib import Path

from mcc_zoo.export.metadata import METADATA_FILE, ExportError
from mcc_zoo.export.versions import read_version

VARIABLE = "MCC_ZOO_MODELS"
PRETRAINED = "mcclstm_pretrained"  # the model that comes with the package to be fine-tuned
EXPORTS = Path("exported_models")  # where exports go, if nobody says otherwise
_PACKAGE = Path(__file__).parents[1]
SHIPPED = (_PACKAGE / EXPORTS, _PACKAGE.parent / EXPORTS)  # of an installed wheel; of a checkout
MOST_NAMED = 5  # exports, where the one that was asked for is not there


def find_exports() -> list[Path]:
    """List the models that can be loaded by their name.

    They are searched for in the folder that the variable MCC_ZOO_MODELS names, in ./exported_models, and among those
    that come with the package. Of models of one name the first that is found counts.

    Returns:
        The folder of the newest version of each model, NAME/VERSION, sorted by NAME.
    """
    found: dict[str, Path] = {}
    for place in _model_folders():
        for model in _list_exports(place):
            if versions := _list_versions(model):
                found.setdefault(model.name, max(versions, key=_number))
    return [found[name] for name in sorted(found)]


def latest(name_or_folder: str | os.PathLike[str]) -> Path:
    """Find the newest version of a model.

    Args:
        name_or_folder: A version's folder, which is returned as it is; the folder of all versions of a model; or the
            name of a model, which is searched for as `find_exports` does.

    Returns:
        The version's folder, which `mcc_zoo.load` and, after `import mcc_zoo`, `tf.keras.models.load_model` load.

    Raises:
        ExportError: There is none; the message names the nearest exports.

    >>> latest("mcclstm_pretrained").parent.name
    'mcclstm_pretrained'
    """
    asked = Path(name_or_folder)
    places = [] if asked.is_absolute() or ".." in asked.parts else _model_folders()
    for folder in (asked, *(place / asked for place in places)):
        if _is_version(folder):
            return folder
        if versions := _list_versions(folder):
            return max(versions, key=_number)
    raise ExportError(
        f"{asked} is no export, and no name of one in ${VARIABLE}, ./{EXPORTS} or the package: give the folder of its "
        f"{METADATA_FILE}{_suggest(asked)}"
    )


def _model_folders() -> list[Path]:
    """List the folders of models, in the order in which a name is looked up."""
    named = os.environ.get(VARIABLE)
    return [*([Path(named)] if named else []), EXPORTS, *SHIPPED]


def _is_version(folder: Path) -> bool:
    try:
        return (folder / METADATA_FILE).is_file()
    except OSError:  # a name that is too long, or a folder that cannot be entered
        return False


def _list_versions(folder: Path) -> list[Path]:
    """List the numbered versions of a model; none of what cannot be read."""
    try:
        return [path for path in folder.iterdir() if read_version(path.name) is not None and _is_version(path)]
    except (OSError, ValueError):
        return []


def _number(version: Path) -> int:
    return read_version(version.name) or 0


def _suggest(missing: Path) -> str:
    """Name the nearest exports in the folder, beside it, or among those known by their name."""
    for place in (missing, missing.parent):
        if found := {path.name: str(path) for path in _list_exports(place)}:
            return _choose(missing.name, found)
    return _choose(missing.name, {path.parent.name: path.parent.name for path in find_exports()})


def _choose(name: str, found: dict[str, str]) -> str:
    """Name the nearest of the exports that were found, as they can be given."""
    if not found:
        return ""
    nearest = difflib.get_close_matches(name, found, MOST_NAMED, cutoff=0)
    more = f" (the nearest of {len(found)})" if len(found) > len(nearest) else ""
    return f"; choose {' or '.join(found[key] for key in nearest)}{more}"


def _list_exports(place: Path) -> list[Path]:
    """List the models or versions in a folder; none of what cannot be read."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        for path in sorted(place.iterdir()):
            if not path.name.startswith(".") and (_is_version(path) or _list_versions(path)):
                found.append(path)
    return found
