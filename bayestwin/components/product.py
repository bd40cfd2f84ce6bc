"""Products of small matrices, in the form that XLA makes one program of.

A model's gradient is some hundred small operations, and the loop that calls it costs more than they do unless XLA compiles all of it as one
function. On CPUs it does that with sums of products, but not around matrix products, which are library calls, nor around lookups, whose
derivatives scatter.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

SMALL = 20_000  # entries of a matrix beyond which a library's product is worth its call


def product(matrix: Float[np.ndarray, "row column"], values: Float[Array, "column ..."]) -> Float[Array, "row ..."]:
    """A known matrix times the leading axis of some values.

    Example:
        >>> product(np.array([[1.0, 1.0], [0.0, 2.0]]), np.array([[1.0], [2.0]])).tolist()
        [[3.0], [4.0]]
    """
    if matrix.size > SMALL:
        return jnp.tensordot(matrix, values, 1)
    return (jnp.asarray(matrix).reshape(*matrix.shape, *[1] * (jnp.ndim(values) - 1)) * values).sum(1)


def of_groups(values: Float[Array, "group ..."], groups: Int[np.ndarray, " member"]) -> Float[Array, "member ..."]:
    """Each member's group's value.

    Args:
        values: by group.
        groups: index of each member's group.

    Example:
        >>> of_groups(np.array([5.0, 6.0]), np.array([1, 0, 1])).tolist()
        [6.0, 5.0, 6.0]
    """
    return product(np.eye(len(values))[groups], values) if len(groups) * len(values) <= SMALL else jnp.asarray(values)[groups]
