"""NUTS in chunks, all chains at once, so that progress can be shown and a run can be watched.

NumPyro's kernel does the sampling; this file drives it. Draws are kept on the unconstrained scale until the
end and turned into named quantities in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpyro import distributions as dist
from numpyro.distributions import biject_to
from numpyro.handlers import seed, trace
from numpyro.infer import NUTS
from numpyro.infer.util import ParamInfo, constrain_fn, potential_energy

from bayestwin.components.informed import Pilot, informed
from bayestwin.infer.settings import Sampling
from bayestwin.infer.whiten import layout, whitened

CHUNK = 25  # draws between two signs of life
WARMUP_DEPTH = 6  # no more than 63 leapfrog steps a draw before the metric is known
FIRST_STEP = 0.1  # leapfrog step to begin adaptation with
FIRST_SD = 0.1  # scale to begin with of what is not data-informed: too small costs a slow start, too large a tiny step
FIRST_ENERGY = 1e9  # worse than any state that a transition could find


class Progress(NamedTuple):
    """What is known after a chunk.

    Attributes:
        done: iterations done in each chain, warm-up included.
        total: iterations to do in each chain.
        divergences: divergent transitions after warm-up, over all chains.
        leapfrogs: mean leapfrog steps a draw in the last chunk.
    """

    done: int
    total: int
    divergences: int
    leapfrogs: float


@dataclass(frozen=True)
class Draws:
    """A sampled posterior.

    Attributes:
        sites: natural quantities by site name, each (chain, draw, ...).
        stats: sampler statistics by ArviZ name, each (chain, draw).
    """

    sites: dict[str, np.ndarray]
    stats: dict[str, np.ndarray]


def sample(
    model: Callable[[], None],
    pilot: Pilot,
    sampling: Sampling,
    watch: Callable[[Progress], None] = lambda progress: None,
    axes: Mapping[str, int] | None = None,
) -> Draws:
    """Sample a model's posterior by NUTS in the parameterisation that its pilot suggests.

    Args:
        model: NumPyro model without arguments, data closed over.
        pilot: what a first look said about its effects; `Pilot()` samples the model as written.
        sampling: chains, draws, warm-up, seed.
        watch: called after each chunk of draws.
        axes: the axis of the units of each site that has one, where units are independent given the rest and the
            posterior is to be whitened by its curvature; not whitened if None.

    Returns:
        Draws of every latent and deterministic site, the pilot's auxiliary sites left out.
    """
    fast = informed(model, pilot)
    centre = _first_values(fast)
    flat, by_name = ravel_pytree(centre)
    units = ravel_pytree(_units(fast, centre))[0]
    potential: Callable[[jax.Array], jax.Array] = lambda x: potential_energy(fast, (), {}, by_name(x))  # noqa: E731
    back: Callable[[Any], Any] = lambda x: x  # noqa: E731 (what whitening would undo)
    if axes:
        back = whitened(potential, flat, layout(centre, _of_unknowns(centre, axes))).__call__
        flat, units = jnp.zeros_like(flat), jnp.ones_like(flat)
    kernel = NUTS(
        # One vector: of a state with a part for each site, the many small programs would take longer to compile than the model.
        potential_fn=lambda q: potential(back(q)),
        step_size=FIRST_STEP,
        inverse_mass_matrix=np.square(units),
        adapt_mass_matrix=not axes,  # variances of a short warm-up are noisier than the curvature that whitened them
        target_accept_prob=sampling.target_accept,
        max_tree_depth=(WARMUP_DEPTH, 10),
    )
    split = _side_by_side(sampling.chains)
    # Placed before the first step: a program is compiled for where its arguments lie.
    states = jax.device_put(_start(kernel, flat, units, sampling), split)
    step = _chunk(kernel, split)
    kept, divergences = [], 0
    total = sampling.warmup + sampling.draws
    for done in range(0, total, CHUNK):
        states, (z, stats) = step(states)
        warm = np.arange(done, done + CHUNK) >= sampling.warmup
        warm &= np.arange(done, done + CHUNK) < total
        stats = {name: np.asarray(value)[:, warm] for name, value in stats.items()}
        divergences += int(stats["diverging"].sum())
        if warm.any():
            kept.append((np.asarray(z)[:, warm], stats))
        if done < sampling.warmup <= done + CHUNK:
            states = _one_step_size(states)
        leapfrogs = float(np.mean(np.asarray(states.num_steps)))
        watch(Progress(min(done + CHUNK, total), total, divergences, leapfrogs))
    z, stats = (jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *column) for column in zip(*kept, strict=True))
    sites = _natural(lambda q: constrain_fn(fast, (), {}, by_name(back(q)), return_deterministic=True), z)
    return Draws({name: value for name, value in sites.items() if name not in fast.effects | fast.scales}, stats)


def _first_values(model: informed) -> dict[str, jax.Array]:
    """Where chains begin, on the unconstrained scale: the pilot's values, the prior mean of what it leaves out."""

    def value(name: str, law: dist.Distribution) -> jax.Array:
        known = 0.0 if name in model.effects | model.scales else model.pilot.start.get(name, law.mean)
        return jnp.broadcast_to(jnp.asarray(known, float), law.shape())

    def run() -> dict[str, jax.Array]:
        found = trace(seed(model, jax.random.key(0))).get_trace()
        latent = {name: site["fn"] for name, site in found.items() if site["type"] == "sample" and not site["is_observed"]}
        return {name: biject_to(law.support).inv(value(name, law)) for name, law in latent.items()}

    return jax.jit(run)()


