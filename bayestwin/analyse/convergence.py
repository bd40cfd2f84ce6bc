"""R-hat and effective sample sizes of many parameters at once, for fits by the hundred.

ArviZ goes through the elements of a parameter one by one, and NumPyro transforms every chain back in double precision; either takes
longer than drawing a small posterior. Here all elements go together, autocovariances are averaged over chains before they are
transformed back, and sorting what is sorted already is not done twice. Sums of autocorrelations are truncated as NumPyro does, so that
sizes agree with ArviZ's to some per cent.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpyro.diagnostics import gelman_rubin
from scipy import fft
from scipy.special import ndtri

TAILS = (0.05, 0.95)
BLOCK = 16  # elements at once: more leave the fast memory


def convergence(draws: Float[np.ndarray, "chain draw element"]) -> dict[str, Float[np.ndarray, " element"]]:
    """Rank-normalised split R-hat (the larger of plain and folded), bulk and tail effective sample size.

    Args:
        draws: at least four a chain, of two chains. An element that is not a number anywhere has no diagnostics.

    Source: Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Bayesian Analysis 16, §4.

    Example:
        >>> found = convergence(np.random.default_rng(1).normal(size=(4, 250, 3)))
        >>> bool((found["rhat"] < 1.02).all()), bool((found["ess_bulk"] > 500).all())
        (True, True)
    """
    half = draws.shape[1] // 2
    split = np.concatenate([draws[:, :half], draws[:, -half:]])
    with np.errstate(invalid="ignore", divide="ignore"):  # of what is not a number or never moves, which is the answer
        parts = [_diagnosed(split[..., first : first + BLOCK]) for first in range(0, max(split.shape[-1], 1), BLOCK)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _diagnosed(split: Float[np.ndarray, "chain draw element"]) -> dict[str, Float[np.ndarray, " element"]]:
    by_chain = split.shape[-1], len(split), split.shape[1]
    flat = split.reshape(-1, split.shape[-1]).T.copy()
    order = flat.argsort(axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    low, median, high = _quantiles(ordered, (TAILS[0], 0.5, TAILS[1]))
    apart = np.abs(ordered - median)
    again = apart.argsort(axis=1, kind="stable")  # falls, then rises: a sort that looks for such runs takes a third of the time
    scores = _scores(ordered, order)
    folded = _scores(np.take_along_axis(apart, again, axis=1), np.take_along_axis(order, again, axis=1))
    bulk, *tails = (
        effective_sizes(values.astype(np.float32, copy=False).reshape(by_chain)) for values in (scores, flat <= low, flat <= high)
    )
    return {
        "rhat": np.maximum(*(gelman_rubin(np.moveaxis(values.reshape(by_chain), 0, -1)) for values in (scores, folded))),
        "ess_bulk": bulk,
        "ess_tail": np.minimum(*tails),
    }


def _quantiles(ordered: Float[np.ndarray, "element draw"], shares: tuple[float, ...]) -> list[Float[np.ndarray, "element one"]]:
    """Quantiles of sorted values, interpolated linearly; an axis of length one is kept."""
    places = [share * (ordered.shape[1] - 1) for share in shares]
    below = [ordered[:, int(place)] for place in places]
    return [
        (under + (place % 1.0) * (ordered[:, min(int(place) + 1, ordered.shape[1] - 1)] - under))[:, None]
        for place, under in zip(places, below, strict=True)
    ]


def _scores(ordered: Float[np.ndarray, "element draw"], order: Float[np.ndarray, "element draw"]) -> Float[np.ndarray, "element draw"]:
    """Normal scores of the ranks among all draws, from the sorted values and the order that sorts them."""
    elements, count = ordered.shape
    place = np.arange(count, dtype=np.int32)
    starts = np.ones(ordered.shape, bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.roll(starts, -1, axis=1)
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, count)[:, ::-1], axis=1)[:, ::-1]
    mean_rank = np.arange(2 * count - 1) / 2.0 + 1.0  # equal draws, as after a rejection, share it
    score = ndtri((mean_rank - 0.375) / (count + 0.25))
    scores = np.empty(ordered.shape)
    scores.ravel()[order + count * np.arange(elements)[:, None]] = score[first + last]
    return np.where(np.isnan(ordered[:, -1:]), np.nan, scores)  # what is not a number is sorted last


def effective_sizes(draws: Float[np.ndarray, "element chain draw"]) -> Float[np.ndarray, " element"]:
    """Effective sample sizes of means, of two chains or more: Geyer's initial monotone sequence of their mean autocovariances.

    Source: Geyer (1992), Statistical Science 7, §3.3; Vehtari et al. (2021), Bayesian Analysis 16, §3.

    Example:
        >>> noise = np.random.default_rng(1).normal(size=(1, 4, 500)).astype(np.float32)
        >>> bool(1500 < effective_sizes(noise)[0] < 2500)
        True
    """
    _, chains, count = draws.shape
    mean = draws.mean(-1, keepdims=True)
    room = fft.next_fast_len(2 * count, real=True)  # twice the length: the ends must not meet
    waves = fft.rfft(draws - mean, room)
    covariance = fft.irfft((np.square(waves.real) + np.square(waves.imag)).mean(1), room)[:, :count] / count
    within = covariance[:, :1] * (count / (count - 1))
    correlation = 1.0 - (within - covariance) / (covariance[:, :1] + mean[..., 0].var(1, ddof=1)[:, None])
    correlation[:, 0] = 1.0
    pairs = correlation[:, :-1:2] + correlation[:, 1::2]
    falling = np.minimum.accumulate(np.maximum(pairs[:, 1:], 0.0), axis=1)
    return chains * count / (2.0 * (pairs[:, 0] + falling.sum(1)) - 1.0)
