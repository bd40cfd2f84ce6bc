"""The bakery whose bread is counted as it is reported: a triangle with an estimated delay."""

from dataclasses import replace

import jax.numpy as jnp
import numpyro
from bakery import model as bakery
from numpyro import distributions as dist

from bayestwin.laws.expected import Counts


class Data(bakery.Data):
    @property
    def coords(self):
        delay = self.access.out(self.grid).coords["delay"]
        return super().coords | {"delay": delay, "shorter": delay[:-1]}


def prepare(study, hierarchy, observations):
    return Data(**vars(bakery.prepare(study, hierarchy, observations)))


def model(data, priors):
    customers, appetite, sd = (numpyro.sample(name, priors[name]) for name in bakery.PRIORS)
    level = numpyro.sample("shop_level", dist.Normal(jnp.zeros(len(data.shop)), sd))
    mean = jnp.broadcast_to(customers * appetite * jnp.exp(level), (len(data.weeks), len(data.shop)))
    law = Counts(mean, jnp.asarray(bakery.CONCENTRATION))
    numpyro.sample("bread", data.access.likelihood(law, data.grid, data.access.unknowns(data.grid, "bread_")), obs=data.ends)


def counted(data):
    low, high = data.ends[..., 0], data.ends[..., 1]
    return {"loaves": (low.sum(-1), (low == high).all(-1))}


MODEL = replace(
    bakery.MODEL,
    dims=bakery.MODEL.dims | {"bread_delay_baseline": ("shorter",)},
    observed=bakery.MODEL.observed | {"bread": ("week", "shop", "delay", "end")},
    prepare=prepare,
    model=model,
    counted=counted,
)
