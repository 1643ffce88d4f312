"""What a teacher said of clips: the table of `musicnn_tags`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet

TAGS = (  # of MSD_musicnn, in its order
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow", "electronica",
    "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy",
)  # fmt: skip
STRONGEST = 3  # tags of a clip that count as right


def read_teacher(path: Path) -> pd.DataFrame:
    """Read the teacher's probabilities: a row for each clip by its path, a column for each tag."""
    table = pyarrow.parquet.read_table(path, columns=["path", "tags"])
    return pd.DataFrame(np.stack(table["tags"].to_numpy()), index=table["path"].to_numpy(), columns=TAGS)


def list_strongest(teacher: pd.DataFrame) -> list[tuple[str, ...]]:
    """List the tags of each row that the teacher finds strongest, in alphabetical order."""
    strongest = np.argsort(-teacher.to_numpy(), axis=1)[:, :STRONGEST]
    return [tuple(sorted(row)) for row in teacher.columns.to_numpy()[strongest].tolist()]
