"""The reference problem in bayestwin: the model as a modeller writes it with its components."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro import distributions as dist
from speed_engine import PARAMETERS, Asked, Sampled, compile_clock, run
from speed_problem import CONCENTRATION, LEVEL, SD_CLINIC, SD_LEVEL, SD_PROVIDER, SD_WALK, STREAMS, Counts

from bayestwin.components.counted import count_looks
from bayestwin.components.hierarchy import Level, hierarchy
from bayestwin.components.informed import Pilot, site
from bayestwin.components.trend import random_walk
from bayestwin.infer.device import prepare_device
from bayestwin.infer.mcmc import sample
from bayestwin.infer.nesting import Nesting
from bayestwin.infer.settings import Sampling
from bayestwin.laws.counts import NegativeBinomial


def by_stream(value: float) -> np.ndarray:
    """The same for every stream."""
    return np.full(STREAMS, value)


def model(data: Counts) -> None:
    """Providers in clinics, weekly counts of several streams."""
    concentration = numpyro.sample("concentration", dist.LogNormal(by_stream(CONCENTRATION[0]), by_stream(CONCENTRATION[1])))
    looks = count_looks(data.counts, data.seen, site("concentration"))
    walk = random_walk("trend", len(data.counts), dist.HalfNormal(by_stream(SD_WALK)), looks.coefficients)
    prior = dist.Normal(by_stream(LEVEL), by_stream(SD_LEVEL))
    clinics = Level("clinic", dist.HalfNormal(by_stream(SD_CLINIC)), np.zeros(data.clinic_of.max() + 1, int))
    providers = Level("provider", dist.HalfNormal(by_stream(SD_PROVIDER)), data.clinic_of)
    seen, clinic, provider = hierarchy("seen_level", walk.seen_level(prior), [clinics, providers], looks.units)
    mean = jnp.exp(provider + walk.departure[:, None])
    numpyro.sample("counts", NegativeBinomial(mean, concentration).mask(data.seen), obs=data.counts)
    _, trend = walk.split("level", prior, seen)
    numpyro.deterministic("trend", trend)
    numpyro.deterministic("clinic_effect", clinic - seen)
    numpyro.deterministic("provider_effect", provider - clinic[data.clinic_of])


NAMES = {"provider": 0}, {"clinic": 0}


def engine(data: Counts, asked: Asked) -> Sampled:
    """Sample it."""
    compiled = compile_clock()
    prepare_device()
    sampling = Sampling(chains=asked.chains, warmup=asked.warmup, draws=asked.draws, seed=asked.seed)
    draws = sample(partial(model, data), Pilot(), sampling, nesting=Nesting(*NAMES, data.clinic_of))
    return Sampled({name: draws.sites[name] for name in PARAMETERS}, int(draws.stats["n_steps"].sum()), compiled())


if __name__ == "__main__":
    run(engine)
