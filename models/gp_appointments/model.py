"""The general-practice workload model: demand, durations, staff mix.

Reads as the equations of README.md. Everything is on the log scale; time is the first axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jax.scipy.special import polygamma
from jaxtyping import Array, Float
from numpyro import distributions as dist

from bayestwin.barriers import Band
from bayestwin.components.calendar import DayKind
from bayestwin.components.duration import GeneralisedGamma, LogNormal
from bayestwin.components.informed import STANDS_FOR
from bayestwin.components.trend import Onward, coefficient_sd, cosine_basis, last_state, onward
from bayestwin.laws.counts import DirichletMultinomial, NegativeBinomial

from .workload import SPECIAL_DAYS, Calendar, Workload, fold_weeks

Priors = Mapping[str, dist.Distribution]
Duration = GeneralisedGamma | LogNormal
ABSENT = 1e-9  # Dirichlet parameter of a day that the span does not hold: it takes no count


def model(data: Workload, priors: Priors) -> None:
    """Draw or condition the whole model."""
    demand(data, priors)
    durations(data, priors)
    staff_mix(data, priors)
    sensitivity(priors)


class DayEffects(NamedTuple):
    """Log multipliers of kinds of day against the average working day."""

    kinds: Float[Array, "... kind"]
    special: Float[Array, "... special"]


def day_effects(priors: Priors) -> DayEffects:
    """Draw the calendar's effects; the working days' multipliers average to one."""
    weekday = numpyro.sample("weekday_effect", priors["weekday_effect"])
    others = [numpyro.sample(name, priors[name]) for name in ("saturday", "sunday", "holiday")]
    return DayEffects(
        kinds=day_kind_effects(weekday, *others),
        special=jnp.stack([numpyro.sample(name, priors[name]) for name in SPECIAL_DAYS]),
    )


def day_kind_effects(weekday: Array, saturday: Array, sunday: Array, holiday: Array) -> Float[Array, "... kind"]:
    """Log multipliers by `DayKind`, last axis, from those of Tuesday to Friday against Monday and of the closed days."""
    working = jnp.concatenate([jnp.zeros_like(weekday[..., :1]), weekday], axis=-1)
    working = working - jax.nn.logsumexp(working, axis=-1, keepdims=True) + jnp.log(working.shape[-1])
    others = jnp.stack([saturday, sunday, holiday], axis=-1)
    return jnp.concatenate([working, others], axis=-1)


def log_exposure(effects: DayEffects, span: Calendar) -> tuple[Float[Array, "... period"], Float[Array, "... week"]]:
    """Log working-day equivalents of each period and of each week's days in the span."""
    weight = jnp.moveaxis(jnp.exp(log_day_weights(effects, span)), -1, 0)

    def total(index: Array, count: int) -> Array:
        return jnp.moveaxis(jnp.log(jax.ops.segment_sum(weight, index, count)), 0, -1)

    return total(span.period, len(span.periods)), total(span.week, len(span.weeks))


def log_day_weights(effects: DayEffects, span: Calendar) -> Float[Array, "... day"]:
    """Log multiplier of each day of the span."""
    return effects.kinds[..., span.kind] + effects.special @ span.special.T


def demand(data: Workload, priors: Priors) -> NegativeBinomial:
    """Attended appointments: list size, nested places, nested trends, calendar, NB2 counts.

    Returns:
        Their law, seen or not, in all periods that are over, (period, area).
    """
    span, published = data.until, len(data.calendar.weeks)
    effects = day_effects(priors)
    by_period, of_days = log_exposure(effects, span)
    by_week = of_days[:published]
    if data.grid == "week":
        concentration = split_of_weeks(data, priors, effects)
        by_week = by_week + part_weeks(data, day_shares(effects, data.whole_weeks), concentration)
    numpyro.deterministic("week_exposure", by_week)
    spread = {name: numpyro.sample(name, priors[name]) for name in ("sd_region", "sd_board", "sd_area", "workforce_slope")}
    national = priors["national_level"]
    level = numpyro.sample("national_level", dist.Normal(national.loc + by_week.mean(), national.scale))
    numpyro.deterministic("rate_per_1000_patient_days", 1000.0 * jnp.exp(level - by_week.mean()))
    area_level = places(data, level, spread)
    trend = board_trends(data, priors, by_week, of_days[published:])
    within_week = by_period - of_days[span.period_week]
    log_rate = area_level + trend[span.period_week][:, data.area_board] + within_week[:, None]
    mean, concentration = data.listed * jnp.exp(log_rate), count_concentration(data, priors)
    seen = len(data.appointments)
    observe("appointments", NegativeBinomial(mean[:seen], concentration[:seen]), data.appointments, data.appointments_seen)
    return NegativeBinomial(mean, concentration)


