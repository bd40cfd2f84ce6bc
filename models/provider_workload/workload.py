"""The model's data: arrays on named dims, made once from a study's observations.

Dims: step (the grid: a day or an ISO week), week (ISO Monday), provider, clinic, organisation, message, mode, metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayestwin.barriers import Access, AccessError, Delay, Grid
from bayestwin.barriers.barrier import Randomised
from bayestwin.cells import PER_CHECK, cells_of, misfit
from bayestwin.components.calendar import after_closure, day_kinds, monday, public_holidays
from bayestwin.components.trend import cosine_basis
from bayestwin.errors import Fault, StudyError

from .fits import MINUTES_OF_A_WEEK, at_an_end, beyond, empty_panels, form_faults, no_definitions, too_many_hours

if TYPE_CHECKING:
    from bayestwin.cells import StudyExtract
    from bayestwin.extracts.hierarchy import Hierarchy
    from bayestwin.extracts.observations import Observations
    from bayestwin.study import Calendar as StudyCalendar
    from bayestwin.study import Study

MESSAGES = ("advice", "prescriptions", "results", "calls")
MODES = ("visits", "remote_visits")
BOOKINGS = ("booked", "remote_booked")  # slots taken, of each mode
METRICS = ("inbox_minutes", "documentation_minutes", "ehr_minutes", "after_hours_minutes")
TURNAROUND = "turnaround_days"  # of messages
SURVEY = "tlx"
WEEKLY = (*METRICS, TURNAROUND, SURVEY)
MOST = {**dict.fromkeys(METRICS, MINUTES_OF_A_WEEK), SURVEY: 100.0}  # what no week's number can be above
POSITIVE, CENSORED = (*METRICS[:3], TURNAROUND), METRICS[3]
SCHEDULE = ("hours", "slots", "remote_slots")
PANEL, DEFINITION = "panel", "shoulder"
GROUPS = ("age 18-39", "age 40-64", "age 65+", "multimorbid", "portal")
EXPOSURES = (*SCHEDULE, PANEL, DEFINITION)
STREAMS = (*MESSAGES, *MODES, *BOOKINGS, *WEEKLY, *EXPOSURES)
OPTIONAL = frozenset((*MESSAGES, *MODES, *BOOKINGS, *WEEKLY, DEFINITION))
STANDARD_PANEL = 1800.0
STANDARD_DAY = 480.0  # scheduled minutes that levels of demand and admin refer to
DAY, WEEK = np.timedelta64(1, "D"), np.timedelta64(7, "D")
YEAR = 365.25
CLOSED = 5  # kinds of day from Saturday on


@dataclass(frozen=True)
class Roster:
    """Who works where.

    Attributes:
        provider, clinic, organisation: codes.
        names: readable names of the providers.
        clinic_of: index of each provider's clinic.
        organisation_of: index of each clinic's organisation, which stands for its EHR vendor too.
    """

    provider: np.ndarray
    clinic: np.ndarray
    organisation: np.ndarray
    names: np.ndarray
    clinic_of: np.ndarray
    organisation_of: np.ndarray

    @property
    def vendor_of(self) -> np.ndarray:
        """Index of each provider's organisation."""
        return self.organisation_of[self.clinic_of]


@dataclass(frozen=True)
class Steps:
    """Days of a span and the steps and weeks that they fall in; whole weeks only.

    Attributes:
        days: datetime64[D], from a Monday to a Sunday.
        starts: first day of each step.
        weeks: Monday of each week.
        kind: kind of each day: Monday to Friday 0 to 4, closed days from 5 on.
        closure: whether a day is the first working day after a public holiday.
        of_day: (step, day) 1 where a day belongs to a step.
        of_step: (week, step) 1 where a step belongs to a week.
    """

    days: np.ndarray
    starts: np.ndarray
    weeks: np.ndarray
    kind: np.ndarray
    closure: np.ndarray
    of_day: np.ndarray
    of_step: np.ndarray

    @property
    def length(self) -> np.ndarray:
        """Days in each step."""
        return self.of_day.sum(1)

    @property
    def daily(self) -> bool:
        """Whether a step is a day."""
        return len(self.starts) == len(self.days)

    def by_step(self, of_days: Any) -> Any:
        """Sums over the days of each step, (..., day) to (..., step)."""
        return of_days.reshape(*of_days.shape[:-1], len(self.starts), -1).sum(-1)

    def by_week(self, of_steps: Any) -> Any:
        """Sums over the steps of each week, (step, ...) to (week, ...)."""
        return of_steps.reshape(len(self.weeks), -1, *of_steps.shape[1:]).sum(1)

    @property
    def alike(self) -> float:
        """Independent days that a step's overdispersion is that of: one, or about five of a week."""
        return 1.0 if self.daily else 5.0

    @property
    def ends(self) -> slice:
        """The last step of each week."""
        each = len(self.starts) // len(self.weeks)
        return slice(each - 1, None, each)

    @property
    def open_days(self) -> np.ndarray:
        """Working days in each step."""
        return self.of_day @ (self.kind < CLOSED)

    @property
    def week(self) -> np.ndarray:
        """Index of each step's week."""
        return self.of_step.argmax(0)


