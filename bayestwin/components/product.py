"""Products of small matrices, in the forms that are quick on CPUs.

A model's gradient is some hundred small operations, and the loop that calls it costs more than they do unless XLA compiles all of it
as one function. It does that with sums of products and with matrices times vectors, but not around products of matrices, which are
library calls, nor around lookups, whose derivatives scatter.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

SUMMED = 1000  # entries of a matrix from which a sum of products is no longer unrolled and takes forty times as long
PRODUCTS = 4000  # above so many of them vectors are quicker
COLUMNS = 16  # vectors above which a library's product is worth its call
SMALL = 20_000  # entries of a matrix of lookups above which they stay lookups


def product(matrix: Float[np.ndarray, "row column"], values: Float[Array, "column ..."]) -> Float[Array, "row ..."]:
    """A known matrix times the leading axis of some values.

    Example:
        >>> product(np.array([[1.0, 1.0], [0.0, 2.0]]), np.array([[1.0], [2.0]])).tolist()
        [[3.0], [4.0]]
    """
    values = jnp.asarray(values)
    columns = int(np.prod(values.shape[1:]))
    flat = values.reshape(len(values), columns)
    if not columns or (matrix.size < SUMMED and matrix.size * columns <= PRODUCTS):
        found = (jnp.asarray(matrix)[:, :, None] * flat).sum(1)
    elif columns <= COLUMNS:
        found = jnp.stack([jnp.asarray(matrix) @ flat[:, column] for column in range(columns)], axis=1)
    else:
        found = jnp.asarray(matrix) @ flat
    return found.reshape(len(matrix), *values.shape[1:])


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