class DayConcentration(NamedTuple):
    """How closely weeks keep to the usual division over their days (weekly grid).

    Attributes:
        working: of working days among themselves; lower in weeks around holidays, which divide each in their own way.
        closed: of each closed day against all others. Services of a Saturday come and go: with one concentration for all days they would set it, and working
            days would look too regular.
    """

    working: Float[Array, " week"]
    closed: Array


def day_concentration(calm: Array, lost: Array, closed: Array, span: Calendar) -> DayConcentration:
    """Concentrations by week, of those of calm weeks and what weeks around holidays lose."""
    return DayConcentration(calm * jnp.exp(-lost * span.unsettled), closed)


def split_of_weeks(data: Workload, priors: Priors, effects: DayEffects) -> DayConcentration:
    """How the nation's week divides over its days, given its total: closed days against the others, then working days among themselves."""
    names = ("day_concentration", "holiday_split", "closed_day_concentration")
    concentration = day_concentration(*(numpyro.sample(name, priors[name]) for name in names), data.calendar)
    share = day_shares(effects, data.calendar)
    worked = share * data.worked
    together = worked.sum(1, keepdims=True)
    closed = jnp.concatenate([share * ~data.worked, together], axis=1)
    seen = data.days.sum(1) > 0
    alpha = jnp.maximum(concentration.closed * closed, ABSENT)
    observe("closed_days", DirichletMultinomial(alpha, total_count=data.days.sum(-1)), data.closed_days, seen)
    alpha = jnp.maximum(concentration.working[:, None] * worked / jnp.maximum(together, ABSENT), ABSENT)
    observe("working_days", DirichletMultinomial(alpha, total_count=data.working_days.sum(-1)), data.working_days, seen)
    return concentration


def part_weeks(data: Workload, whole: Float[Array, "week day_of_week"], concentration: DayConcentration) -> Float[Array, " week"]:
    """What the seen days of a part-observed week hold beyond their usual share of the week, on the log scale.

    If some things divide by a Dirichlet law of concentration κ, those that usually hold the share s hold Beta(κ s, κ (1 - s)), whose logarithm has
    variance ψ′(κ s) - ψ′(κ). Working days hold such a share of the week, and those that were seen one of the working days'; closed days that were
    seen beside them are neglected. Without this a part week would pass for a shock to the nation's demand.

    Args:
        data: the model's data.
        whole: shares of the days of whole weeks.
        concentration: of their division.
    """
    part = np.flatnonzero(np.bincount(data.calendar.week) < 7)
    if not part.size:
        return jnp.zeros(len(whole))
    seen = fold_weeks(np.ones(len(data.calendar.days), bool), data.calendar)[part]
    working = fold_weeks(data.whole_weeks.kind < DayKind.SATURDAY, data.whole_weeks)[part]
    share = whole[part]
    together, among = (share * working).sum(1), (share * (working & seen)).sum(1)
    some = (working & seen).any(1)
    of_working = log_share_variance(concentration.working[part], jnp.where(some, among / together, 0.5))
    of_week = log_share_variance(concentration.closed, jnp.where(some, together, (share * seen).sum(1)))
    noise = numpyro.sample("part_week", dist.Normal(jnp.zeros(part.size), 1.0))
    return jnp.zeros(len(whole)).at[part].set(jnp.sqrt(of_week + some * of_working) * noise)


def log_share_variance(concentration: Array, share: Array) -> Array:
    """Variance of the logarithm of a share that is Beta(κ s, κ (1 - s))."""
    return polygamma(1, concentration * share) - polygamma(1, concentration)


def day_shares(effects: DayEffects, span: Calendar) -> Float[Array, "week day_of_week"]:
    """Expected share of each day in its week's total, zero for days outside the span."""
    weight = jnp.exp(log_day_weights(effects, span))
    slot = (span.days - span.weeks[span.week]).astype(int)
    folded = jnp.zeros((len(span.weeks), 7)).at[span.week, slot].set(weight)
    return folded / folded.sum(-1, keepdims=True)


def observe(name: str, law: dist.Distribution, value: Array, seen: Array) -> None:
    """Condition on the seen cells; the others contribute nothing."""
    numpyro.sample(name, law.mask(seen), obs=value)


def places(data: Workload, level: Array, spread: Mapping[str, Array]) -> Float[Array, " area"]:
    """Nested levels: national < region < board < area, with network staff as a covariate."""
    slope = spread["workforce_slope"]
    region = numpyro.sample("region_level", dist.Normal(jnp.repeat(level, len(data.region)), spread["sd_region"]))
    board = numpyro.sample("board_level", dist.Normal(region[data.board_region], spread["sd_board"]))
    return numpyro.sample("area_level", dist.Normal(board[data.area_board] + slope * data.workforce, spread["sd_area"]))


