"""Many fits of one model to data sets of the same shape, by one compiled program: backtests, calibration checks, preposterior analysis.

The program takes the data as its argument, so that it is compiled once. Each fit finds the mode, whitens by the curvature there and draws
by quarter turns, all inside the program. On a CPU the fits run side by side, a thread for each core; on a GPU they run batch by
batch, every operation over all data sets of a batch, and what is to be kept of each is found by the processor's cores.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float
from numpyro.infer.util import constrain_fn, potential_energy
from threadpoolctl import threadpool_limits

from bayestwin.components.informed import Pilot, informed
from bayestwin.infer.descent import lowest
from bayestwin.infer.mcmc import FIRST_STEP, SURE, Draws, first_values, record
from bayestwin.infer.settings import Sampling
from bayestwin.infer.turns import Turning, begin, turn
from bayestwin.infer.whiten import inverse_root, scales

BATCH = 512  # data sets at once on a GPU: some gigabytes of draws
APART = 0.3  # sd of the chains' starts in whitened units
TRIALS = 150  # on the way to the mode at most
PROBES = 8  # columns of the curvature at once: more leave the fast memory


def sample_many(
    model: Callable[[Any], None],
    data: Any,
    sampling: Sampling,
    pilot: Callable[[Any], Pilot] = lambda one: Pilot(),
    of: Callable[[Draws], Any] = lambda draws: draws,
) -> Iterator[Any]:
    """Sample the posteriors of one model given each of many data sets.

    Args:
        model: NumPyro model of one data set; what it reads from it are traced arrays. Data sets of unequal size are padded, and the model
            masks what is not there.
        data: arrays (any tree of them), leading axis data set.
        sampling: chains, draws, warm-up, seed; data set i has the randomness of (seed, i) whatever runs beside it.
        pilot: what a first look says about the model's effects, from one data set.
        of: what to keep of a fit, called as soon as it is done; a fit's draws are not kept beside it.

    Yields:
        What is kept of each fit, in the order of the data sets.

    Example:
        >>> import numpyro, numpyro.distributions as dist
        >>> def model(y):
        ...     mean = numpyro.sample("mean", dist.Normal(0.0, 1.0))
        ...     numpyro.sample("y", dist.Normal(mean, 1.0), obs=y)
        >>> fits = sample_many(model, np.array([[1.0, 3.0], [0.0, 0.0]]), Sampling(chains=2, draws=500, warmup=50))
        >>> [round(float(draws.sites["mean"].mean()), 0) for draws in fits]
        [1.0, 0.0]
    """
    size = len(jax.tree.leaves(data)[0])
    keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(sampling.seed)))(jnp.arange(size))
    cores = os.cpu_count() or 1
    together = jax.default_backend() != "cpu"
    fit = partial(_fit, model, pilot, sampling, _side_by_side if together else jax.lax.map)
    at_once, workers, program = (min(BATCH, size), 1, jax.jit(jax.vmap(fit))) if together else (1, cores, jax.jit(fit))

    def run(first: int) -> list[Any]:
        part = np.arange(first, min(first + at_once, size))
        index = part if together else first
        sites, stats = jax.device_get(program(jax.tree.map(lambda leaf: leaf[index], data), keys[index]))
        if not together:
            return [of(Draws(sites, stats))]
        return list(keeping.map(lambda i: of(Draws(*jax.tree.map(lambda leaf: leaf[i], (sites, stats)))), range(len(part))))

    # A core works on each fit already: a BLAS with threads of its own makes a root of 180 unknowns wait a hundred times as long on a busy machine.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool, ThreadPoolExecutor(cores) as keeping:
        waiting: deque = deque()
        for first in range(0, size, at_once):
            waiting.append(pool.submit(run, first))
            if len(waiting) > 2 * workers:  # no further ahead than that: fits that nobody has asked for take memory
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _fit(
    model: Callable, pilot: Callable, sampling: Sampling, each: Callable, data: Any, key: Array
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Sites and statistics of one data set, each (chain, draw, ...); `each` goes over chains and draws, one by one or side by side."""
    fast = informed(partial(model, data), pilot(data))
    flat, by_name = ravel_pytree(first_values(fast))

    def plain(q: Float[Array, " unknown"]) -> Array:
        return potential_energy(fast, (), {}, by_name(q))

    centre = lowest(plain, flat, TRIALS)
    root = inverse_root(_curvature(plain, centre))
    third = sampling.warmup // 3
    last = sampling.warmup - 2 * third
    stages = jnp.array([third, third, last, sampling.draws])

    def chain(root: Array, count: Array, state: Turning) -> tuple[Turning, tuple]:
        """Some draws further; room for as many as any stage has."""

        def draw(i: Array, so_far: tuple) -> tuple:
            state = turn(lambda q: plain(centre + root @ q), so_far[0], sampling.warmup, max(sampling.target_accept, SURE))
            return state, jax.tree.map(lambda all_of_them, one: all_of_them.at[i].set(one), so_far[1], record(state))

        room = max(last, sampling.draws)
        told = jax.tree.map(lambda leaf: jnp.zeros((room, *leaf.shape), leaf.dtype), jax.eval_shape(record, state))
        return jax.lax.fori_loop(0, count, draw, (state, told))

    def stage(i: Array, so_far: tuple) -> tuple:
        """All chains; new units from the second third of the warm-up. The stages are a loop, so that the sampler is compiled once."""
        states, told = each(partial(chain, so_far[1], stages[i]), so_far[0])
        z, gradient = (part[:, :third].reshape(-1, flat.size) for part in told[:2])
        scale = jnp.where(i == 1, scales(z, gradient), 1.0)
        return states._replace(z=states.z / scale, z_grad=states.z_grad * scale), so_far[1] * scale, told

    for_starts, for_turns = jax.random.split(key)
    apart = APART * jax.random.normal(for_starts, (sampling.chains, flat.size))
    begun = jax.vmap(partial(begin, step=FIRST_STEP))(jax.random.split(for_turns, sampling.chains), apart), root
    told = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(stage, jnp.array(0), begun)[2])
    _, root, told = jax.lax.fori_loop(0, len(stages), stage, (*begun, told))
    z, _, stats = jax.tree.map(lambda leaf: leaf[:, : sampling.draws], told)
    named = each(lambda q: constrain_fn(fast, (), {}, by_name(centre + root @ q), return_deterministic=True), z.reshape(-1, flat.size))
    kept = {name: value for name, value in named.items() if name not in fast.effects | fast.scales}
    return {name: value.reshape(*z.shape[:2], *value.shape[1:]) for name, value in kept.items()}, stats


def _side_by_side(one: Callable, of_many: Any) -> Any:
    return jax.vmap(one)(of_many)


def _curvature(potential: Callable, at: Float[Array, " unknown"]) -> Float[Array, "unknown unknown"]:
    """Second derivatives, some columns at a time."""
    slope = jax.grad(potential)
    return jax.lax.map(lambda along: jax.jvp(slope, (at,), (along,))[1], jnp.eye(at.size), batch_size=PROBES)
