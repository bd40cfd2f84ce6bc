"""Whether a run is there already: what would come out the same is not calibrated again.

A run's fingerprint is of all that it follows from and of what its manifest says, the hashes of its files among it. It finds what has
changed, by whatever mishap; it is no seal against somebody who forges one.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

from bayestwin.errors import RunError
from bayestwin.runs import REPORT, Run, file_hashes, load_run

LEFT_BEHIND = "__pycache__"


def folder_sha256(folder: Path) -> str:
    """Of every file below a folder, by name and content; not of what Python and editors leave there."""
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") or part == LEFT_BEHIND for part in name.parts):
            found.update(f"{name.as_posix()}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return found.hexdigest()


CODE_SHA256 = folder_sha256(Path(__file__).parent)  # as it is imported: what is edited later on is not what runs


def dependencies() -> dict[str, str]:
    """Versions of Python and of all that bayestwin requires."""
    stated = (re.match(r"[\w.-]+", line) for line in requires("bayestwin") or [] if "extra ==" not in line)
    names = {name[0] for name in stated if name} | {"jaxlib"}
    return {"python": platform.python_version()} | {name: version(name) for name in sorted(names)}


def fingerprint(terms: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """SHA-256 of what a calibration follows from and of what its run says; not of where they lie and how long it took.

    Args:
        terms: of the calibration.
        manifest: of its run, as it will be written or as it was read.
    """
    follows_from = {**terms, **{what: {**terms[what], "folder": None} for what in ("study", "model")}}
    told = {name: value for name, value in manifest.items() if name not in ("fingerprint", "timings")}
    plain = json.loads(json.dumps([follows_from, told], default=str))  # as it is when it was read
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def there_already(folder: Path, terms: Mapping[str, Any]) -> Run | None:
    """The run that a calibration on these terms would write, where it lies there whole, as it was written, and knows its study's place.

    Args:
        folder: of the run.
        terms: of the calibration.
    """
    try:
        run = load_run(folder)
        same = fingerprint(terms, run.manifest) == run.manifest.get("fingerprint")
        if not same or file_hashes(folder) != run.manifest["files"] or not (folder / REPORT).is_file():
            return None
        place = (folder / run.manifest["study"]["from_run"]).resolve()
        return run if place == Path(terms["study"]["folder"]).resolve() else None
    except (RunError, OSError):  # not there, damaged, or not to be read: the calibration says so or replaces it
        return None
