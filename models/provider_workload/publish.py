"""The virtual clinic: invent providers, let a quarter of a year and more happen, and publish it through barriers.

The folder holds the study as an analyst would get it, the truth, and beside it `clean/`, the same study under perfect access.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from bayestwin.barriers import Degraded, Grid
from bayestwin.prepared import prepare as prepare_study
from bayestwin.study import Calendar as StudyCalendar
from bayestwin.study import Study

from .clinic import Events, Start, attendance, happen
from .demand import expected_demand
from .future import people
from .model import TOP
from .priors import NEAR_ZERO
from .workload import (
    BOOKINGS,
    DEFINITION,
    GROUPS,
    MESSAGES,
    METRICS,
    MODES,
    PANEL,
    STANDARD_DAY,
    STANDARD_PANEL,
    SURVEY,
    TURNAROUND,
    WEEKLY,
    Roster,
    Steps,
    Workload,
    schedule_of,
    steps,
)

FIRST_DAY = np.datetime64("2024-01-01")  # a Monday
DELAY = (0.55, 0.2, 0.1, 0.06, 0.04, 0.03, 0.02)
ANSWERS, ANSWERS_IN_A_WEEK = 0.4, 0.5
GRANTED_IN_WEEK = 20
SHOULDERS = (0.0, 30.0)
FTES, FTE_CHANCES = (0.6, 0.8, 1.0), (0.3, 0.3, 0.4)
VISIT_SLOTS, REMOTE_SLOTS = 16.0, 4.0  # of a full-time day with a standard panel
GZIP = {"method": "gzip", "mtime": 0}  # the same bytes for the same draw


def place() -> StudyCalendar:
    """The calendar that the invented clinics keep."""
    return StudyCalendar(country="US")


def invent(design: Any, seed: int) -> Workload:
    """Providers, schedules, panels and a calendar, without events.

    Args:
        design: units (providers), groups (clinics), weeks.
        seed: seed of the places.
    """
    rng = np.random.default_rng(seed)
    providers, clinics = design.units, design.groups
    daily = providers * design.weeks <= DAILY_CELLS
    span = steps(FIRST_DAY, design.weeks, "day" if daily else "week", place())
    organisations = max(clinics // 2, 1)
    roster = Roster(
        provider=np.array([f"P{i + 1:03d}" for i in range(providers)]),
        clinic=np.array([f"C{i + 1:02d}" for i in range(clinics)]),
        organisation=np.array([f"O{i + 1}" for i in range(organisations)]),
        names=np.array([f"Provider {i + 1}" for i in range(providers)]),
        clinic_of=np.sort(np.arange(providers) % clinics),
        organisation_of=np.sort(np.arange(clinics) % organisations),
    )
    fte = rng.choice(FTES, size=providers, p=FTE_CHANCES)
    panel = np.round(STANDARD_PANEL * fte * np.exp(rng.normal(0.0, 0.15, providers)))
    return Workload(
        roster=roster,
        span=span,
        schedule=_schedule(rng, span, fte, panel),
        panel=panel,
        mix=_mix(rng, panel),
        shoulder=np.resize(SHOULDERS, organisations).astype(float),
        streams={},
    )


DAILY_CELLS = 2000  # provider-weeks up to which a simulated study is daily


def _schedule(rng: np.random.Generator, span: Steps, fte: np.ndarray, panel: np.ndarray) -> Any:
    """Eight-hour days on as many weekdays as the provider works; a week off now and then; slots that fit the panel."""
    days, weeks = len(span.days), len(span.weeks)
    worked = np.zeros((days, len(fte)))
    for i, share in enumerate(fte):
        weekdays = rng.choice(5, size=round(5 * share), replace=False)
        worked[:, i] = np.isin(np.arange(days) % 7, weekdays)
        for off in rng.choice(weeks, size=max(weeks // 20, 1), replace=False):
            worked[7 * off : 7 * off + 7, i] = 0.0
    worked *= (span.kind < 5)[:, None]
    minutes = STANDARD_DAY * worked
    busy = panel / STANDARD_PANEL / fte * np.exp(rng.normal(0.0, 0.08, len(fte)))
    slots = np.stack([np.round(each * busy) * worked for each in (VISIT_SLOTS, REMOTE_SLOTS)])
    in_step = span.of_day
    return schedule_of(in_step @ minutes, np.einsum("td,mdi->mti", in_step, slots), span)


def _mix(rng: np.random.Generator, panel: np.ndarray) -> np.ndarray:
    """Shares of the patient groups, whole patients."""
    ages = rng.dirichlet((16.0, 14.0, 10.0), len(panel))
    others = np.stack([rng.beta(12.0, 28.0, len(panel)), rng.beta(24.0, 16.0, len(panel))], axis=1)
    counts = np.round(np.concatenate([ages, others], axis=1) * panel[:, None])
    counts[:, 2] = panel - counts[:, :2].sum(1)
    return counts / panel[:, None]


@dataclass(frozen=True)
class Happened:
    """What happened in the observed span and what was measured of it, clean.

    Attributes:
        events: of the single draw.
        numbers: clean extracts by stream, (time, provider).
    """

    events: Events
    numbers: dict[str, np.ndarray]


def publish(
    folder: Path, data: Workload, drawn: dict[str, np.ndarray], model: Callable, priors: Mapping, rng: np.random.Generator
) -> Workload:
    """Let one prior draw happen and write the extracts, degraded and clean, and both study.toml.

    Args:
        folder: an empty folder.
        data: providers, schedules and calendar.
        drawn: every latent and deterministic site, leading axis 1; the states at the span's end are replaced by what happened.
        model: not needed, the clinic is drawn event by event.
        priors: likewise.
        rng: random generator.

    Returns:
        The study's data as an analyst reads them.
    """
    draw = {name: value[0] for name, value in drawn.items()}
    happened = _happen(data, draw, rng)
    _true_states(drawn, happened.events)
    _write(folder / "clean", data, happened.numbers, {}, rng)
    return prepare_study(_write(folder, data, happened.numbers, _barriers(data, rng), rng)).data


def _happen(data: Workload, draw: Mapping[str, np.ndarray], rng: np.random.Generator) -> Happened:
    """Events of the observed span and clean measurements."""
    span = data.span
    expected, requests = map(np.asarray, expected_demand(data, draw))
    start = Start(np.zeros((1, len(data.panel))), np.ones(len(data.panel)), np.zeros((len(MODES), len(data.panel))))
    concentration = draw["concentration"] * span.alike
    events = happen(people(draw), expected[:, None], concentration, requests, data.schedule, span.length, start, rng)
    counts = zip((*MESSAGES, *MODES), (*events.messages[:, 0], *events.visits[:, 0]), strict=True)
    numbers = {name: count.astype(int) for name, count in counts} | _bookings(data, draw, requests, events, rng)
    return Happened(events, numbers | _metrics(data, draw, events, rng) | {SURVEY: _survey(data, draw, events, rng)})


def _bookings(
    data: Workload, draw: Mapping[str, np.ndarray], requests: np.ndarray, events: Events, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Slots that were taken: those of the visits, and of the others as many as chance had booked in vain."""
    found = {}
    for name, asked, offered, came in zip(BOOKINGS, requests, data.schedule.slots, events.visits[:, 0], strict=True):
        chance = attendance(people(draw), asked, offered, data.span.length, np.zeros(len(data.panel)))
        in_vain = chance.booked * (1.0 - chance.comes) / (1.0 - chance.booked * chance.comes)
        visits = came.astype(int)
        found[name] = visits + rng.binomial(np.round(offered).astype(int) - visits, in_vain)
    return found


