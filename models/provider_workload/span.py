"""Weeks to answer for: who works in them, when, and for how many patients, scenario changes applied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayestwin.errors import Fault, ScenarioError

from .changes import AddTime, Leave, MessageGrowth, NewClinic, NewProvider, PanelSize, ProtectInbox, TeamInbox
from .workload import CLOSED, MESSAGES, WEEK, YEAR, Roster, Schedule, Steps, Workload, schedule_of, steps

if TYPE_CHECKING:
    from bayestwin.study import Calendar as StudyCalendar
    from bayestwin.twin.scenario import Scenario

FULL_WEEK = 2400.0  # scheduled minutes of a full-time week
RECENT = 4  # weeks that a typical week is the mean of


@dataclass(frozen=True)
class Span:
    """Weeks to answer for.

    Attributes:
        weeks: Monday of each week, datetime64[D].
        people: panel, (week, unit).
        units: codes of the providers, the observed ones first.
        calendar: days and steps.
        roster: who works where.
        schedule: what is planned, (step, unit).
        panel, mix: patients of each unit.
        messages, requests: factors on expected messages, (message, step, unit), and on requests for visits, (step, unit).
        away: units whose messages colleagues answer, (step, unit).
        ahead: whether the weeks lie after the data.
    """

    weeks: np.ndarray
    people: np.ndarray
    units: np.ndarray
    calendar: Steps
    roster: Roster
    schedule: Schedule
    panel: np.ndarray
    mix: np.ndarray
    messages: np.ndarray
    requests: np.ndarray
    away: np.ndarray
    ahead: bool


def observed(data: Workload, place: StudyCalendar) -> Span:
    """The observed weeks."""
    return _span(data.span, data.roster, data.schedule, data.panel, data.mix, ahead=False)


def _span(calendar: Steps, roster: Roster, schedule: Schedule, panel: np.ndarray, mix: np.ndarray, ahead: bool) -> Span:
    shape = schedule.minutes.shape
    return Span(
        weeks=calendar.weeks,
        people=np.broadcast_to(panel, (len(calendar.weeks), len(panel))),
        units=roster.provider,
        calendar=calendar,
        roster=roster,
        schedule=schedule,
        panel=panel,
        mix=mix,
        messages=np.ones((len(MESSAGES), *shape)),
        requests=np.ones(shape),
        away=np.zeros(shape, bool),
        ahead=ahead,
    )


def future(data: Workload, horizon_weeks: int, scenario: Scenario, place: StudyCalendar) -> Span:
    """The weeks after the last observed one: schedules as in recent weeks, panels as last known.

    Args:
        data: the observed workload.
        horizon_weeks: weeks ahead, ≥ 1.
        scenario: what-if changes.
        place: whose public holidays count.

    Raises:
        ScenarioError: if a new code is taken, or a new panel is larger than the clinic's.
    """
    calendar = steps(data.span.weeks[-1] + WEEK, horizon_weeks, "day" if data.span.daily else "week", place)
    roster, panel, mix, typical = data.roster, data.panel, data.mix, _typical(data)
    for change in scenario.change:
        if isinstance(change, NewProvider | NewClinic):
            roster, panel, mix, typical = _with_new(change, roster, panel, mix, typical)
    span = _span(calendar, roster, _planned(typical, calendar), panel, mix, ahead=True)
    for change in scenario.change:
        span = _changed(span, change)
    return span


Typical = tuple[np.ndarray, np.ndarray]
"""Scheduled minutes (day of week or 1, unit) and slots (mode, day of week or 1, unit) of a typical week."""


def _typical(data: Workload) -> Typical:
    """Mean of each day of the recent weeks in which the provider worked at all, holidays left out."""
    rows = 7 if data.span.daily else 1
    minutes = data.schedule.minutes.reshape(-1, rows, data.schedule.minutes.shape[1])
    slots = data.schedule.slots.reshape(len(data.schedule.slots), -1, rows, minutes.shape[2])
    closed = (
        ((data.span.kind == CLOSED) & (np.arange(len(data.span.kind)) % 7 < 5)).reshape(-1, 7)
        if data.span.daily
        else np.zeros((len(minutes), 1), bool)
    )
    at_work = (minutes.sum(1) > 0)[:, None] & ~closed[..., None]
    rank = np.cumsum(at_work[::-1], axis=0)[::-1]
    use = at_work & (rank <= RECENT)
    count = np.maximum(use.sum(0), 1)
    return (minutes * use).sum(0) / count, (slots * use).sum(1) / count


def _planned(typical: Typical, calendar: Steps) -> Schedule:
    """Typical weeks one after the other; nothing is scheduled on public holidays."""
    weeks = len(calendar.weeks)
    minutes, slots = np.tile(typical[0], (weeks, 1)), np.tile(typical[1], (1, weeks, 1))
    weekday = np.arange(len(calendar.days)) % 7 < 5
    open_share = calendar.open_days / np.maximum(calendar.of_day @ weekday, 1)
    share = np.where(calendar.of_day @ weekday > 0, open_share, 1.0)[:, None]
    return schedule_of(minutes * share, np.round(slots * share), calendar)


def _with_new(
    change: Any, roster: Roster, panel: np.ndarray, mix: np.ndarray, typical: Typical
) -> tuple[Roster, np.ndarray, np.ndarray, Typical]:
    """Units that nobody has observed, after the observed ones, with the typical colleague's week scaled to their time."""
    _refuse_impossible(change, roster, panel)
    if isinstance(change, NewClinic):
        codes = np.array(change.makes()["provider"])
        organisation = int(np.flatnonzero(roster.organisation == change.organisation)[0])
        colleagues = roster.vendor_of == organisation
        clinic = np.full(len(codes), len(roster.clinic))
        roster = replace(
            roster, clinic=np.append(roster.clinic, change.code), organisation_of=np.append(roster.organisation_of, organisation)
        )
    else:
        codes, clinic = np.array([change.code]), np.flatnonzero(roster.clinic == change.clinic)
        colleagues = roster.clinic_of == clinic[0]
        if change.shared:
            panel = np.where(colleagues, panel * (1.0 - change.panel / panel[colleagues].sum()), panel)
    minutes, slots = typical
    week = minutes[:, colleagues].mean(1, keepdims=True)
    scale = change.fte * FULL_WEEK / week.sum()
    new_slots = slots[..., colleagues].mean(-1, keepdims=True) * scale
    repeat = len(codes)
    roster = replace(
        roster,
        provider=np.concatenate([roster.provider.astype(str), codes]),
        names=np.concatenate([roster.names.astype(str), codes]),
        clinic_of=np.concatenate([roster.clinic_of, clinic]),
    )
    own = (mix * panel[:, None])[colleagues].sum(0) / panel[colleagues].sum()
    wider = (np.concatenate([minutes, np.repeat(week * scale, repeat, 1)], 1), np.concatenate([slots, np.repeat(new_slots, repeat, 2)], 2))
    return roster, np.append(panel, np.full(repeat, float(change.panel))), np.vstack([mix, np.tile(own, (repeat, 1))]), wider


