"""Whitening by curvature: exact for a normal arrow, harmless for the rest."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist
from scipy import stats

from bayestwin.components.informed import Pilot, seen
from bayestwin.infer.mcmc import sample
from bayestwin.infer.nesting import Nesting
from bayestwin.infer.settings import Sampling
from bayestwin.infer.whiten import (
    Arrow,
    Layout,
    Whitening,
    curvature,
    inverse_root,
    layout,
    mode,
    scales,
    unchanged,
    undivided,
    whitened,
    whitening,
)

UNITS, SLOTS, SHARED = 4, 3, 2
GROUP_OF = np.array([0, 1, 0, 1])
NAMES = {"common": jnp.zeros(SHARED), "group": jnp.zeros((2, 2)), "own": jnp.zeros((SLOTS, UNITS))}
NESTING = Nesting({"own": 1}, {"group": 1}, GROUP_OF)
SIZE = SHARED + 4 + SLOTS * UNITS


def arrow(seed: int = 0) -> np.ndarray:
    """A positive curvature in which units meet only in what all or their group share; flat order: as `NAMES`, (slot, unit or group)."""
    rng = np.random.default_rng(seed)
    curved = np.zeros((SIZE, SIZE))
    for unit, group in enumerate(GROUP_OF):
        index = [0, 1, SHARED + group, SHARED + 2 + group, *(SHARED + 4 + slot * UNITS + unit for slot in range(SLOTS))]
        root = rng.normal(size=(7, 7))
        curved[np.ix_(index, index)] += root @ root.T
    return curved + 0.3 * np.eye(SIZE)


def found_by(potential: Callable, start: np.ndarray, places: Layout) -> Whitening:
    look = jax.value_and_grad(lambda q, found: potential(found(q, places)))
    return whitened(lambda q, found: tuple(map(np.asarray, look(jnp.asarray(q), found))), start, places)


def test_every_unknown_has_one_place() -> None:
    places = layout(NAMES, NESTING)
    assert places.own.shape == (UNITS, SLOTS)
    assert [sorted(places.shared[near]) for near in places.near] == [[0, 1, 2 + group, 4 + group] for group in GROUP_OF]
    assert sorted([*places.own.ravel(), *places.shared]) == list(range(SIZE))
    assert places.of_all == SHARED
    assert np.concatenate([places.own.ravel(), places.shared])[places.order].tolist() == list(range(SIZE))
    assert undivided(3).of_all == 0


def test_numbers_go_where_traced_unknowns_go() -> None:
    curved, places = arrow(), layout(NAMES, NESTING)
    white, q = (
        whitening(np.arange(SIZE) / 9.0, places, curvature(lambda x: curved @ x, np.ones(SIZE), places)),
        np.linspace(-1.0, 1.0, SIZE),
    )
    found = white.of_numbers(q, places)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, jax.jit(lambda q: white(q, places))(q), rtol=1e-12)


def test_probes_along_slots_give_the_whole_arrow() -> None:
    curved, places = arrow(), layout(NAMES, NESTING)
    found = curvature(lambda x: curved @ x, np.ones(len(curved)), places)
    np.testing.assert_allclose(found.shared, curved[np.ix_(places.shared, places.shared)], atol=1e-8)
    for unit, own in enumerate(places.own):
        np.testing.assert_allclose(found.own[unit], curved[np.ix_(own, own)], atol=1e-8)
        np.testing.assert_allclose(found.border[unit], curved[np.ix_(own, places.shared[places.near[unit]])], atol=1e-8)


def test_a_normal_law_becomes_standard() -> None:
    curved, centre = arrow(), np.arange(SIZE) / 9.0

    def potential(x: jax.Array) -> jax.Array:
        return 0.5 * (x - centre) @ jnp.asarray(curved) @ (x - centre)

    places = layout(NAMES, NESTING)
    white = found_by(potential, np.zeros(SIZE), places)
    jacobian = np.asarray(jax.jacobian(lambda q: white(q, places))(jnp.zeros(SIZE)))
    np.testing.assert_allclose(np.asarray(white.centre), centre, atol=1e-4)
    np.testing.assert_allclose(jacobian.T @ curved @ jacobian, np.eye(SIZE), atol=1e-6)


def test_flat_and_falling_directions_do_not_break_it() -> None:
    places = layout(NAMES, NESTING)
    white = found_by(lambda x: 0.5 * (x[SHARED:] ** 2).sum() - 0.001 * (x[:SHARED] ** 2).sum(), np.zeros(SIZE), places)
    assert np.isfinite(np.asarray(white(jnp.ones(SIZE), places))).all()


def test_where_gradients_cannot_be_computed_the_whitening_is_finite() -> None:
    places = layout(NAMES, NESTING)

    def look(q: np.ndarray, found: Whitening) -> tuple[float, np.ndarray]:
        x, pull = jax.vjp(lambda q: found(q, places), jnp.asarray(q))
        return float(0.5 * x @ x), np.asarray(pull(x)[0]) if x[0] < 1e-6 else np.full(SIZE, np.nan)

    white = whitened(look, np.zeros(SIZE), places)
    assert np.isfinite(np.asarray(white(jnp.ones(SIZE), places))).all()


def test_unchanged_leaves_unknowns_as_they_are() -> None:
    places, flat = layout(NAMES, NESTING), jnp.linspace(-1.0, 1.0, SIZE)
    np.testing.assert_array_equal(unchanged(places)(flat, places), flat)


def test_coordinates_in_other_units_reach_the_same_unknowns() -> None:
    curved, places = arrow(), layout(NAMES, NESTING)
    white = found_by(lambda x: 0.5 * x @ jnp.asarray(curved) @ x, np.zeros(SIZE), places)
    scale, q = np.linspace(0.5, 2.0, SIZE), np.linspace(-1.0, 1.0, SIZE)
    np.testing.assert_allclose(np.asarray(white.scaled(scale, places)(q / scale, places)), np.asarray(white(q, places)), atol=1e-12)


def test_units_of_a_skewed_law_lie_between_its_sharp_and_its_wide_parts() -> None:
    q = np.random.default_rng(2).gamma(2.0, size=(4000, 1))
    (found,) = scales(np.log(q), q - 2.0)  # on the log scale: potential exp(x) - 2 x
    wide, sharp = np.log(q).std(), 1.0 / q.std()
    assert sharp < found < wide
    assert abs(found**2 / (wide * sharp) - 1.0) < 1e-12


def test_the_mode_of_a_bowl_is_found() -> None:
    found = mode(lambda x: (float(((x - 3.0) ** 2).sum()), 2.0 * (x - 3.0)), np.zeros(5), 50)
    np.testing.assert_allclose(found, 3.0, atol=1e-4)


def test_the_posterior_is_that_of_the_closed_form() -> None:
    y = np.array([1.0, 2.0, 6.0, 3.0])

    def model() -> None:
        level = numpyro.sample("level", dist.Normal(0.0, 2.0))
        effect = numpyro.sample("effect", dist.Normal(jnp.repeat(level, 4), 1.0))
        numpyro.sample("y", dist.Normal(effect, 0.5), obs=y)

    sampling = Sampling(chains=2, draws=2000, warmup=200, seed=3)
    draws = sample(model, Pilot({"effect": seen(y, 4.0)}), sampling, nesting=Nesting({"effect": 0}, {}, np.zeros(4, int)))
    precision = 0.25 + 4.0 / 1.25
    expected = stats.norm((y / 1.25).sum() / precision, precision**-0.5)
    level = draws.sites["level"].ravel()
    assert abs(level.mean() - expected.mean()) < 0.05
    assert abs(level.std() / expected.std() - 1.0) < 0.06
    assert draws.stats["diverging"].sum() == 0


def test_units_of_a_skewed_law_are_those_of_its_draws() -> None:
    """Of a law far steeper somewhere than its spread would have it, the wide part sets the unit; of a normal one, either tells the same."""
    rng = np.random.default_rng(3)
    q = rng.normal(size=(4000, 2)) * 2.0
    steep = np.where(q[:, 0] > 2.0, 6.0, 0.25) * q[:, 0]
    found = scales(q, np.stack([steep, q[:, 1] / 4.0], axis=1))
    np.testing.assert_allclose(found[0], q[:, 0].std(), rtol=1e-12)
    assert found[1] == pytest.approx(2.0, rel=1e-6)


def test_the_search_goes_on_until_the_mode_of_a_bent_valley_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rosenbrock's valley, from where the curvature bends downwards and with few looks a search."""
    monkeypatch.setattr("bayestwin.infer.whiten.EVALUATIONS", (3, 25))

    def valley(x: jax.Array) -> jax.Array:
        return 50.0 * (100.0 * jnp.square(x[1] - jnp.square(x[0])) + jnp.square(1.0 - x[0]))

    white = found_by(valley, np.array([-0.2, 2.0]), undivided(2))
    curved = np.asarray(jax.hessian(valley)(jnp.ones(2)))
    jacobian = np.asarray(jax.jacobian(lambda q: white(q, undivided(2)))(jnp.zeros(2)))
    np.testing.assert_allclose(np.asarray(white.centre), 1.0, atol=0.02)
    np.testing.assert_allclose(jacobian.T @ curved @ jacobian, np.eye(2), atol=0.2)


def test_roots_are_symmetric_so_that_each_coordinate_stays_near_its_unknown() -> None:
    draws = np.random.default_rng(5).normal(size=(3, 40, 6))
    curved = draws.swapaxes(1, 2) @ draws / 40.0
    root = inverse_root(curved)
    np.testing.assert_allclose(root, root.swapaxes(1, 2), atol=1e-12)
    np.testing.assert_allclose(root @ curved @ root, np.broadcast_to(np.eye(6), root.shape), atol=1e-10)
    np.testing.assert_allclose(np.asarray(inverse_root(jnp.asarray(curved))), root, atol=1e-10)


def test_a_direction_that_bends_downwards_has_the_unit_of_its_bend() -> None:
    nothing = np.empty((0, 0, 0))
    white = whitening(np.zeros(2), undivided(2), Arrow(nothing, nothing, np.diag([-16.0, 4.0])))
    np.testing.assert_allclose(np.asarray(white(jnp.ones(2), undivided(2))), [0.25, 0.5])
