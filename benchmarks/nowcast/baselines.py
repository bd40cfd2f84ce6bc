"""Reference nowcasts that ours is held against, each written from its published description.

- frozen: what is reported so far, taken for the truth (the study's frozen baseline; Wolffram et al. 2023).
- chain_ladder: development factors over the last 60 days, over-dispersed Poisson spread (England & Verrall 2002,
  "Stochastic claims reserving in general insurance").
- kit_like: the KIT simple nowcast: the same kind of factors, negative binomial spread by horizon, its size found from
  the nowcasts of the last 60 days (Wolffram et al. 2023, S1 Appendix; Johnson et al. 2025, "Baseline nowcasting
  methods for handling delays in epidemiological data").

A nowcast is an array (horizon, series, quantile) of seven-day sums.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln
from scipy.stats import gamma, nbinom
from targets import FROZEN_AFTER, HORIZONS, QUANTILES, WINDOW, window_sums

from bayestwin.nowcast.chain_ladder import completed, ladder
from bayestwin.nowcast.triangle import Triangle, recent

HISTORY = 60
DELAYS = FROZEN_AFTER + 1
DAYS = HORIZONS + WINDOW - 1


def frozen(triangle: Triangle, as_of: np.datetime64) -> np.ndarray:
    """What is reported so far, as every quantile."""
    known = recent(triangle, as_of, DAYS, triangle.counts.shape[1])
    return np.repeat(window_sums(known.reported(known.counts.shape[1]))[..., None], len(QUANTILES), axis=-1)


def spread(mean: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
    """Quantiles of over-dispersed counts (…, quantile), as those of the gamma law with the same mean and variance."""
    scale = np.broadcast_to(dispersion, mean.shape)[..., None]
    return gamma.ppf(QUANTILES, np.maximum(mean, 1e-6)[..., None] / scale, scale=scale)


def chain_ladder(triangle: Triangle, as_of: np.datetime64) -> np.ndarray:
    """Development factors with over-dispersed Poisson spread."""
    known = recent(triangle, as_of, HISTORY + DELAYS, DELAYS)
    coming, dispersion = ladder(known.counts, known.seen)
    return window_sums(known.reported(DELAYS))[..., None] + spread(window_sums(coming), dispersion)


def kit_like() -> Callable[[Triangle, np.datetime64], np.ndarray]:
    """The KIT simple nowcast, which remembers its earlier nowcasts."""

    @lru_cache(maxsize=4 * HISTORY)
    def filled_at(triangle: _Same, as_of: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        known = recent(triangle.value, as_of, HISTORY + DELAYS, DELAYS)
        return completed(known.counts, known.seen)[-DAYS:], known.seen[-DAYS:]

    def nowcast(triangle: Triangle, as_of: np.datetime64) -> np.ndarray:
        held, today = _Same(triangle), recent(triangle, as_of, HISTORY + DAYS, DELAYS)
        filled, seen = filled_at(held, as_of)
        mean = np.maximum(window_sums(np.where(seen, 0.0, filled).sum(1)), 1e-6)
        expected, came = [], []
        for back in range(1, HISTORY + 1):
            then = as_of - np.timedelta64(back, "D")
            if then < triangle.dates[0] + np.timedelta64(DAYS, "D"):
                break
            past, past_seen = filled_at(held, then)
            since = slice(HISTORY - back, HISTORY - back + DAYS)
            new = today.seen[since] & ~past_seen
            expected.append(window_sums(np.where(new, past, 0.0).sum(1)))
            came.append(window_sums(np.where(new, today.counts[since], 0.0).sum(1)))
        size = _sizes(np.array(expected), np.maximum(np.array(came), 0.0), mean.shape)
        drawn = nbinom.ppf(QUANTILES, size[..., None], (size / (size + mean))[..., None])
        return window_sums(today.reported(DELAYS)[-DAYS:])[..., None] + drawn

    return nowcast


class _Same:
    """A triangle compared by identity, so that it can be a key."""

    def __init__(self, value: Triangle) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


def _sizes(expected: np.ndarray, came: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Maximum-likelihood size of a negative binomial by horizon and series."""
    sizes = np.full(shape, 10.0)
    if not len(expected):
        return sizes

    def minus_log_likelihood(log_size: float, mean: np.ndarray, y: np.ndarray) -> float:
        size = np.exp(log_size)
        return -float(np.sum(gammaln(y + size) - gammaln(size) + size * np.log(size / (size + mean)) + y * np.log(mean / (size + mean))))

    for index in np.ndindex(*shape):
        mean, y = np.maximum(expected[(slice(None), *index)], 1e-3), came[(slice(None), *index)]
        sizes[index] = np.exp(minimize_scalar(minus_log_likelihood, bounds=(-4.0, 9.0), args=(mean, y), method="bounded").x)
    return sizes
