import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bayestwin.laws.hazard import directions, hazard, log_probability

LOGITS = arrays(float, st.sampled_from([2, 5, 12]), elements=st.floats(-8.0, 8.0))


@settings(deadline=None, max_examples=40)
@given(LOGITS)
def test_probabilities_and_remainder_sum_to_one(logit: np.ndarray) -> None:
    p = np.exp(log_probability(jnp.asarray(logit)))
    assert np.isclose(p.sum(), 1.0, atol=1e-12)
    assert np.isclose(p[-1], np.prod(1.0 / (1.0 + np.exp(logit[:-1]))), rtol=1e-9)


@settings(deadline=None, max_examples=40)
@given(LOGITS)
def test_hazards_and_probabilities_are_inverse(logit: np.ndarray) -> None:
    found = hazard(log_probability(jnp.asarray(logit)))
    np.testing.assert_allclose(found[:-1], jax.nn.sigmoid(logit[:-1]), rtol=1e-7)
    assert float(found[-1]) == 1.0


@settings(deadline=None, max_examples=40)
@given(arrays(float, 6, elements=st.floats(-4.0, 4.0)), st.integers(1, 4), st.floats(0.1, 3.0))
def test_a_report_day_that_is_slower_moves_reports_later_and_never_the_total(logit: np.ndarray, day: int, slower: float) -> None:
    before, after = (np.exp(log_probability(jnp.asarray(x))) for x in (logit, logit - slower * (np.arange(6) == day)))
    assert np.isclose(after.sum(), before.sum(), atol=1e-12)
    np.testing.assert_allclose(after[:day], before[:day], rtol=1e-12)
    assert (after.cumsum() <= before.cumsum() + 1e-12).all()


def test_directions_are_the_derivative() -> None:
    rng = np.random.default_rng(0)
    logit, columns = jnp.asarray(rng.normal(size=(5, 4))), jnp.asarray(rng.normal(size=(5, 4, 3)))
    exact = jax.jacobian(lambda x: log_probability((logit + columns @ x).T).T)(jnp.zeros(3))
    np.testing.assert_allclose(directions(logit, columns), exact, atol=1e-12)
