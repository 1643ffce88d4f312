"""Free music without labels: clips of the music in Debian's games, which a student of another tagger can listen to.

    python -m experiments.free_music --data_dir=FREE_MUSIC

It downloads the packages in PACKAGES (8 GB), and writes into FREE_MUSIC:

    packages/        the unpacked packages
    clips/           mono FLAC of 20 to 60 s, cut from recordings of 20 s or more
    clips.csv        a row for each clip: path, group (its recording), package, seconds
    recordings.csv   package, version, path, seconds, licence, holders of each recording, and why it was left out
    licences.md      hours and licences of each package, as docs/free_music.md shows them

All of Debian's main section may be used by anybody for anything, for money too. Sound effects and speech are left out
by their paths, copies by their sound. The same command again downloads only what is not there. Only Debian and its
descendants have apt-get.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import soundfile
from absl import flags

from experiments import common
from experiments.debian_packages import Licences, Package, fetch, list_files
from mcc_zoo import audio
from mcc_zoo.atomic import make_folder, write_bytes, write_text
from mcc_zoo.audio import AUDIO_SUFFIXES, AudioError, IsolatedDecoder
from mcc_zoo.disk import explained
from mcc_zoo.progress import progress_bar

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder for packages and clips; 26 GB.", required=True)
PACKAGES = (
    "0ad-data", "amoebax-data", "ardentryst", "asc-music", "berusky2-data", "boswars-data", "btanks-data",
    "caveexpress-data", "colobot-common-sounds", "cube2-data", "davegnukem-data", "drascula-music", "endless-sky-data",
    "enigma-data", "etw-data", "extremetuxracer-data", "fillets-ng-data", "flare-game", "freecol",
    "freedink-data", "freedroidrpg-data", "freeorion-data", "fretsonfire-songs-muldjord", "fretsonfire-songs-sectoid",
    "frozen-bubble-data", "gigalomania-data", "glob2-data", "hedgewars-data", "hex-a-hop-data", "hyperrogue-music",
    "lbreakouthd-data", "lincity-ng-data", "lordsawar-data", "lugaru-data", "manaplus-data", "marsshooter-data",
    "megaglest-data", "naev-data", "neverball-common", "nexuiz-music", "openarena-data", "openclonk-data",
    "pathological", "pekka-kana-2-data", "pingus-data", "pink-pony-data", "planetblupi-music-ogg",
    "plee-the-bear-data", "pokerth-data", "powermanga-data", "pushover-data", "raincat-data", "redeclipse-data",
    "scorched3d-data", "sdl-ball-data", "singularity-music", "starfighter-data", "supertux-data", "supertuxkart-data",
    "torcs-data", "trackballs-data", "trigger-rally-data", "triplea", "ufoai-music", "unknown-horizons",
    "warmux-data", "warzone2100-music", "wesnoth-1.16-music", "widelands-data", "wizznic-data", "xmoto-data",
    "zaz-data",
)  # fmt: skip
NAMES = flags.DEFINE_list("packages", list(PACKAGES), "Packages to take music from.")
flags.declare_key_flag("quiet")

MUSIC = ("music", "song", "soundtrack", "bgm", "track", "tune", "theme", "playlist")  # in the path of what is music
OTHER = ("speech", "voice", "dialog", "narrat", "sfx", "effect", "ambien", "/amb", "noise")  # and of what is not
LEAST_SECONDS, CLIP_SECONDS = 20.0, 30.0
RATE = 44_100
ENVELOPE_SECONDS = 0.5
SAME = 0.98  # correlation of the loudness of two recordings above which one is a copy of the other


@dataclass(frozen=True)
class Recording:
    """A recording of a package.

    Attributes:
        package: The package.
        path: The file.
        name: Its path in the package.
    """

    package: Package
    path: Path
    name: PurePosixPath

    @property
    def group(self) -> str:
        """What its clips have in common."""
        return f"{self.package.name}/{self.name}"


def list_recordings(packages: Sequence[Package]) -> list[Recording]:
    """List the files of the packages that are music, as far as their paths say."""
    found = []
    for package in packages:
        for path in list_files(package.folder, AUDIO_SUFFIXES):
            name = PurePosixPath(path.relative_to(package.folder).as_posix())
            words = f"{package.name}/{name}".lower()
            if any(word in words for word in MUSIC) and not any(word in words for word in OTHER):
                found.append(Recording(package, path, name))
    return found


def cut(samples: np.ndarray) -> list[np.ndarray]:
    """Cut a recording into equal clips of 30 to 60 s; one that is shorter stays whole."""
    clips = max(1, int(len(samples) / RATE // CLIP_SECONDS))
    return np.array_split(samples, clips)


def measure_loudness(samples: np.ndarray) -> np.ndarray:
    """Root mean squares of half seconds."""
    size = round(ENVELOPE_SECONDS * RATE)
    whole = samples[: len(samples) // size * size].reshape(-1, size)
    return np.sqrt(np.square(whole, dtype=np.float64).mean(axis=1))


def is_copy(first: np.ndarray, second: np.ndarray) -> bool:
    """Tell whether two loudness curves are those of one recording, at whatever volume and from whatever encoder."""
    if abs(len(first) - len(second)) > 2:
        return False
    size = min(len(first), len(second))
    return float(np.corrcoef(first[:size], second[:size])[0, 1]) > SAME


def convert(recording: Recording, folder: Path, number: int) -> tuple[str, np.ndarray, list[Path]]:
    """Decode a recording and write its clips.

    Returns:
        Why it was left out, or nothing; its loudness; its clips.
    """
    try:
        info = audio.probe(recording.path)
        if info.seconds is not None and info.seconds < LEAST_SECONDS:
            return "short", np.zeros(0), []
        with IsolatedDecoder() as decoder:
            samples = np.concatenate([*decoder.read_blocks(recording.path, RATE, 60 * RATE)])
    except AudioError as error:
        return error.reason, np.zeros(0), []
    loudness = measure_loudness(samples)
    if len(samples) < LEAST_SECONDS * RATE:
        return "short", loudness, []
    if loudness.std() == 0:
        return "without sound", loudness, []
    home = folder / recording.package.name
    make_folder(home)
    peak = max(1.0, float(np.abs(samples).max()))  # a decoded Ogg may go a little beyond full scale, FLAC cannot
    paths = []
    for i, clip in enumerate(cut(samples / peak)):
        paths.append(home / f"{number:04}-{i:03}.flac")
        encoded = io.BytesIO()  # of a full disk libsndfile says "System error"
        soundfile.write(encoded, clip, RATE, format="FLAC")
        write_bytes(paths[-1], encoded.getvalue())
    return "", loudness, paths


def convert_all(recordings: Sequence[Recording], folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """Convert recordings, two at a time; of copies the first is kept. Yields why one was left out, and its clips."""
    kept: list[np.ndarray] = []
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(convert, recording, folder, i) for i, recording in enumerate(recordings)]
        try:
            for job in jobs:
                reason, loudness, paths = job.result()
                if paths and any(is_copy(loudness, other) for other in kept):
                    for path in paths:
                        path.unlink()
                    reason, paths = "a copy", []
                if paths:
                    kept.append(loudness)
                yield reason, paths
        finally:
            pool.shutdown(cancel_futures=True)  # or an error would be told when all are converted


def write_licences(table: pd.DataFrame, path: Path) -> None:
    """Write hours and licences of the recordings that are used, a row for each package."""
    used = table[table["left_out"] == ""]
    lines = [
        "| package | version | recordings | hours | licences | copyright |",
        "| --- | --- | --: | --: | --- | --- |",
    ]
    for (package, version), rows in used.groupby(["package", "version"]):
        licences = ", ".join(f"{name} ({count})" for name, count in rows["licence"].value_counts().items())
        holders = [holder for text in rows["holders"].unique() for holder in text.split("; ") if holder]
        names = "; ".join(dict.fromkeys(holders)).replace("|", "/")
        hours = rows["seconds"].sum() / 3600
        lines.append(f"| {package} | {version} | {len(rows)} | {hours:.2f} | {licences} | {names} |")
    lines.append(f"| all | | {len(used)} | {used['seconds'].sum() / 3600:.2f} | | |")
    write_text(path, "\n".join(lines) + "\n")


def make_corpus() -> None:
    """Fetch the packages, cut their music into clips, and write the tables."""
    data_dir = Path(DATA_DIR.value)
    with explained(data_dir, "the corpus", "name another --data_dir"), progress_bar(flags.FLAGS.quiet) as bar:
        packages = []
        for name in bar.track(NAMES.value, description="packages"):
            if package := fetch(name, data_dir / "packages"):
                packages.append(package)
            else:
                print(f"left out: {name} is not among this machine's packages", file=sys.stderr)
        if not packages:
            raise ValueError(f"none of {len(NAMES.value)} packages is known here: run apt-get update first, on Debian")
        recordings = list_recordings(packages)
        licences = {package.name: Licences(package) for package in packages}
        rows, clips = [], []
        found = convert_all(recordings, data_dir / "clips")
        for recording, (reason, paths) in bar.track(
            zip(recordings, found, strict=True), total=len(recordings), description="recordings"
        ):
            seconds = [soundfile.info(path).duration for path in paths]
            licence = licences[recording.package.name].find(recording.name)
            source = recording.package
            rows.append(
                (source.name, source.version, recording.name, sum(seconds), licence.name, licence.holders, reason)
            )
            clips += [
                (path.relative_to(data_dir), recording.group, source.name, length)
                for path, length in zip(paths, seconds, strict=True)
            ]
        table = pd.DataFrame(rows, columns=["package", "version", "path", "seconds", "licence", "holders", "left_out"])
        write_text(data_dir / "recordings.csv", table.to_csv(index=False))
        of_clips = pd.DataFrame(clips, columns=["path", "group", "package", "seconds"])
        write_text(data_dir / "clips.csv", of_clips.to_csv(index=False))
        write_licences(table, data_dir / "licences.md")
    used = table["left_out"] == ""
    print(f"{used.sum()} recordings of {table.loc[used, 'seconds'].sum() / 3600:.1f} hours, {len(clips)} clips")


if __name__ == "__main__":
    common.start(make_corpus)
