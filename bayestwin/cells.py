"""Extracts and the barriers that they came through: what published numbers say is a pair of ends for every cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import partial
from typing import Self

import numpy as np
from pydantic import model_validator

from bayestwin.barriers import Access, Aggregate, Band, Barrier, Delay, Grid, Suppress
from bayestwin.barriers.barrier import AbstractBarrier
from bayestwin.barriers.delay import netted
from bayestwin.barriers.grid import AccessError
from bayestwin.errors import ExtractError, Fault
from bayestwin.extracts.hierarchy import Hierarchy
from bayestwin.extracts.observations import Observations
from bayestwin.extracts.schema import Extract
from bayestwin.extracts.validate import RowCheck
from bayestwin.periods import period_end

PER_CHECK = 10  # cells shown of one kind of fault


def known_cells(ends: np.ndarray) -> np.ndarray:
    """Cells of whose ends (cells..., 2) anything is known: -inf..inf says nothing.

    Example:
        >>> known_cells(np.array([[-np.inf, np.inf], [-np.inf, 3.0], [2.0, 2.0]])).tolist()
        [False, True, True]
    """
    return ~(np.isneginf(ends[..., 0]) & np.isposinf(ends[..., 1]))


class StudyExtract(Extract):
    """An extract and the barriers that it came through, in the order in which they acted."""

    barriers: tuple[Barrier, ...] = ()

    @model_validator(mode="after")
    def _barriers_fit(self) -> Self:
        self.access()
        triangle = next((b for b in self.barriers if isinstance(b, Delay) and b.released == "triangle"), None)
        if triangle is not None and (self.reports, self.max_delay) != ("add", triangle.maximum):
            raise ValueError(
                f"{triangle.title}: a reporting triangle with delays up to {triangle.maximum} needs reports = 'add' and "
                f"max_delay = {triangle.maximum} in its extract; a table of what is reported so far has released = 'so_far'"
            )
        return self

    def access(self, as_of: date | None = None) -> Access:
        """The barriers that act on the extract's numbers, as one access.

        Bands of single records, whose labels are categories of a dim, are the model's to use, not the numbers'.

        Args:
            as_of: what a delay without a date of its own had reported by then is there.

        Raises:
            AccessError: if the barriers do not fit one another.
        """
        on_numbers = [b for b in self.barriers if not (isinstance(b, Band) and b.unit not in ("events", self.measure))]
        return Access.through(b.model_copy(update={"as_of": as_of}) if isinstance(b, Delay) and b.as_of is None else b for b in on_numbers)


def grid_of(observations: Observations, hierarchy: Hierarchy) -> Grid:
    """The labelled cells of observations, with the groups that their units belong to.

    Args:
        observations: what was read.
        hierarchy: the study's units.
    """
    level = observations.dims[1]
    higher = hierarchy.levels[hierarchy.levels.index(level) + 1 :]
    above = {(level, parent): hierarchy.codes[parent][hierarchy.ancestors(level, parent)] for parent in higher}
    return Grid(observations.coords, above)


def cells_of(observations: Observations, access: Access) -> np.ndarray:
    """Ends of what is known of each cell, (cells..., 2), for `numpyro.sample(..., obs=...)` under `Access.likelihood`.

    Args:
        observations: what was read.
        access: what it came through.

    Raises:
        ExtractError: if corrections take back more than was ever reported of an event period.
    """
    whole, values = np.issubdtype(observations.values.dtype, np.integer), observations.values
    if "delay" in observations.dims:
        values = netted(values)
        _refuse_short(values, observations)
    return access.read(values, observations.hidden, observations.mask, whole)


def _refuse_short(values: np.ndarray, observations: Observations) -> None:
    """Event periods of which more was taken back than was ever reported."""
    faults = []
    for where in np.argwhere(values < 0)[:PER_CHECK]:
        cell = ", ".join(str(coord[i]) for coord, i in zip(observations.coords.values(), where, strict=True))
        problem, expected = "corrections take back more than was reported", "a total from 0 on for every event period"
        remedy = "ask the owner for the corrections' event dates"
        faults.append(Fault(observations.provenance.file, problem, value=cell, expected=expected, remedy=remedy))
    if faults:
        raise ExtractError(faults)


def symbols_of(access: Access) -> frozenset[str]:
    """Texts that stand for a hidden number."""
    return frozenset(release.symbol for release in access.releases if isinstance(release, Suppress))


def row_checks(access: Access, whole: bool) -> list[RowCheck]:
    """What the releases promise about every number that they show.

    Args:
        access: what an extract came through.
        whole: whether its numbers were whole before they were released.
    """

    def wrong(title: str, values: np.ndarray) -> np.ndarray:
        found = access.objections(values, np.zeros(values.shape, bool), whole)
        return next((objection.wrong for objection in found if objection.barrier.title == title), np.zeros(values.shape, bool))

    return [
        RowCheck(
            problem=f"value contradicts the barrier {release.title!r}",
            expected=release.published,
            remedy="correct the barrier in study.toml, or ask the owner what was done to the number",
            wrong=partial(wrong, release.title),
        )
        for release in access.releases
    ]


def contradictions(extract: StudyExtract, observations: Observations, access: Access, hierarchy: Hierarchy) -> list[Fault]:
    """Numbers where a barrier says that nothing is released, or that nothing can be there yet.

    Args:
        extract: how the study describes the table.
        observations: what was read.
        access: what it came through.
        hierarchy: the study's units.
    """
    grid = grid_of(observations, hierarchy)
    faults = []
    for absence in access.absences:
        try:
            wrong = observations.mask & ~absence.present(grid)
        except AccessError as error:
            faults.append(misfit(extract, error))
            continue
        faults += _ruled_out(extract, grid, wrong, absence, "is not released", absence.sentence)
    last = access.channels[-1] if access.channels else None
    if isinstance(last, Delay):
        wrong = observations.mask & (observations.hidden | (observations.values != 0)) & last.nothing_yet(grid)
        faults += _ruled_out(extract, grid, wrong, last, "cannot be reported by the as-of date", "0")
    return faults


def _ruled_out(extract: StudyExtract, grid: Grid, wrong: np.ndarray, barrier: AbstractBarrier, said: str, expected: str) -> list[Fault]:
    """Numbers that a barrier says cannot be there."""
    where = np.argwhere(wrong)
    remedy = "correct the barrier's labels, dates or probabilities in study.toml, or leave it out"
    cells = [", ".join(str(coord[i]) for coord, i in zip(grid.coords.values(), at, strict=True)) for at in where[:PER_CHECK]]
    problem = f"holds a number that the barrier {barrier.title!r} says {said}"
    faults = [Fault(extract.file_label, problem, value=cell, expected=expected, remedy=remedy) for cell in cells]
    if len(where) > PER_CHECK:
        faults.append(Fault(extract.file_label, f"holds {len(where) - PER_CHECK} further numbers that {barrier.title!r} rules out"))
    return faults


def misfit(extract: StudyExtract, error: AccessError) -> Fault:
    """The fault of a barrier that does not fit the cells of its extract."""
    place, remedy = f"extract.{extract.name}.barriers", "correct the barrier's dim, labels or level in study.toml, or leave it out"
    return Fault("study.toml", f"barrier does not fit its extract: {error}", place, remedy=remedy)


def exact_sum_faults(extracts: Iterable[StudyExtract], observations: Mapping[str, Observations], hierarchy: Hierarchy) -> list[Fault]:
    """Sums that an aggregation says equal another stream's exactly, and that do not.

    Args:
        extracts: the study's extracts.
        observations: what was read, by stream.
        hierarchy: the study's units.
    """
    faults = []
    for extract in extracts:
        for barrier in extract.barriers:
            if isinstance(barrier, Aggregate) and {barrier.exact, extract.stream} <= observations.keys():
                try:
                    faults += _sums_apart(extract, barrier, observations[str(barrier.exact)], observations[extract.stream], hierarchy)
                except AccessError as error:
                    faults.append(misfit(extract, error))
    return faults


def _sums_apart(extract: StudyExtract, barrier: Aggregate, fine: Observations, coarse: Observations, hierarchy: Hierarchy) -> list[Fault]:
    """Cells by period and unit in which the coarse extract is not the sum of the fine one, where that is seen throughout."""
    further = tuple(range(2, fine.values.ndim))
    grid = grid_of(fine, hierarchy)
    plain = Grid(dict(list(grid.coords.items())[:2]), grid.above)
    if barrier.out(plain).dims != coarse.dims[:2]:
        summed, held_by = list(barrier.out(plain).dims), list(coarse.dims[:2])
        raise AccessError(f"{barrier.title}: sums of {barrier.exact!r} have the dims {summed}, the extract has {held_by}")
    seen = barrier.total(fine.mask.all(further).astype(float), plain) == barrier.total(np.ones(plain.shape), plain)
    added, out = barrier.total(np.where(fine.mask, fine.values, 0).sum(further).astype(float), plain), barrier.out(plain)
    stated = coarse.values.sum(tuple(range(2, coarse.values.ndim)))
    held = coarse.mask.any(tuple(range(2, coarse.mask.ndim)))
    faults = []
    for i, start in enumerate(out.coords[out.dims[0]]):
        row = np.flatnonzero(coarse.coords[coarse.dims[0]] == start)
        if not row.size or not _whole(start, out.dims[0], fine):
            continue
        for j in np.flatnonzero(seen[i] & held[row[0]] & (added[i] != stated[row[0]])):
            problem = f"is not the sum of the stream {barrier.exact!r}, in {out.coords[out.dims[1]][j]} and the {out.dims[0]} of {start}"
            remedy = "leave `exact` out of the aggregation, or ask the owner why they differ"
            faults.append(Fault(extract.file_label, problem, value=f"{stated[row[0], j]:g}", expected=f"{added[i, j]:g}", remedy=remedy))
    return faults


def _whole(start: np.datetime64, period: str, fine: Observations) -> bool:
    """Whether the fine extract spans a whole period."""
    time = fine.coords[fine.dims[0]]
    end = period_end(np.array([start]), period)[0]
    return bool(time[0] <= start and end <= period_end(time[-1:], fine.dims[0])[0])