def _metrics(data: Workload, draw: Mapping[str, np.ndarray], events: Events, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weekly vendor metrics."""
    roster, in_week = data.roster, data.span.of_step
    factor = draw["vendor_factor"][roster.vendor_of] + draw["drift"][:, roster.clinic_of]
    noise = draw["metric_noise"]
    parts = [events.inbox[0], events.documentation[0], (events.inbox + events.documentation + events.admin)[0]]
    logs = {
        name: in_week @ part * np.exp(factor + sd * rng.standard_normal(factor.shape) - 0.5 * sd**2)
        for name, part, sd in zip(METRICS[:3], parts, noise[:3], strict=True)
    }
    days = np.maximum(data.schedule.open_days, 1.0)
    shoulder = np.where(data.schedule.open_days > 0, data.shoulder[roster.vendor_of], 0.0)
    outside = in_week @ (days * np.maximum(events.after_hours[0] / days - shoulder, 0.0)) * np.exp(factor)
    error = np.sqrt(np.square(noise[3] * outside) + NEAR_ZERO**2) * rng.standard_normal(outside.shape)
    minutes = {**logs, METRICS[3]: np.maximum(outside + error, 0.0)}
    return {name: np.round(value, 1) for name, value in minutes.items()} | {TURNAROUND: np.round(_turnaround(data, draw, events, rng), 2)}


def _turnaround(data: Workload, draw: Mapping[str, np.ndarray], events: Events, rng: np.random.Generator) -> np.ndarray:
    """Mean days until a message is done; zero in weeks without scheduled time."""
    carried = data.span.of_step @ (data.span.length[:, None] * events.backlog[0])
    done = data.span.of_step @ (data.schedule.minutes * np.exp(draw["usable"]))
    noise = draw["turnaround_noise"]
    error = np.exp(noise * rng.standard_normal(done.shape) - 0.5 * noise**2)
    return np.where(done > 0, (draw["turnaround_prompt"] + carried / np.where(done > 0, done, 1.0)) * error, 0.0)


def _survey(data: Workload, draw: Mapping[str, np.ndarray], events: Events, rng: np.random.Generator) -> np.ndarray:
    logit = draw["tlx_level"] + draw["tlx_slope"] * (events.fatigue[0, data.span.ends] - 1.0) + draw["tlx_trait"]
    return np.round(TOP / (1.0 + np.exp(-logit - draw["tlx_noise"] * rng.standard_normal(logit.shape))), 1)


def _true_states(drawn: dict[str, np.ndarray], events: Events) -> None:
    """Put what happened in the place of what the closure expected."""
    states = {
        "backlog_end": events.backlog[:, -1],
        "backlog_end_sd": np.zeros_like(events.backlog[:, -1]),
        "fatigue_end": events.fatigue[:, -1],
    }
    drawn.update(states)


def _write(folder: Path, data: Workload, numbers: Mapping[str, np.ndarray], barriers: Mapping[str, str], rng: np.random.Generator) -> Study:
    """Write a study: each stream through the access that its study.toml states."""
    text = _study(data, barriers)
    study = Study.model_validate(tomllib.loads(text))
    study._folder = folder
    (folder / "extracts").mkdir(parents=True)
    for name, table in _plain_tables(data).items():
        table.to_csv(folder / "extracts" / f"{name}.csv", index=False)
    for extract in study.extracts:
        if extract.stream in numbers:
            access, grid = extract.access(study.as_of), _grid(data, extract.stream)
            seen = access.degrade(rng, numbers[extract.stream], grid)
            present = seen.present & (_answered(rng, grid.shape) if barriers and extract.stream == SURVEY else True)
            _table(seen, present, grid).to_csv(folder / extract.file_label, index=False, compression=GZIP)
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return study


def _grid(data: Workload, stream: str) -> Grid:
    weekly = stream in WEEKLY or not data.span.daily
    return Grid({"week" if weekly else "day": data.span.weeks if weekly else data.span.starts, "provider": data.roster.provider})


def _answered(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(size=shape) < ANSWERS_IN_A_WEEK


def _table(seen: Degraded, present: np.ndarray, grid: Grid) -> pd.DataFrame:
    """Rows of the released cells."""
    time, provider = np.nonzero(present)
    whole = np.issubdtype(seen.values.dtype, np.integer) or (seen.values == np.round(seen.values)).all()
    values = seen.values.astype(int) if whole else np.round(seen.values, 2)
    shown = np.where(seen.hidden[present], HIDDEN, values[present].astype(str))
    starts, codes = grid.coords.values()
    return pd.DataFrame({"provider": codes[provider], grid.dims[0]: starts[time].astype("datetime64[D]").astype(str), "value": shown})


def _plain_tables(data: Workload) -> dict[str, pd.DataFrame]:
    """Who works where, schedules, panels and the vendors' definitions: known to the analyst."""
    roster, plan = data.roster, data.schedule
    clinics = roster.clinic[roster.clinic_of]
    where = {"provider": roster.provider, "clinic": clinics, "organisation": roster.organisation[roster.vendor_of]}
    time, provider = np.nonzero(plan.minutes > 0)
    planned = {"hours": plan.minutes / 60.0, "slots": plan.slots[0], "remote_slots": plan.slots[1]}
    first = str(data.span.days[0].astype("datetime64[M]"))
    panel = np.round(data.mix * data.panel[:, None]).astype(int)
    group, person = np.meshgrid(GROUPS, roster.provider)
    return {
        "people": pd.DataFrame({**where, "name": roster.names}),
        "schedule": pd.DataFrame(
            {"provider": roster.provider[provider], "start": data.span.starts[time].astype("datetime64[D]").astype(str)}
            | {name: np.round(value[time, provider], 2) for name, value in planned.items()}
        ),
        "panel": pd.DataFrame({"provider": person.ravel(), "month": first, "group": group.ravel(), "patients": panel.ravel()}),
        "vendors": pd.DataFrame({"organisation": roster.organisation, "month": first, "shoulder_minutes": data.shoulder.astype(int)}),
    }


def _barriers(data: Workload, rng: np.random.Generator) -> dict[str, str]:
    """What stands between the clinics and the analyst, by stream."""
    roster = data.roster
    providers, clinics = roster.provider, roster.clinic[roster.clinic_of]
    of_late, of_silent = (providers[clinics == clinic] for clinic in (roster.clinic[-1], roster.clinic[0]))
    quiet = np.sort(rng.choice(providers, size=round((1.0 - ANSWERS) * len(providers)), replace=False))
    granted = data.span.weeks[min(GRANTED_IN_WEEK, len(data.span.weeks) - 4)]
    pmf = DELAY if data.span.daily else (0.9, 0.1)
    late = _barrier("site_absence", dim='"provider"', absent=_labels(of_late), until=granted)
    small = _barrier("suppress", below=11)
    slow = _barrier("delay", maximum=len(pmf) - 1, pmf=list(pmf), released='"so_far"')
    silent = _barrier("withheld", field='"minutes of the first clinic"', dim='"provider"', labels=_labels(of_silent))
    answers = _barrier("site_selection", dim='"provider"', absent=_labels(quiet))
    return (
        dict.fromkeys(MESSAGES, slow + small + late)
        | dict.fromkeys(MODES, small + late)
        | dict.fromkeys(BOOKINGS, late)
        | dict.fromkeys((*METRICS, TURNAROUND), late + silent)
        | {SURVEY: answers}
    )


def _labels(codes: np.ndarray) -> str:
    return "[" + ", ".join(f'"{code}"' for code in codes) + "]"


def _barrier(kind: str, **keys: object) -> str:
    return f'\n[[extract.barriers]]\nkind = "{kind}"\n' + "".join(f"{key} = {value}\n" for key, value in keys.items())


def _study(data: Workload, barriers: Mapping[str, str]) -> str:
    """study.toml, each stream under its barriers."""
    step = "day" if data.span.daily else "week"
    head = HEAD.substitute(
        name="virtual_clinic" if barriers else "virtual_clinic_clean",
        what=WITH_BARRIERS if barriers else "Perfect access: what the other study would show if every barrier were lifted.",
        as_of=data.span.days[-1],
        grid=step,
        truth="truth.nc" if barriers else "../truth.nc",
    )
    return head + "".join(_extract(spec, step, barriers.get(spec.stream, "")) for spec in EXTRACTS)


@dataclass(frozen=True)
class Spec:
    """An extract of the study: its stream, file and columns, what it measures, and how often ("step" is the study's grid)."""

    stream: str
    file: str
    event: str
    value: str
    measure: str
    resolution: str
    integer: bool = True
    level: str = "provider"
    more: str = ""


EXTRACTS = (
    *(Spec(name, f"{name}.csv.gz", "", "value", "messages", "step") for name in MESSAGES),
    *(Spec(name, f"{name}.csv.gz", "", "value", "visits", "step") for name in (*MODES, *BOOKINGS)),
    *(Spec(name, f"{name}.csv.gz", "week", "value", "minutes", "week", integer=False) for name in METRICS),
    Spec(TURNAROUND, f"{TURNAROUND}.csv.gz", "week", "value", "days", "week", integer=False),
    Spec(SURVEY, f"{SURVEY}.csv.gz", "week", "value", "score", "week", integer=False),
    Spec("hours", "schedule.csv", "start", "hours", "minutes", "step", integer=False, more='absent = "zero"\n'),
    Spec("slots", "schedule.csv", "start", "slots", "visits", "step", integer=False, more='absent = "zero"\n'),
    Spec("remote_slots", "schedule.csv", "start", "remote_slots", "visits", "step", integer=False, more='absent = "zero"\n'),
    Spec(PANEL, "panel.csv", "month", "patients", "patients", "month", more='dims = { group = "group" }\n'),
    Spec(DEFINITION, "vendors.csv", "month", "shoulder_minutes", "minutes", "month", level="organisation"),
)


def _extract(spec: Spec, step: str, barriers: str) -> str:
    """One extract of study.toml."""
    lines = [
        "",
        "[[extract]]",
        f'name = "{spec.stream.replace("_", " ")}"',
        f'stream = "{spec.stream}"',
        f'file = "extracts/{spec.file}"',
        f'level = "{spec.level}"',
        f'measure = "{spec.measure}"',
        f'columns = {{ unit = "{spec.level}", event = "{spec.event or step}", value = "{spec.value}" }}',
        f'resolution = "{step if spec.resolution == "step" else spec.resolution}"',
        *([] if spec.integer else ["integer = false"]),
        *(['event_format = "%Y-%m"'] if spec.resolution == "month" else []),
    ]
    categories = '\n[extract.categories]\ngroup = ["' + '", "'.join(GROUPS) + '"]\n' if spec.stream == PANEL else ""
    return "\n".join(lines) + "\n" + spec.more + categories + barriers


HIDDEN = "*"
WITH_BARRIERS = """Message counts come with a delay, small cells are hidden, one clinic was granted late, the vendor metrics of
# another are withheld, and two providers in five answer the survey."""
HEAD = Template(
    """# A simulated study of clinicians' work; the clinics do not exist. Drawn by `bayestwin simulate` from the model's prior.
# $what

name = "$name"
model = "provider_workload"
question = "How much work will providers do after hours in the next eight weeks, and what would change it?"
audience = "Clinic leads, who decide on schedules, panels and inbox teams"
as_of = $as_of
grid = "$grid"
horizon_weeks = 8
truth = "$truth"

[calendar]
country = "US"

[hierarchy]               # leaf first; an organisation runs one vendor's record system
file = "extracts/people.csv"
columns = { provider = "provider", clinic = "clinic", organisation = "organisation" }
names = "name"
"""
)
