"""Numbers that cannot be: more hours than a day has, scores beyond their scale, panels of nobody, definitions that are not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayestwin.barriers import NonResponse
from bayestwin.barriers.barrier import AbstractAbsence
from bayestwin.cells import PER_CHECK
from bayestwin.errors import Fault

if TYPE_CHECKING:
    from bayestwin.cells import StudyExtract
    from bayestwin.extracts.observations import Observations

HOURS = {"day": 24.0, "week": 168.0}
MINUTES_OF_A_WEEK = 60.0 * HOURS["week"]


def form_faults(extract: StudyExtract, dims: Sequence[str], plain: bool) -> Iterable[Fault]:
    """Dims and barriers of an extract that the model does not take.

    Args:
        extract: how the study describes the table.
        dims: further dims that its stream has.
        plain: whether its numbers are used as they are, so that nothing but an absence may stand before them.
    """
    stream, place = extract.stream, f"extract.{extract.name}"
    if list(extract.dims) != list(dims):
        stated = str(list(extract.dims))
        yield Fault("study.toml", f"dims do not fit the stream {stream!r}", f"{place}.dims", value=stated, expected=str(list(dims)))
    if extract.reports == "add":
        problem, remedy = f"the stream {stream!r} takes no triangle", "hand over what was reported so far"
        yield Fault("study.toml", problem, f"{place}.reports", value="add", expected="'replace'", remedy=remedy)
    for barrier in extract.barriers:
        if isinstance(barrier, NonResponse):
            problem = f"a shift in points does not fit the stream {stream!r}: its scores are bounded, or it holds no scores"
            remedy = "use site_selection: who gave no answers, and a slope on how loaded they are"
            yield Fault("study.toml", problem, f"{place}.barriers", value=barrier.kind, expected="another barrier", remedy=remedy)
    for barrier in extract.barriers if plain else ():
        if not isinstance(barrier, AbstractAbsence):
            problem, remedy = f"the stream {stream!r} is used as it is shown", "give the numbers as they are kept"
            yield Fault("study.toml", problem, f"{place}.barriers", value=barrier.kind, expected="absences alone", remedy=remedy)


def too_many_hours(hours: Observations) -> list[Fault]:
    """Scheduled hours beyond those of a day or a week."""
    time, unit = hours.dims[:2]
    most = HOURS[time]
    wrong = np.argwhere(np.where(hours.mask, hours.values, 0.0) > most)
    cells = [f"{hours.coords[time][t]}, {hours.coords[unit][u]}: {hours.values[t, u]:g}" for t, u in wrong]
    return _listed(hours.provenance.file, f"more hours than a {time} has", cells, f"at most {most:g}", "give hours, not minutes")


def empty_panels(panel: Observations) -> list[Fault]:
    """Providers without a panel, or with more patients in a group than in the panel; groups of age come first, three of them."""
    unit = panel.coords[panel.dims[1]]
    known = panel.mask.all(-1)
    order = np.arange(len(panel.values))[:, None]
    last = np.where(known, order, -1).max(0)
    counts = np.where(last[:, None] < 0, 1, panel.values[last, np.arange(len(unit))])
    size = counts[:, :3].sum(1)
    none, empty, over = unit[last < 0], unit[size == 0], unit[(counts[:, 3:] > size[:, None]).any(1) & (size > 0)]
    file, remedy = panel.provenance.file, "correct the panel, or ask the owner what its rows count"
    return [
        *_listed(file, "a provider has no panel", none, "a row for each group", remedy),
        *_listed(file, "a provider's panel is empty", empty, "patients", remedy),
        *_listed(file, "a group is larger than the panel", over, "no more patients than the ages add up to", remedy),
    ]


def no_definitions(definition: Observations) -> list[Fault]:
    """Organisations of which the definition is not known at any time."""
    unit = definition.coords[definition.dims[1]]
    none = unit[~definition.mask.any(0)]
    remedy = "add its row, or leave the extract out where no vendor says"
    return _listed(definition.provenance.file, "an organisation has no definition", none, "a row for each", remedy)


def beyond(file: str, ends: np.ndarray, labels: Mapping[str, np.ndarray], most: float) -> list[Fault]:
    """Cells of a released stream that lie beyond the most that there can be.

    Args:
        file: of the stream.
        ends: (time, unit, 2) ends of what is known.
        labels: of time and unit.
        most: the largest that can be.
    """
    times, units = labels.values()
    wrong = np.argwhere(ends[..., 0] > most)
    cells = [f"{times[t]}, {units[u]}: {ends[t, u, 0]:g}" for t, u in wrong]
    remedy = "correct the number, or ask the owner for its unit"
    return _listed(file, "number is too large", cells, f"at most {most:g}", remedy)


def at_an_end(file: str, ends: np.ndarray, labels: Mapping[str, np.ndarray], top: float) -> list[Fault]:
    """Scores that are exactly an end of their scale, which a law on the log-odds of the scale gives no density.

    Args:
        file: of the stream.
        ends: (time, unit, 2) ends of what is known.
        labels: of time and unit.
        top: the largest score.
    """
    times, units = labels.values()
    wrong = np.argwhere((ends[..., 0] == ends[..., 1]) & ((ends[..., 0] == 0) | (ends[..., 0] == top)))
    cells = [f"{times[t]}, {units[u]}: {ends[t, u, 0]:g}" for t, u in wrong]
    remedy = 'say how scores are rounded: a barrier of kind "round" with its base, such as 5'
    return _listed(file, "score is exactly an end of its scale", cells, f"more than 0 and less than {top:g}, or a rounded score", remedy)


def _listed(file: str, problem: str, cells: Sequence[str], expected: str, remedy: str) -> list[Fault]:
    shown = [Fault(file, problem, value=str(cell), expected=expected, remedy=remedy) for cell in cells[:PER_CHECK]]
    return shown + ([Fault(file, f"{problem}, in {len(cells) - PER_CHECK} further cases")] if len(cells) > PER_CHECK else [])
