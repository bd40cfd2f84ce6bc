"""Chart review: a fixed number of charts is drawn from all, and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from bayestwin.barriers.barrier import Ignorability, Randomised

if TYPE_CHECKING:
    from jaxtyping import Array


class ChartSample(Randomised):
    """A fixed number of charts is drawn without replacement; published is how many of them have what is counted.

    Attributes:
        charts: charts in a cell; no more can have what is counted.
        sampled: charts that are drawn.
    """

    kind: Literal["chart_sample"] = "chart_sample"
    charts: Annotated[int, Field(ge=1, le=100_000)]
    sampled: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _no_more_than_there_are(self) -> Self:
        if self.sampled > self.charts:
            raise ValueError(f"{self.sampled} charts cannot be sampled of {self.charts}")
        return self

    @property
    def label(self) -> Ignorability:
        return Ignorability.KNOWN_RULE

    @property
    def sentence(self) -> str:
        return f"{self.sampled} of {self.charts} charts were read; the likelihood is hypergeometric, nothing is scaled up."

    @property
    def published(self) -> str:
        return f"whole numbers from 0 to {self.sampled}"

    @property
    def offsets(self) -> tuple[int, int]:
        return 0, self.charts - self.sampled

    def possible(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return (np.ceil(low) <= np.floor(high)) & (high >= 0) & (low <= self.sampled)

    def draw(self, rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, int)
        if values.size and values.max() > self.charts:
            raise ValueError(f"chart_sample: a cell counts {values.max()} charts, there are {self.charts}; correct `charts`")
        return rng.hypergeometric(values, self.charts - values, self.sampled).astype(float)

    def log_kernel(self, low: Array, high: Array, value: Array) -> Array:
        import jax.numpy as jnp

        from bayestwin.laws.counts import log_factorial

        def log_choose(n: Array, k: Array) -> Array:
            inside = (k >= 0) & (k <= n)
            k, n = jnp.where(inside, k, 0.0), jnp.where(inside, n, 0.0)
            return jnp.where(inside, log_factorial(n) - log_factorial(k) - log_factorial(n - k), -jnp.inf)

        def log_pmf(y: Array) -> Array:
            ways = log_choose(value, y) + log_choose(self.charts - value, self.sampled - y)
            return ways - log_choose(jnp.asarray(float(self.charts)), jnp.asarray(float(self.sampled)))

        answer = jnp.full(jnp.broadcast_shapes(jnp.shape(low), jnp.shape(value)), -jnp.inf)
        if isinstance(low, np.ndarray) and isinstance(high, np.ndarray) and (low == high).all():
            return log_pmf(low)
        for y in range(self.sampled + 1):
            answer = jnp.where((low <= y) & (y <= high), jnp.logaddexp(answer, log_pmf(jnp.asarray(float(y)))), answer)
        return answer
