"""Start a study: from a bundled one, or from files as a publisher releases them."""

from __future__ import annotations

import re
import shutil
from difflib import get_close_matches
from pathlib import Path

from bayestwin.errors import Fault, StudyError
from bayestwin.library import copy_files, library_folder, names_in
from bayestwin.new_study import new_study
from bayestwin.study import STUDY_FILE, Study, read_study

NHS_GP = (
    "actual_duration.csv.gz",
    "appointments_regional.csv.gz",
    "geography.csv",
    "practice_coverage.csv.gz",
    "pcn_workforce_fte_by_sub_icb.csv",
)


def init_study(folder: str | Path, name: str, source: str | Path | None = None) -> Study:
    """Make a study folder to edit.

    Args:
        folder: the new folder; it must not exist, or be empty.
        name: "nhs_gp" (needs `source`), or a bundled study.
        source: folder with the published files.

    Returns:
        The study, read back.

    Raises:
        StudyError: if the folder is not empty, the name is unknown, or published files are missing.
        WriteError: if the disk is full, or the folder may not be written to.
    """
    with new_study(Path(folder), "name") as staged:
        _from_nhs(staged, source) if name == "nhs_gp" else _from_bundle(staged, name)
    return read_study(folder)


def _from_bundle(staged: Path, name: str) -> None:
    known = names_in(library_folder("data"), STUDY_FILE)
    if name not in known:
        near = get_close_matches(name, [*known, "nhs_gp"], n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"choose one of {[*known, 'nhs_gp']}"
        raise StudyError([Fault("--from", "unknown study", value=name, expected="a bundled study or nhs_gp", remedy=remedy)])
    copy_files(library_folder("data") / name, staged)


def _from_nhs(staged: Path, source: str | Path | None) -> None:
    if source is None:
        raise StudyError([Fault("--source", "is not given", expected="the folder with the published files", remedy="add --source FOLDER")])
    missing = [file for file in NHS_GP if not (Path(source) / file).is_file()]
    if missing:
        raise StudyError(
            [Fault(str(Path(source) / file), "file is missing", expected="a file that NHS England publishes") for file in missing]
        )
    (staged / "extracts").mkdir()
    for file in NHS_GP:
        shutil.copyfile(Path(source) / file, staged / "extracts" / file)
    template = (library_folder("models") / "gp_appointments" / "nhs_gp.study.toml").read_text(encoding="utf-8")
    (staged / STUDY_FILE).write_text(re.sub(r"^as_of = \S+", f"as_of = {_last_day(staged)}", template, flags=re.M), encoding="utf-8")


def _last_day(staged: Path) -> str:
    from bayestwin.extracts.table import read_table
    from bayestwin.extracts.validate import dates

    table = read_table(staged / "extracts" / NHS_GP[0])
    found = dates(table["appointment_date"], "%d-%b-%y") if "appointment_date" in table else None
    if found is None or found.isna().all():
        fault = Fault(NHS_GP[0], "has no dates", "appointment_date", expected="days such as 01-Dec-21", remedy="check the published file")
        raise StudyError([fault])
    return found.max().date().isoformat()
