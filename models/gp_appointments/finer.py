"""What the published tables do not show, as extracts that could be asked for.

Each is a site that is observed through an access that shows nothing, so that the posterior is that of the model; an analysis of access lifts
it. What such an extract would tell is limited by the model's own misfit, not by the number of appointments.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, Float

from bayestwin.barriers import Access, Grid, Withheld
from bayestwin.laws.counts import NegativeBinomial
from bayestwin.laws.expected import Counts, Measure

from .future import category_minutes, gp_minutes_share
from .model import Banded, Duration, Priors, category_shares, demand, durations, log_minutes_of_bands, sensitivity, shown_masses, staff_mix
from .workload import Workload

ROTA_SD = 0.05  # relative error of hours from rotas [E]: an hour in twenty is booked elsewhere


def finer(data: Workload, priors: Priors) -> None:
    """The model, and what its barriers hide."""
    counts, banded = demand(data, priors), durations(data, priors)
    law, null_logit, band_logit, misfit = banded[:4]
    cells, concentration = staff_mix(data, priors)
    slopes = sensitivity(priors)
    minutes = category_minutes(data.band, law, null_logit, slopes["null_slope"])
    unknown_durations(data, law, null_logit, slopes["null_slope"], misfit)
    minute_by_minute(data, law, misfit)
    tables_elsewhere(data, counts, banded)
    unknown_staff(data, cells, concentration, slopes["unknown_staff_slope"])
    rotas(data, (category_shares(band_logit[None], jnp.zeros(1), log_minutes_of_bands(data.band))[0] * minutes).sum(-1), cells, slopes)


def hidden(name: str, field: str, law: Counts | Measure, grid: Grid, barrier: str) -> None:
    """A site that would be seen if a barrier were lifted."""
    access = Access(absences=(Withheld(name=barrier, field=field),))
    numpyro.sample(name, access.likelihood(law, grid), obs=np.broadcast_to([-np.inf, np.inf], (*grid.shape, 2)))


class Asked(NamedTuple):
    """Tables that could be asked for: `name` of their sites, `whose` they are, the `barrier` that keeps them, and which of all their cells."""

    name: str
    whose: str
    barrier: str
    periods: np.ndarray
    weeks: np.ndarray
    areas: np.ndarray


def tables_elsewhere(data: Workload, counts: NegativeBinomial, banded: Banded) -> None:
    """Appointments and their durations by band, as the others are published, of areas of which none are, and of weeks that are not published yet."""
    periods, weeks = np.arange(len(data.until.periods)), np.arange(len(data.until.weeks))
    late = periods[len(data.calendar.periods) :], weeks[len(data.calendar.weeks) :]
    known = np.flatnonzero(data.appointments_seen.any(1)), np.flatnonzero(data.durations_seen.any(1))
    granted = data.appointments_seen.any(0)
    for asked in (
        Asked("areas", "areas that are not granted", "areas not granted", *known, np.flatnonzero(~granted)),
        Asked("late", "weeks that are not published yet", "publication lag", *late, np.flatnonzero(granted)),
    ):
        if asked.weeks.size and asked.areas.size:
            _tables(data, counts, banded, asked)


def _tables(data: Workload, counts: NegativeBinomial, banded: Banded, asked: Asked) -> None:
    """Both tables of some weeks and areas.

    Given a week's total, shares of a Dirichlet-multinomial law tell what independent negative binomial counts of the same concentration do, for their sum's law does not depend on
    the shares. The total itself is told by the appointments: here it is taken as it is expected.
    """
    span, areas = data.until, data.area[asked.areas]
    cells = np.ix_(asked.periods, asked.areas)
    totals = Counts(counts.mean[cells], jnp.broadcast_to(counts.concentration, counts.mean.shape)[cells])
    grid = Grid({"period": span.periods[asked.periods], "area": areas})
    hidden(f"{asked.name}_appointments", f"appointments of {asked.whose}", totals, grid, asked.barrier)
    cells = np.ix_(asked.weeks, asked.areas)
    total = jax.ops.segment_sum(counts.mean, span.period_week, len(span.weeks))[cells]
    total, concentration = jax.lax.stop_gradient((total, banded.concentration))
    share = banded.share[cells]
    by_band = Counts(total[..., None] * share, concentration * share)
    grid = Grid({"week": span.weeks[asked.weeks], "area": areas, "band": data.bands})
    hidden(f"{asked.name}_durations", f"durations by band of {asked.whose}", by_band, grid, asked.barrier)


def unknown_durations(data: Workload, law: Duration, null_logit: Float[Array, " area"], slope: Array, misfit: Array) -> None:
    """How long the appointments of unknown duration took, by area: nulls of every band, tilted by the slope, and both tails."""
    masses = jnp.maximum(data.band.masses(law.cdf), 1e-12)
    tilted = shown_masses(data.band, law) * jnp.exp(slope * log_minutes_of_bands(data.band))
    null = shown_masses(data.band, law).sum(-1, keepdims=True) * jax.nn.sigmoid(null_logit)[:, None]
    nulls = null * tilted / tilted.sum(-1, keepdims=True)
    weight = jnp.concatenate([masses[:, :1], nulls, masses[:, -1:]], axis=-1)
    total = np.where(data.durations_seen, data.durations[..., -1], 0).sum(0)[:, None]
    grid = Grid({"area": data.area, "band": np.array(["shorter", *data.bands[:-1], "longer"])})
    counts = Counts(total * weight / weight.sum(-1, keepdims=True) + 1e-3, jnp.broadcast_to(misfit**-2.0, grid.shape))
    hidden("unknown_durations", "the duration of appointments that are released as Unknown", counts, grid, "unknown durations")


def minute_by_minute(data: Workload, law: Duration, misfit: Array) -> None:
    """Durations within each released band by the minute, by area, given the band's own total, which is known."""
    edges = np.arange(data.band.edges[0], data.band.edges[-1] + 0.5)
    band = np.searchsorted(data.band.edges, edges[:-1], side="right") - 1
    masses = jnp.maximum(jnp.diff(law.cdf(jnp.asarray(edges)), axis=-1), 1e-12)
    of_band = masses @ np.eye(len(data.band.edges) - 1)[band]
    total = np.where(data.durations_seen[..., None], data.durations[..., :-1], 0).sum(0)
    grid = Grid({"area": data.area, "minute": np.arange(len(edges) - 1)})
    counts = Counts(total[:, band] * masses / of_band[:, band] + 1e-3, jnp.broadcast_to(misfit**-2.0, grid.shape))
    hidden("minute_by_minute", "minutes of each appointment", counts, grid, "bands")


