"""What knowing one parameter would tell, by regression on the posterior's own draws: no law is taken for normal, nothing is refitted.

The expectation of an answer given a parameter is a smooth function of the parameter; penalised B-splines on the parameter's normal scores find it. Their smoothness, and how much they explain, are judged on
draws that were left out, a run of neighbours at a time, so that neither wiggles nor the likeness of neighbouring draws pass for knowledge.

Source: Strong, Oakley & Brennan (2014), Medical Decision Making 34, for the value of knowing a parameter by regression; Eilers & Marx (1996), Statistical Science 11, for the splines.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpyro.diagnostics import effective_sample_size
from scipy.interpolate import BSpline
from scipy.stats import norm, rankdata

SEGMENTS, DEGREE = 10, 3
SMOOTHNESS = np.logspace(-4.0, 4.0, 13)  # weights of the penalty that are tried, times the number of draws
BLOCKS = 20  # runs of neighbouring draws that are left out together
METHOD = "regression on draws: penalised splines, judged on draws left out"


class Smooth(NamedTuple):
    """Expectations given a parameter, at its draws.

    Attributes:
        fitted: from all draws, (draw, answer); their mean is that of the answers.
        left_out: from all draws but those nearby in the chain, (draw, answer).
    """

    fitted: Float[np.ndarray, "draw answer"]
    left_out: Float[np.ndarray, "draw answer"]


class Worth(NamedTuple):
    """What knowing a parameter is worth to a decision.

    Attributes:
        value: expected gain from choosing by the fitted benefits; a little too large, for they are fitted to the same draws.
        left_out: gain from choosing by what other draws say; a little too small, for the choice is not the best one.
        error: Monte Carlo error of the latter.
    """

    value: float
    left_out: float
    error: float


def smooth(parameter: Float[np.ndarray, " draw"], answers: Float[np.ndarray, "draw answer"]) -> Smooth:
    """Expectation of each answer given a parameter.

    Args:
        parameter: draws, in the order in which they were sampled.
        answers: at the same draws.
    """
    centre, runs = answers.mean(0), np.array_split(np.arange(len(answers)), BLOCKS)
    away = np.empty_like(answers)
    for run in runs:
        away[run] = (answers.sum(0) - answers[run].sum(0)) / (len(answers) - len(run))
    best, least = Smooth(np.broadcast_to(centre, answers.shape).copy(), away), np.full(answers.shape[1], np.inf)
    if np.ptp(parameter) == 0.0:
        return best
    basis = _basis(parameter)
    bend = np.diff(np.eye(basis.shape[1]), 2, axis=0)
    for weight in SMOOTHNESS * len(answers):
        solved = np.linalg.solve(basis.T @ basis + weight * bend.T @ bend, basis.T)
        fitted, residual = basis @ (solved @ answers), np.empty_like(answers)
        for run in runs:
            own = np.eye(len(run)) - basis[run] @ solved[:, run]
            residual[run] = np.linalg.solve(own, answers[run] - fitted[run])
        loss = np.square(residual).sum(0)
        better = loss < least
        least = np.where(better, loss, least)
        best = Smooth(np.where(better, fitted, best.fitted), np.where(better, answers - residual, best.left_out))
    return best


def _basis(parameter: Float[np.ndarray, " draw"]) -> Float[np.ndarray, "draw spline"]:
    """B-splines on normal scores, which no outlying draw bends."""
    score = norm.ppf((rankdata(parameter) - 0.5) / len(parameter))
    low, high = score.min(), score.max()
    step = (high - low) / SEGMENTS
    knots = low + step * np.arange(-DEGREE, SEGMENTS + DEGREE + 1)
    return BSpline.design_matrix(np.clip(score, low, np.nextafter(high, low)), knots, DEGREE, extrapolate=True).toarray()


def explained(
    parameter: Float[np.ndarray, "chain draw"], answers: Float[np.ndarray, "chain draw answer"], chance: Float[np.ndarray, " answer"]
) -> tuple[Float[np.ndarray, " answer"], Float[np.ndarray, " answer"]]:
    """Share of each answer's variance that knowing a parameter would take away, and its Monte Carlo error.

    Args:
        parameter: its draws.
        answers: at the same draws, each the mean of some draws of chance.
        chance: the variance of these means that is chance alone.

    Returns:
        Shares of the variance without chance, 0 to 1, and their errors by the draws' effective number.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> parameter, rest = rng.normal(size=(2, 4, 500))
        >>> share, error = explained(parameter, (parameter**2 + rest)[..., None], np.zeros(1))
        >>> bool(abs(share[0] - 2.0 / 3.0) < 4.0 * error[0] < 0.2)
        True
    """
    flat = answers.reshape(-1, answers.shape[-1])
    constant, given = smooth(np.zeros(len(flat)), flat), smooth(parameter.ravel(), flat)
    now, then = np.square(flat - constant.left_out), np.square(flat - given.left_out)
    known = np.maximum(now.mean(0) - chance, 0.0)
    safe = np.where(known > 0.0, known, 1.0)
    share = np.where(known > 0.0, (now - then).mean(0) / safe, 0.0)
    error = _error(((now - then - share * (now - chance)) / safe).reshape(answers.shape))
    return np.clip(share, 0.0, 1.0), np.where(known > 0.0, error, 0.0)


def worth_of(parameter: Float[np.ndarray, "chain draw"], change: Float[np.ndarray, "chain draw option"]) -> Worth:
    """What knowing a parameter is worth to a decision (EVPPI).

    Args:
        parameter: its draws.
        change: net benefit of each further option less that of the first, at the same draws.
    """
    flat = change.reshape(-1, change.shape[-1])
    given = smooth(parameter.ravel(), flat)
    now = max(0.0, float(flat.mean(0).max()))
    perfect = float(np.maximum(flat.max(1), 0.0).mean()) - now
    value = float(np.maximum(given.fitted.max(1), 0.0).mean()) - now
    gain = _chosen(flat, given.left_out) - _chosen(flat, np.broadcast_to(flat.mean(0), flat.shape))
    error = _error(gain.reshape(*change.shape[:2], 1))
    # Nobody gains from one parameter more than from all; fitted benefits may, by chance.
    return Worth(min(max(value, 0.0), perfect), float(gain.mean()), float(error[0]))


def _chosen(change: Float[np.ndarray, "draw option"], expected: Float[np.ndarray, "draw option"]) -> Float[np.ndarray, " draw"]:
    """The change that the option brings which is expected to be best; none where that is the first."""
    best = expected.argmax(1)
    rows = np.arange(len(change))
    return np.where(expected[rows, best] > 0.0, change[rows, best], 0.0)


def _error(each: Float[np.ndarray, "chain draw value"]) -> Float[np.ndarray, " value"]:
    """Standard error of means over draws that resemble their neighbours."""
    spread, size = each.std((0, 1), ddof=1), each.shape[0] * each.shape[1]
    varying = spread > 0.0
    count = np.full(each.shape[2], float(size))
    if varying.any():
        count[varying] = np.minimum(effective_sample_size(each[..., varying]), size)
    return spread / np.sqrt(count)
