"""Counts of each category by provider: a rate per referral in all, gamma-distributed over providers, seen through the rules.

A leaf category ℓ of a provider with published total N in set d is NB2 with mean N exp(a_dℓ) and concentration exp(b_dℓ); the
concentrations of a category in all sets are pooled. The largest leaf of each breakdown is what the others leave of the total:
its law is all but flat (concentration one, the whole total as mean), so that the total binds and says nothing else.

Rates are learnt from each leaf by itself. What a total adds about them is next to nothing (a few people beside thousands); what
it adds about single cells is much, and is used in full when those are drawn.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro import distributions as dist
from published import RULES, TOTAL, Published

from bayestwin.barriers import Access, Grid
from bayestwin.components.hierarchy import pooled
from bayestwin.components.informed import Pilot, seen, site
from bayestwin.infer.mcmc import Draws, Progress, sample
from bayestwin.infer.settings import Sampling
from bayestwin.laws.expected import Counts

LEAST = 2.0  # stands for a total that is hidden itself, as a measure of size only
FIRST_SPREAD = 0.2  # of log concentrations over sets, where the sampler begins


def size(data: Published) -> np.ndarray:
    """(row,) the size that rates refer to: the published total."""
    return np.maximum(data.values[:, data.columns.index(TOTAL)], LEAST)


def remainders(data: Published) -> tuple[str, ...]:
    """The largest leaf of each breakdown of the total."""
    breakdowns = [[leaf for leaf in data.leaves if leaf.startswith(part.split(":")[0])] for part in _first_parts(data)]
    largest = data.values.sum(0)
    return tuple(max(leaves, key=lambda leaf: largest[data.columns.index(leaf)]) for leaves in breakdowns)


def _first_parts(data: Published) -> list[str]:
    return [family.parts[0] for family in data.families if family.total == TOTAL]


def free_leaves(data: Published) -> tuple[str, ...]:
    """Leaves that have a rate of their own."""
    return tuple(leaf for leaf in data.leaves if leaf not in remainders(data))


def law(data: Published, log_rate: jnp.ndarray, log_concentration: jnp.ndarray, columns: tuple[str, ...]) -> Counts:
    """Counts of leaves, (..., row, column), from (..., set, free leaf) parameters."""
    free = free_leaves(data)

    def spread(values: jnp.ndarray) -> jnp.ndarray:
        padded = jnp.concatenate([values, jnp.zeros((*values.shape[:-1], 1))], axis=-1)
        index = np.array([free.index(column) if column in free else len(free) for column in columns])
        return jnp.exp(padded[..., data.which, :][..., index])

    return Counts(size(data)[:, None] * spread(log_rate), spread(log_concentration))


def model(data: Published) -> None:
    """Priors, rates, and leaves as they are published."""
    free, sets = free_leaves(data), len(data.sets)
    log_rate = numpyro.sample("log_rate", dist.Normal(jnp.full((sets, len(free)), -4.0), 3.0))
    spread = numpyro.sample("concentration_spread", dist.HalfNormal(0.5))
    level = numpyro.sample("concentration_level", dist.Normal(jnp.full(len(free), 0.5), 1.5))
    log_concentration = numpyro.sample("log_concentration", dist.Normal(jnp.broadcast_to(level, log_rate.shape), spread))
    grid = Grid({"row": np.arange(len(data.which)), "category": np.array(free)})
    counts = law(data, log_rate, log_concentration, free)
    numpyro.sample("counts", Access(releases=RULES).likelihood(counts, grid), obs=data.cells(free))


def pilot(data: Published) -> Pilot:
    """Crude rates and concentrations with hidden cells in the middle: they cost or save time, no more."""
    low, high = np.moveaxis(data.cells(free_leaves(data)), -1, 0)
    share = 0.5 * (low + high) / size(data)[:, None]
    each = [share[data.which == i] for i in range(len(data.sets))]
    mean, spread = np.stack([s.mean(0) for s in each]), np.stack([s.std(0) for s in each])
    concentration = np.clip(np.square(mean / spread), 0.2, 100.0)
    rows = np.bincount(data.which)[:, None]
    concentrations = seen(np.log(concentration), np.broadcast_to(rows / 2.0, concentration.shape))
    looks = {
        "log_rate": seen(np.log(mean), rows * concentration),
        "log_concentration": concentrations,
        "concentration_level": pooled(concentrations, site("concentration_spread")),
    }
    return Pilot(looks, {"concentration_spread": np.array(FIRST_SPREAD)})


def fit(data: Published, sampling: Sampling, watch: Callable[[Progress], None] = lambda progress: None) -> Draws:
    """Posterior of rates and concentrations."""
    return sample(lambda: model(data), pilot(data), sampling, watch)
