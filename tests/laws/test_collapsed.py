"""A likelihood from sufficient statistics is the same function of the unknowns, with the same gradient."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist
from numpyro.handlers import trace
from numpyro.infer.util import log_density

from bayestwin.laws.collapsed import DistinctCounts, collapsed
from bayestwin.laws.counts import NegativeBinomial

RNG = np.random.default_rng(6)
COUNTS = RNG.poisson(6.0, (30, 7, 3))
SEEN = RNG.random(COUNTS.shape) > 0.4


def model_of(shape: tuple[int, ...], seen: np.ndarray | None) -> Callable[[], None]:
    def model() -> None:
        log_mean = numpyro.sample("log_mean", dist.Normal(1.5, 1.0).expand([7, 3]))
        concentration = numpyro.sample("concentration", dist.LogNormal(1.0, 1.0).expand(shape))
        law = NegativeBinomial(jnp.broadcast_to(jnp.exp(log_mean), COUNTS.shape), concentration)
        numpyro.sample("y", law if seen is None else law.mask(seen), obs=COUNTS)

    return model


@pytest.mark.parametrize("seen", [None, SEEN, np.zeros(COUNTS.shape, bool)])
@pytest.mark.parametrize("shape", [(), (3,), (7, 1)])
def test_density_and_gradient_are_those_of_the_cells(shape: tuple[int, ...], seen: np.ndarray | None) -> None:
    model = model_of(shape, seen)
    at = {"log_mean": jnp.asarray(RNG.normal(1.5, 0.5, (7, 3))), "concentration": jnp.asarray(RNG.lognormal(1.0, 0.7, shape))}
    plain, summed = (jax.value_and_grad(lambda x, m=m: log_density(m, (), {}, x)[0])(at) for m in (model, collapsed(model)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9), plain, summed)
    assert isinstance(trace(collapsed(numpyro.handlers.seed(model, 0))).get_trace()["y"]["fn"], DistinctCounts)


def test_many_concentrations_and_latent_counts_are_left_alone() -> None:
    def model() -> None:
        numpyro.sample("y", NegativeBinomial(jnp.full(COUNTS.shape, 6.0), jnp.full(COUNTS.shape, 2.0)), obs=COUNTS)
        numpyro.sample("z", NegativeBinomial(jnp.full(40, 6.0), jnp.asarray(2.0)))

    found = trace(collapsed(numpyro.handlers.seed(model, 0))).get_trace()
    assert isinstance(found["y"]["fn"], NegativeBinomial)
    assert isinstance(found["z"]["fn"], NegativeBinomial)


def test_counts_that_are_traced_keep_their_cells() -> None:
    def density(counts: jax.Array) -> jax.Array:
        def model() -> None:
            numpyro.sample("y", NegativeBinomial(jnp.full(COUNTS.shape, 6.0), jnp.asarray(2.0)), obs=counts)

        return log_density(collapsed(model), (), {}, {})[0]

    expected = NegativeBinomial(jnp.asarray(6.0), jnp.asarray(2.0)).log_prob(COUNTS).sum()
    assert float(jax.jit(density)(COUNTS)) == pytest.approx(float(expected), rel=1e-12)