def steps(first: np.datetime64, weeks: int, grid: str, place: StudyCalendar) -> Steps:
    """Whole weeks from a Monday on.

    Args:
        first: the Monday.
        weeks: their number.
        grid: "day" or "week".
        place: whose public holidays count.
    """
    days = first + np.arange(7 * weeks)
    kind = day_kinds(days, public_holidays(days, place.country, place.subdivision))
    mondays = days[::7]
    whole = np.repeat(np.eye(weeks), 7, axis=1)
    daily = grid == "day"
    return Steps(
        days=days,
        starts=days if daily else mondays,
        weeks=mondays,
        kind=np.minimum(kind, CLOSED),
        closure=after_closure(days, place.country, place.subdivision).astype(float),
        of_day=np.eye(len(days)) if daily else whole,
        of_step=whole if daily else np.eye(weeks),
    )


@dataclass(frozen=True)
class Schedule:
    """What is planned, (step, provider).

    Attributes:
        minutes: scheduled minutes.
        open_days: scheduled working days.
        slots: offered appointments by mode, (mode, step, provider).
    """

    minutes: np.ndarray
    open_days: np.ndarray
    slots: np.ndarray


@dataclass(frozen=True)
class Stream:
    """What was released of a stream.

    Attributes:
        ends: (time, provider, 2) ends of what is known of each cell.
        access: what it came through.
        grid: its cells.
        as_expected: whether numbers that no access shows are taken for known, and for what is expected (`finer.py`).
        idle: cells of which no number says anything, whatever the access (`idle.py`).
    """

    ends: np.ndarray
    access: Access
    grid: Grid
    as_expected: bool = False
    idle: np.ndarray | bool = False

    @property
    def exact(self) -> np.ndarray:
        """Which cells are known."""
        return self.ends[..., 0] == self.ends[..., 1]


