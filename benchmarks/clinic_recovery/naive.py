"""What a naive analysis makes of a study: it drops what is missing, fills what is hidden with zero, and ignores delay."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

BARRIER = re.compile(r"\n\[\[extract\.barriers\]\]\n(?:[^\[\n].*\n)*")
HIDDEN = "*"


def taken_at_face_value(study: Path, folder: Path) -> Path:
    """Write a copy of a study in which no barrier is stated and hidden numbers are zeros.

    Args:
        study: the study's folder.
        folder: a new folder.

    Returns:
        The new folder.
    """
    (folder / "extracts").mkdir(parents=True)
    for file in sorted((study / "extracts").iterdir()):
        table = pd.read_csv(file, dtype=str)
        table.replace(HIDDEN, "0").to_csv(folder / "extracts" / file.name, index=False)
    text = (study / "study.toml").read_text(encoding="utf-8")
    (folder / "study.toml").write_text(BARRIER.sub("", text), encoding="utf-8")
    (folder / "truth.nc").write_bytes((study / "truth.nc").read_bytes())
    return folder
