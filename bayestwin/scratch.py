"""Scratch folders beside what they are to become: moved there in one step, locked while their owner lives, swept once it is dead.

The lock is the kernel's on the folder itself. It ends with the process however that ends, so that nothing has to be said, or guessed from
process numbers, about who is alive. Where a file system knows no such locks, nothing is swept.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bayestwin.errors import Fault, WriteError

FREE, ALLOW = "free some space, or write to another disk (--out)", "make it writable, or write to another folder (--out)"
REMEDIES = {
    errno.ENOSPC: FREE,
    errno.EDQUOT: FREE,
    errno.EFBIG: FREE,
    errno.EACCES: ALLOW,
    errno.EPERM: ALLOW,
    errno.EROFS: ALLOW,
    errno.EIO: "look after the disk, or write to another one (--out)",
}


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Own a folder for a block.

    Yields:
        Whether it is known to be ours: not where the file system knows no locks.

    Raises:
        BlockingIOError: if another process owns it.
    """
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            known = True
        except BlockingIOError:
            raise
        except OSError:
            known = False
        yield known
    finally:
        os.close(opened)


@contextmanager
def scratch_for(path: Path) -> Iterator[Path]:
    """A new folder beside `path`, gone when the block ends unless it was moved.

    Args:
        path: what is to be written; what dead processes left of it is swept first.

    Raises:
        WriteError: if the disk is full, or the place may not be written to.
    """
    sweep(path.parent, path.name)
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.partial-"))
        try:
            with claimed(scratch):
                yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A scratch file that becomes `path` in one step when the block ends well.

    Raises:
        WriteError: if the disk is full, or the place may not be written to.
    """
    with scratch_for(path) as scratch:
        yield scratch / path.name
        settled(scratch / path.name)
        os.replace(scratch / path.name, path)


def settled(file: Path) -> None:
    """Have a file on disk, before it gets its final name."""
    with open(file, "rb") as stream:
        os.fsync(stream.fileno())


def sweep(parent: Path, name: str | None = None) -> bool:
    """Remove the scratch folders of dead processes.

    Args:
        parent: where they lie.
        name: of what they were to become; all if None.

    Returns:
        Whether none is left, so that nobody is at work here.
    """
    found = list(parent.glob(f".{'*' if name is None else glob.escape(name)}.partial-*"))
    for left in found:
        with suppress(OSError), claimed(left) as ours:  # it lives, or is gone by now, or may not be touched by us
            if ours:
                shutil.rmtree(left, ignore_errors=True)
    return not any(left.exists() for left in found)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Full disks and missing rights as errors that say what to do.

    Raises:
        WriteError: if so.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        file = re.sub(r"\.([^/\\]+)\.partial-[^/\\]+", r"\1", str(path))  # the name that people know
        raise WriteError([Fault(file, f"cannot be written ({os.strerror(error.errno)})", remedy=REMEDIES[error.errno])]) from error
