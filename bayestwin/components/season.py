"""A seasonal effect: waves of a period, its half, its third and so on, which sum to zero over it."""

import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, Float
from numpyro import distributions as dist

from bayestwin.components.basis import Along, unseen
from bayestwin.components.informed import told
from bayestwin.components.product import product


def waves(times: Float[np.ndarray, " time"], period: float, harmonics: int) -> np.ndarray:
    """Cosine and sine of each harmonic, the k-th 1 / k as high as the first; their squares sum to one at every time.

    Args:
        times: any times, in the unit of the period.
        period: its length, not necessarily a whole number of times.
        harmonics: how many.

    Returns:
        (time, 2 harmonics): all cosines, then all sines.

    Example:
        >>> waves(np.arange(4.0), 4.0, 1).round(3).tolist()
        [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [-0.0, -1.0]]
    """
    k = np.arange(1, harmonics + 1)
    height = 1.0 / k / np.sqrt(np.square(1.0 / k).sum())
    phase = 2.0 * np.pi * np.asarray(times)[:, None] * k / period
    return np.concatenate([height * np.cos(phase), height * np.sin(phase)], axis=1)


def season(
    name: str, times: Float[np.ndarray, " time"], period: float, harmonics: int, spread: dist.Distribution, looks: Along = unseen
) -> Float[Array, "time ..."]:
    """Sample a seasonal effect with a mean of zero over its period, as smooth as its number of harmonics.

    Its coefficients have one spread, for the waves carry the heights of the harmonics: so they can be turned to the directions
    that the data keep apart, and each of those is sampled between centred and non-centred, whatever the spread.

    Args:
        name: the sites are `sd_<name>`, the effect's sd at any time, `<name>_coefficient` (..., 2 harmonics), and `<name>` itself.
        times: any times, in the unit of the period.
        period: its length, not necessarily a whole number of times.
        harmonics: how many; at most half as many as there are times in a period.
        spread: prior of the effect's sd at any time, of any shape (...).
        looks: what the data say along the times.

    Returns:
        The effect, (time, ...).

    Raises:
        ValueError: if a harmonic is too quick for the times to show.

    Source: Harvey (1989), "Forecasting, Structural Time Series Models and the Kalman Filter", §2.3.4, for trigonometric seasonals.

    Example:
        >>> from numpyro.handlers import seed
        >>> with seed(rng_seed=0):
        ...     year = season("year", np.arange(104), 52.18, 3, dist.HalfNormal(0.2))
        >>> year.shape
        (104,)
    """
    apart = np.diff(np.unique(np.asarray(times, float))).min(initial=np.inf)
    if 2 * harmonics * apart > period:
        raise ValueError(
            f"{name}: {harmonics} harmonics need {2 * harmonics} times in a period, found {period / apart:.4g}; "
            f"take {int(period / apart / 2)} harmonics at most"
        )
    functions = waves(times, period, harmonics)
    sd = numpyro.sample(f"sd_{name}", spread)
    scale = jnp.asarray(sd)[..., None]
    law = dist.Normal(jnp.zeros(2 * harmonics), scale).expand((*jnp.shape(sd), 2 * harmonics)).to_event(1)
    coefficient = numpyro.sample(f"{name}_coefficient", law, infer=told(looks(functions)))
    return numpyro.deterministic(name, product(functions, jnp.moveaxis(coefficient, -1, 0)))
