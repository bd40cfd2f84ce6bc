"""Effects along an axis that are sums of known functions, and what data along the axis say of their coefficients."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayestwin.components.hierarchy import Sites
from bayestwin.components.informed import Evidence, Look, seen

Along = Callable[[Float[np.ndarray, "point function"]], Look]
"""The look at the coefficients (..., function) of any functions of an axis, given the functions at its points."""

LEAST_TOLD = 1e-10  # of the best direction's information: what is known no better is rounding


def seen_along(value: Float[Array, "point ..."], usual: Float[Array, "point ..."], information: Callable[[Sites], Array]) -> Along:
    """What values that were seen along an axis, above a level that is not known, say of the coefficients of functions of the axis.

    Args:
        value: what was seen at each point; anything where nothing was.
        usual: about how precisely (1 / variance), zero where nothing was seen.
        information: the same, (point, ...), from the sites sampled before.

    Returns:
        Looks along the directions that the normal equations at the usual precisions keep apart: value and directions are fixed,
        how precisely each is known follows the sites. Directions that are not seen are silent.

    Example:
        >>> line = np.linspace(-1.0, 1.0, 5)[:, None]
        >>> value, information, _ = seen_along(3.0 + 2.0 * line[:, 0], np.ones(5), lambda sites: np.full(5, 4.0))(line)({})
        >>> value.round(3).tolist(), information.round(3).tolist()
        ([2.0], [10.0])
    """

    def along(functions: Float[np.ndarray, "point function"]) -> Look:
        with jax.ensure_compile_time_eval():
            weight, values = (jnp.moveaxis(jnp.asarray(x, float), 0, -1) for x in (usual, value))
            share = (weight / jnp.maximum(weight.sum(-1, keepdims=True), jnp.finfo(float).tiny))[..., None]
            centred = functions - (share * functions).sum(-2, keepdims=True)
            told, basis = jnp.linalg.eigh(jnp.swapaxes(centred, -1, -2) @ (weight[..., None] * centred))
            known = told > LEAST_TOLD * told.max(-1, keepdims=True)
            turned = jnp.where(known[..., None, :], centred @ basis, 0.0)
            score = (turned * (weight * values)[..., None]).sum(-2)
            coefficient = jnp.einsum("...ij,...j->...i", basis, score / jnp.where(known, told, 1.0))
            squared = jnp.square(turned)

        def look(sites: Sites) -> Evidence:
            return Evidence(coefficient, (squared * jnp.moveaxis(information(sites), 0, -1)[..., None]).sum(-2), basis)

        return look

    return along


def unseen(functions: Float[np.ndarray, "point function"]) -> Look:
    """The look at coefficients of which nothing is known beforehand: they are sampled in units of their spread."""
    return seen(np.zeros(functions.shape[1]), 0.0)
