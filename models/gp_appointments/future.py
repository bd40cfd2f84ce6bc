"""What the posterior says about weeks: those observed (fitted) and those ahead (future).

One posterior draw at a time, many inner draws: what varies within a posterior draw is aleatoric, what varies
between posterior draws is epistemic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bayestwin.barriers import Band
from bayestwin.barriers.barrier import array_module
from bayestwin.components.calendar import monday
from bayestwin.components.chance import gamma_poisson
from bayestwin.components.duration import GeneralisedGamma
from bayestwin.components.trend import Onward, State, cosine_basis, onward
from bayestwin.study import Calendar as StudyCalendar
from bayestwin.twin.scenario import Scenario

from .changes import Demand, Duration, ListGrowth, factor, opened
from .describe import counted
from .model import DayEffects, Spreads, cell_shares, day_kind_effects, log_exposure, log_minutes_of_bands, shown_masses, unpublished
from .workload import SPECIAL_DAYS, WEEK, Calendar, Workload, calendar

Draw = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Span:
    """Weeks to answer for.

    Attributes:
        weeks: Monday of each week, datetime64[D].
        units: area codes.
        people: patients registered at included practices, (week, area).
        demand, duration: scenario factors, (week, area).
        calendar: the weeks' days.
        ahead: whether the weeks lie after the data.
    """

    weeks: np.ndarray
    units: np.ndarray
    people: np.ndarray
    demand: np.ndarray
    duration: np.ndarray
    calendar: Calendar
    ahead: bool


def future(data: Workload, horizon_weeks: int, scenario: Scenario, place: StudyCalendar) -> Span:
    """The whole weeks after the last that is over, published or not, at the last known list sizes.

    Args:
        data: the observed workload.
        horizon_weeks: weeks ahead, ≥ 1.
        scenario: what-if changes.
        place: whose public and school holidays count.
    """
    first = monday(data.until.days[-1:])[0] + WEEK
    days = np.arange(first, first + horizon_weeks * WEEK)
    span = calendar(days, "week", place, opened=opened(scenario))
    growth, demand, duration = (factor(scenario, kind, span.weeks, data.area) for kind in (ListGrowth, Demand, Duration))
    return Span(span.weeks, data.area, data.patients[-1] * growth, demand, duration, span, ahead=True)


def observed(data: Workload, place: StudyCalendar) -> Span:
    """The weeks that are over, published or not; a part-observed one counts for its observed days."""
    span = calendar(data.until.days, "week", place)
    first = np.searchsorted(data.until.period_week, np.arange(len(span.weeks)))
    ones = np.ones((len(span.weeks), len(data.area)))
    return Span(span.weeks, data.area, data.listed[first], ones, ones, span, ahead=False)


def per_draw(data: Workload, draws: Draw, span: Span) -> dict[str, np.ndarray]:
    """What a posterior draw implies before any chance: computed for all draws at once.

    Args:
        data: the observed workload.
        draws: posterior sites, leading axis draw.
        span: weeks to answer for.

    Returns:
        The sites and, by draw: `exposure` of the span's weeks against the average observed week (log), `category_minutes` (area, band), `minutes_cv` of
        one appointment (area) and `cell_share` (board, cell); of the walks of nation, boards and tilt, each net of what it is around, their `_late` values
        in weeks that are over and not published, and mean and variance of where they stand at the end of what is over (`_mean`, `_variance`).
    """
    kinds = (draws[name] for name in ("weekday_effect", "saturday", "sunday", "holiday"))
    effects = DayEffects(day_kind_effects(*kinds), jnp.stack([draws[name] for name in SPECIAL_DAYS], axis=-1))
    asked, seen = np.asarray(log_exposure(effects, span.calendar)[1]), draws["week_exposure"]
    basis, _ = cosine_basis(len(data.calendar.weeks))
    nation, board = draws["national_coefficient"], draws["board_coefficient"]
    law = (draws[name] for name in ("area_minutes", "area_spread", "duration_shape", "area_null", "null_slope"))
    minutes, cv = map(np.asarray, _categories(data.band, *law))
    return {
        **draws,
        "exposure": asked - seen.mean(1, keepdims=True),
        **_stand("nation", nation - seen @ basis.T, draws, "national"),
        **_stand("boards", board - nation[:, :, None], draws, "board"),
        **_stand("tilt", draws["tilt_coefficient"], draws, "minutes"),
        "category_minutes": minutes,
        "minutes_cv": cv,
        "cell_share": np.asarray(cell_shares(draws["cell_logit"])),
    }


def _stand(name: str, coefficients: np.ndarray, draws: Draw, place: str) -> dict[str, np.ndarray]:
    """A walk in the weeks that are over and not published, and where it stands at the end of what is over, by draw."""
    spread = Spreads(draws[f"walk_{place}"], draws[f"shock_{place}"])
    known = draws.get(f"late_{place}")
    values, state = _carried(coefficients, spread, np.zeros((len(coefficients), 0)) if known is None else known)
    late = np.stack(values, axis=1) if values else np.zeros((len(coefficients), 0, *coefficients.shape[2:]))
    return {f"{name}_late": late, f"{name}_mean": np.asarray(state.mean), f"{name}_variance": np.asarray(state.variance)}


@jax.jit
def _carried(coefficients: Array, spread: Spreads, noise: Array) -> Onward:
    return jax.vmap(unpublished)(coefficients, spread, noise)


@partial(jax.jit, static_argnums=0)
def _categories(band: Band, mean: Array, log_sd: Array, shape: Array, null: Array, slope: Array) -> tuple[Array, Array]:
    """Mean minutes of an appointment in each released category, and one appointment's CV.

    Leading axis draw; areas next, except for shape and slope.
    """
    law = GeneralisedGamma(mean, jnp.exp(log_sd), jnp.broadcast_to(shape[:, None], mean.shape))
    return category_minutes(band, law, null, slope[:, None]), jnp.sqrt(law.moment(2.0) / law.moment(1.0) ** 2 - 1.0)


def category_minutes(band: Band, law: GeneralisedGamma, null: Array, slope: Array) -> Array:
    """Mean minutes of an appointment in each released category, the hiding one last.

    Args:
        band: the released bands.
        law: of durations, (..., area).
        null: log-odds that a duration is not recorded, (..., area).
        slope: how they change by log minute, broadcast against them.
    """
    masses = band.masses(law.cdf)
    whole = law.moment(1.0)[..., None]
    partial_sums = law.partial_moment(jnp.asarray(band.edges), 1.0)
    sums = jnp.diff(jnp.concatenate([jnp.zeros_like(whole), partial_sums, whole], axis=-1), axis=-1)
    within = sums[..., 1:-1] / shown_masses(band, law)
    tails, tail_sum = masses[..., 0] + masses[..., -1], sums[..., 0] + sums[..., -1]
    # Selection on the logistic scale with this slope is an exponential tilt of the recorded durations.
    tilted = masses[..., 1:-1] * jnp.exp(slope[..., None] * log_minutes_of_bands(band))
    null_mean = (tilted * within).sum(-1) / tilted.sum(-1)
    nulls = masses[..., 1:-1].sum(-1) * jax.nn.sigmoid(null)
    unknown = (tail_sum + nulls * null_mean) / (tails + nulls)
    return jnp.concatenate([within, unknown[..., None]], axis=-1)


def draw_span(data: Workload, span: Span, draw: Draw, rng: np.random.Generator, inner: int) -> dict[str, np.ndarray]:
    """Inner draws of every quantity for one posterior draw.

    Args:
        data: the observed workload.
        span: weeks to answer for.
        draw: one posterior draw from `per_draw`.
        rng: random generator.
        inner: inner draws.

    Returns:
        appointments, clinician_hours, gp_hours, other_hours; each (inner, week, area).
    """
    appointments = _appointments(data, span, draw, rng, inner)
    counted = appointments if span.ahead else _published(data, appointments)
    minutes = _minutes(data, span, draw, rng, inner)
    error = draw["minutes_cv"] / np.sqrt(np.maximum(counted, 1.0)) * rng.standard_normal(counted.shape)
    hours = counted * minutes * (1.0 + error) * span.duration / 60.0
    gp = hours * _gp_share(data, span, draw, rng, inner)[..., data.area_board]
    return {"appointments": appointments, "clinician_hours": hours, "gp_hours": gp, "other_hours": hours - gp}


def _appointments(data: Workload, span: Span, draw: Draw, rng: np.random.Generator, inner: int) -> np.ndarray:
    if span.ahead:
        nation, boards = (_ahead(span, draw, name, place, rng, inner) for name, place in (("nation", "national"), ("boards", "board")))
        trend = draw["exposure"][:, None] + nation[..., None] + boards
    else:
        published = len(data.calendar.weeks)
        late = draw["exposure"][published:, None] + draw["nation_late"][:, None] + draw["boards_late"]
        trend = np.concatenate([cosine_basis(published)[0].T @ draw["board_coefficient"], late])[None]
    rate = np.exp(draw["area_level"] + trend[..., data.area_board])
    mean = span.people * span.demand * rate
    concentration = np.exp(draw["log_concentration"] - draw["holiday_dispersion"] * span.calendar.unsettled[:, None])
    return gamma_poisson(rng, mean, concentration, inner)


def _ahead(span: Span, draw: Draw, name: str, place: str, rng: np.random.Generator, inner: int) -> np.ndarray:
    """Inner draws of a walk in the weeks ahead, (inner, week, ...)."""
    state = State(draw[f"{name}_mean"], draw[f"{name}_variance"])
    noise = rng.standard_normal((len(span.weeks), inner, *state.mean.shape))
    return np.stack(onward(state, draw[f"walk_{place}"], draw[f"shock_{place}"], noise).values, axis=1)


def _published(data: Workload, drawn: np.ndarray) -> np.ndarray:
    """Counts as published where they are, as drawn where they are not."""
    counts, seen = counted(data)["appointments"]
    return np.where(seen, counts, drawn)


def _minutes(data: Workload, span: Span, draw: Draw, rng: np.random.Generator, inner: int) -> np.ndarray:
    """Mean minutes of an area's week: its category shares vary about their expectation."""
    if span.ahead:
        tilt = _ahead(span, draw, "tilt", "minutes", rng, inner)
        counts = 0.0
    else:
        tilt = np.broadcast_to(np.concatenate([draw["minutes_tilt"], draw["tilt_late"]]), (inner, len(span.weeks)))
        counts = np.pad(np.where(data.durations_seen[..., None], data.durations, 0), [(0, data.late), (0, 0), (0, 0)])
    expected = _softmax(draw["band_logit"] + tilt[..., None, None] * log_minutes_of_bands(data.band))
    shares = _dirichlet(rng, draw["band_concentration"] * expected + counts)
    return np.einsum("nwak,ak->nwa", shares, draw["category_minutes"])


