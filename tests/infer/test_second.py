"""The second engine samples what the first one does, and says how far it is."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist

from bayestwin.components.informed import Evidence, Pilot
from bayestwin.credibility.agreement import Moments, apart, moments
from bayestwin.infer.mcmc import Draws, Progress, sample
from bayestwin.infer.second import sample_second
from bayestwin.infer.settings import Sampling

pm = pytest.importorskip("pymc")
pytest.importorskip("nutpie")

Y, ERROR = np.array([0.3, -1.2, 0.8, 0.1, 1.9, -0.4]), np.array([0.05, 0.5, 2.0, 0.05, 0.5, 2.0])
SAMPLING = Sampling(chains=2, draws=1000, warmup=500, seed=3)


def model() -> None:
    level = numpyro.sample("level", dist.Normal(0.0, 2.0))
    spread = numpyro.sample("spread", dist.HalfNormal(1.0))
    effect = numpyro.sample("effect", dist.Normal(jnp.full(6, level), spread))
    numpyro.deterministic("largest", effect.max())
    numpyro.sample("y", dist.Normal(effect, ERROR), obs=Y)


def in_pymc() -> pm.Model:
    with pm.Model() as made:
        effect = pm.Normal("effect", pm.Normal("level", 0.0, 2.0), pm.HalfNormal("spread", 1.0), shape=6)
        pm.Normal("y", effect, ERROR, observed=Y)
    return made


def moments_of(draws: Draws) -> Mapping[str, Moments]:
    import xarray as xr

    parts = {"level": draws.sites["level"], "spread": draws.sites["spread"], "largest": draws.sites["largest"]}
    parts |= {f"effect {i}": draws.sites["effect"][..., i] for i in range(6)}
    return {name: moments(xr.DataArray(values, dims=("chain", "draw"))) for name, values in parts.items()}


def test_both_engines_find_the_same_posterior_and_the_second_says_how_far_it_is() -> None:
    pilot, told = Pilot({"effect": lambda sites: Evidence(jnp.asarray(Y), jnp.asarray(ERROR**-2.0))}), list[Progress]()
    theirs, ours = sample_second(in_pymc, model, pilot, SAMPLING, told.append), sample(model, pilot, SAMPLING)
    assert theirs.stats["diverging"].shape == (2, 1000)
    assert set(theirs.sites) == set(ours.sites)
    for name, found in moments_of(ours).items():
        for part in ("mean", "sd"):
            assert apart(found, moments_of(theirs)[name], part) < 5.0, (name, part)
    assert {progress.total for progress in told} == {SAMPLING.warmup + SAMPLING.draws}
    done = [progress.done for progress in told]
    assert done == sorted(done)
    assert done[-1] > 0
