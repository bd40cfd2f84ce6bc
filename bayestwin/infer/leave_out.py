"""A model that is not told one of its cells."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import distributions as dist
from numpyro.primitives import Messenger


class without_cell(Messenger):
    """NumPyro handler: one cell of an observed site says nothing.

    Args:
        fn: model without arguments.
        site: the observed site.
        index: the cell's place in its batch shape.

    Example:
        >>> import numpyro
        >>> def model():
        ...     numpyro.sample("y", dist.Normal(jnp.zeros(3), 1.0), obs=jnp.array([0.0, 9.0, 0.0]))
        >>> from numpyro.infer.util import log_density
        >>> whole, less = (float(log_density(m, (), {}, {})[0]) for m in (model, without_cell(model, "y", (1,))))
        >>> round(less - whole - 81.0 / 2, 3)
        0.919
    """

    def __init__(self, fn: Any, site: str, index: tuple[int, ...]) -> None:
        self.site, self.index = site, index
        super().__init__(fn)

    def process_message(self, msg: dict[str, Any]) -> None:
        """Mask the cell."""
        if msg["type"] != "sample" or msg["name"] != self.site:
            return
        law, told = msg["fn"], True
        if isinstance(law, dist.MaskedDistribution):
            law, told = law.base_dist, law._mask
        others = np.ones(law.batch_shape, bool)
        others[self.index] = False
        # NumPy where it can be: what a handler within puts together beforehand needs a mask that it can read.
        msg["fn"] = law.mask(jnp.logical_and(others, told) if isinstance(told, jax.core.Tracer) else others & np.asarray(told, bool))