def _refuse_impossible(change: NewProvider | NewClinic, roster: Roster, panel: np.ndarray) -> None:
    """Codes that are taken, and panels that the clinic does not have."""
    taken = roster.clinic if isinstance(change, NewClinic) else roster.provider
    faults = []
    if change.code in taken:
        faults.append(Fault("scenario", f"the code of a {change.kind} is taken", "code", value=change.code, expected="a code of its own"))
    if isinstance(change, NewProvider) and change.shared:
        has = float(panel[roster.clinic[roster.clinic_of] == change.clinic].sum())
        if change.panel >= has:
            problem, remedy = "more patients than the clinic has", "give a smaller panel, or shared = false for patients who are new to it"
            faults.append(Fault("scenario", problem, "panel", value=f"{change.panel:g}", expected=f"less than {has:g}", remedy=remedy))
    if faults:
        raise ScenarioError(faults)


def _changed(span: Span, change: Any) -> Span:
    """The span under one change."""
    if isinstance(change, NewProvider | NewClinic):
        return span
    on = (span.calendar.of_day @ change.holds(span.calendar.days)) / span.calendar.length  # share of each step
    if isinstance(change, Leave):
        away = (on[:, None] > 0.5) & np.isin(span.units, change.providers)
        plan = span.schedule
        still = Schedule(np.where(away, 0.0, plan.minutes), np.where(away, 0.0, plan.open_days), np.where(away, 0.0, plan.slots))
        return replace(span, schedule=still, away=span.away | away)
    reach = on[:, None] * change.chosen(span.roster)
    if isinstance(change, TeamInbox | MessageGrowth):
        which = np.isin(MESSAGES, change.messages)[:, None, None] * reach
        if isinstance(change, TeamInbox):
            return replace(span, messages=span.messages * (1.0 - change.share * which))
        since = np.datetime64(change.start) if change.start else span.calendar.days[0]
        years = np.maximum((span.calendar.starts - since).astype(float), 0.0) / YEAR
        return replace(span, messages=span.messages * (1.0 + change.per_year * which) ** years[:, None])
    if isinstance(change, PanelSize):
        weekly = (span.calendar.of_step @ reach) / span.calendar.of_step.sum(1, keepdims=True)
        grown = 1.0 + (change.factor - 1.0) * reach
        people = span.people * (1.0 + (change.factor - 1.0) * weekly)
        return replace(span, people=people, messages=span.messages * grown, requests=span.requests * grown)
    return replace(span, schedule=_retimed(span, change, reach))


def _retimed(span: Span, change: AddTime | ProtectInbox, reach: np.ndarray) -> Schedule:
    """The schedule with time added to working days, or slots closed."""
    plan = span.schedule
    weeks = span.calendar.of_step
    week_minutes = (weeks.T @ (weeks @ plan.minutes)) + 1e-9
    week_days = np.maximum(weeks.T @ (weeks @ plan.open_days), 1.0)
    if isinstance(change, ProtectInbox):
        closed = np.clip(60.0 * change.hours / week_minutes, 0.0, 1.0) * reach
        return Schedule(plan.minutes, plan.open_days, np.round(plan.slots * (1.0 - closed)))
    added = reach * change.fte * FULL_WEEK * plan.open_days / week_days
    minutes = np.maximum(plan.minutes + added, 0.0)
    factor = np.where(plan.minutes > 0, minutes / np.where(plan.minutes > 0, plan.minutes, 1.0), 1.0)
    return Schedule(minutes, plan.open_days, np.round(plan.slots * factor) if change.visits else plan.slots)
