"""What is expected before an extract's rules act: counts by mean and concentration, or measurements by place and spread.

Both answer the one question that a release asks: how likely is a value between two ends? An observation is always such a
pair of ends, both included: n..n where the count is known, 1..7 where a small one is hidden, -∞..∞ where nothing is.
"""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Float

from bayestwin.laws.alike import SHORT, between_alike
from bayestwin.laws.between import Between, between
from bayestwin.laws.counts import HALF_LOG_2PI, bounded_concentration, log_factorial, log_gamma, log_powers
from bayestwin.laws.tail import log_tails
from bayestwin.laws.widths import Widths

FEW = 40  # up to so many whole numbers between two ends are summed one by one
Ends = Array | np.ndarray
LOWEST = -1e300  # stands for the log of nothing where a gradient must stay finite


def picked(values: Array, shape: tuple[int, ...], cells: np.ndarray) -> Array:
    """Entries by flat index of values broadcast to a shape; one number stays one."""
    if np.size(values) == 1:
        return values
    flat = jnp.broadcast_to(values, shape).reshape(-1)
    return flat if cells.size == flat.size else flat[cells]


def _once(low: Ends) -> Ends:
    """Lower ends that are all alike as one number: what is hidden alike costs what does not depend on the cell once."""
    if isinstance(low, np.ndarray) and low.size and (low == low.flat[0]).all():
        return low.flat[:1].reshape([1] * low.ndim)
    return low


class Expected(Protocol):
    """A law that can say how likely a value between two ends is."""

    def log_mass(self, low: Array, high: Array, widths: Widths) -> Array:
        """Log probability of a value in low..high."""


