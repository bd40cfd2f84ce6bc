"""R-hat and effective sample sizes of many parameters at once, for fits by the hundred.

ArviZ goes through the elements of a parameter one by one, which takes longer than drawing a small posterior. Here all go through NumPyro's
estimators together; they truncate the sum of autocorrelations a little differently, so that sizes agree with ArviZ's to some per cent.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpyro.diagnostics import effective_sample_size, gelman_rubin
from scipy.special import ndtri

TAILS = (0.05, 0.95)


def convergence(draws: Float[np.ndarray, "chain draw element"]) -> dict[str, Float[np.ndarray, " element"]]:
    """Rank-normalised split R-hat (the larger of plain and folded), bulk and tail effective sample size.

    Args:
        draws: at least four a chain. An element that is not a number anywhere has no diagnostics.

    Source: Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Bayesian Analysis 16, §4.

    Example:
        >>> found = convergence(np.random.default_rng(1).normal(size=(4, 250, 3)))
        >>> bool((found["rhat"] < 1.02).all()), bool((found["ess_bulk"] > 500).all())
        (True, True)
    """
    half = draws.shape[1] // 2
    split = np.concatenate([draws[:, :half], draws[:, -half:]])
    flat = np.ascontiguousarray(split.reshape(-1, split.shape[-1]).T)
    order = flat.argsort(axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    with np.errstate(invalid="ignore"):  # of what is not a number, which is the answer
        return _diagnosed(flat, ordered, order, len(split), half)


def _diagnosed(
    flat: Float[np.ndarray, "element draw"],
    ordered: Float[np.ndarray, "element draw"],
    order: Float[np.ndarray, "element draw"],
    chains: int,
    half: int,
) -> dict[str, Float[np.ndarray, " element"]]:
    low, median, high = _quantiles(ordered, (TAILS[0], 0.5, TAILS[1]))
    apart = np.abs(flat - median)
    apart_order = apart.argsort(axis=1)
    scores = _scores(ordered, order)
    folded = _scores(np.take_along_axis(apart, apart_order, axis=1), apart_order)

    def by_chain(values: np.ndarray) -> np.ndarray:
        return values.T.reshape(chains, half, -1)

    bulk, *tails = np.split(effective_sample_size(by_chain(np.concatenate([scores, flat <= low, flat <= high], dtype=np.float32))), 3)
    return {
        "rhat": np.maximum(gelman_rubin(by_chain(scores)), gelman_rubin(by_chain(folded))),
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
    count = ordered.shape[1]
    place = np.arange(count, dtype=np.int32)
    starts = np.ones(ordered.shape, bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.roll(starts, -1, axis=1)
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, count)[:, ::-1], axis=1)[:, ::-1]
    mean_rank = np.arange(2 * count - 1) / 2.0 + 1.0  # equal draws, as after a rejection, share it
    score = ndtri((mean_rank - 0.375) / (count + 0.25))
    scores = np.empty(ordered.shape)
    np.put_along_axis(scores, order, score[first + last], axis=1)
    return np.where(np.isnan(ordered[:, -1:]), np.nan, scores)  # what is not a number is sorted last
