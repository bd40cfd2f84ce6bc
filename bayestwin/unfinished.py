"""A calibration that has not ended: its chains and its terms, in a hidden folder beside the run that it will be (`.NAME.unfinished`)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayestwin.errors import Fault, RunError
from bayestwin.infer.settings import Sampling
from bayestwin.prepared import Prepared
from bayestwin.runs import MANIFEST, unfinished, write_json
from bayestwin.scratch import claimed, told
from bayestwin.unchanged import CODE_SHA256, dependencies, folder_sha256

if TYPE_CHECKING:
    from bayestwin.infer.checkpoint import Checkpoint

FORMAT = 2  # of what lies in the folder
TERMS = "terms.json"
PACKAGES = ("bayestwin", "numpyro", "jax", "jaxlib", "numpy")  # that the draws, or what they mean, depend on
ANEW = "or calibrate from the start"


def is_begun(folder: Path) -> bool:
    """Whether chains of a run's calibration were saved."""
    from bayestwin.infer.checkpoint import STATE

    return (unfinished(folder) / STATE).is_file()


def terms_of(prepared: Prepared, sampling: Sampling) -> dict[str, Any]:
    """What a calibration is of: if all of it is the same, so is the run, on the same machine to the last bit."""
    study, twin = prepared.study, prepared.twin
    return {
        "format": FORMAT,
        "study": {"folder": str(study.folder), "as_of": str(study.as_of), "sha256": study.sha256, "truth": study.truth_sha256},
        "model": {"folder": str(twin.folder), "sha256": twin.sha256, "files": folder_sha256(twin.folder)},
        "files": {study.hierarchy.file: study.hierarchy_sha256} | {row["file"]: row["sha256"] for row in prepared.provenance},
        "sampling": asdict(sampling),
        "versions": {name: version(name) for name in PACKAGES},
        "code": CODE_SHA256,
        "dependencies": dependencies(),
    }


def read_terms(folder: Path) -> dict[str, Any]:
    """The terms of a run's unfinished calibration.

    Args:
        folder: the run that it would have become.

    Raises:
        RunError: if there is none, or it is damaged.
    """
    if not is_begun(folder):
        whole = (folder / MANIFEST).is_file()
        problem = "is finished; there is nothing to go on with" if whole else "has no unfinished calibration"
        remedy = "give the study to `bayestwin calibrate` to calibrate again"
        raise RunError([Fault(str(folder), problem, expected="a calibration that was interrupted after sampling began", remedy=remedy)])
    file = unfinished(folder) / TERMS
    try:
        terms = json.loads(file.read_text(encoding="utf-8"))
        found = terms["format"]
    except (OSError, ValueError, KeyError) as error:
        raise RunError([Fault(str(file), f"is damaged ({error})", remedy=f"put it back, {ANEW}")]) from error
    if found != FORMAT:
        remedy = f"go on with the bayestwin that wrote it, {ANEW}"
        raise RunError([Fault(str(file), "is of another format", value=str(found), expected=str(FORMAT), remedy=remedy)])
    return terms


def hold(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with what has changed.

    Args:
        before: terms on which a calibration began.
        now: the terms today.

    Raises:
        RunError: with everything that has changed.
    """
    since = "has changed since the calibration began"
    faults = [
        Fault(before[what]["folder"], f"the {what} {since}", remedy=f"put it back as it was, {ANEW}")
        for what in ("study", "model")
        if before[what]["sha256"] != now[what]["sha256"]
    ]
    files = {**before["files"], **now["files"]}
    changed = [name for name in files if before["files"].get(name) != now["files"].get(name)]
    faults += [Fault(name, since, remedy=f"put it back as it was, {ANEW}") for name in changed]
    faults += [
        Fault(name, f"another version than the calibration began with: {now['versions'][name]}", expected=old, remedy=f"install it, {ANEW}")
        for name, old in before["versions"].items()
        if now["versions"].get(name) != old
    ]
    if before["code"] != now["code"] and before["versions"]["bayestwin"] == now["versions"]["bayestwin"]:
        faults.append(
            Fault("bayestwin", "its own files have changed since the calibration began", remedy=f"put them back as they were, {ANEW}")
        )
    if faults:
        raise RunError(faults)


@contextmanager
def held(folder: Path, terms: Mapping[str, Any], resumed: bool) -> Iterator[Checkpoint]:
    """A place for a run's chains, gone when the block ends well, or before anything was saved there.

    Args:
        folder: the run to be.
        terms: of its calibration.
        resumed: whether it goes on; else what an earlier one left is removed.

    Raises:
        RunError: if another process is calibrating the same run.
        WriteError: if the place may not be written to.
    """
    from bayestwin.infer.checkpoint import Checkpoint

    place = unfinished(folder)
    with told(place):
        place.mkdir(parents=True, exist_ok=True)
    try:
        with claimed(place):
            if not resumed:
                _empty(place)
                write_json(place / TERMS, terms)
            try:
                yield Checkpoint(place)
                shutil.rmtree(place)
            finally:
                if not is_begun(folder):
                    shutil.rmtree(place, ignore_errors=True)
    except BlockingIOError as error:
        problem, remedy = "is being calibrated by another process", "wait for it, or choose another --out"
        raise RunError([Fault(str(folder), problem, remedy=remedy)]) from error


def _empty(place: Path) -> None:
    from bayestwin.infer.checkpoint import STATE

    (place / STATE).unlink(missing_ok=True)  # first: without it there is nothing to go on with
    for left in place.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