def _of_unknowns(z: Mapping[str, jax.Array], axes: Mapping[str, int]) -> dict[str, int]:
    """The units' axes by the names that the sampler knows the sites by."""
    return {name: axes[site] for name in z if (site := name.removesuffix("_u")) in axes}


def _units(model: informed, z: dict) -> dict[str, np.ndarray]:
    """Scales to begin with: data-informed effects have unit scale by construction, the others begin small."""
    return {name: np.full(np.shape(value), 1.0 if name in model.effects else FIRST_SD) for name, value in z.items()}


def _start(kernel: NUTS, flat: jax.Array, units: jax.Array, sampling: Sampling) -> Any:
    """One state a chain, started apart by a third of its units.

    Energy and gradient of the start are left unknown: a program for them alone would take half as long to compile as the
    sampler. So the first transition, of the warm-up, leaves the start whatever its energy; from then on all is exact.
    """
    rng = np.random.default_rng(sampling.seed)
    apart = flat + 0.3 * units * rng.standard_normal((sampling.chains, flat.size))

    def one(key: jax.Array, start: jax.Array) -> Any:
        unknown = ParamInfo(start, jnp.array(FIRST_ENERGY), jnp.zeros_like(start))
        return kernel.init(key, sampling.warmup, unknown, (), {})

    return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(sampling.seed), sampling.chains), apart)


def _one_step_size(states: Any) -> Any:
    """Chains go on with the geometric mean of what each found in warm-up: one unlucky chain would keep all others waiting."""
    own = states.adapt_state.step_size
    shared = np.full(own.shape, np.exp(np.mean(np.log(np.asarray(own)))))
    return states._replace(adapt_state=states.adapt_state._replace(step_size=jax.device_put(shared, own.sharding)))


def _side_by_side(chains: int) -> NamedSharding | None:
    """One device a chain, or None where there are too few and chains go in lockstep."""
    if jax.local_device_count() < chains:
        return None
    mesh = Mesh(np.array(jax.local_devices()[:chains]), ("chain",))
    return NamedSharding(mesh, PartitionSpec("chain"))


def _chunk(kernel: NUTS, split: NamedSharding | None) -> Callable:
    """The compiled program that takes all chains `CHUNK` draws further."""

    def draw(state: Any, _: None) -> tuple:
        state = kernel.sample(state, (), {})
        stats = {
            "diverging": state.diverging,
            "energy": state.energy,
            "n_steps": state.num_steps,
            "acceptance_rate": state.accept_prob,
            "step_size": state.adapt_state.step_size,
            "lp": -state.potential_energy,
        }
        return state, (state.z, stats)

    def chunk(state: Any) -> tuple:
        return jax.lax.scan(draw, state, None, length=CHUNK)

    if split is None:
        return jax.jit(jax.vmap(chunk))
    alone = jax.shard_map(partial(_first_chain, chunk), mesh=split.mesh, in_specs=split.spec, out_specs=split.spec, check_vma=False)
    return jax.jit(alone)


def _first_chain(step: Callable, states: Any) -> Any:
    """A device's share is one chain, its leading axis kept."""
    return jax.tree.map(lambda leaf: leaf[None], step(jax.tree.map(lambda leaf: leaf[0], states)))


def _natural(postprocess: Callable, z: np.ndarray) -> dict[str, np.ndarray]:
    """Constrain and add deterministic sites, draw by draw in one compiled loop."""
    shape = z.shape[:2]
    sites = jax.jit(lambda draws: jax.lax.map(postprocess, draws, batch_size=50))(z.reshape(-1, z.shape[-1]))
    return {name: np.asarray(value).reshape(*shape, *value.shape[1:]) for name, value in sites.items()}
