"""A Debian package with music in it, made here."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import numpy as np
import soundfile

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: game

Files: *
Copyright: 2010 A Coder
License: GPL-2+

Files: data/music/*
Copyright: 2011 A Composer
           2012 Another
License: CC-BY-SA-3.0
"""


def music(seconds: float, seed: int) -> np.ndarray:
    """Noise that swells at random, so that no two seeds have the same loudness."""
    random = np.random.default_rng(seed)
    swell = np.repeat(random.uniform(0.05, 0.3, int(2 * seconds) + 1), 11_025)[: int(seconds * 22_050)]
    return swell * random.uniform(-1, 1, len(swell))


def build_package(folder: Path, name: str) -> None:
    """A Debian package as apt-get leaves it: with music, a copy of it in an archive, an effect, a voice and a text."""
    root = folder / "build"
    data = root / "usr/share/games/game/data"
    for path, samples in {
        "music/theme.ogg": music(70, 1),
        "music/short.ogg": music(5, 2),
        "music/voices/hello.ogg": music(25, 3),
        "sounds/shot.ogg": music(25, 4),
    }.items():
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(data / path, samples, 22_050)
    (data / "music/broken.ogg").write_bytes(b"OggS and no more")
    soundfile.write(folder / "copy.flac", 0.5 * music(70, 1), 22_050)
    soundfile.write(folder / "other.flac", music(20.5, 5), 22_050)
    with zipfile.ZipFile(data / "more.pk3", "w") as archive:
        archive.write(folder / "copy.flac", "tracks/copy.flac")
        archive.write(folder / "other.flac", "tracks/other.flac")
    (root / f"usr/share/doc/{name}").mkdir(parents=True)
    (root / f"usr/share/doc/{name}/copyright").write_text(COPYRIGHT)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: a game\n"
    )
    home = folder / "music/packages" / name
    home.mkdir(parents=True)
    subprocess.run(["dpkg-deb", "--build", root, home / f"{name}.deb"], check=True, capture_output=True)
