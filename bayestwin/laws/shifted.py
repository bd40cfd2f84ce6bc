"""The joint law of units whose days are each moved by one unknown shift."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array

from bayestwin.laws.expected import Counts
from bayestwin.laws.widths import Widths


@dataclass(frozen=True)
class ShiftedAsOne:
    """Counts of units that are each moved by one unknown shift: a mixture over the shifts, unit by unit.

    Attributes:
        mean, concentration: (shift, cells...) law of the cells under each shift; a mean of zero where a shift leaves nothing.
        time: axis of the days among the cells; the units' axis is the next one, or none.
    """

    mean: Array
    concentration: Array | None
    time: int

    def log_mass(self, low: Array, high: Array, widths: Widths) -> Array:
        """Log probability of all that is observed, one number for all cells."""
        each = [self._under(i, low, high, widths) for i in range(self.mean.shape[0])]
        dims = self.mean.ndim - 1
        within = tuple(i - dims for i in range(dims) if i != self.time + 1)
        by_unit = logsumexp(jnp.stack([x.sum(within) for x in each]), axis=0) - np.log(len(each))
        return by_unit if dims == 1 else by_unit.sum(-1)

    def _under(self, shift: int, low: Array, high: Array, widths: Widths) -> Array:
        mean = self.mean[shift]
        law = Counts(jnp.where(mean > 0, mean, 1.0), None if self.concentration is None else self.concentration[shift])
        nobody = jnp.where((low <= 0) & (high >= 0), 0.0, -1e300)
        return jnp.where(mean > 0, law.log_mass(low, high, widths), nobody)
