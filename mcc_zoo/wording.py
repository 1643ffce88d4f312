"""How counts are said, in messages, tables and pages alike."""


def counted(number: int, thing: str) -> str:
    """Count things in words.

    >>> counted(1, "fold"), counted(1_000, "track")
    ('1 fold', '1,000 tracks')
    """
    return f"{number:,} {thing}{'s' * (number != 1)}"