class Counts(NamedTuple):
    """Poisson or NB2 counts, independent cell by cell.

    Attributes:
        mean: expected count, > 0.
        concentration: k of variance = mean + mean² / k, broadcast against the mean; None for Poisson.

    Example:
        >>> counts = Counts(jnp.array([2.0, 5.0]))
        >>> [round(float(x), 4) for x in counts.log_mass(np.zeros(2), np.array([0.0, np.inf]))]
        [-2.0, 0.0]
    """

    mean: Float[Array, "..."]
    concentration: Float[Array, "..."] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the cells."""
        return jnp.broadcast_shapes(jnp.shape(self.mean), () if self.concentration is None else jnp.shape(self.concentration))

    def log_pmf(self, n: Any) -> Array:
        """Log probability of whole numbers n ≥ 0; they are data, and it is not to be differentiated in them."""
        if self.concentration is None:
            return n * jnp.log(self.mean) - self.mean - log_factorial(n)
        k = bounded_concentration(self.concentration)
        return log_gamma(n + k) - log_gamma(k) - log_factorial(n) + log_powers(n, self.mean, k)

    def log_mass(self, low: Array, high: Array, widths: Widths | None = None) -> Float[Array, "..."]:
        """Log probability of a count in low..high, both included; -∞ where no whole number from zero on lies there.

        Args:
            low: lower end, -∞ where it is open.
            high: upper end, ∞ where it is open.
            widths: how far apart they can be; only needed where the ends are not known while a program is compiled.
        """
        if isinstance(low, jax.core.Tracer) or isinstance(high, jax.core.Tracer):
            return self._traced(jnp.ceil(jnp.maximum(low, 0.0)), jnp.floor(high), widths or Widths(FEW, wide=True))
        return self._concrete(np.ceil(np.maximum(np.asarray(low), 0.0)), np.floor(np.asarray(high)))

    def _concrete(self, low: np.ndarray, high: np.ndarray) -> Array:
        """Each kind of cell by the arithmetic that it needs, no more."""
        shape = np.broadcast_shapes(low.shape, high.shape, self.shape)
        low, high = np.broadcast_to(low, shape).ravel(), np.broadcast_to(high, shape).ravel()
        kinds = np.select([low > high, (low == 0) & np.isinf(high), low == high, high - low < FEW], [0, 1, 2, 3], 4)
        answer = jnp.full(low.shape, -jnp.inf).at[np.flatnonzero(kinds == 1)].set(0.0)
        for kind, mass in ((2, Counts._exact), (3, Counts._summed), (4, Counts._between)):
            cells = np.flatnonzero(kinds == kind)
            if cells.size == low.size:
                return mass(self.at(shape, cells), low, high).reshape(shape)
            if cells.size:
                answer = answer.at[cells].set(mass(self.at(shape, cells), low[cells], high[cells]))
        return answer.reshape(shape)

    def at(self, shape: tuple[int, ...], cells: np.ndarray) -> "Counts":
        """The law of some cells, by flat index, of an array of a shape."""
        return Counts(picked(self.mean, shape, cells), None if self.concentration is None else picked(self.concentration, shape, cells))

    def _traced(self, low: Array, high: Array, widths: Widths) -> Array:
        nothing, empty = (low <= 0) & jnp.isinf(high), low > high
        low, high = jnp.where(empty, 0.0, low), jnp.where(empty, 0.0, high)  # a gradient must not meet what is not there
        narrow = high - low < widths.few
        shut = jnp.where(narrow, high, low)
        answer = self._exact(low, low) if widths.few == 1 else self._summed(low, shut, widths.few - 1)
        if widths.wide:
            ends = jnp.where(narrow, 0.0, low), jnp.where(narrow, 1.0, high)
            answer = jnp.where(narrow, answer, self._between(*ends))
        return jnp.where(nothing, 0.0, jnp.where(empty, -jnp.inf, answer))

    def _exact(self, low: Ends, high: Ends) -> Array:
        return self.log_pmf(low)

    def _summed(self, low: Ends, high: Ends, most: int | None = None) -> Array:
        return self.log_pmf(_once(low)) + self.between(low, high, most).log_total

    def between(self, low: Ends, high: Ends, most: int | None = None) -> Between:
        """What a count between two ends, `most` apart or less, is."""
        mean, k = self.mean, None if self.concentration is None else bounded_concentration(self.concentration)
        odds = mean if k is None else mean / (mean + k)
        most = int((high - low).max()) if most is None else most
        first = _once(low) if jnp.shape(odds) == np.shape(low) else low
        known = isinstance(first, np.ndarray) and isinstance(high, np.ndarray)
        if known and first.size == 1 and (high == first.item() + most).all() and k is not None and jnp.size(k) == 1 and most <= SHORT:
            return between_alike(jnp.broadcast_to(odds, high.shape), jnp.reshape(k, ()), first.item(), most)
        return between(lambda n: odds * ((1.0 if k is None else n + k) / (n + 1.0)), first, high, most)

    def _between(self, low: Ends, high: Ends) -> Array:
        """The difference of two tails, on the side where both are small."""
        below, from_low = log_tails(low - 1.0, self.mean, self.concentration)
        up_to_high, beyond = log_tails(jnp.where(jnp.isinf(high), low, high), self.mean, self.concentration)
        beyond, up_to_high = jnp.where(jnp.isinf(high), LOWEST, beyond), jnp.where(jnp.isinf(high), 0.0, up_to_high)
        upper = from_low < up_to_high
        large, small = jnp.where(upper, from_low, up_to_high), jnp.where(upper, beyond, jnp.maximum(below, LOWEST))
        return large + jnp.log(-jnp.expm1(jnp.minimum(small - large, -1e-15)))

    def over(self, shape: tuple[int, ...]) -> "Counts":
        """The same law with an entry for every cell."""
        k = None if self.concentration is None else jnp.broadcast_to(self.concentration, shape)
        return Counts(jnp.broadcast_to(self.mean, shape), k)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Counts, of the law's own shape or another: a gamma-distributed mean where they are overdispersed, then Poisson."""
        shape = shape or self.shape
        mean = np.broadcast_to(np.asarray(self.mean, float), shape)
        if self.concentration is None:
            return rng.poisson(mean)
        k = np.broadcast_to(np.asarray(self.concentration, float), shape)
        return rng.poisson(rng.standard_gamma(k) * mean / k)


