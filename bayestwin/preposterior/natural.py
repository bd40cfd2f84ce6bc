"""Slopes away from the centre, of quantities that are known there.

A quantity is about linear in the model's own unknowns, on their unconstrained scales: log rates, logs of spreads; where an unknown is noise, in what it is made into. The coordinates of the posterior are curved
against these: what one standard deviation of a silent provider's effect makes of their rate grows with the spread of all. How laws of data follow the
coordinates is worked out at each point; held against slopes at the centre, data that tell an effect exactly would seem to leave some of it open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float
from numpyro.distributions import biject_to
from numpyro.handlers import seed, substitute, trace
from numpyro.infer.util import constrain_fn

from bayestwin.components.informed import STANDS_FOR
from bayestwin.infer.predictive import sites

if TYPE_CHECKING:
    from bayestwin.preposterior.current import Current

AT_ONCE = 32  # coordinates that are followed together


def carried(at: Current, slopes: Float[np.ndarray, "coordinate quantity"]) -> Callable[[np.ndarray], np.ndarray]:
    """Slopes at any point, of quantities that are linear in the model's own unknowns.

    Args:
        at: the posterior.
        slopes: at its centre.

    Returns:
        A function of a point, flat unknowns, that gives slopes (coordinate, quantity).
    """
    along = jax.jit(lambda q: jax.lax.map(lambda column: jax.jvp(_natural(at), (q,), (column,))[1], at.root.T, batch_size=AT_ONCE))
    by_unknown = np.linalg.solve(np.asarray(along(at.centre)), slopes)
    return lambda point: np.asarray(along(point)) @ by_unknown


def _natural(at: Current) -> Callable[[Array], Float[Array, " unknown"]]:
    """The model's own unknowns on their unconstrained scales, or what they stand for, from those that are sampled."""
    written = at.posterior.model.fn
    names = sites(written).latent

    def of(q: Array) -> Array:
        values: dict[str, Any] = constrain_fn(at.posterior.model, (), {}, at.posterior.by_name(q), return_deterministic=True)
        found = trace(seed(substitute(written, values), jax.random.key(0))).get_trace()
        return ravel_pytree({name: unknown(name, values, found) for name in names})[0]

    def unknown(name: str, values: dict[str, Any], found: dict[str, Any]) -> Array:
        made = found[name]["infer"].get(STANDS_FOR)
        return found[made]["value"] if made else biject_to(found[name]["fn"].support).inv(values[name])

    return of
