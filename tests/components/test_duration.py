import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import digamma, polygamma

from bayestwin.components.duration import GeneralisedGamma, LogNormal

EDGES = jnp.array([0.5, 5.5, 15.5, 60.5])


@pytest.mark.parametrize("shape", [0.7, 4.0, 40.0])
def test_generalised_gamma_against_draws(shape: float) -> None:
    rng = np.random.default_rng(0)
    log_x = 2.3 + 0.7 * (np.log(rng.gamma(shape, size=400_000)) - digamma(shape)) / np.sqrt(polygamma(1, shape))
    x = np.exp(log_x)
    law = GeneralisedGamma(jnp.array(2.3), jnp.array(0.7), jnp.array(shape))
    np.testing.assert_allclose(law.cdf(EDGES), [(x < e).mean() for e in np.asarray(EDGES)], atol=0.004)
    np.testing.assert_allclose(law.moment(1.0), x.mean(), rtol=0.01)
    np.testing.assert_allclose(law.partial_moment(EDGES, 1.0), [(x * (x < e)).mean() for e in np.asarray(EDGES)], rtol=0.02, atol=0.01)


def test_large_shape_is_log_normal() -> None:
    mean, sd = jnp.array(2.3), jnp.array(0.7)
    one, other = GeneralisedGamma(mean, sd, jnp.array(1e5)), LogNormal(mean, sd)
    np.testing.assert_allclose(one.cdf(EDGES), other.cdf(EDGES), atol=2e-3)
    np.testing.assert_allclose(one.partial_moment(EDGES, 1.0), other.partial_moment(EDGES, 1.0), rtol=1e-2, atol=1e-5)
    np.testing.assert_allclose(one.moment(2.0), other.moment(2.0), rtol=1e-2)