class Measure(NamedTuple):
    """Normal measurements, or log-normal ones, independent cell by cell.

    Attributes:
        loc, scale: mean and sd, of the logarithm where `positive`.
        positive: whether the measurements are log-normal.
    """

    loc: Float[Array, "..."]
    scale: Float[Array, "..."]
    positive: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the cells."""
        return jnp.broadcast_shapes(jnp.shape(self.loc), jnp.shape(self.scale))

    def log_mass(self, low: Array, high: Array, widths: Widths | None = None) -> Float[Array, "..."]:
        """Log probability of a value in low..high; the log density where both ends are one value.

        Args:
            low: lower end, -∞ where it is open.
            high: upper end, ∞ where it is open.
            widths: not needed.
        """
        if isinstance(low, jax.core.Tracer) or isinstance(high, jax.core.Tracer):
            known = jnp.isfinite(low) & (low == high)
            within = self._within(jnp.where(known, -jnp.inf, low), jnp.where(known, jnp.inf, high))
            return jnp.where(known, self._density(jnp.where(known, low, 1.0)), jnp.where(low > high, -jnp.inf, within))
        return self._concrete(np.asarray(low), np.asarray(high))

    def _concrete(self, low: np.ndarray, high: np.ndarray) -> Array:
        """Each kind of cell by the arithmetic that it needs, no more."""
        shape = np.broadcast_shapes(low.shape, high.shape, self.shape)
        low, high = np.broadcast_to(low, shape), np.broadcast_to(high, shape)
        known = np.isfinite(low) & (low == high)
        open_below = (low <= 0.0) if self.positive else np.isneginf(low)
        answer = jnp.where(known, self._density(np.where(known, low, 1.0)), np.where(low > high, -np.inf, 0.0))
        rest = ~known & (low <= high) & ~(open_below & np.isposinf(high))
        for cells, mass in ((rest & open_below, Measure._below), (rest & ~open_below, Measure._within)):
            if cells.any():
                at = np.flatnonzero(cells)
                law = Measure(picked(self.loc, shape, at), picked(self.scale, shape, at), self.positive)
                answer = answer.reshape(-1).at[at].set(mass(law, low[cells], high[cells])).reshape(shape)
        return answer

    def _density(self, value: Ends) -> Array:
        z = self._score(value)
        return -0.5 * jnp.square(z) - HALF_LOG_2PI - jnp.log(self.scale) - (jnp.log(value) if self.positive else 0.0)

    def _below(self, low: Ends, high: Ends) -> Array:
        return log_ndtr(jnp.clip(self._score(high), -1e8, 40.0))

    def _within(self, low: Ends, high: Ends) -> Array:
        a, b = self._score(low), self._score(high)
        flip = a > 0
        a, b = jnp.where(flip, -b, a), jnp.where(flip, -a, b)
        large, small = log_ndtr(jnp.clip(b, -1e8, 40.0)), jnp.maximum(log_ndtr(jnp.clip(a, -1e8, 40.0)), LOWEST)
        return large + jnp.log(-jnp.expm1(jnp.minimum(jnp.where(a <= -1e8, LOWEST, small) - large, -1e-15)))

    def _score(self, x: Ends) -> Array:
        with jax.ensure_compile_time_eval():
            inner = jnp.log(jnp.maximum(x, 1e-300)) if self.positive else jnp.asarray(x)
        z = (jnp.where(jnp.isfinite(inner), inner, 0.0) - self.loc) / self.scale
        open_below = (x <= 0.0) if self.positive else jnp.isneginf(x)
        return jnp.where(open_below, -1e9, jnp.where(jnp.isposinf(x), 1e9, z))

    def over(self, shape: tuple[int, ...]) -> "Measure":
        """The same law with an entry for every cell."""
        return Measure(jnp.broadcast_to(self.loc, shape), jnp.broadcast_to(self.scale, shape), self.positive)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Measurements, of the law's own shape or another."""
        drawn = rng.normal(np.asarray(self.loc, float), np.asarray(self.scale, float), shape or self.shape)
        return np.exp(drawn) if self.positive else drawn