def _softmax(logit: np.ndarray) -> np.ndarray:
    weight = np.concatenate([np.exp(logit), np.ones_like(logit[..., :1])], axis=-1)
    return weight / weight.sum(-1, keepdims=True)


def _dirichlet(rng: np.random.Generator, alpha: np.ndarray) -> np.ndarray:
    gamma = rng.standard_gamma(alpha)
    return gamma / gamma.sum(-1, keepdims=True)


def _gp_share(data: Workload, span: Span, draw: Draw, rng: np.random.Generator, inner: int) -> np.ndarray:
    """Share of clinician minutes that GPs give, (inner, week, board)."""
    alpha = draw["cell_concentration"] * draw["cell_share"]
    by_week = np.broadcast_to(alpha, (inner, len(span.weeks), *alpha.shape))
    cells = _dirichlet(rng, by_week + _month_counts(data, span))
    return gp_minutes_share(cells, draw["remote_ratio"], draw["other_ratio"], draw["unknown_staff_slope"])


def _month_counts(data: Workload, span: Span) -> np.ndarray:
    """Counts of staff and mode in the month of each week, zero where none were seen."""
    counts = np.where(data.staff_seen[..., None], data.staff, 0)
    match = span.weeks.astype("datetime64[M]")[:, None] == data.months.astype("datetime64[M]")
    return np.einsum("wm,mbc->wbc", match.astype(float), counts)


def gp_minutes_share(cells: np.ndarray, remote: float, other: float, slope: float) -> np.ndarray:
    """Share of minutes that GPs give, from the shares of staff and mode.

    Args:
        cells: shares in the order of `workload.CELLS`, last axis.
        remote: minutes of a remote contact over a face-to-face one.
        other: minutes of other staff's contact over a GP's.
        slope: log-odds by which the GP share among unknown staff differs from the known share.
    """
    gp_face, gp_remote, other_face, other_remote, unknown = (cells[..., i] for i in range(5))
    gp, rest = gp_face + remote * gp_remote, other * (other_face + remote * other_remote)
    odds = (gp_face + gp_remote) / (other_face + other_remote) * array_module(cells).exp(slope)
    unknown_gp = unknown * odds / (1.0 + odds)
    gp_mean, rest_mean = gp / (gp_face + gp_remote), rest / (other_face + other_remote)
    gp_total = gp + unknown_gp * gp_mean
    return gp_total / (gp_total + rest + (unknown - unknown_gp) * rest_mean)
