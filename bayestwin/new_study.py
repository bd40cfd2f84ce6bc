"""A study folder that is there when it is whole, and not before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bayestwin.errors import Fault, StudyError
from bayestwin.scratch import scratch_for


@contextmanager
def new_study(folder: Path, other: str) -> Iterator[Path]:
    """A scratch folder that becomes `folder` in one step when the block ends well.

    Args:
        folder: must not exist, or be empty.
        other: what to choose where it is not, in words.

    Raises:
        StudyError: if the folder is not empty.
        WriteError: if the disk is full, or the place may not be written to.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StudyError([Fault(str(folder), "is not empty", expected="a new or empty folder", remedy=f"choose another {other}")])
    whole = folder.resolve()
    with scratch_for(whole) as scratch:
        staged = scratch / "study"
        staged.mkdir()
        yield staged
        if whole.exists():
            whole.rmdir()
        os.replace(staged, whole)
