"""Reporting delay: what happened lately is known in part.

Counts by event period become a reporting triangle, by event period and delay, of which the cells after the as-of date are
not there yet. Report-day effects (weekends, holidays, batch releases) act in the hazard of being reported, so they move
reports and never change totals. Delay 0 is the event's own period.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bayestwin.barriers.aggregate import summed_concentration
from bayestwin.barriers.barrier import AbstractChannel, Given, Ignorability, need
from bayestwin.barriers.grid import Grid
from bayestwin.periods import last_whole, period_index, period_start

if TYPE_CHECKING:
    import numpyro.distributions as dist
    from jaxtyping import Array

    from bayestwin.laws.expected import Counts
    from bayestwin.laws.triangle import Triangle

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LEAST = 1e-100  # probability of what cannot be: of none there the log density is zero, and has a slope, as in the limit


class Delay(AbstractChannel):
    """Events are reported after 0, 1, …, `maximum` periods; the last delay stands for all longer ones too.

    The delays of an NB2 count share what made it large while this is the last channel and its cells are published as they
    are; otherwise they are independent given their means.

    Attributes:
        maximum: the longest delay, in periods of the time dim.
        pmf: probability of each delay where it is known, `maximum` + 1 numbers that sum to one; estimated if absent.
        as_of: reports after this day are not there; all are if absent.
        released: the reporting triangle, by event period and delay, or only what is reported so far of each event period.
        weekday: estimate how the hazard differs by weekday of report (days only).
        holidays: days on which reporting is like that of a Sunday's, by an effect of its own.
        walk_sd: prior scale of the random walk of the hazard over event weeks; 0 for a delay that does not drift.
        by: dim along which the hazards differ, pooled about what is common.
        release_days: weekdays on which anything is released; what is ready on others waits for the next one.
        undated: share of events whose own date is missing, known by their report date only.

    Source: Günther et al. (2021), Biometrical Journal 63(3), for hazards with report-day effects.

    Example:
        >>> days = np.arange("2024-01-01", "2024-01-04", dtype="datetime64[D]")
        >>> delay = Delay(maximum=1, pmf=(0.75, 0.25), as_of=date(2024, 1, 3))
        >>> delay.present(delay.out(Grid({"day": days}))).astype(int).tolist()
        [[1, 1], [1, 1], [1, 0]]
    """

    kind: Literal["delay"] = "delay"
    maximum: Annotated[int, Field(ge=0, le=400)]
    pmf: tuple[Annotated[float, Field(ge=0, le=1)], ...] | None = None
    as_of: date | None = None
    released: Literal["triangle", "so_far"] = "triangle"
    weekday: bool = False
    holidays: tuple[date, ...] = ()
    walk_sd: Annotated[float, Field(ge=0)] = 0.0
    by: str | None = None
    release_days: tuple[Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"], ...] = ()
    undated: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _is_a_distribution(self) -> Self:
        if self.pmf is None:
            return self
        if len(self.pmf) != self.maximum + 1:
            raise ValueError(f"pmf has {len(self.pmf)} numbers; delays 0 to {self.maximum} need {self.maximum + 1}")
        if abs(sum(self.pmf) - 1.0) > 1e-6:
            raise ValueError(f"pmf sums to {sum(self.pmf):.6g}, not to 1")
        if self.weekday or self.holidays or self.walk_sd or self.by:
            raise ValueError("a known pmf has no weekday, holiday, walk or unit effects: leave it out to have the delay estimated")
        return self

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        how = "a stated" if self.pmf else "an estimated"
        return f"Reported with {how} delay of up to {self.maximum} periods; recent counts are completed through it, reports that are there are kept as they are."

    def out(self, grid: Grid) -> Grid:
        time = grid.resolution
        need(time is not None, f"{self.title}: a delay needs a time dim; the dims here are {list(grid.dims)}")
        need("delay" not in grid.coords, f"{self.title}: there is a dim 'delay' already: {list(grid.dims)}")
        need(
            time == "day" or not (self.weekday or self.release_days or self.holidays),
            f"{self.title}: weekdays of report need days, not {time}s",
        )
        need(self.by is None or self.by in grid.coords, f"{self.title}: there is no dim {self.by!r} here: {list(grid.dims)}")
        if self.released == "so_far":
            return grid
        return Grid({**grid.coords, "delay": np.arange(self.maximum + 1)}, grid.above)

    def present(self, grid: Grid) -> np.ndarray:
        """Which cells of the triangle are known at the as-of date.

        Args:
            grid: the cells that come out, with the dim "delay".
        """
        if self.released == "so_far":
            return np.ones(grid.shape, bool)
        seen = self._reported(grid)
        return np.broadcast_to(seen.reshape(len(seen), *[1] * (len(grid.dims) - 2), -1), grid.shape)

    def _reported(self, grid: Grid) -> np.ndarray:
        """Which delays of each event period are over at the as-of date, (time, delay)."""
        time = str(grid.resolution)
        starts, delay = grid.coords[time], np.arange(self.maximum + 1)
        if self.as_of is None:
            return np.ones((len(starts), len(delay)), bool)
        # Reports of a period count once it is over.
        return period_index(starts, time)[:, None] + delay <= last_whole(self.as_of, time)

    def priors(self, grid: Grid) -> dict[str, dist.Distribution]:
        import numpyro.distributions as dist

        if self.pmf is not None or self.maximum == 0:
            return {}
        left = np.arange(self.maximum, 0, -1)
        laws: dict[str, dist.Distribution] = {"baseline": dist.Normal(-np.log(left), 1.5)}  # centred where all delays are as likely
        if self.weekday:
            laws["weekday"] = dist.Normal(0.0, 1.0).expand([6])
        if self.holidays:
            laws["holiday"] = dist.Normal(-1.0, 1.0)
        if self.walk_sd:
            laws |= {"walk_scale": dist.HalfNormal(self.walk_sd), "walk_z": dist.Normal(0.0, 1.0).expand([self._weeks(grid)[1]])}
        if self.by:
            laws |= {"spread": dist.HalfNormal(0.5), "unit_z": dist.Normal(0.0, 1.0).expand([len(grid.coords[self.by])])}
        return laws

    def _weeks(self, grid: Grid) -> tuple[np.ndarray, int]:
        """Week of each event period, counted from the first, and how many there are after it."""
        time = str(grid.resolution)
        starts = period_start(grid.coords[time], "week") if time == "day" else grid.coords[time]
        weeks, index = np.unique(starts, return_inverse=True)
        return index, len(weeks) - 1

    def probabilities(self, grid: Grid, given: Given) -> Array:
        """Probability of each delay, (time, [unit,] delay); the unit axis is there where `by` names one.

        Args:
            grid: the cells that come in, or out.
            given: the delay's parameters, where it is estimated.
        """
        import jax.numpy as jnp

        times = len(grid.coords[str(grid.resolution)])
        if self.pmf is not None or self.maximum == 0:
            p = jnp.broadcast_to(jnp.asarray(self.pmf or (1.0,)), (times, self.maximum + 1))
        else:
            from bayestwin.laws.hazard import log_probability

            p = jnp.exp(log_probability(self._logits(grid, given)))
        return self._batched(p, grid) if self.release_days else p

    def _logits(self, grid: Grid, given: Given) -> Array:
        import jax.numpy as jnp

        baseline = jnp.append(jnp.asarray(given["baseline"]), 0.0)
        logits = jnp.broadcast_to(baseline, (len(grid.coords[str(grid.resolution)]), self.maximum + 1))
        if self.weekday or self.holidays:
            reports = self._report_days(grid)
            weekday = (reports.astype(int) + 3) % 7
        if self.weekday:
            logits = logits + jnp.append(0.0, jnp.asarray(given["weekday"]))[weekday]
        if self.holidays:
            logits = logits + given["holiday"] * np.isin(reports, np.array(self.holidays, "datetime64[D]"))
        if self.walk_sd:
            walk = jnp.append(0.0, given["walk_scale"] * jnp.cumsum(jnp.asarray(given["walk_z"])))
            logits = logits + walk[self._weeks(grid)[0]][:, None]
        if self.by:
            logits = logits[:, None] + (given["spread"] * given["unit_z"])[None, :, None]
        return logits

    def _report_days(self, grid: Grid) -> np.ndarray:
        return grid.coords["day"][:, None] + np.arange(self.maximum + 1).astype("timedelta64[D]")

    def _batched(self, p: Array, grid: Grid) -> Array:
        """Reports of days without a release wait for the next one, or for the last delay."""
        import jax.numpy as jnp

        opens = np.isin((np.arange(14) + 3) % 7, [WEEKDAYS.index(day) for day in self.release_days])
        wait = np.array([next(w for w in range(7) if opens[start + w]) for start in range(7)])
        delay = np.arange(self.maximum + 1)
        goes_to = np.minimum(delay + wait[self._report_days(grid).astype(int) % 7], self.maximum)
        moves = jnp.asarray(goes_to[..., None] == delay, float)
        return jnp.einsum("t...d,tde->t...e", p, moves)

    def _share_so_far(self, grid: Grid, given: Given) -> Array:
        """Share of each period's events that is reported by the as-of date."""
        import jax.numpy as jnp

        p = self._over_cells(grid, given)
        seen = self._reported(grid)
        return (1.0 - self.undated) * jnp.maximum((p * seen.reshape(len(seen), *[1] * (p.ndim - 2), -1)).sum(-1), LEAST)

    def nothing_yet(self, grid: Grid) -> np.ndarray:
        """Cells of what is released so far of which a stated delay says that no report can be there by the as-of date."""
        if self.pmf is None or self.released != "so_far":
            return np.zeros(grid.shape, bool)
        return np.broadcast_to(np.asarray(self._share_so_far(grid, {})) <= (self.maximum + 1) * LEAST, grid.shape)

    def _over_cells(self, grid: Grid, given: Given) -> Array:
        """Probabilities, none below the least, shaped to broadcast against the triangle."""
        import jax.numpy as jnp

        p = self.probabilities(grid, given)
        sizes = [n if dim in (grid.resolution, self.by) else 1 for dim, n in zip(grid.dims, grid.shape, strict=True) if dim != "delay"]
        return jnp.maximum(p.reshape(*sizes, p.shape[-1]), LEAST)

    def expect(self, counts: Counts, grid: Grid, given: Given) -> Counts:
        if self.released == "so_far":
            return counts._replace(mean=counts.mean * self._share_so_far(grid, given))
        k = None if counts.concentration is None else _with_axis(counts.concentration, grid)
        return counts._replace(mean=(1.0 - self.undated) * _with_axis(counts.mean, grid) * self._over_cells(grid, given), concentration=k)

    def joint(self, counts: Counts, grid: Grid, given: Given) -> Triangle | None:
        if counts.concentration is None or self.released == "so_far":
            return None  # cells of a Poisson triangle are independent
        import jax.numpy as jnp

        from bayestwin.laws.triangle import Triangle

        p = jnp.broadcast_to((1.0 - self.undated) * self._over_cells(grid, given), (*grid.shape, self.maximum + 1))
        return Triangle(jnp.broadcast_to(counts.mean, grid.shape), jnp.broadcast_to(counts.concentration, grid.shape), p)

    def draw(self, rng: np.random.Generator, counts: np.ndarray, grid: Grid, given: Given) -> np.ndarray:
        if self.released == "so_far":
            return rng.binomial(counts, np.broadcast_to(np.asarray(self._share_so_far(grid, given)), counts.shape))
        p = np.broadcast_to(np.asarray(self._over_cells(grid, given)), (*grid.shape, self.maximum + 1))
        return rng.multinomial(rng.binomial(counts, 1.0 - self.undated), p / p.sum(-1, keepdims=True))

    def without_date(self, counts: Counts, grid: Grid, given: Given) -> Counts:
        """Law of events known by their report period only, on the event periods and `maximum` more: Σ_d α λ_{t-d} p_{t-d,d}.

        Args:
            counts: law of the events by period.
            grid: their cells.
            given: the delay's parameters, where it is estimated.

        Source: the missing-reference part of the model of Lison et al. (2024), PLOS Computational Biology 20(2).
        """
        import jax.numpy as jnp

        cells = self.undated * jnp.broadcast_to(
            _with_axis(counts.mean, grid) * self._over_cells(grid, given), (*grid.shape, self.maximum + 1)
        )

        def by_report(parts: Array) -> Array:
            pads = [[(d, self.maximum - d)] + [(0, 0)] * (parts.ndim - 2) for d in range(self.maximum + 1)]
            return sum((jnp.pad(parts[..., d], pad) for d, pad in enumerate(pads)), start=jnp.zeros(()))

        wide = (
            counts
            if counts.concentration is None
            else counts._replace(concentration=jnp.broadcast_to(_with_axis(counts.concentration, grid), cells.shape))
        )
        return wide._replace(mean=by_report(cells), concentration=summed_concentration(wide, cells, by_report))


def _with_axis(values: Array, grid: Grid) -> Array:
    """An array on the cells, with an axis for the delay."""
    import jax.numpy as jnp

    return jnp.broadcast_to(values, grid.shape)[..., None]


def netted(increments: np.ndarray) -> np.ndarray:
    """Increments without corrections: one that is negative takes back the latest reports before it.

    Args:
        increments: (..., delay) whole numbers as they were reported.

    Returns:
        Whole numbers from zero on with the same totals, same shape; a total below zero stays at delay 0.

    Example:
        >>> netted(np.array([5, 2, -3, 1])).tolist()
        [4, 0, 0, 1]
    """
    net = increments.copy()
    for delay in range(net.shape[-1] - 1, 0, -1):
        taken = np.minimum(net[..., delay], 0)
        net[..., delay] -= taken
        net[..., delay - 1] += taken
    return net
