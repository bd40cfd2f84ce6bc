"""What one cell of an extract tells of the law behind it, through an access: Fisher information by simulated scores.

Data are drawn from the law and published as the access would; the information is the mean outer product of the
gradients of their log probability. It needs nothing of a barrier but its likelihood, and is never negative.

Source: Fisher (1925), Proceedings of the Cambridge Philosophical Society 22; information that is lost by coarsening: Orchard & Woodbury
(1972), Proceedings of the Sixth Berkeley Symposium 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from bayestwin.barriers import Access, Grid

REPLICATES = 64  # data sets that scores are averaged over


class Law(NamedTuple):
    """The law of the cells that come out of an access's channels.

    Attributes:
        kind: its class, such as `Counts`.
        moving: fields that depend on the model's unknowns, each broadcast against the cells.
        fixed: the others, arrays.
        flags: the others that are no arrays.
    """

    kind: type
    moving: Mapping[str, np.ndarray]
    fixed: Mapping[str, np.ndarray]
    flags: tuple[tuple[str, Any], ...]

    def built(self) -> Any:
        """The law itself."""
        return self.kind(**self.moving, **self.fixed, **dict(self.flags))


def information(
    law: Law, access: Access, grid: Grid, seed: int, read: Callable[[np.ndarray], np.ndarray] = lambda ends: ends
) -> Float[np.ndarray, "cell field field"]:
    """Fisher information of each cell that comes out, were it released, about the fields of its law.

    Cells that depend on one another beyond their expectation are taken one by one.

    Args:
        law: of the cells that come out.
        access: what they come through; its channels have acted already.
        grid: the cells that came in.
        seed: of the simulated data; two accesses meet the same data behind them.
        read: ends of published numbers as the model takes them.
    """
    out, rng = access.out(grid), np.random.default_rng(seed)
    after = Access(releases=access.releases)
    clean = np.stack([law.built().draw(rng, out.shape) for _ in range(REPLICATES)])
    ends = read(np.stack([after.publish(rng, counts, out).cells for counts in clean]))
    fields = {name: np.broadcast_to(values, out.shape) for name, values in law.moving.items()}
    scores = _scores(law.kind, after, law.flags, fields, dict(law.fixed), ends)
    each = np.stack([np.asarray(scores[name]).reshape(REPLICATES, -1) for name in law.moving], axis=-1)
    return np.einsum("rca,rcb->cab", each, each) / REPLICATES


@partial(jax.jit, static_argnums=(0, 1, 2))
def _scores(kind: type, access: Access, flags: tuple, fields: dict, fixed: dict, ends: jax.Array) -> dict:
    """Gradients of the log probability of each published number, (replicate, cells...)."""

    def log_probability(moving: dict) -> jax.Array:
        law = kind(**moving, **fixed, **dict(flags))
        cells = Grid({f"axis {i}": np.arange(size) for i, size in enumerate(ends.shape[:-1])})
        return access.likelihood(law, cells).log_prob(ends).sum()

    return jax.grad(log_probability)({name: jnp.broadcast_to(values, ends.shape[:-1]) for name, values in fields.items()})
