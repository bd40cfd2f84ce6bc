"""R-hat and effective sample sizes of many parameters at once, for fits by the hundred.

ArviZ goes through the elements of a parameter one by one, which takes longer than drawing a small posterior. Here all go through NumPyro's
estimators together; they truncate the sum of autocorrelations a little differently, so that sizes agree with ArviZ's to some per cent.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpyro.diagnostics import effective_sample_size, gelman_rubin
from scipy.special import ndtri
from scipy.stats import rankdata

TAILS = (0.05, 0.95)


def convergence(draws: Float[np.ndarray, "chain draw element"]) -> dict[str, Float[np.ndarray, " element"]]:
    """Rank-normalised split R-hat (the larger of plain and folded), bulk and tail effective sample size.

    Args:
        draws: at least four a chain.

    Source: Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Bayesian Analysis 16, §4.

    Example:
        >>> found = convergence(np.random.default_rng(1).normal(size=(4, 250, 3)))
        >>> bool((found["rhat"] < 1.02).all()), bool((found["ess_bulk"] > 500).all())
        (True, True)
    """
    half = draws.shape[1] // 2
    split = np.concatenate([draws[:, :half], draws[:, -half:]])
    scores, folded = _scores(split), _scores(np.abs(split - np.median(split, axis=(0, 1))))
    tails = [effective_sample_size((split <= end).astype(float)) for end in np.quantile(split, TAILS, axis=(0, 1))]
    return {
        "rhat": np.maximum(gelman_rubin(scores), gelman_rubin(folded)),
        "ess_bulk": effective_sample_size(scores),
        "ess_tail": np.minimum(*tails),
    }


def _scores(values: Float[np.ndarray, "chain draw element"]) -> Float[np.ndarray, "chain draw element"]:
    """Normal scores of the ranks among all draws."""
    flat = values.reshape(-1, values.shape[-1])
    return ndtri((rankdata(flat, axis=0) - 0.375) / (len(flat) + 0.25)).reshape(values.shape)