@dataclass(frozen=True)
class Workload:
    """All that the model sees.

    Attributes:
        roster, span, schedule: who works where, when, and what is planned.
        panel: patients of each provider, (provider,).
        mix: share of each of `GROUPS` in it, (provider, group).
        shoulder: minutes before and after scheduled time that an organisation's vendor leaves out of after-hours minutes, (organisation,).
        streams: released streams by name; a withheld one is not there.
    """

    roster: Roster
    span: Steps
    schedule: Schedule
    panel: np.ndarray
    mix: np.ndarray
    shoulder: np.ndarray
    streams: Mapping[str, Stream]

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Coordinates by dim."""
        return {
            "step": self.span.starts.astype("datetime64[ns]"),
            "week": self.span.weeks.astype("datetime64[ns]"),
            "provider": self.roster.provider,
            "clinic": self.roster.clinic,
            "organisation": self.roster.organisation,
            "message": np.array(MESSAGES),
            "mode": np.array(MODES),
            "metric": np.array(METRICS),
            "group": np.array(GROUPS),
            "day_of_week": np.array(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]),
            "age": np.array(GROUPS[1:3]),
            "frequency": np.arange(1, len(self.span.weeks)),
            "slow": np.arange(slow_terms(len(self.span.weeks))),
            "harmonic": np.array(["sin 1", "cos 1", "sin 2", "cos 2"]),
            "end": np.array(["low", "high"]),
        }


def slow_terms(weeks: int) -> int:
    """Cosine terms of the measurement drift: those with a half wave of four weeks or more."""
    return max(min(weeks // 4, 6), 1)


def slow_basis(weeks: int) -> np.ndarray:
    """Those terms, (slow, week): coefficients of one sd give a series of that sd."""
    terms = slow_terms(weeks)
    return cosine_basis(weeks)[0][:terms] * np.sqrt(weeks / terms)


def observed_workload(study: Study, hierarchy: Hierarchy, observations: Mapping[str, Observations]) -> Workload:
    """Bring a study's observations to the model's dims.

    Args:
        study: the study.
        hierarchy: its units, levels provider, clinic, organisation.
        observations: what was known, by stream.

    Raises:
        StudyError: if levels, resolutions or dims are not those of the model, no whole week is there, more is booked than there are
            slots, or more attended than booked.
    """
    by_stream = {extract.stream: extract for extract in study.extracts}
    faults = [fault for extract in study.extracts for fault in _faults(study, extract, hierarchy)]
    if faults:
        raise StudyError(faults)
    roster = roster_of(hierarchy)
    first, weeks = _whole_weeks(study, observations["hours"])
    span = steps(first, weeks, study.grid, study.calendar)
    planned = [_dense(observations[name], span.starts) for name in SCHEDULE]
    schedule = schedule_of(planned[0] * 60.0, np.stack(planned[1:]), span)
    faults = [*too_many_hours(observations["hours"]), *empty_panels(observations[PANEL])]
    if DEFINITION in observations:
        faults += no_definitions(observations[DEFINITION])
    streams = {
        name: _stream(by_stream[name], observations[name], span, roster, study)
        for name in (*MESSAGES, *MODES, *BOOKINGS, *WEEKLY)
        if name in observations
    }
    files = {name: by_stream[name].file_label for name in streams}
    for name, most in MOST.items():
        if name in streams and _of_the_cell_itself(streams[name].access):
            faults += beyond(files[name], streams[name].ends, streams[name].grid.coords, most)
    if SURVEY in streams and _of_the_cell_itself(streams[SURVEY].access):
        faults += at_an_end(files[SURVEY], streams[SURVEY].ends, streams[SURVEY].grid.coords, MOST[SURVEY])
    faults += _overfull(streams, schedule, roster, files)
    if faults:
        raise StudyError(faults)
    return Workload(
        roster=roster,
        span=span,
        schedule=schedule,
        **patients(observations[PANEL]),
        shoulder=_shoulder(observations.get(DEFINITION), len(roster.organisation)),
        streams=streams,
    )


def _faults(study: Study, extract: StudyExtract, hierarchy: Hierarchy) -> list[Fault]:
    wanted = ["provider", "clinic", "organisation"]
    if list(hierarchy.levels) != wanted:
        return [
            Fault("study.toml", "levels do not fit the model", "hierarchy.columns", value=str(list(hierarchy.levels)), expected=str(wanted))
        ]
    stream, file = extract.stream, "study.toml"
    level = "organisation" if stream == DEFINITION else "provider"
    weekly = stream in WEEKLY
    found = []
    if extract.level != level:
        found.append(
            Fault(file, f"level does not fit the stream {stream!r}", f"extract.{extract.name}.level", value=extract.level, expected=level)
        )
    if stream not in (PANEL, DEFINITION) and extract.resolution != (expected := "week" if weekly else study.grid):
        found.append(
            Fault(
                file,
                f"resolution does not fit the stream {stream!r}",
                f"extract.{extract.name}.resolution",
                value=extract.resolution,
                expected=expected,
            )
        )
    if stream == PANEL and extract.categories.get("group") != GROUPS:
        remedy = "give the panel's margins: dims = { group = COLUMN } and categories.group"
        found.append(Fault(file, "panel has no margins", f"extract.{extract.name}.categories", expected=str(list(GROUPS)), remedy=remedy))
    found += form_faults(extract, ["group"] if stream == PANEL else [], stream in (*BOOKINGS, *SCHEDULE, PANEL, DEFINITION))
    return found


def _overfull(streams: Mapping[str, Stream], schedule: Schedule, roster: Roster, files: Mapping[str, str]) -> list[Fault]:
    """Cells of which more is known to be booked than slots, or attended than booked (than slots, where bookings are not seen).

    Args:
        streams: what was released.
        schedule: the slots.
        roster: whose cells they are.
        files: file of each stream.
    """
    faults = []
    for booked, attended, slots in zip(BOOKINGS, MODES, np.round(schedule.slots), strict=True):
        taken = streams.get(booked)
        most = slots if taken is None else np.where(taken.exact, taken.ends[..., 1], slots)
        for name, limit, what in ((booked, slots, "bookings than slots"), (attended, most, "visits than bookings or slots")):
            if name not in streams or not _of_the_cell_itself(streams[name].access):
                continue
            low = streams[name].ends[..., 0]
            wrong = np.argwhere(low > limit)
            (_, starts), *_ = streams[name].grid.coords.items()
            for time, unit in wrong[:PER_CHECK]:
                cell = f"{starts[time]}, {roster.provider[unit]}: {low[time, unit]:g} or more"
                remedy = "count overbooked visits among the slots, or ask the owner which of the two is right"
                faults.append(Fault(files[name], f"more {what}", value=cell, expected=f"at most {limit[time, unit]:g}", remedy=remedy))
            if len(wrong) > PER_CHECK:
                faults.append(Fault(files[name], f"more {what} in {len(wrong) - PER_CHECK} further cells"))
    return faults


def _of_the_cell_itself(access: Access) -> bool:
    """Whether what is published of a cell bounds its count: no noise, and nothing of other cells moved into it."""
    return all(isinstance(channel, Delay) for channel in access.channels) and not any(isinstance(r, Randomised) for r in access.releases)


def roster_of(hierarchy: Hierarchy) -> Roster:
    """Who works where."""
    codes = hierarchy.codes
    return Roster(
        provider=codes["provider"],
        clinic=codes["clinic"],
        organisation=codes["organisation"],
        names=hierarchy.names,
        clinic_of=hierarchy.parents["provider", "clinic"],
        organisation_of=hierarchy.parents["clinic", "organisation"],
    )


def schedule_of(minutes: np.ndarray, slots: np.ndarray, span: Steps) -> Schedule:
    """What is planned; on the weekly grid a week has as many working days as eight-hour days fit in."""
    open_days = (minutes > 0).astype(float) if span.daily else np.minimum(np.ceil(minutes / STANDARD_DAY), 5.0)
    return Schedule(minutes, open_days, np.where(minutes > 0, slots, 0.0))


def _whole_weeks(study: Study, hours: Observations) -> tuple[np.datetime64, int]:
    """Monday of the first scheduled week, and how many weeks from it on are scheduled and over at the as-of date."""
    time = next(iter(hours.coords.values()))
    first, last = monday(time[[0, -1]])
    over = monday(np.array([np.datetime64(study.as_of) + DAY]))[0] - WEEK
    weeks = int((min(last, over) - first) / WEEK) + 1
    if weeks < 4:
        raise StudyError(
            [
                Fault(
                    "study.toml",
                    "too few whole weeks",
                    "as_of",
                    value=str(study.as_of),
                    expected="at least four weeks of schedule before it",
                )
            ]
        )
    return first, weeks


def _rows(observations: Observations, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the observations' times are wanted, and their place among the wanted ones."""
    time = next(iter(observations.coords.values()))
    inside = np.isin(time, starts)
    return inside, np.searchsorted(starts, time[inside])


