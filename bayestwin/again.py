"""A run's study, as it was read when the run was made."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from bayestwin.errors import Fault, RunError
from bayestwin.prepared import Prepared, prepare
from bayestwin.runs import Run
from bayestwin.study import STUDY_FILE, Study, read_study


def prepared_again(run: Run) -> Prepared:
    """Bring a run's study to its model once more.

    Args:
        run: a loaded run.

    Raises:
        RunError: if the study has moved, or its extracts or its model have changed since the run.
    """
    prepared = prepare(study_again(run))
    if faults := changes_since(run, prepared):
        raise RunError(faults)
    return prepared


def study_again(run: Run) -> Study:
    """A run's study as of the run's date, as it stands today.

    Args:
        run: a loaded run.

    Raises:
        RunError: if it has moved.
    """
    told = run.manifest["study"]
    folder = Path(told["folder"])
    if not (folder / STUDY_FILE).is_file() and "from_run" in told:  # told from another working folder, or moved together with the run
        folder = run.folder / told["from_run"]
    if not (folder / STUDY_FILE).is_file():
        expected, remedy = "the folder that was calibrated", "put it back, or calibrate again"
        raise RunError([Fault(told["folder"], "the run's study is not there", expected=expected, remedy=remedy)])
    return read_study(folder).at(datetime.fromisoformat(run.manifest["as_of"]).date())


def changes_since(run: Run, prepared: Prepared) -> list[Fault]:
    """Extracts, table of units and model that are others than the run's.

    Args:
        run: a loaded run.
        prepared: its study as it stands today.
    """
    before = {row["extract"]: row["sha256"] for row in run.manifest["extracts"]}
    changed = [row for row in prepared.provenance if before.get(row["extract"]) != row["sha256"]]
    faults = [
        Fault(row["file"], "has changed since the run", expected="the file that was calibrated", remedy="calibrate again")
        for row in changed
    ]
    units = run.manifest["study"].get("hierarchy")
    if units and units["sha256"] != prepared.study.hierarchy_sha256:
        faults.append(Fault(units["file"], "has changed since the run", expected="the file that was calibrated", remedy="calibrate again"))
    if prepared.twin.sha256 != run.manifest["model"]["sha256"]:
        faults.append(Fault(str(prepared.twin.folder), "the model has changed since the run", remedy="calibrate again"))
    return faults
