"""What a count is expected to be, given what was released of it.

The likelihood of minutes given counts needs the counts themselves. Where access hides them they are known by their law
within the released ends; where some are not reported yet, by what is reported so far.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayestwin.laws.expected import Counts
from bayestwin.laws.trials import Trials


class Moments(NamedTuple):
    """Mean and variance, cell by cell."""

    mean: Float[Array, "..."]
    variance: Float[Array, "..."]


def within(law: Counts | Trials, ends: np.ndarray) -> Moments:
    """Mean and variance of counts given the ends between which they lie.

    Args:
        law: of the counts; a Poisson law's concentration is None.
        ends: (cells..., 2) lower and upper ends, both included; -∞..∞ or 0..∞ where nothing is known.

    Returns:
        Moments: a known count has variance zero, an unknown one its law's own moments.

    Example:
        >>> tossed = within(Trials(np.full(3, 2.0), jnp.full(3, 0.5)), np.array([[2, 2], [0, 1], [-np.inf, np.inf]]))
        >>> [round(float(x), 4) for x in tossed.mean], [round(float(x), 4) for x in tossed.variance]
        ([2.0, 0.6667, 1.0], [0.0, 0.2222, 0.5])
    """
    low, high = np.ceil(np.maximum(ends[..., 0], 0.0)), np.floor(ends[..., 1])
    open_ = (low == 0) & np.isinf(high)
    known = low == high
    shape = low.shape
    mean = jnp.where(known, low, jnp.where(open_, jnp.broadcast_to(law.mean, shape), 0.0))
    variance = jnp.where(open_, jnp.broadcast_to(_variance(law), shape), 0.0)
    cells = np.flatnonzero(~known & ~open_)
    if not cells.size:
        return Moments(mean, variance)
    first, last = low.ravel()[cells], high.ravel()[cells]
    if np.isinf(last).any():
        raise ValueError("counts that are known to be above a number only have no moments here: state the releases that hide large counts")
    some = law.at(shape, cells).between(first, last)
    return Moments(
        mean.reshape(-1).at[cells].set(some.mean).reshape(shape), variance.reshape(-1).at[cells].set(some.variance).reshape(shape)
    )


def _variance(law: Counts | Trials) -> Array:
    if isinstance(law, Trials):
        return law.variance
    return law.mean if law.concentration is None else law.mean + jnp.square(law.mean) / law.concentration


def still_to_come(reported: Moments, law: Counts, share: Array) -> Moments:
    """Moments of a count of which only a share is reported on average, given those of what is.

    With a gamma-mixed Poisson law the mixing value given n reported is Gamma(k + n, k / λ + share), and the rest is Poisson
    given it.

    Args:
        reported: moments of what is reported; where nothing is known of it give the law's own and a share of one.
        law: of the whole count.
        share: expected share reported, in (0, 1].
    """
    rest = 1.0 - share
    if law.concentration is None:
        return Moments(reported.mean + rest * law.mean, reported.variance + rest * law.mean)
    per_report = rest / (law.concentration / law.mean + share)
    unseen = (law.concentration + reported.mean) * per_report
    chance = unseen * (1.0 + per_report)
    return Moments(reported.mean + unseen, jnp.square(1.0 + per_report) * reported.variance + chance)