def _dense(observations: Observations, starts: np.ndarray) -> np.ndarray:
    """Values on the wanted times, zero where there are none."""
    inside, place = _rows(observations, starts)
    dense = np.zeros((len(starts), observations.values.shape[1]))
    dense[place] = np.where(observations.mask, observations.values, 0)[inside]
    return dense


def patients(panel: Observations) -> dict[str, np.ndarray]:
    """Panel size and mix at the last month known of each provider."""
    last = _last_known(panel.mask.all(-1))
    counts = panel.values[last, np.arange(len(last))].astype(float)
    size = counts[:, :3].sum(1)
    return {"panel": size, "mix": counts / size[:, None]}


def _shoulder(definition: Observations | None, organisations: int) -> np.ndarray:
    """Minutes at the last time known of each organisation; none where no vendor says."""
    if definition is None:
        return np.zeros(organisations)
    return definition.values[_last_known(definition.mask), np.arange(organisations)].astype(float)


def _last_known(mask: np.ndarray) -> np.ndarray:
    """Index of the last time known of each unit, (time, unit) to (unit,); -1 where there is none."""
    return np.where(mask, np.arange(len(mask))[:, None], -1).max(0)


def _stream(extract: StudyExtract, observations: Observations, span: Steps, roster: Roster, study: Study) -> Stream:
    access = extract.access(study.as_of)
    name, starts = ("week", span.weeks) if extract.resolution == "week" else (extract.resolution, span.starts)
    clinics = roster.clinic[roster.clinic_of]
    grid = Grid({name: starts, "provider": roster.provider}, {("provider", "clinic"): clinics})
    inside, place = _rows(observations, starts)
    try:
        out = access.out(grid)
        access.present(grid)
    except AccessError as error:
        raise StudyError([misfit(extract, error)]) from error
    if out.dims != grid.dims:
        raise StudyError(
            [
                Fault(
                    "study.toml",
                    f"the stream {extract.stream!r} must keep its cells",
                    f"extract.{extract.name}.barriers",
                    value=str(out.dims),
                    expected=str(grid.dims),
                )
            ]
        )
    ends = np.broadcast_to([-np.inf, np.inf], (*grid.shape, 2)).copy()
    ends[place] = cells_of(observations, access)[inside]
    return Stream(zeros_read(extract.stream, ends), access, grid)


def zeros_read(name: str, ends: np.ndarray) -> np.ndarray:
    """Ends of cells with what a zero of a metric says: of minutes of work nothing, of after-hours minutes that none were shown.

    Args:
        name: the stream.
        ends: (..., 2).
    """
    zero = (ends[..., 1] <= 0.0)[..., None]
    if name in POSITIVE:
        return np.where(zero, [-np.inf, np.inf], ends)  # a week without work says nothing of what work takes or waits
    return np.where(zero, [-np.inf, 0.0], ends) if name == CENSORED else ends
