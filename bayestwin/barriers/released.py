"""Laws of published values: a release takes the law of what it acts on to the law of what it publishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float
from numpyro import distributions as dist
from numpyro.distributions import constraints

from bayestwin.barriers.barrier import Coarsening, Randomised
from bayestwin.laws.expected import Expected
from bayestwin.laws.widths import Widths

if TYPE_CHECKING:
    from bayestwin.barriers.access import Access
    from bayestwin.barriers.grid import Grid
    from bayestwin.laws.expected import Counts, Measure


IDLE = "idle"  # key of a site's `infer` under which a model marks idle cells


def idle(cells: np.ndarray | bool) -> dict[str, np.ndarray | bool]:
    """The `infer` of a site some of whose cells say nothing, whatever they come through, for `numpyro.sample`; NumPyro itself does not read it.

    Args:
        cells: which ones, such as minutes of a week of leave; their observations are ends of which nothing is known.
    """
    return {IDLE: cells}


@dataclass(frozen=True)
class Coarsened:
    """The law of what a rule publishes."""

    before: Expected
    rule: Coarsening

    def log_mass(self, low: Array, high: Array, widths: Widths) -> Array:
        """Log probability that the published number lies in low..high."""
        return self.before.log_mass(*self.rule.preimage(low, high, whole=True), add_widths([widths, self.rule.widths]))


@dataclass(frozen=True)
class Noised:
    """The law of what a randomised release publishes: the whole number behind it is summed out over a window."""

    before: Expected
    release: Randomised

    def log_mass(self, low: Array, high: Array, widths: Widths) -> Array:
        """Log probability (density, where it publishes numbers that are not whole) that the published number lies in low..high."""
        below, above = self.release.offsets
        xp = np if isinstance(low, np.ndarray) and isinstance(high, np.ndarray) else jnp
        anchor = xp.where(xp.isinf(low), xp.where(xp.isinf(high), 0.0, high), low)
        spread = int(np.max(np.where(np.isfinite(low) & np.isfinite(high), high - low, 0.0))) + 1 if xp is np else widths.few
        start = xp.maximum(xp.floor(anchor) - below, 0.0)
        value = start + xp.arange(below + above + spread + 1.0).reshape(-1, *[1] * np.ndim(low))
        terms = self.before.log_mass(value, value, Widths()) + self.release.log_kernel(low, high, value)
        total = logsumexp(jnp.maximum(terms, -1e300), axis=0)
        if (xp is np and np.isinf(low).any()) or (xp is jnp and widths.wide):  # below the window everything is published in ..high
            underneath = self.before.log_mass(xp.zeros_like(start), xp.where(xp.isinf(low), start - 1.0, -1.0), Widths(wide=True))
            total = jnp.logaddexp(total, jnp.maximum(underneath, -1e300))
        if (xp is np and np.isinf(high).any()) or (xp is jnp and widths.wide):
            after = xp.where(xp.isinf(high), value[-1] + 1.0, 1.0), xp.where(xp.isinf(high), xp.inf, 0.0)
            total = jnp.logaddexp(total, jnp.maximum(self.before.log_mass(*after, Widths(wide=True)), -1e300))
        return jnp.where(xp.isinf(low) & xp.isinf(high), 0.0, total)


def add_widths(widths: list[Widths]) -> Widths:
    """Widths after several rules: each widens what the one after it left."""
    return Widths(1 + sum(w.few - 1 for w in widths), any(w.wide for w in widths))


class Source(NamedTuple):
    """Where published values come from.

    Attributes:
        access: what they came through.
        counts: law of the cells that come in.
        grid: those cells.
        given: the barriers' parameters by name, by barrier.
    """

    access: Access
    counts: Counts | Measure
    grid: Grid
    given: Mapping[str, Mapping[str, Any]]


class Released(dist.Distribution):
    """Law of observations as they are published: pairs of ends on the last axis.

    Args:
        law: law of the values that the ends are about.
        shape: shape of the cells.
        widths: how far apart the ends can be.
        source: where observations come from.
        one: (generator, **chance) -> observations, by NumPy.
        event_dim: how many of the last axes of cells make one event (cells that depend on one another).
    """

    support = constraints.independent(constraints.real, 1)

    def __init__(
        self,
        law: Expected,
        shape: tuple[int, ...],
        widths: Widths,
        source: Source,
        one: Callable[..., np.ndarray],
        event_dim: int = 0,
    ) -> None:
        self.law, self.widths, self.source, self._one = law, widths, source, one
        split = len(shape) - event_dim
        super().__init__(batch_shape=shape[:split], event_shape=(*shape[split:], 2), validate_args=False)

    def chance(self) -> dict[str, Array]:
        """The arrays that `draw` needs."""
        parts = {name: part for name, part in self.source.counts._asdict().items() if part is not None}
        return parts | {"given": dict(self.source.given)}

    def draw(self, rng: np.random.Generator, **chance: Any) -> np.ndarray:
        """Observations of many draws, leading axis draw in the chance and in the answer."""
        size = len(jax.tree.leaves(chance)[0])
        return np.stack([self._one(rng, **_nth(chance, i)) for i in range(size)])

    def log_prob(self, value: Float[Array, "... 2"]) -> Float[Array, ...]:
        """Log probability of observations; zero where nothing is known."""
        return self.law.log_mass(value[..., 0], value[..., 1], self.widths)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Observations, drawn by NumPy as `Access.degrade` draws them, also from within a compiled program."""
        shape = (*sample_shape, *self.batch_shape, *self.event_shape)

        def drawn(key_data: np.ndarray, chance: Mapping[str, np.ndarray]) -> np.ndarray:
            rng = np.random.default_rng(np.asarray(key_data).ravel())
            parts = jax.tree.map(np.asarray, dict(chance))
            each = [self._one(rng, **parts) for _ in range(int(np.prod(sample_shape, dtype=int)))]
            return np.stack(each).reshape(shape).astype(float)

        answer = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
        return jax.pure_callback(drawn, answer, jax.random.key_data(key), self.chance(), vmap_method="sequential")


def _nth(chance: Mapping[str, Any], i: int) -> dict[str, Any]:
    """The arrays of one draw."""
    return jax.tree.map(lambda values: np.asarray(values)[i], dict(chance))


def generator(key: Array | int | np.random.Generator) -> np.random.Generator:
    """A NumPy generator from a JAX key, a seed, or itself."""
    if isinstance(key, np.random.Generator):
        return key
    if isinstance(key, int | np.integer):
        return np.random.default_rng(int(key))
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
