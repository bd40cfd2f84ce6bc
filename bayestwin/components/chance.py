"""Counts whose chance is that of the generator alone, so that what a scenario changes is not drowned in fresh noise."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr
from scipy.stats import poisson

SMALL = 100.0  # above it the normal law, its skewness put right, is at most one count off, and that seldom


def gamma_poisson(rng: np.random.Generator, mean: np.ndarray, concentration: np.ndarray, inner: int) -> np.ndarray:
    """NB2 counts, (inner, week, unit): a generator that starts alike gives counts that rise with the mean, cell by cell.

    Cells of which mean and concentration are the same get the same counts, whatever the means of the others are and however
    many units stand behind them, as long as the concentrations of their week are the same. The generator is only spawned
    from, so that what is drawn from it next is the same too.

    Args:
        rng: random generator.
        mean: expected counts, (week, unit) or (inner, week, unit).
        concentration: NB2 concentration, (week, unit).
        inner: draws.

    Example:
        >>> mean = np.array([[50.0, 4e4]])
        >>> few, many = (gamma_poisson(np.random.default_rng(1), m, np.full((1, 2), 30.0), 3) for m in (mean, 1.2 * mean))
        >>> bool((many > few).all())
        True
    """
    weeks, units = concentration.shape
    own, *by_week = rng.spawn(1 + weeks)  # a generator a week: how much of its stream a gamma takes depends on the concentration
    noise = own.standard_normal((units, inner, weeks)).transpose(1, 2, 0)
    factor = [week.standard_gamma(row[:, None], (units, inner)).T / row for week, row in zip(by_week, concentration, strict=True)]
    return _quantile(noise, mean * np.stack(factor, axis=1))


def _quantile(normal: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Poisson counts at the probabilities of standard normal numbers."""
    count = np.rint(mean + np.sqrt(mean) * normal + (normal**2 - 1.0) / 6.0)
    small = mean < SMALL
    count[small] = poisson.ppf(ndtr(normal[small]), mean[small])
    return count
