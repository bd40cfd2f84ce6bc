"""A smooth function: a Gaussian process of squared exponential covariance, as a sum of sines on an interval (Hilbert-space approximation)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, Float
from numpyro import distributions as dist
from numpyro.contrib.hsgp.laplacian import eigenfunctions
from numpyro.contrib.hsgp.spectral_densities import diag_spectral_density_squared_exponential

from bayestwin.components.basis import Along, unseen
from bayestwin.components.informed import told
from bayestwin.components.product import product

DRAWS = 4096  # of a length-scale's prior, for the range that the approximation is to serve
RANGE = (0.025, 0.975)  # of that prior
MOST = 200  # functions: beyond it the prior spans more than one approximation can serve


class Sines(NamedTuple):
    """Where an approximation is good: sines on an interval wider than the points.

    Attributes:
        half_width: of the interval about the middle of the points.
        number: of sines.
    """

    half_width: float
    number: int

    def at(self, x: Float[np.ndarray, " point"]) -> np.ndarray:
        """The functions at points that are measured from the middle, (point, function)."""
        with jax.ensure_compile_time_eval():
            return np.asarray(eigenfunctions(jnp.asarray(x, float), self.half_width, self.number))

    def spread(self, amplitude: Float[Array, "..."], lengthscale: Float[Array, "..."]) -> Float[Array, "... function"]:
        """Prior sd of each function's coefficient; never below what a square root's slope can bear."""
        length = jnp.asarray(lengthscale)[..., None]
        density = diag_spectral_density_squared_exponential(1.0, length, self.half_width, self.number, 1)
        root = jnp.sqrt(jnp.maximum(density, jnp.finfo(density.dtype).tiny))
        return jnp.asarray(amplitude)[..., None] * jnp.moveaxis(root, 0, -1)


def sines(name: str, reach: float, shortest: float, longest: float) -> Sines:
    """The sines that serve length-scales from the shortest to the longest, over points that reach so far from their middle.

    Args:
        name: of the effect, for the error.
        reach: half the range of the points.
        shortest: length-scale; the number of sines follows it.
        longest: length-scale; the interval follows it.

    Raises:
        ValueError: if that takes more than `MOST` sines.

    Source: Riutort-Mayol, Bürkner, Andersen, Solin & Vehtari (2023), Statistics and Computing 33, §4.2, eqs. 19 and 20, for the squared
    exponential covariance.

    Example:
        >>> sines("trend", 26.0, 6.0, 20.0)
        Sines(half_width=64.0, number=19)
    """
    factor = max(1.2, 3.2 * longest / reach)
    number = int(np.ceil(1.75 * factor * reach / shortest))
    if number > MOST:
        raise ValueError(
            f"{name}: length-scales from {shortest:.3g} to {longest:.3g} over points from {-reach:.3g} to {reach:.3g} of their middle take "
            f"{number} functions, more than {MOST}; narrow the length-scale's prior"
        )
    return Sines(factor * reach, number)


def smooth(
    name: str, x: Float[np.ndarray, " point"], amplitude: dist.Distribution, lengthscale: dist.Distribution, looks: Along = unseen
) -> Float[Array, "point ..."]:
    """Sample a smooth function of time or of a covariate, in the parameterisation that its data ask for.

    Its interval and its number of functions are those that 95 % of the length-scale's prior ask for. The coefficients' spreads
    follow the length-scale, so they are sampled together: each step decomposes one matrix of that size.

    Where the model has a level, what the data see is the level plus the function's mean: centre the level's prior there, and take
    the mean out of the function; level and function then do not trade off (docs/components.md).

    Args:
        name: the sites are `amplitude_<name>`, `lengthscale_<name>`, `<name>_coefficient` (..., function), and `<name>` itself.
        x: points, those to be foretold included.
        amplitude: prior of the function's sd at any point, of any shape (...).
        lengthscale: prior of the distance over which it changes, in the unit of the points, broadcast against the amplitude.
        looks: what the data say along the points.

    Returns:
        The function at the points, (point, ...).

    Raises:
        ValueError: if the length-scale's prior is too wide for one approximation.

    Source: Solin & Särkkä (2020), Statistics and Computing 30; Riutort-Mayol et al. (2023), Statistics and Computing 33.

    Example:
        >>> from numpyro.handlers import seed
        >>> with seed(rng_seed=0):
        ...     curve = smooth("curve", np.arange(52), dist.HalfNormal(0.3), dist.LogNormal(np.log(10.0), 0.3))
        >>> curve.shape
        (52,)
    """
    middle, reach = (np.max(x) + np.min(x)) / 2.0, (np.max(x) - np.min(x)) / 2.0
    with jax.ensure_compile_time_eval():
        shortest, longest = np.quantile(lengthscale.sample(jax.random.key(0), (DRAWS,)), RANGE)
    chosen = sines(name, float(reach), float(shortest), float(longest))
    functions = chosen.at(x - middle)
    spread = chosen.spread(numpyro.sample(f"amplitude_{name}", amplitude), numpyro.sample(f"lengthscale_{name}", lengthscale))
    law = dist.Normal(jnp.zeros(chosen.number), spread).to_event(1)
    coefficient = numpyro.sample(f"{name}_coefficient", law, infer=told(looks(functions)))
    return numpyro.deterministic(name, product(functions, jnp.moveaxis(coefficient, -1, 0)))
