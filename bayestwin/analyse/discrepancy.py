"""Parameters with and without the model's discrepancy.

A discrepancy absorbs what the model cannot say, and may absorb what a parameter should (Brynjarsdottir & O'Hagan 2014, Inverse Problems
30). The posterior of a model without it is the joint posterior given that its coefficients are zero, so it can be told from the draws,
here by their normal law: no second calibration is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float


class Without(NamedTuple):
    """Mean and sd of quantities with a discrepancy and without, each (quantity,).

    Attributes:
        mean, sd: with it.
        mean_without, sd_without: without.
        error: Monte Carlo error of `mean_without`, of independent draws.
    """

    mean: Float[np.ndarray, " quantity"]
    sd: Float[np.ndarray, " quantity"]
    mean_without: Float[np.ndarray, " quantity"]
    sd_without: Float[np.ndarray, " quantity"]
    error: Float[np.ndarray, " quantity"]


def without(values: Float[np.ndarray, "draw quantity"], coefficients: Float[np.ndarray, "draw coefficient"]) -> Without:
    """Mean and sd of quantities given that a discrepancy's coefficients are zero, by the normal law of the draws.

    Args:
        values: draws of the quantities.
        coefficients: the same draws of the coefficients; many fewer than draws.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> absorbed = rng.standard_normal((4000, 1))
        >>> found = without(1.0 - absorbed + 0.1 * rng.standard_normal((4000, 1)), absorbed)
        >>> [round(float(x[0]), 1) for x in found]
        [1.0, 1.0, 1.0, 0.1, 0.0]
    """
    mean, centre = values.mean(0), coefficients.mean(0)
    slope, *_ = np.linalg.lstsq(coefficients - centre, values - mean, rcond=None)
    left = values - mean - (coefficients - centre) @ slope
    free = len(values) - 1 - coefficients.shape[1]
    sd = np.sqrt(np.square(left).sum(0) / free)
    distance = centre @ np.linalg.pinv(np.atleast_2d(np.cov(coefficients, rowvar=False))) @ centre
    return Without(mean, values.std(0, ddof=1), mean - centre @ slope, sd, sd * np.sqrt((1.0 + distance) / len(values)))


def flat(posterior: xr.Dataset, names: Iterable[str]) -> Float[np.ndarray, "draw element"]:
    """Draws of all elements of some sites, side by side."""
    draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    return np.concatenate([posterior[name].to_numpy().reshape(draws, -1) for name in names], axis=1)
