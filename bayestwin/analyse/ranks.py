"""Ranks of true values among posterior draws, which are uniform if and only if the fits are calibrated.

Source: Talts et al. (2018), arXiv:1804.06788; Modrák et al. (2023), Bayesian Analysis, for test quantities that depend on the data.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

BINS = 20
KEPT = 100  # draws that a true value is ranked among


def rank(draws: Float[np.ndarray, "... draw"], truth: Float[np.ndarray, ...], rng: np.random.Generator) -> Float[np.ndarray, ...]:
    """Ranks of true values among thinned draws, randomised over ties and within a rank, in 0..1.

    Args:
        draws: at least 100.
        truth: values to be ranked.
        rng: random generator.

    Example:
        >>> bool(0.5 < rank(np.arange(1000.0), np.array(600.0), np.random.default_rng(0)) < 0.7)
        True
    """
    kept = draws[..., :: draws.shape[-1] // KEPT][..., :KEPT]
    below, equal = (kept < truth[..., None]).sum(-1), (kept == truth[..., None]).sum(-1)
    return (below + rng.random(truth.shape) * (equal + 1)) / (KEPT + 1)


def p_uniform(u: Float[np.ndarray, " replicate"]) -> float:
    """P-value of uniformity: the smaller of a chi-square (spread) over 2 to 20 bins, of five values each while that is so, and Kolmogorov-Smirnov (shift), doubled.

    Args:
        u: values in 0..1.

    Example:
        >>> p_uniform(np.linspace(0.0, 0.5, 200)) < 1e-6
        True
    """
    from scipy import stats

    counts = np.histogram(u, min(BINS, max(len(u) // 5, 2)), (0.0, 1.0))[0]
    return float(min(1.0, 2.0 * min(stats.chisquare(counts).pvalue, stats.kstest(u, "uniform").pvalue)))
