"""Effects of a PyMC model in the coordinates that a first look suggests: the same density, and standard normal where the look is right."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist

from bayestwin.components.informed import Evidence, Pilot, seen, told
from bayestwin.infer.second import first_look

pm = pytest.importorskip("pymc")
pt = pytest.importorskip("pytensor.tensor")
partly_centred = pytest.importorskip("bayestwin.infer.partly_centred").partly_centred

INFORMATION = np.array([0.0, 3.0, 400.0])
Y = np.array([0.3, -1.2, 0.8])
BASIS = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]


def places(**looks: Evidence) -> Any:
    """Effects about an unknown mean with an unknown spread, seen with a known error."""
    with pm.Model() as model:
        level = pm.Normal("level", 0.0, 2.0)
        spread = pm.HalfNormal("spread", 1.0)
        effect = pm.Normal("effect", level, spread, shape=3)
        pm.StudentT("tail", nu=4.0, mu=0.0, sigma=1.0)
        pm.Potential("seen", -0.5 * pt.sum(INFORMATION * pt.square(effect - Y)))
    return partly_centred(model, looks) if looks else model


def density(model: Any, effect: str = "effect_partly_centred__") -> Callable[[float, float, np.ndarray, float], float]:
    """Log density on the scales that are sampled."""
    found = model.compile_fn(model.logp(), inputs=model.value_vars, mode="FAST_COMPILE")
    names = ("level", "spread_log__", effect, "tail")
    assert {value.name for value in model.value_vars} == set(names)
    return lambda *values: float(found(dict(zip(names, map(np.asarray, values), strict=True))))


LOOKS = {
    "apart": Evidence(Y, INFORMATION),
    "of a single number": Evidence(np.array(0.5), np.array(2.0)),
    "in a basis": Evidence(Y, np.array([0.0, 5.0, 50.0]), BASIS),
    "silent": Evidence(Y, np.zeros(3)),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_densities_in_both_coordinates_differ_by_the_jacobian(look: Evidence) -> None:
    plain, changed = places(), places(effect=look, spread=look, tail=look, other=look)
    ours, theirs = density(plain, "effect"), density(changed)
    (effect,) = (variable for variable in changed.free_RVs if variable.name == "effect")
    transform = changed.rvs_to_transforms[effect]
    rng = np.random.default_rng(1)
    for log_spread in (-4.0, 0.0, 1.0):
        level, u, tail = rng.normal(), rng.normal(size=3), rng.normal()
        law = (pt.as_tensor(level), pt.as_tensor(np.exp(log_spread)))
        at = pt.dvector("u")
        x = transform.backward(at, *law)
        values, jacobian, back = (
            part.eval({at: u}, mode="FAST_COMPILE") for part in (x, pt.jacobian(x, at, vectorize=True), transform.forward(x, *law))
        )
        np.testing.assert_allclose(back, u, atol=1e-9)
        gained = theirs(level, log_spread, u, tail) - ours(level, log_spread, values, tail)
        np.testing.assert_allclose(gained, np.linalg.slogdet(jacobian)[1], rtol=1e-9, atol=1e-9)


def test_where_the_look_is_all_that_is_seen_effects_are_standard_normal_whatever_the_spread() -> None:
    theirs = density(places(effect=LOOKS["apart"]))
    for log_spread in (-6.0, 0.0, 2.0):
        at_zero = theirs(0.4, log_spread, np.zeros(3), 0.0)
        for u in np.random.default_rng(3).normal(size=(4, 3)):
            np.testing.assert_allclose(theirs(0.4, log_spread, u, 0.0) - at_zero, -0.5 * (u @ u), rtol=1e-6, atol=1e-8)


def test_a_first_look_is_that_of_pilot_and_sites_where_chains_begin() -> None:
    def model() -> None:
        spread = numpyro.sample("spread", dist.HalfNormal(1.0))
        level = numpyro.sample("level", dist.Normal(1.5, 1.0))
        both = told(lambda sites: Evidence(sites["level"] * jnp.ones(3), sites["spread"] * jnp.ones(3), jnp.eye(3)))
        effect = numpyro.sample("effect", dist.Normal(jnp.full(3, level), spread), infer=both)
        numpyro.sample("y", dist.Normal(effect, 1.0), obs=Y)

    found = first_look(model, Pilot({"level": seen(np.array(2.0), 4.0)}, {"spread": np.array(0.25)}))
    assert set(found) == {"level", "effect"}
    assert float(found["level"].value) == 2.0
    start = (1.5 + 4.0 * 2.0) / 5.0  # a zero coordinate is where prior and look together put it
    np.testing.assert_allclose(found["effect"].value, np.full(3, start))
    np.testing.assert_allclose(found["effect"].information, np.full(3, 0.25))
    assert not any(isinstance(part, jax.core.Tracer) for part in jax.tree.leaves(found))
