"""A random walk with shocks, in the cosine basis where it is independent coefficient by coefficient.

x_t = level + w_t + e_t, with walk increments N(0, walk_sd²) and shocks e_t ~ N(0, shock_sd²). The walk's structure
matrix on T equally spaced times is the path graph's Laplacian; the discrete cosines are its eigenvectors, and those
of the identity too. So coefficient k ≥ 1 has prior variance walk_sd² / λ_k + shock_sd² with λ_k = 2 - 2 cos(π k / T),
independently for every pair of sds, and the constant (k = 0) is left to the model's level: the ridge between level
and trend never arises.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, Float
from numpyro import distributions as dist

from bayestwin.components.informed import Look, seen, told
from bayestwin.components.product import product


def cosine_basis(times: int) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal cosines without the constant, and the walk's eigenvalues.

    Args:
        times: number of equally spaced times, ≥ 2.

    Returns:
        basis (times - 1, times), rows sum to zero; eigenvalues (times - 1,), increasing.

    Source: Strang (1999), "The discrete cosine transform", SIAM Review 41, DCT-2.
    """
    k = np.arange(1, times)[:, None]
    basis = np.sqrt(2.0 / times) * np.cos(np.pi * k * (np.arange(times) + 0.5) / times)
    return basis, 2.0 - 2.0 * np.cos(np.pi * k[:, 0] / times)


class Walk(NamedTuple):
    """A random walk from near zero, x_t = x_{t-1} + N(0, step²) with x_{-1} = 0, known by its departures from its own mean.

    Data see a level and the walk's mean together only: sample what they see (`seen_level`), then split it (`split`).

    Attributes:
        departure: from the mean over time, (time, ...).
        step: sd of the steps, (...).
    """

    departure: Float[Array, "time ..."]
    step: Float[Array, "..."]

    def seen_level(self, prior: dist.Normal) -> dist.Normal:
        """Law of a level plus the walk's mean, given the departures: the first step is independent of those that follow.

        Args:
            prior: of the level.
        """
        return dist.Normal(prior.loc - self.departure[0], jnp.sqrt(jnp.square(prior.scale) + jnp.square(self.step)))

    def split(self, name: str, prior: dist.Normal, together: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "time ..."]]:
        """Sample the level itself, of which the data say nothing beyond `together`; returns it and the walk.

        Args:
            name: site of the level.
            prior: of the level.
            together: the level plus the walk's mean.
        """
        both = together + self.departure[0]  # level plus first step
        share = jnp.square(prior.scale) / (jnp.square(prior.scale) + jnp.square(self.step))
        centre, sd = prior.loc + share * (both - prior.loc), self.step * jnp.sqrt(share)
        level = numpyro.sample(name, dist.Normal(centre, sd), infer=told(seen(np.zeros(()), 0.0)))
        return level, together - level + self.departure


def random_walk(name: str, times: int, step: dist.Distribution, look: Look | None = None) -> Walk:
    """Sample a random walk by its cosine coefficients, which are independent a priori whatever its step.

    Args:
        name: the sites are `sd_<name>`, and `<name>_coefficient` (times - 1, ...).
        times: number of equally spaced times, ≥ 2.
        step: prior of the sd of its steps, of any shape (...).
        look: what the data say of the coefficients.

    Example:
        >>> from numpyro.handlers import seed
        >>> with seed(rng_seed=0):
        ...     walk = random_walk("trend", 52, dist.HalfNormal(0.05))
        >>> walk.departure.shape, abs(float(walk.departure.mean())) < 1e-6
        ((52,), True)
    """
    basis, eigenvalues = cosine_basis(times)
    sd = numpyro.sample(f"sd_{name}", step)
    scale = sd / np.sqrt(eigenvalues).reshape(-1, *[1] * jnp.ndim(sd))
    coefficient = numpyro.sample(f"{name}_coefficient", dist.Normal(jnp.zeros(scale.shape), scale), infer=told(look))
    return Walk(product(basis.T, coefficient), sd)


def coefficient_sd(eigenvalues: np.ndarray, walk_sd: Float[Array, ""], shock_sd: Float[Array, ""]) -> Float[Array, " coefficient"]:
    """Prior sd of the cosine coefficients of a walk with shocks."""
    return jnp.sqrt(walk_sd**2 / eigenvalues + shock_sd**2)


class State(NamedTuple):
    """Normal law of a walk's value at some time, relative to the level over the times that were seen.

    Attributes:
        mean: (...).
        variance: the same for all series.
    """

    mean: Float[Array, "..."]
    variance: Float[Array, ""]


def last_state(coefficients: Float[Array, "coefficient ..."], walk_sd: Float[Array, ""], shock_sd: Float[Array, ""]) -> State:
    """Where a walk stands at its last time, given the cosine coefficients of walk and shocks together.

    The walk's part of each coefficient is normal given both, and these are independent given the sds. The shocks' own mean is part of the
    level that the data saw: it is taken out of the walk's.

    Args:
        coefficients: on the scale of the trend.
        walk_sd: sd of the walk's increments, above zero.
        shock_sd: sd of the shocks.

    Example:
        >>> trend = np.linspace(-1.0, 1.0, 5)
        >>> state = last_state(cosine_basis(5)[0] @ trend, 1.0, 0.0)
        >>> round(float(state.mean), 3), float(state.variance)
        (1.0, 0.0)
    """
    times = len(coefficients) + 1
    basis, eigenvalues = cosine_basis(times)
    share = jnp.square(walk_sd) / (jnp.square(walk_sd) + jnp.square(shock_sd) * eigenvalues)
    variance = jnp.square(shock_sd) * (jnp.square(basis[:, -1]) @ share + 1.0 / times)
    return State(jnp.tensordot(basis[:, -1] * share, coefficients, 1), variance)


class Onward(NamedTuple):
    """A walk with shocks beyond a time.

    Attributes:
        values: trend at each further time, each (...).
        state: of the walk at the last of them, given these values.
    """

    values: list[Float[Array, "..."]]
    state: State


def onward(state: State, walk_sd: Float[Array, ""], shock_sd: Float[Array, ""], noise: Float[Array, "time ..."]) -> Onward:
    """Carry a walk with shocks on: each value given those before it.

    Args:
        state: of the walk at the time before.
        walk_sd: sd of the walk's increments.
        shock_sd: sd of the shocks.
        noise: standard normal, one for each further time.

    Source: Kalman (1960), Journal of Basic Engineering 82, in innovations form.

    Example:
        >>> values, state = onward(State(np.zeros(2), 0.0), 0.3, 0.4, np.ones((1, 2)))
        >>> float(values[0][0]), round(float(state.mean[0]), 2), round(state.variance, 4)
        (0.5, 0.18, 0.0576)
    """
    values, (mean, variance) = [], state
    for each in noise:
        walked = variance + walk_sd**2
        seen = walked + shock_sd**2
        values.append(mean + seen**0.5 * each)
        mean, variance = mean + walked / seen**0.5 * each, walked * shock_sd**2 / seen
    return Onward(values, State(mean, variance))