class Spreads(NamedTuple):
    """Sds of a walk's weekly steps and of its shocks."""

    walk: Array
    shock: Array


def spreads(priors: Priors, place: str) -> Spreads:
    """Draw those of a walk."""
    return Spreads(*(numpyro.sample(name, priors[name]) for name in (f"walk_{place}", f"shock_{place}")))


def board_trends(
    data: Workload, priors: Priors, by_week: Float[Array, " published"], late: Float[Array, " late"]
) -> Float[Array, "week board"]:
    """Walks with shocks, boards around the nation, the nation around the calendar.

    Args:
        data: the model's data.
        priors: its priors.
        by_week: log exposure of the published weeks.
        late: of the weeks after them.
    """
    basis, eigenvalues = cosine_basis(len(data.calendar.weeks))
    of_nation, of_board = spreads(priors, "national"), spreads(priors, "board")
    sd = {"national": coefficient_sd(eigenvalues, *of_nation), "board": coefficient_sd(eigenvalues, *of_board)}
    national = numpyro.sample("national_coefficient", dist.Normal(basis @ by_week, sd["national"]))
    wide = jnp.broadcast_to(national[:, None], (len(eigenvalues), len(data.board)))
    board = numpyro.sample("board_coefficient", dist.Normal(wide, sd["board"][:, None]))
    numpyro.deterministic("national_trend", basis.T @ national - (by_week - by_week.mean()))
    trend = basis.T @ board
    if not data.late:
        return trend
    nation = unpublished(national - basis @ by_week, of_nation, late_noise("late_national", data)).values
    nation = numpyro.deterministic("late_national_trend", jnp.stack(nation))
    apart = unpublished(board - wide, of_board, late_noise("late_board", data, len(data.board))).values
    boards = numpyro.deterministic("late_board_trend", (nation + late - by_week.mean())[:, None] + jnp.stack(apart))
    return jnp.concatenate([trend, boards])


def late_noise(name: str, data: Workload, *series: int) -> Float[Array, "late ..."]:
    """Draw how a walk goes on in the weeks that are over and not published: nothing is told of it. The trend that comes of it is named likewise."""
    return numpyro.sample(name, dist.Normal(jnp.zeros((data.late, *series)), 1.0), infer={STANDS_FOR: f"{name}_trend"})


def unpublished(coefficients: Float[Array, "coefficient ..."], spread: Spreads, noise: Float[Array, "late ..."]) -> Onward:
    """A walk in the weeks that are over and not published, given its coefficients over the published ones and `late_noise`."""
    return onward(last_state(coefficients, *spread), *spread, noise)


def count_concentration(data: Workload, priors: Priors) -> Float[Array, "period area"]:
    """NB2 concentration by period and area: lower around holidays, whose dates and habits differ from place to place.

    On the daily grid closed days have a concentration of their own.
    """
    spread = numpyro.sample("concentration_sd", priors["concentration_sd"])
    level = numpyro.sample("concentration_level", priors["concentration_level"])
    by_area = numpyro.sample("log_concentration", dist.Normal(jnp.repeat(level, len(data.area)), spread))
    lost = numpyro.sample("holiday_dispersion", priors["holiday_dispersion"])
    concentration = jnp.exp(by_area - lost * data.until.unsettled[:, None])
    if data.grid == "week":
        return concentration
    closed = numpyro.sample("closed_concentration", priors["closed_concentration"])
    return jnp.where(data.until.kind[:, None] < 5, concentration, closed)


class Banded(NamedTuple):
    """Minutes of an appointment and how they are seen.

    Attributes:
        law: of minutes, by area.
        null_logit: log-odds that a duration is not recorded, by area.
        logit: of the bands against the hiding category.
        misfit: sd of these logits about those of the law.
        share: expected, of each band and the hiding category, in all weeks that are over.
        concentration: how closely weeks keep to these shares.
    """

    law: Duration
    null_logit: Float[Array, " area"]
    logit: Float[Array, "area band"]
    misfit: Array
    share: Float[Array, "week area category"]
    concentration: Array


def durations(data: Workload, priors: Priors, family: str = "generalised_gamma") -> Banded:
    """Minutes of an appointment, seen in bands with a category that hides some of them."""
    law, null_logit = duration_law(data, priors, family)
    shown = shown_masses(data.band, law)
    log_share = jnp.log(shown) + jax.nn.log_sigmoid(-null_logit)[:, None]
    hidden = jnp.log1p(-jnp.exp(log_share).sum(-1, keepdims=True))
    misfit = numpyro.sample("band_sd", priors["band_sd"])
    logit = numpyro.sample("band_logit", dist.Normal(log_share - hidden, misfit))
    tilt = minutes_tilt(data, priors)
    concentration = numpyro.sample("band_concentration", priors["band_concentration"])
    share = category_shares(logit, tilt, log_minutes_of_bands(data.band))
    law_of_counts = DirichletMultinomial(concentration * share[: len(data.durations)], total_count=data.durations.sum(-1))
    observe("durations", law_of_counts, data.durations, data.durations_seen)
    numpyro.deterministic("minutes_sd", jnp.sqrt(law.moment(2.0) - law.moment(1.0) ** 2))
    return Banded(law, null_logit, logit, misfit, share, concentration)


