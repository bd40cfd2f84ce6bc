"""The joint law of parts and a total where a second part is hidden to protect a single one."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array

from bayestwin.laws.expected import Counts
from bayestwin.laws.widths import Widths
from bayestwin.laws.with_total import WithTotal


@dataclass(frozen=True)
class Protected:
    """Parts of which some are hidden, and their total, where a second part is hidden to protect a single one.

    Of two hidden parts beside a shown total, at least one is below the threshold; the other may be too, or is the smallest
    of those from the threshold on. Of three and more, all are below it.

    Attributes:
        parts: law of the parts, on the last axis.
        lowest: the smallest count that the primary rule hides.
        below: its threshold.
    """

    parts: Counts
    lowest: int
    below: int

    def log_mass(self, low: Array, high: Array, widths: Widths) -> Array:
        """Log probability of the shown parts, the hidden ones and the total; last axis parts and total."""
        hidden = low[..., :-1] < high[..., :-1]
        pair = (hidden.sum(-1) == 2) & (low[..., -1] == high[..., -1])
        shut = jnp.where(hidden, float(self.below - 1), high[..., :-1])
        primary = jnp.concatenate([shut, high[..., -1:]], axis=-1)
        below = WithTotal(self.parts).log_mass(low, primary, Widths(few=self.below))
        return jnp.where(pair, self._pair(low, hidden), below)

    def _pair(self, low: Array, hidden: Array) -> Array:
        shown = jnp.where(hidden, 0.0, low[..., :-1])
        rest = low[..., -1] - shown.sum(-1)
        count = hidden.shape[-1]
        first, last = jnp.argmax(hidden, -1), count - 1 - jnp.argmax(hidden[..., ::-1], -1)
        small = jnp.arange(self.lowest, self.below, dtype=float)
        a = self._two(first, last, rest, small, self._limit(last, hidden, shown), both=True)
        b = self._two(last, first, rest, small, self._limit(first, hidden, shown), both=False)
        visible = jnp.where(hidden, 0.0, self.parts.log_pmf(shown)).sum(-1)
        return visible + logsumexp(jnp.concatenate([a, b], axis=-1), axis=-1)

    def _two(self, primary: Array, second: Array, rest: Array, small: Array, limit: Array, both: bool) -> Array:
        """Log probability for each small count of one hidden part, the other taking what is left."""
        other = rest[..., None] - small
        allowed = (other >= self.below) & (other <= limit[..., None])
        if both:  # counted once, not once for either part
            allowed = allowed | ((other >= self.lowest) & (other < self.below))
        log_p = self._part(primary).log_pmf(small) + self._part(second).log_pmf(jnp.where(allowed, other, 1.0))
        return jnp.where(allowed, log_p, -1e300)

    def _part(self, index: Array) -> Counts:
        def pick(values: Array) -> Array:
            return jnp.take_along_axis(jnp.broadcast_to(values, (*index.shape, values.shape[-1])), index[..., None], -1)

        return Counts(pick(self.parts.mean), None if self.parts.concentration is None else pick(self.parts.concentration))

    def _limit(self, second: Array, hidden: Array, shown: Array) -> Array:
        """The largest count with which a part would be hidden second: the smallest shown one, the first of equals."""
        position = np.arange(hidden.shape[-1])
        eligible = ~hidden & (shown > 0)
        return jnp.where(eligible, shown - (position < second[..., None]), jnp.inf).min(-1)
