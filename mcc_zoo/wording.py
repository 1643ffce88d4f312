"""How counts and reasons are said, in messages, tables and pages alike."""


def counted(number: int, thing: str) -> str:
    """Count things in words.

    >>> counted(1, "fold"), counted(1_000, "track")
    ('1 fold', '1,000 tracks')
    """
    return f"{number:,} {thing}{'s' * (number != 1)}"


def without_path(reason: str, path: str) -> str:
    """Say why a file was refused where its path has a column of its own.

    >>> without_path("/music/song.mp3: empty (0 bytes); copy or download it again", "/music/song.mp3")
    'empty (0 bytes); copy or download it again'
    """
    return reason.removeprefix(f"{path}: ").removeprefix(f"{path!r}: ")
