"""Sums over providers beside England's: the posterior's, and those that dropping, mid-points and flat intervals give.

The reference for coverage is the posterior itself: each of its draws takes England's place once. That gives the rate at which
its intervals hold (they end at whole numbers, so a little above the stated one) and the spread of the rate over so many sums,
which share providers and add up to one another.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from cells import Ends, draw_cells
from published import TOTAL, Published
from rates import law
from scipy.stats import norm

from bayestwin.infer.mcmc import Draws

LEVELS = (0.5, 0.8, 0.95)
AT_ONCE = 25  # draws of all cells that are held at a time
MIDPOINT = 2.5


class Sums(NamedTuple):
    """One method's sums, each (set, column).

    Attributes:
        mean: the estimate.
        low, high: ends of its intervals, leading axis the levels.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def holds(self, truth: np.ndarray) -> np.ndarray:
        """Whether intervals hold England's numbers, leading axis the levels."""
        return (self.low <= truth) & (truth <= self.high)


def posterior_sums(data: Published, draws: Draws, seed: int, count: int) -> np.ndarray:
    """Draws of the sums over providers, (draw, set, column), one for each of `count` draws of the rates, evenly spread."""
    rng = np.random.default_rng(seed)
    cells = data.cells(tuple(data.columns))
    ends = Ends(*({column: cells[:, i, side] for i, column in enumerate(data.columns)} for side in (0, 1)))
    low = cells[:, data.at(data.leaves), 0]

    @jax.jit
    def masses(log_rate: jax.Array, log_concentration: jax.Array) -> jax.Array:
        counts = law(data, log_rate, log_concentration, data.leaves)
        value = low[..., None] + np.arange(ends.values)
        log_p = counts._replace(mean=counts.mean[..., None], concentration=counts.concentration[..., None]).log_pmf(value)
        return jax.numpy.exp(log_p - log_p.max(-1, keepdims=True))

    flat = {name: draws.sites[name].reshape(-1, *draws.sites[name].shape[2:]) for name in ("log_rate", "log_concentration")}
    index = np.linspace(0, len(flat["log_rate"]) - 1, count).astype(int)
    found = []
    for part in np.split(index, range(AT_ONCE, count, AT_ONCE)):
        mass = np.asarray(masses(flat["log_rate"][part], flat["log_concentration"][part]))
        leaves = {leaf: mass[:, :, i] for i, leaf in enumerate(data.leaves)}
        drawn = draw_cells(rng, leaves, ends, data.families, TOTAL)
        found.append(data.sums(np.stack([drawn[column] for column in data.columns], axis=-1)))
    return np.concatenate(found)


def from_draws(draws: np.ndarray) -> Sums:
    """Posterior mean and equal-tailed intervals that end at whole numbers."""
    tails = np.array([[0.5 * (1 - level), 0.5 * (1 + level)] for level in LEVELS])
    low = np.quantile(draws, tails[:, 0], axis=0, method="inverted_cdf")
    return Sums(draws.mean(0), low, np.quantile(draws, tails[:, 1], axis=0, method="inverted_cdf"))


def naive_sums(data: Published) -> dict[str, Sums]:
    """What is done without a model; intervals are normal, rounded outwards to whole numbers.

    - dropped: '*' counts for nothing; a shown number is right up to rounding, five whole numbers alike likely (variance 2).
    - midpoint: '*' counts for 2.5, as if it were known; the others as before.
    - flat: every whole number that would be published alike is alike likely, for '*' and for shown numbers.
    """
    shown = ~data.hidden
    low, high = np.moveaxis(data.cells(tuple(data.columns)), -1, 0)
    filled = np.where(data.hidden, MIDPOINT, data.values)
    flat = (0.5 * (low + high), (np.square(high - low + 1) - 1) / 12)
    each = {"dropped": (data.values, 2.0 * shown), "midpoint": (filled, 2.0 * shown), "flat": flat}
    return {name: _normal(data.sums(np.asarray(mean, float)), data.sums(np.asarray(var, float))) for name, (mean, var) in each.items()}


def _normal(mean: np.ndarray, variance: np.ndarray) -> Sums:
    reach = norm.ppf(0.5 + 0.5 * np.array(LEVELS))[:, None, None] * np.sqrt(variance)
    return Sums(mean, np.floor(mean - reach), np.ceil(mean + reach))


def breakdowns(data: Published) -> dict[str, np.ndarray]:
    """Columns of each breakdown."""
    names = np.array(data.columns)
    kind = np.array([name.split(":")[0] for name in names])
    kind = np.where(np.char.count(names, ": ") == 2, "Ethnic subgroup", kind)
    return {str(name): np.flatnonzero(kind == name) for name in ("Total", "Age Group", "Gender", "Ethnic Group", "Ethnic subgroup")}


def score(data: Published, draws: np.ndarray) -> pd.DataFrame:
    """A row for each method and breakdown: errors, widths, coverage, and the coverage that is due with its standard error."""
    posterior = from_draws(draws)
    due = np.stack([posterior.holds(draw) for draw in draws])
    rows = []
    mostly = data.sums(data.hidden.astype(float)) > 0.2 * np.bincount(data.which)[:, None]
    groups = {name: np.isin(np.arange(len(data.columns)), columns) & np.ones_like(mostly) for name, columns in breakdowns(data).items()}
    groups |= {"over 20 % hidden": mostly, "all": np.ones_like(mostly)}
    for method, sums in {"posterior": posterior, **naive_sums(data)}.items():
        for name, chosen in groups.items():
            error = (sums.mean - data.truth)[chosen]
            row = {"method": method, "breakdown": name, "sums": int(chosen.sum()), "mean_error": error.mean()}
            row |= {"mean_error_percent": 100 * (error / data.truth[chosen]).mean(), "rmse": np.sqrt(np.square(error).mean())}
            for i, level in enumerate(LEVELS):
                rates = due[:, i][:, chosen].mean(-1)
                row |= {
                    f"coverage_{level:g}": sums.holds(data.truth)[i][chosen].mean(),
                    f"due_{level:g}": rates.mean(),
                    f"se_{level:g}": rates.std(),
                }
            rows.append(row | {"width_0.95": (sums.high - sums.low)[-1][chosen].mean()})
    return pd.DataFrame(rows)


def listing(data: Published, draws: np.ndarray) -> pd.DataFrame:
    """A row for each sum: England's count, the posterior mean and sd, and how many providers hide theirs."""
    hidden = data.sums(data.hidden.astype(float))
    rows = [
        {"year": year, "measure": measure, "column": column, "hidden": int(hidden[i, j]), "england": float(data.truth[i, j])}
        | {"mean": float(draws[:, i, j].mean()), "sd": float(draws[:, i, j].std())}
        for i, (year, measure) in enumerate(data.sets)
        for j, column in enumerate(data.columns)
    ]
    return pd.DataFrame(rows)
