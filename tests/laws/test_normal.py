import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
import scipy.stats

from bayestwin.laws.normal import chance_below, density


def test_chance_is_scipys_far_into_both_tails() -> None:
    for furthest, error in ((-8.0, 2e-14), (-37.0, 1e-12)):
        z = np.linspace(furthest, 9.0, 5001)
        np.testing.assert_allclose(chance_below(z), scipy.special.ndtr(z), rtol=error)
    ends = np.asarray(chance_below(np.array([-np.inf, -1e9, 0.0, 1e9, np.inf, np.nan])))
    np.testing.assert_allclose(ends, [0.0, 0.0, 0.5, 1.0, 1.0, np.nan], rtol=1e-14)


def test_single_precision_stays_single() -> None:
    value, slope = jax.value_and_grad(chance_below)(jnp.float32(0.3))
    assert value.dtype == slope.dtype == jnp.float32
    np.testing.assert_allclose([value, slope], [scipy.special.ndtr(0.3), scipy.stats.norm.pdf(0.3)], rtol=1e-6)


def test_slopes_are_the_density_and_its_own() -> None:
    z = jnp.linspace(-9.0, 9.0, 101)
    np.testing.assert_allclose(density(z), scipy.stats.norm.pdf(z), rtol=1e-13)
    np.testing.assert_allclose(jax.vmap(jax.grad(chance_below))(z), scipy.stats.norm.pdf(z), rtol=1e-13)
    np.testing.assert_allclose(jax.vmap(jax.grad(jax.grad(chance_below)))(z), -z * scipy.stats.norm.pdf(z), rtol=1e-12)
