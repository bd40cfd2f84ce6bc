import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bayestwin.barriers import Aggregate, Band, Coverage, Ignorability, Unknown, Withheld
from bayestwin.components.duration import LogNormal

EDGES = st.lists(st.floats(0.1, 200.0), min_size=2, max_size=9, unique=True).map(sorted)


def bands(edges: list[float]) -> Band:
    return Band(unit="minutes", bands=[{"label": f"b{i}", "low": a, "high": b} for i, (a, b) in enumerate(itertools.pairwise(edges))])


@settings(max_examples=30, deadline=None)
@given(edges=EDGES, mean=st.floats(-1.0, 5.0), sd=st.floats(0.1, 2.0))
def test_band_masses_sum_to_one_and_match_draws(edges: list[float], mean: float, sd: float) -> None:
    masses = bands(edges).masses(LogNormal(jnp.array(mean), jnp.array(sd)).cdf)
    assert masses.shape == (len(edges) + 1,)
    assert float(masses.sum()) == pytest.approx(1.0, abs=1e-12)
    drawn = np.exp(np.random.default_rng(1).normal(mean, sd, 4000))
    counts = np.histogram(drawn, bins=[0.0, *edges, np.inf])[0]
    error = np.sqrt(np.asarray(masses) * (1 - np.asarray(masses)) / 4000)
    assert (np.abs(counts / 4000 - np.asarray(masses)) < 5 * error + 2e-3).all()


def test_one_band_over_everything_is_the_identity() -> None:
    masses = bands([1e-12, 1e12]).masses(LogNormal(jnp.array(2.0), jnp.array(0.5)).cdf)
    np.testing.assert_allclose(masses, [0.0, 1.0, 0.0], atol=1e-12)


def test_band_gradient_is_finite_in_the_tails() -> None:
    band = bands([0.5, 5.5, 60.5])

    def second(mean: jax.Array) -> jax.Array:
        return band.masses(LogNormal(mean, jnp.array(0.8)).cdf)[1]

    for mean in (-20.0, 0.0, 20.0):
        assert np.isfinite(jax.grad(second)(jnp.array(mean)))


@given(null=st.floats(-8.0, 8.0), weights=st.lists(st.floats(0.01, 1.0), min_size=3, max_size=8))
@settings(max_examples=30, deadline=None)
def test_unknown_keeps_all_mass(null: float, weights: list[float]) -> None:
    masses = jnp.array(weights) / sum(weights)
    for structural in (False, True):
        released = Unknown(category="?", structural=structural).observed(masses, jnp.array([null]))
        assert released.shape == (len(weights) + (-1 if structural else 1),)
        assert float(released.sum()) == pytest.approx(1.0)
        assert (np.asarray(released) >= -1e-12).all()


def test_unknown_of_no_strength_is_the_identity() -> None:
    masses = jnp.array([0.2, 0.3, 0.5])
    released = Unknown(category="?").observed(masses, jnp.array([-jnp.inf]))
    np.testing.assert_allclose(released, [0.2, 0.3, 0.5, 0.0], atol=1e-15)


def test_every_barrier_says_its_ignorability() -> None:
    known = [
        (bands([0, 1]), Ignorability.KNOWN_RULE),
        (Unknown(category="?"), Ignorability.UNKNOWN_SELECTION),
        (Coverage(covered="a", population="b"), Ignorability.KNOWN_RULE),
        (Aggregate(period="month"), Ignorability.KNOWN_RULE),
        (Withheld(field="x"), Ignorability.CALENDAR),
    ]
    for barrier, label in known:
        assert barrier.label == label
        assert barrier.sentence.endswith(".")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ([(0, 10), (8, 20)], r"bands overlap: 'b0' ends at 10\.0, 'b1' begins at 8\.0"),
        ([(0, 10), (12, 20)], r"gap between bands: 'b0' ends at 10\.0, 'b1' begins at 12\.0"),
        ([(10, 20), (0, 10)], r"bands overlap.*order the bands"),
        ([(float("nan"), 1)], "low must be below high"),
        ([], "at least 1 item"),
    ],
)
def test_bands_that_do_not_adjoin_are_refused(limits: list[tuple[float, float]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Band(unit="minutes", bands=[{"label": f"b{i}", "low": a, "high": b} for i, (a, b) in enumerate(limits)])


def test_a_band_without_an_upper_end_leaves_nothing_above() -> None:
    masses = bands([0.0, 10.0, np.inf]).masses(LogNormal(jnp.array(2.0), jnp.array(0.5)).cdf)
    assert float(masses.sum()) == pytest.approx(1.0)
    assert float(masses[-1]) == 0.0


def test_a_band_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValidationError, match="low must be below high"):
        bands([2.0, 1.0])
