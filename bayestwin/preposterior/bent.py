"""What is left of the variance of a quantity that is not normal, from what is left of a normal score that it follows.

A forecast grows with the exponential of a rate, saturates at what there are slots for, stops at zero. As a function of its own normal score it is a sum of Hermite polynomials, which do not
correlate; data that leave a share p of the score's variance explain a share (1 - p)^k of the polynomial of order k. So of a quantity with
shares c_k of its variance at order k, data leave Σ c_k (1 - (1 - p)^k): more than p, the more it is bent, for what curves must be known more exactly to be known as well.
Of a log-normal quantity that is (1 - exp(-p v)) / (1 - exp(-v)), v the variance of its logarithm.

Source: Kendall & Stuart (1961), The Advanced Theory of Statistics 2, §26.24, for correlations of Hermite polynomials of normal variables (Mehler's formula).
"""

from __future__ import annotations

from math import factorial

import numpy as np
from jaxtyping import Float
from numpy.polynomial.hermite_e import hermevander
from scipy.special import ndtri

ORDERS = 4  # polynomials beyond the constant


def by_order(draws: Float[np.ndarray, "draw quantity"]) -> Float[np.ndarray, "quantity order"]:
    """Shares of variance by order of Hermite polynomial; a quantity that does not vary is a line.

    Args:
        draws: of each quantity; chance that is left in them makes them look a little straighter.

    Returns:
        Shares that sum to one, orders from one on.

    Example:
        >>> line, square = by_order(np.random.default_rng(1).normal(size=(4000, 1)) ** np.array([1, 2])).round(1)
        >>> line.tolist(), bool(square[1] > 0.2)
        ([1.0, 0.0, 0.0, 0.0], True)
    """
    scores = ndtri((np.arange(len(draws)) + 0.5) / len(draws))
    coefficients = np.linalg.lstsq(hermevander(scores, ORDERS), np.sort(draws, axis=0))[0][1:].T
    variance = np.square(coefficients) * [factorial(k) for k in range(1, ORDERS + 1)]
    varies = (np.ptp(draws, axis=0) > 0)[:, None]
    return np.where(varies, variance / np.where(varies, variance.sum(1, keepdims=True), 1.0), np.eye(1, ORDERS))


def bent(
    left: Float[np.ndarray, "point ... quantity"], orders: Float[np.ndarray, "quantity order"]
) -> Float[np.ndarray, "point ... quantity"]:
    """Shares of quantities' variances that are left, from those of their scores.

    Each point's share is moved along the tangent at the mean of all, so that their mean is that of the bent mean and their spread its error.

    Args:
        left: share that is left of the variance of each score, by point.
        orders: of `by_order`.

    Example:
        >>> lognormal = by_order(np.exp(0.7 * ndtri((np.arange(1000) + 0.5) / 1000))[:, None])
        >>> [round(float(bent(np.array([[share]]), lognormal)[0, 0]), 2) for share in (0.0, 0.3, 1.0)]
        [0.0, 0.35, 1.0]
    """
    mean, power = np.clip(left.mean(0), 0.0, 1.0)[..., None], np.arange(1, orders.shape[-1] + 1)
    share = (orders * (1.0 - (1.0 - mean) ** power)).sum(-1)
    slope = (orders * power * (1.0 - mean) ** (power - 1)).sum(-1)
    return share + slope * (left - mean[..., 0])
