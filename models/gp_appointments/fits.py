"""What the model needs of a study: levels, periods, dims, barriers that it sees through, and patients in every area."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bayestwin.barriers import Band, Coverage, Unknown
from bayestwin.barriers.barrier import AbstractAbsence
from bayestwin.cells import PER_CHECK
from bayestwin.errors import Fault

if TYPE_CHECKING:
    from bayestwin.cells import StudyExtract
    from bayestwin.extracts.hierarchy import Hierarchy
    from bayestwin.extracts.observations import Observations
    from bayestwin.study import Study

FILE = "study.toml"
LEVELS = ["area", "board", "region"]


class Form(NamedTuple):
    """What an extract of a stream looks like; barriers beside absences that the model sees through."""

    level: str
    resolution: str
    dims: tuple[str, ...] = ()
    barriers: tuple[str, ...] = ()


FORMS = {
    "durations": Form("area", "day", ("band",), ("coverage", "band", "unknown")),
    "staff_mix": Form("board", "month", ("hcp_type", "mode"), ("aggregate", "unknown")),
    "patients": Form("area", "month"),
    "registered": Form("area", "month"),
    "workforce": Form("area", "month", ("staff_group",)),
}


def misfits(study: Study, hierarchy: Hierarchy) -> list[Fault]:
    """What of a study does not fit the model."""
    found = []
    if list(hierarchy.levels[: len(LEVELS)]) != LEVELS:
        levels = str(list(hierarchy.levels))
        found.append(Fault(FILE, "levels do not fit the model", "hierarchy.columns", value=levels, expected=f"{LEVELS}, leaf first"))
    for extract in study.extracts:
        found += [*_of_form(extract, FORMS[extract.stream]), *(_of_durations(extract) if extract.stream == "durations" else [])]
    return found


def _of_form(extract: StudyExtract, form: Form) -> Iterable[Fault]:
    stream, place = extract.stream, f"extract.{extract.name}"
    for key in ("level", "resolution"):
        stated, expected = getattr(extract, key), getattr(form, key)
        if stated != expected:
            yield Fault(FILE, f"{key} does not fit the stream {stream!r}", f"{place}.{key}", value=stated, expected=expected)
    if tuple(extract.dims) != form.dims:
        stated, remedy = str(list(extract.dims)), "map these columns, in this order"
        yield Fault(
            FILE, f"dims do not fit the stream {stream!r}", f"{place}.dims", value=stated, expected=str(list(form.dims)), remedy=remedy
        )
    if extract.reports == "add":
        remedy = "hand over what was reported in all"
        yield Fault(FILE, f"the stream {stream!r} takes no triangle", f"{place}.reports", value="add", expected="'replace'", remedy=remedy)
    for barrier in extract.barriers:
        kind = barrier.kind
        if kind not in form.barriers and not isinstance(barrier, AbstractAbsence):
            expected = f"one of {list(form.barriers)} or an absence" if form.barriers else "absences alone"
            yield Fault(
                FILE, f"the model does not see through this barrier of {stream!r}", f"{place}.barriers", value=kind, expected=expected
            )


def _of_durations(extract: StudyExtract) -> Iterable[Fault]:
    place = f"extract.{extract.name}"
    kinds = [barrier.kind for barrier in extract.barriers]
    for kind in ("band", "unknown"):
        if kinds.count(kind) != 1:
            found = str(kinds.count(kind))
            yield Fault(FILE, f"durations need one barrier {kind!r}", f"{place}.barriers", value=found, expected="one", remedy="state it")
    bands = [interval.label for barrier in extract.barriers if isinstance(barrier, Band) for interval in barrier.bands]
    unknown = [barrier.category for barrier in extract.barriers if isinstance(barrier, Unknown)]
    stated = list(extract.categories.get("band", ()))
    if stated != bands + unknown:
        expected, remedy = str(bands + unknown), "give the bands in their order, the category of unknown durations last"
        yield Fault(FILE, "categories are not the bands", f"{place}.categories.band", value=str(stated), expected=expected, remedy=remedy)
    for coverage in (barrier for barrier in extract.barriers if isinstance(barrier, Coverage)):
        if coverage.logit_sd:
            remedy = "state the share without logit_sd, or the streams that hold both sizes"
            yield Fault(FILE, "this model needs a coverage that is known", f"{place}.barriers", remedy=remedy)
        for stream in (coverage.covered, coverage.population):
            if stream not in (None, "patients", "registered"):
                yield Fault(
                    FILE, "coverage is no share of patients", f"{place}.barriers", value=stream, expected="'patients' or 'registered'"
                )


def empty_areas(observations: Observations, people: np.ndarray) -> list[Fault]:
    """Areas in which nobody is, or nobody is known to be, whose appointments could be counted.

    Args:
        observations: of people by month and area.
        people: the same, carried to the months that are asked for, (month, area).
    """
    empty = observations.coords["area"][(people <= 0).any(0)]
    file, expected = observations.provenance.file, "a number above zero in every month"
    remedy = "add the area's rows, or leave the area out of the hierarchy"
    found = [Fault(file, "area has no patients", "area", value=str(area), expected=expected, remedy=remedy) for area in empty[:PER_CHECK]]
    more = len(empty) - PER_CHECK
    return found + ([Fault(file, f"area has no patients, in {more} further areas", remedy=remedy)] if more > 0 else [])
