"""Whether a run is there already: what a calibration would make again, to the last bit, it does not make."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayestwin.errors import RunError
from bayestwin.runs import MANIFEST, REPORT, Run, file_hashes, load_run

PACKAGE = Path(__file__).parent


def package_sha256() -> str:
    """Of bayestwin's own files: who edits the code calibrates with another program."""
    found = hashlib.sha256()
    for file in sorted(file for file in PACKAGE.rglob("*") if file.is_file() and "__pycache__" not in file.parts):
        found.update(f"{file.relative_to(PACKAGE).as_posix()}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return found.hexdigest()


def terms_sha256(terms: Mapping[str, Any]) -> str:
    """Of all that a calibration follows from."""
    return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()


def there_already(folder: Path, terms: Mapping[str, Any], forecast: Mapping[str, Any]) -> Run | None:
    """The run that a calibration on these terms would write, where it lies there whole and as it was written.

    Args:
        folder: of the run.
        terms: of the calibration.
        forecast: what it would forecast.
    """
    if not (folder / MANIFEST).is_file() or not (folder / REPORT).is_file():
        return None
    try:
        run = load_run(folder)
    except RunError:
        return None
    same = run.manifest.get("terms_sha256") == terms_sha256(terms) and run.manifest["forecast"] == forecast
    return run if same and run.manifest.get("files") == file_hashes(folder) else None
