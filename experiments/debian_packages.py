"""Debian packages as a source of files: download, unpack, and say under which licence each file stands.

`apt-get` and `dpkg-deb` do the work, so this runs on Debian and its descendants; nothing is installed on the machine.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from debian.copyright import Copyright, License, MachineReadableFormatError, NotMachineReadableError

from mcc_zoo.atomic import make_folder, temporary_folder

ARCHIVES = frozenset({".zip", ".pk3", ".pk4"})  # games keep their files in these; all are zip
NOT_STATED = "as stated in the copyright file of the package"


@dataclass(frozen=True)
class Package:
    """An unpacked package.

    Attributes:
        name: As Debian names it.
        version: Of the package.
        folder: Where its files lie, those of its archives too.
    """

    name: str
    version: str
    folder: Path


@dataclass(frozen=True)
class Licence:
    """What a package says of a file.

    Attributes:
        name: Short name of the licence.
        holders: Who holds the copyright, in one line.
    """

    name: str
    holders: str


def fetch(name: str, folder: Path) -> Package | None:
    """Download and unpack a package, unless both were done before.

    Args:
        name: Of the package.
        folder: Folder of all packages; this one gets `NAME/VERSION` there.

    Returns:
        The package, or None where the machine's package lists do not have it.

    Raises:
        ValueError: There is no apt-get, or a package that it knows cannot be downloaded or unpacked.
    """
    if done := sorted(folder.glob(f"{name}/*/unpacked")):
        return Package(name, done[-1].parent.name, done[-1].parent)
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if not shutil.which(tool):
            raise ValueError(f"{tool} is not there: this needs Debian or a system that descends from it")
    home = folder / name
    if not (files := sorted(home.glob("*.deb"))):
        if not subprocess.run(["apt-cache", "show", name], capture_output=True).stdout:
            return None
        make_folder(home)
        with temporary_folder("download-", home) as unfinished:  # a part of a file is not found by the next run
            _run("apt-get", "download", "-qq", name, folder=unfinished)
            files = [path.rename(home / path.name) for path in unfinished.glob("*.deb")]
        if not files:
            raise ValueError(f"apt-get download {name}: nothing came")
    target = home / _run("dpkg-deb", "-f", files[-1], "Version").strip().replace(":", "%3a")
    _run("dpkg-deb", "-x", files[-1], target)
    for archive in list_files(target, ARCHIVES):
        _unpack_archive(archive)
    files[-1].unlink()
    (target / "unpacked").touch()
    return Package(name, target.name, target)


def _run(*command: str | Path, folder: Path | None = None) -> str:
    """Run a tool and return what it printed; what it says if it fails becomes the error."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{' '.join(map(str, command))}: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout


def _unpack_archive(archive: Path) -> None:
    """Replace an archive by a folder of its name; one that is none stays as it is."""
    target = archive.with_name(f"{archive.name}.files")
    try:
        with zipfile.ZipFile(archive) as members:
            members.extractall(target)
    except (zipfile.BadZipFile, NotImplementedError):
        return
    archive.unlink()


class Licences:
    """The licences of a package's files, from its machine-readable copyright file (Debian's format 1.0).

    The file speaks of the source tree, a package of installed files: a file has the licence of the last paragraph that
    matches an end of its path, such as `music/theme.ogg`. Where no paragraph does, or the format is an older one,
    Debian's promise stands: all of `main` is free for any use.
    """

    def __init__(self, package: Package) -> None:
        """Read the package's copyright file."""
        path = package.folder / "usr/share/doc" / package.name / "copyright"
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                self._paragraphs = list(Copyright(file, strict=False).all_files_paragraphs())
        except (OSError, ValueError, NotMachineReadableError, MachineReadableFormatError):
            self._paragraphs = []

    def find(self, path: PurePosixPath) -> Licence:
        """Find the licence of a file by its path in the package."""
        ends = ["/".join(path.parts[i:]) for i in range(len(path.parts))]
        found = Licence(NOT_STATED, "")
        for paragraph in self._paragraphs:
            licence: License | None = paragraph.license
            if licence and any(paragraph.matches(end) for end in ends):
                found = Licence(licence.synopsis, _in_one_line(str(paragraph.copyright or "")))
        return found


def _in_one_line(text: str) -> str:
    """Join lines, without addresses and runs of blanks."""
    lines = (re.sub(r"\s*[<(]?\S+(@|://| at )[^\s>)]+[>)]?|\s+", " ", line).strip(" ,;") for line in text.splitlines())
    return "; ".join(dict.fromkeys(line for line in lines if line))


def list_files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """List the files in a folder that have these suffixes, by path; links are left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
    return sorted(path for path in found if path.is_file() and not path.is_symlink())
