"""What the sampler promises whatever the model: one step size for all chains, the draws that were asked for."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist
from numpyro.handlers import condition

from bayestwin.components.informed import Pilot
from bayestwin.infer import mcmc
from bayestwin.infer.mcmc import CHUNK, sample, sample_each
from bayestwin.infer.nesting import Nesting
from bayestwin.infer.settings import Sampling
from bayestwin.infer.whiten import layout, unchanged


def model() -> None:
    level = numpyro.sample("level", dist.Normal(0.0, 2.0))
    numpyro.sample("effect", dist.Normal(jnp.repeat(level, 5), 1.0))


@pytest.mark.parametrize("nesting", [None, Nesting({"effect": 0}, {}, np.zeros(5, int))])
def test_chains_share_a_step_size_after_warm_up(nesting: Nesting | None) -> None:
    draws = sample(model, Pilot(), Sampling(chains=3, draws=2 * CHUNK, warmup=2 * CHUNK), nesting=nesting)
    step = draws.stats["step_size"]
    assert step.shape == (3, 2 * CHUNK)
    assert np.ptp(step) == 0.0
    assert 0.05 < step[0, 0] < 3.0


def test_draws_are_as_many_as_asked_for_where_chunks_do_not_divide_them() -> None:
    draws = sample(model, Pilot(), Sampling(chains=2, draws=CHUNK + 7, warmup=CHUNK - 4))
    assert draws.sites["effect"].shape == (2, CHUNK + 7, 5)
    assert np.ptp(draws.stats["step_size"][:, CHUNK:]) == 0.0  # shared from the chunk after warm-up on


@pytest.mark.parametrize("nesting", [None, Nesting({"effect": 0}, {}, np.zeros(5, int))])
def test_a_program_for_many_data_sets_finds_of_each_what_one_for_it_alone_does(nesting: Nesting | None) -> None:
    traced = []

    def of(y: dict[str, jax.Array]) -> None:
        traced.append(y)
        condition(seen, y)()

    def seen() -> None:
        model()
        numpyro.sample("y", dist.Normal(numpyro.sample("shift", dist.Normal(0.0, 1.0)), 0.5))

    sampling = Sampling(chains=2, draws=4 * CHUNK, warmup=4 * CHUNK, seed=3)
    data = [{"y": np.array(value)} for value in (2.0, -1.0, 0.5)]
    fits = sample_each(of, data, Pilot(), sampling, nesting)
    first = next(fits)
    times = len(traced)
    for i, draws in enumerate([first, *fits]):
        alone = sample(condition(seen, data[i]), Pilot(), replace(sampling, seed=3 + i), nesting=nesting)
        np.testing.assert_allclose(draws.sites["shift"], alone.sites["shift"], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(draws.sites["effect"], alone.sites["effect"], rtol=1e-6, atol=1e-6)
        assert draws.stats["energy"].shape == (2, 4 * CHUNK)
    assert len(traced) == times  # what is compiled for the first serves all


class Somewhere(NamedTuple):
    z: jax.Array
    z_grad: jax.Array


def test_a_new_middle_and_new_units_leave_chains_and_their_gradients_where_they_are() -> None:
    """Draws of sd 3 and 0.5 about 40 and -2: measured from their middle in their own units, at the same unknowns and with the same slope there."""
    places = layout({"effect": jnp.zeros(1), "level": jnp.zeros(())}, Nesting({"effect": 0}, {}, np.zeros(1, int)))
    identity = unchanged(places)
    sd, middle = np.array([3.0, 0.5]), np.array([40.0, -2.0])
    apart = np.random.default_rng(1).standard_normal((2, CHUNK, 2))
    apart -= apart.mean((0, 1))
    q, slope = middle + sd * apart, apart / sd
    states = [Somewhere(*at) for at in zip(jnp.asarray(q[:, -1]), jnp.asarray(slope[:, -1]), strict=True)]
    moved, found = mcmc._rescaled(states, identity, places, [(q, slope)])
    for before, after, chain in zip(states, moved, apart, strict=True):
        np.testing.assert_allclose(np.asarray(after.z), chain[-1], rtol=1e-6)
        np.testing.assert_allclose(np.asarray(after.z_grad), chain[-1], rtol=1e-6)
        np.testing.assert_allclose(np.asarray(found(after.z, places)), np.asarray(identity(before.z, places)), rtol=1e-6)


def test_laws_without_a_mean_are_sampled_from_their_middle() -> None:
    def model() -> None:
        scale = numpyro.sample("scale", dist.HalfCauchy(2.0))
        numpyro.sample("place", dist.Cauchy(1.0, 1.0))
        numpyro.sample("y", dist.Normal(0.0, scale), obs=np.array([-1.0, 1.5, 0.5, -2.0]))

    draws = sample(model, Pilot(), Sampling(chains=2, draws=100, warmup=100))
    assert all(np.isfinite(values).all() for values in draws.sites.values())
    assert 0.5 < np.median(draws.sites["scale"]) < 4.0