def unknown_staff(data: Workload, cells: Float[Array, "board cell"], concentration: Array, slope: Array) -> None:
    """Share of GPs among the appointments whose staff is unknown, by board; it varies from month to month as shares do."""
    gp, other, unknown = cells[:, 0] + cells[:, 1], cells[:, 2] + cells[:, 3], cells[:, 4]
    odds = gp / other * jnp.exp(slope)
    share = odds / (1.0 + odds)
    months = np.maximum(data.staff_seen.sum(0), 1)
    spread = jnp.sqrt(share * (1.0 - share) / (months * (1.0 + concentration * unknown)))
    hidden(
        "unknown_staff",
        "the staff of appointments that are released as Unknown",
        Measure(share, spread),
        Grid({"board": data.board}),
        "unknown staff",
    )


def rotas(data: Workload, minutes: Float[Array, " area"], cells: Float[Array, "board cell"], slopes: dict[str, Array]) -> None:
    """Clinician hours of an area for each appointment, and GPs' share of a board's hours, from rotas."""
    by_area = Measure(jnp.log(minutes), jnp.full(len(data.area), ROTA_SD))
    hidden("rota_minutes", "clinician hours of each area", by_area, Grid({"area": data.area}), "clinician hours")
    share = gp_minutes_share(cells, slopes["remote_ratio"], slopes["other_ratio"], slopes["unknown_staff_slope"])
    by_board = Measure(jnp.log(share / (1.0 - share)), jnp.full(len(data.board), ROTA_SD))
    hidden("rota_gp_share", "GPs' share of the clinician hours of each board", by_board, Grid({"board": data.board}), "clinician hours")
