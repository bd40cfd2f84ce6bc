"""What the sampler promises whatever the model: one step size for all chains, the draws that were asked for."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist

from bayestwin.components.informed import Pilot
from bayestwin.infer import mcmc
from bayestwin.infer.mcmc import CHUNK, sample
from bayestwin.infer.nesting import Nesting
from bayestwin.infer.settings import Sampling


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
def test_a_whitened_posterior_keeps_the_identity_as_its_metric(nesting: Nesting | None, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = []

    def watched(states: Any) -> Any:
        metrics.append(np.asarray(states.adapt_state.inverse_mass_matrix))
        return states

    monkeypatch.setattr(mcmc, "_one_step_size", watched)
    sample(model, Pilot(), Sampling(chains=2, draws=CHUNK, warmup=4 * CHUNK), nesting=nesting)
    (after_warm_up,) = metrics
    assert (after_warm_up == 1.0).all() == (nesting is not None)
    assert (np.ptp(after_warm_up, axis=0) == 0.0).all() == (nesting is not None)  # else each chain has variances of its own
