"""The model's data: dense arrays on named dims, made once from a study's observations.

Dims: day, period (the grid: ISO week or day), week (ISO Monday), month, area, board, region, band, cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayestwin.barriers import AccessError, Aggregate, Band, Coverage, Grid, Unknown
from bayestwin.cells import misfit
from bayestwin.components.calendar import (
    DayKind,
    after_closure,
    around_christmas,
    day_kinds,
    holiday_eve,
    monday,
    public_holidays,
    school_closure,
)
from bayestwin.errors import Fault, StudyError

from .fits import empty_areas, misfits

if TYPE_CHECKING:
    from bayestwin.extracts.hierarchy import Hierarchy
    from bayestwin.extracts.observations import Observations
    from bayestwin.study import Calendar as StudyCalendar
    from bayestwin.study import Study

SPECIAL_DAYS = ("after_closure", "christmas", "eve", "school_holiday")  # effects on working days
EXPOSURES = ("patients", "registered", "workforce")
STREAMS = ("durations", "staff_mix", *EXPOSURES)
DAY, WEEK = np.timedelta64(1, "D"), np.timedelta64(7, "D")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CELLS = ("GP face-to-face", "GP remote", "Other face-to-face", "Other remote", "Unknown")
REMOTE = ("Telephone", "Video/Online")
FACE_TO_FACE = ("Face-to-Face", "Home Visit")
STAFF = {"GP": 0, "Other Practice staff": 2}


@dataclass(frozen=True)
class Calendar:
    """Days of a span and the periods that they fall in.

    Attributes:
        days: datetime64[D], shape (day,).
        kind: `DayKind` of each day.
        special: how far each of `SPECIAL_DAYS` applies to each day, 0 to 1, (day, special).
        unsettled: how far holidays set places apart in each period, 0 to 1, (period,).
        period: index of each day's period.
        week: index of each day's ISO week.
        periods: start of each period (a Monday, or the day itself).
        weeks: Monday of each ISO week.
        period_week: index of each period's week.
    """

    days: np.ndarray
    kind: np.ndarray
    special: np.ndarray
    unsettled: np.ndarray
    period: np.ndarray
    week: np.ndarray
    periods: np.ndarray
    weeks: np.ndarray
    period_week: np.ndarray


def calendar(days: np.ndarray, grid: str, place: StudyCalendar, opened: np.ndarray | None = None) -> Calendar:
    """The calendar of a span of days.

    Args:
        days: datetime64[D], increasing.
        grid: "week" or "day".
        place: whose public and school holidays count.
        opened: days that a scenario turns into ordinary working days.
    """
    holiday = public_holidays(days, place.country, place.subdivision)
    if opened is not None:
        holiday &= ~np.isin(days, opened)
    kind = day_kinds(days, holiday)
    special = (
        after_closure(days, place.country, place.subdivision),
        around_christmas(days),
        holiday_eve(days),
        school_closure(days, [(s.start, s.end, s.share) for s in place.school_holidays]),
    )
    starts = monday(days)
    weeks, week = np.unique(starts, return_inverse=True)
    periods, first, period = np.unique(days if grid == "day" else starts, return_index=True, return_inverse=True)
    return Calendar(
        days=days,
        kind=kind,
        special=np.stack(special, axis=1) * (kind < 5)[:, None],
        unsettled=_unsettled(kind, special[1], special[3], period, len(periods)),
        period=period,
        week=week,
        periods=periods,
        weeks=weeks,
        period_week=week[first],
    )


def whole_weeks(span: Calendar, place: StudyCalendar) -> Calendar:
    """All seven days of each week of a span."""
    return calendar((span.weeks[:, None] + np.arange(7)).ravel(), "week", place)


def _unsettled(kind: np.ndarray, christmas: np.ndarray, school: np.ndarray, period: np.ndarray, count: int) -> np.ndarray:
    """How far places differ in a period, 0 to 1, mean over its Mondays to Fridays.

    Public holidays and Christmas are kept differently from place to place; a school holiday sets places apart while a
    share s of them has it and the others not, by the variance s (1 - s), largest at one half.
    """
    weekday = (kind < DayKind.SATURDAY) | (kind == DayKind.HOLIDAY)
    apart = np.maximum(np.where(kind == DayKind.HOLIDAY, 1.0, christmas), 4.0 * school * (1.0 - school)) * weekday
    return np.bincount(period, apart, count) / np.maximum(np.bincount(period, weekday, count), 1)


@dataclass(frozen=True)
class Workload:
    """Everything that the likelihood sees.

    Attributes:
        grid: "week" or "day".
        calendar: the observed span; whole_weeks: all days of its weeks; until: the observed span and the weeks after it that are over at the as-of date and not published.
        area, board, region: codes; area_name: readable names.
        area_board: index of each area's board; board_region: of each board's region.
        patients: registered at included practices, (period, area).
        workforce: standardised log network staff per patient, (area,).
        appointments: attended, (period, area); appointments_seen: mask.
        days: national attended by day of the week, (week, day_of_week); days_open: which days the span holds.
        durations: attended by band, Unknown last, (week, area, band); durations_seen: mask (week, area).
        staff: attended by staff and mode, (month, board, cell); staff_seen: mask (month, board).
        months: first of each month of the staff extract.
        bands: band labels, Unknown last; band: the banding barrier; unknown: the barrier of missing durations.
    """

    grid: str
    calendar: Calendar
    whole_weeks: Calendar
    until: Calendar
    area: np.ndarray
    board: np.ndarray
    region: np.ndarray
    area_name: np.ndarray
    area_board: np.ndarray
    board_region: np.ndarray
    patients: np.ndarray
    workforce: np.ndarray
    appointments: np.ndarray
    appointments_seen: np.ndarray
    days: np.ndarray
    days_open: np.ndarray
    durations: np.ndarray
    durations_seen: np.ndarray
    staff: np.ndarray
    staff_seen: np.ndarray
    months: np.ndarray
    bands: np.ndarray
    band: Band
    unknown: Unknown

    @property
    def late(self) -> int:
        """Number of weeks that are over and not published."""
        return len(self.until.weeks) - len(self.calendar.weeks)

    @property
    def listed(self) -> np.ndarray:
        """Patients as known, to the as-of date, (period, area): the last list sizes are carried on."""
        return np.pad(self.patients, [(0, len(self.until.periods) - len(self.patients)), (0, 0)], mode="edge")

    @property
    def worked(self) -> np.ndarray:
        """Which slots of the seen weeks are working days, (week, day_of_week)."""
        return fold_weeks(self.calendar.kind < DayKind.SATURDAY, self.calendar)

    @property
    def working_days(self) -> np.ndarray:
        """Attended on the working days of the nation's weeks, zero elsewhere, (week, day_of_week)."""
        return self.days * self.worked

    @property
    def closed_days(self) -> np.ndarray:
        """Attended on each closed day of the nation's weeks, and on all working days together, (week, closed_day)."""
        return np.concatenate([self.days * ~self.worked, self.working_days.sum(1, keepdims=True)], axis=1)

    @property
    def area_region(self) -> np.ndarray:
        """Index of each area's region."""
        return self.board_region[self.area_board]

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Coordinates by dim, shared by every group of the posterior."""
        return {
            "period": self.calendar.periods.astype("datetime64[ns]"),
            "week": self.calendar.weeks.astype("datetime64[ns]"),
            "month": self.months.astype("datetime64[ns]"),
            "area": self.area,
            "board": self.board,
            "region": self.region,
            "band": self.bands,
            "shown_band": self.bands[:-1],
            "cell": np.array(CELLS),
            "other_cell": np.array(CELLS[1:]),
            "weekday": np.array(WEEKDAYS[1:5]),
            "day_of_week": np.array(WEEKDAYS),
            "closed_day": np.array([*WEEKDAYS, "working days"]),
            "week_in_part": self.calendar.weeks[np.bincount(self.calendar.week) < 7].astype("datetime64[ns]"),
            "frequency": np.arange(1, len(self.calendar.weeks)),
            "late_week": self.until.weeks[len(self.calendar.weeks) :].astype("datetime64[ns]"),
        }


def prepare(study: Study, hierarchy: Hierarchy, observations: Mapping[str, Observations]) -> Workload:
    """Bring a study's observations to the model's grid.

    Raises:
        StudyError: if the study is not of the model's form, an area has no patients, or no month of the staff mix lies in the span.
    """
    if faults := misfits(study, hierarchy):
        raise StudyError(faults)
    durations = observations["durations"]
    days = durations.coords["day"]
    span = calendar(days, study.grid, study.calendar)
    by_week, seen = _by_week(durations)
    counts, counts_seen = _by_period(durations, study.grid)
    by_day, days_open = _by_day_of_week(durations, span)
    patients = _patients(study, observations, days.astype("datetime64[M]"))
    first = np.searchsorted(span.period, np.arange(len(span.periods)))
    recent = _recent(observations["staff_mix"], days[0])
    staff, staff_seen = _cells(observations["staff_mix"], recent)
    barriers = {barrier.kind: barrier for extract in study.extracts if extract.stream == "durations" for barrier in extract.barriers}
    return Workload(
        grid=study.grid,
        calendar=span,
        whole_weeks=whole_weeks(span, study.calendar),
        until=calendar(np.append(days, late_days(days, np.datetime64(study.as_of))), study.grid, study.calendar),
        area=hierarchy.codes["area"],
        board=hierarchy.codes["board"],
        region=hierarchy.codes["region"],
        area_name=hierarchy.names,
        area_board=hierarchy.parents["area", "board"],
        board_region=hierarchy.parents["board", "region"],
        patients=patients[first],
        workforce=_workforce(observations["workforce"], patients[-1]),
        appointments=counts,
        appointments_seen=counts_seen,
        days=by_day,
        days_open=days_open,
        durations=by_week,
        durations_seen=seen,
        staff=staff,
        staff_seen=staff_seen,
        months=observations["staff_mix"].coords["month"][recent],
        bands=durations.coords["band"],
        band=barriers["band"],
        unknown=barriers["unknown"],
    )


def late_days(days: np.ndarray, as_of: np.datetime64) -> np.ndarray:
    """Days of the whole weeks that are over by the as-of date and begin after the last of the days that were seen."""
    return np.arange(monday(days[-1:])[0] + WEEK, monday(np.array([as_of + DAY]))[0])


def _weekly(values: np.ndarray, durations: Observations) -> np.ndarray:
    """Sums by week of values on the days of the extract, (day, area, ...), as the barrier library adds them up."""
    labels = {"day": durations.coords["day"], **{f"axis {i}": np.arange(n) for i, n in enumerate(values.shape[1:])}}
    return Aggregate(period="week").total(values, Grid(labels)).astype(values.dtype)


def _by_week(durations: Observations) -> tuple[np.ndarray, np.ndarray]:
    """Counts by week, area and band, and the weeks of which every day in the extract is seen."""
    unseen = _weekly((~durations.mask.all(-1)).astype(int), durations)
    return _weekly(np.where(durations.mask, durations.values, 0), durations), unseen == 0


def _by_period(durations: Observations, grid: str) -> tuple[np.ndarray, np.ndarray]:
    totals, seen = np.where(durations.mask, durations.values, 0).sum(-1), durations.mask.all(-1)
    if grid == "day":
        return totals, seen
    return _weekly(totals, durations), _weekly((~seen).astype(int), durations) == 0


def _patients(study: Study, observations: Mapping[str, Observations], months: np.ndarray) -> np.ndarray:
    """Persons whose appointments are counted, (month, area): the share of the population that the coverage barrier states.

    Raises:
        StudyError: if an area has no patients, or a share by label is not stated for all of them.
    """
    extract = next(extract for extract in study.extracts if extract.stream == "durations")
    coverage = next((barrier for barrier in extract.barriers if isinstance(barrier, Coverage)), Coverage(fraction=1.0))
    people = {name: _carried(observations[name], months) for name in (coverage.population or "registered", coverage.covered) if name}
    if faults := [fault for name, carried in people.items() for fault in empty_areas(observations[name], carried)]:
        raise StudyError(faults)
    population = people[coverage.population or "registered"]
    covered = {"fraction": people[coverage.covered] / population} if coverage.covered else {}
    labels = Grid({"month": months, "area": observations["registered"].coords["area"]})
    try:
        coverage.out(labels)
    except AccessError as error:
        raise StudyError([misfit(extract, error)]) from error
    return population * np.asarray(coverage.share(labels, covered))


def _recent(staff: Observations, first: np.datetime64) -> np.ndarray:
    """Months of the staff mix from that of the first day on."""
    months = staff.coords["month"]
    recent = months >= first.astype("datetime64[M]")
    if not recent.any():
        expected, remedy = f"a month from {first.astype('datetime64[M]')} on", "ask for later data"
        fault = Fault(staff.provenance.file, "ends before the durations begin", value=str(months[-1]), expected=expected, remedy=remedy)
        raise StudyError([fault])
    return recent


def _by_day_of_week(durations: Observations, span: Calendar) -> tuple[np.ndarray, np.ndarray]:
    """National counts by week and day of the week, over the areas that were seen throughout."""
    whole = durations.mask.all((0, 2))
    totals = durations.values[:, whole].sum((1, 2))
    return fold_weeks(totals, span), fold_weeks(np.ones(len(span.days), bool), span)


def fold_weeks(values: np.ndarray, span: Calendar) -> np.ndarray:
    """Daily values as (week, day_of_week), zero for days outside the span."""
    folded = np.zeros((len(span.weeks), len(WEEKDAYS)), values.dtype)
    folded[span.week, (span.days - span.weeks[span.week]).astype(int)] = values
    return folded


def _carried(observations: Observations, months: np.ndarray) -> np.ndarray:
    """Values by month carried to each asked month: the last known before it, else the first known."""
    known = observations.coords["month"].astype("datetime64[M]")
    filled = _filled(observations.values.astype(float), observations.mask)
    return filled[np.clip(np.searchsorted(known, months, side="right") - 1, 0, len(known) - 1)]


def _filled(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    order = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(mask, order, -1), axis=0)
    first = np.argmax(mask, axis=0)[None]
    return np.take_along_axis(values, np.where(last < 0, first, last), axis=0)


def _workforce(workforce: Observations, patients: np.ndarray) -> np.ndarray:
    """Standardised log full-time equivalents per patient at the latest census known; zero where none is."""
    latest = _filled(workforce.values.sum(-1).astype(float), workforce.mask.any(-1))[-1]
    known = workforce.mask.any((0, 2)) & (latest > 0)
    rate = np.log(np.where(known, latest, 1.0) / patients)
    if known.sum() < 2 or np.ptp(rate[known]) == 0.0:
        return np.zeros(len(rate))  # no areas to be told apart
    centre, spread = rate[known].mean(), rate[known].std()
    return np.where(known, (rate - centre) / spread, 0.0)


def _cells(staff: Observations, months: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of staff and mode in these months, gathered into the model's cells, Unknown last."""
    hcp, mode = staff.coords["hcp_type"], staff.coords["mode"]
    mask = staff.mask[months]
    counts = np.where(mask, staff.values[months], 0)
    cells = np.zeros((*counts.shape[:2], len(CELLS)), counts.dtype)
    for i, who in enumerate(hcp):
        for j, how in enumerate(mode):
            known = who in STAFF and (how in FACE_TO_FACE or how in REMOTE)
            cells[..., STAFF[who] + (how in REMOTE) if known else -1] += counts[:, :, i, j]
    return cells, mask.any((2, 3))