def duration_law(data: Workload, priors: Priors, family: str) -> tuple[Duration, Float[Array, " area"]]:
    """The areas' duration laws, and the log-odds that a duration is not recorded."""
    shape = numpyro.sample("duration_shape", priors["duration_shape"]) if family == "generalised_gamma" else None
    null_logit = _areas(data, priors, "area_null", "null_level", "sd_null")
    mean = _areas(data, priors, "area_minutes", "minutes_level", "sd_minutes")
    log_sd = _areas(data, priors, "area_spread", "spread_level", "sd_spread")
    if shape is None:
        return LogNormal(mean, jnp.exp(log_sd)), null_logit
    return GeneralisedGamma(mean, jnp.exp(log_sd), jnp.broadcast_to(shape, mean.shape)), null_logit


def _areas(data: Workload, priors: Priors, name: str, level: str, spread: str) -> Float[Array, " area"]:
    sd, centre = (numpyro.sample(name_, priors[name_]) for name_ in (spread, level))
    return numpyro.sample(name, dist.Normal(jnp.repeat(centre, len(data.area)), sd))


def shown_masses(band: Band, law: Duration) -> Float[Array, "area band"]:
    """Probability of each released band, tails left out (they are always hidden)."""
    return jnp.maximum(band.masses(law.cdf)[..., 1:-1], 1e-12)


def log_minutes_of_bands(band: Band) -> Float[np.ndarray, " band"]:
    """Log of each band's geometric middle, about their mean."""
    edges = np.log(np.maximum(band.edges, 0.5))
    middle = 0.5 * (edges[1:] + edges[:-1])
    return middle - middle.mean()


def minutes_tilt(data: Workload, priors: Priors) -> Float[Array, " week"]:
    """National tilt of each week towards longer durations: a walk with shocks that averages to zero."""
    basis, eigenvalues = cosine_basis(len(data.calendar.weeks))
    spread = spreads(priors, "minutes")
    coefficient = numpyro.sample("tilt_coefficient", dist.Normal(jnp.zeros(len(eigenvalues)), coefficient_sd(eigenvalues, *spread)))
    tilt = numpyro.deterministic("minutes_tilt", basis.T @ coefficient)
    if not data.late:
        return tilt
    late = unpublished(coefficient, spread, late_noise("late_minutes", data)).values
    return jnp.concatenate([tilt, numpyro.deterministic("late_minutes_trend", jnp.stack(late))])


def category_shares(logit: Array, tilt: Array, log_minutes: Array) -> Float[Array, "week area category"]:
    """Expected shares of the bands and the hiding category, which is the reference."""
    tilted = logit + tilt[:, None, None] * log_minutes
    reference = jnp.zeros_like(tilted[..., :1])
    return jax.nn.softmax(jnp.concatenate([tilted, reference], axis=-1), axis=-1)


def staff_mix(data: Workload, priors: Priors) -> tuple[Float[Array, "board cell"], Array]:
    """Who sees patients and how: shares of staff and mode by board, and how closely months keep to them."""
    sd = numpyro.sample("cell_sd", priors["cell_sd"])
    level = numpyro.sample("cell_level", priors["cell_level"])
    logit = numpyro.sample("cell_logit", dist.Normal(jnp.broadcast_to(level, (len(data.board), level.shape[0])), sd))
    concentration = numpyro.sample("cell_concentration", priors["cell_concentration"])
    share = cell_shares(logit)
    law = DirichletMultinomial(concentration * share, total_count=data.staff.sum(-1))
    observe("staff_mix", law, data.staff, data.staff_seen)
    return share, concentration


def cell_shares(logit: Float[Array, "... other_cell"]) -> Float[Array, "... cell"]:
    """Shares of the cells; GP face-to-face is the reference."""
    return jax.nn.softmax(jnp.concatenate([jnp.zeros_like(logit[..., :1]), logit], axis=-1), axis=-1)


def sensitivity(priors: Priors) -> dict[str, Array]:
    """Quantities that no extract informs: they carry their prior into the clinician hours."""
    names = ("null_slope", "remote_ratio", "other_ratio", "unknown_staff_slope")
    return {name: numpyro.sample(name, priors[name]) for name in names}
