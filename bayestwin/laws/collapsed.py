"""Likelihoods of counts from sufficient statistics: the same sum, of fewer terms.

Of Σ log Γ(y + k) - log Γ(k) over cells only the histogram of y for each concentration k matters: log-gammas of distinct counts take the
place of those of cells. The handler changes how a likelihood is added up, not what a modeller writes.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro import distributions as dist
from numpyro.distributions import constraints
from numpyro.primitives import Messenger

from bayestwin.laws.counts import NegativeBinomial, log_factorial, log_gamma

WORTH = 0.5  # distinct counts per cell above which nothing is gained


class collapsed(Messenger):
    """NumPyro handler: observed negative binomial counts are summed over distinct counts, where that is less work.

    Cells keep their own terms wherever counts, mask or number of concentrations are not known beforehand.

    Args:
        fn: model without arguments.

    Example:
        >>> import numpyro
        >>> y = np.array([3, 3, 5, 3, 5, 5])
        >>> def model():
        ...     numpyro.sample("y", NegativeBinomial(jnp.full(6, 4.0), jnp.asarray(2.0)), obs=y)
        >>> from numpyro.infer.util import log_density
        >>> plain, summed = (float(log_density(m, (), {}, {})[0]) for m in (model, collapsed(model)))
        >>> round(plain - summed, 9)
        0.0
    """

    def process_message(self, msg: dict[str, Any]) -> None:
        """Put the collapsed law in place of an observed one."""
        if msg["type"] != "sample" or not msg["is_observed"]:
            return
        law, mask = msg["fn"], None
        if isinstance(law, dist.MaskedDistribution):
            law, mask = law.base_dist, law._mask
        if type(law) is not NegativeBinomial or any(isinstance(part, jax.core.Tracer) for part in (msg["value"], mask)):
            return
        counts = np.asarray(msg["value"])
        seen = np.ones(counts.shape, bool) if mask is None else np.broadcast_to(np.asarray(mask, bool), counts.shape)
        found = DistinctCounts.of(law, counts, seen)
        if len(found.number) < WORTH * counts.size:
            msg["fn"] = found


class DistinctCounts(dist.Distribution):
    """Joint law of independent NB2 counts, by their distinct values.

    Args:
        law: of the cells.
        seen: which cells count.
        group, value, number: concentration's index, count, and cells that share both, (distinct,).
    """

    support = constraints.nonnegative_integer

    def __init__(self, law: NegativeBinomial, seen: np.ndarray, group: np.ndarray, value: np.ndarray, number: np.ndarray) -> None:
        self.law, self.seen, self.group, self.value, self.number = law, seen, group, value, number
        super().__init__(batch_shape=(), event_shape=seen.shape)

    @classmethod
    def of(cls, law: NegativeBinomial, counts: np.ndarray, seen: np.ndarray) -> DistinctCounts:
        """The collapsed law of given counts."""
        shape = jnp.shape(law.concentration)
        group = np.broadcast_to(np.arange(int(np.prod(shape))).reshape(shape), counts.shape)
        pairs, number = np.unique(np.stack([group[seen], counts[seen]]), axis=1, return_counts=True)
        return cls(law, seen, pairs[0], pairs[1], number)

    def log_prob(self, value: Array) -> Float[Array, ""]:
        """Log probability of all counts together."""
        own = self.law.concentration.reshape(-1)[self.group]
        rising = log_gamma(self.value + own) - log_gamma(own) - log_factorial(self.value)
        return (self.number * rising).sum() + jnp.where(self.seen, self.law.log_powers(value), 0.0).sum()
