"""NUTS in chunks, all chains at once, so that progress can be shown and a run can be watched.

NumPyro's kernel does the sampling; this file drives it. Draws are kept on the unconstrained scale until the
end and turned into named quantities in one pass.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax.stages import Lowered
from numpyro.distributions import biject_to
from numpyro.handlers import seed, trace
from numpyro.infer import NUTS
from numpyro.infer.util import constrain_fn, potential_energy

from bayestwin.components.informed import Pilot, informed
from bayestwin.infer.settings import Sampling

AUXILIARY = ("_u", "_z")  # endings of the sites that parameterisations add
CHUNK = 25  # draws between two signs of life
WARMUP_DEPTH = 6  # no more than 63 leapfrog steps a draw before the metric is known


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
) -> Draws:
    """Sample a model's posterior by NUTS in the parameterisation that its pilot suggests.

    Args:
        model: NumPyro model without arguments, data closed over.
        pilot: what a first look said about its effects; `Pilot()` samples the model as written.
        sampling: chains, draws, warm-up, seed.
        watch: called after each chunk of draws.

    Returns:
        Draws of every latent and deterministic site, the pilot's auxiliary sites left out.
    """
    fast = informed(model, pilot)
    potential = partial(potential_energy, fast, (), {})
    settings = {"target_accept_prob": sampling.target_accept, "max_tree_depth": (WARMUP_DEPTH, 10)}
    split = _side_by_side(sampling.chains)
    centre = _first_values(fast, pilot)
    with ThreadPoolExecutor(1) as aside:  # the long compilation goes on while the chains' starts are found
        compiling = aside.submit(_chunk(NUTS(potential_fn=potential, **settings), centre, sampling, split).compile)
        value_and_slope = jax.jit(jax.value_and_grad(potential))
        kernel = NUTS(potential_fn=_compiled_once(value_and_slope), inverse_mass_matrix=_first_scales(value_and_slope, centre), **settings)
        # Placed before the first step: a program is compiled for where its arguments lie.
        states = jax.device_put(_start(kernel, centre, sampling), split)
        step = compiling.result()
    kept, divergences = [], 0
    total = sampling.warmup + sampling.draws
    for done in range(0, total, CHUNK):
        states, (z, stats) = step(states)
        warm = np.arange(done, done + CHUNK) >= sampling.warmup
        warm &= np.arange(done, done + CHUNK) < total
        stats = {name: np.asarray(value)[:, warm] for name, value in stats.items()}
        divergences += int(stats["diverging"].sum())
        if warm.any():
            kept.append(({name: np.asarray(value)[:, warm] for name, value in z.items()}, stats))
        leapfrogs = float(np.mean(np.asarray(states.num_steps)))
        watch(Progress(min(done + CHUNK, total), total, divergences, leapfrogs))
    z, stats = (jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *column) for column in zip(*kept, strict=True))
    sites = _natural(partial(constrain_fn, fast, (), {}, return_deterministic=True), z)
    return Draws({name: value for name, value in sites.items() if not name.endswith(AUXILIARY)}, stats)


def _first_values(model: Callable[[], None], pilot: Pilot) -> dict[str, jax.Array]:
    """Where chains begin, on the unconstrained scale: the pilot's values, the prior mean of what it leaves out."""

    def value(name: str, law: dist.Distribution) -> jax.Array:
        known = 0.0 if name.endswith(AUXILIARY) else pilot.start.get(name, law.mean)
        return jnp.broadcast_to(jnp.asarray(known, float), law.shape())

    def run() -> dict[str, jax.Array]:
        found = trace(seed(model, jax.random.key(0))).get_trace()
        latent = {name: site["fn"] for name, site in found.items() if site["type"] == "sample" and not site["is_observed"]}
        return {name: biject_to(law.support).inv(value(name, law)) for name, law in latent.items()}

    return jax.jit(run)()


def _compiled_once(value_and_slope: Callable[[dict], tuple[jax.Array, dict]]) -> Callable[[dict], jax.Array]:
    """The potential as one compiled program, gradient included, for calls outside a loop."""

    @jax.custom_vjp
    def compiled(z: dict) -> jax.Array:
        return value_and_slope(z)[0]

    compiled.defvjp(value_and_slope, lambda gradient, weight: (jax.tree.map(lambda g: weight * g, gradient),))
    return compiled


def _first_scales(value_and_slope: Callable, z: dict) -> np.ndarray:
    """Variances to begin adaptation with: one for data-informed effects, 1 / curvature for every other unknown.

    The effects are scaled by construction; the few scales and levels above them are not, and one of them left
    at unit scale would dictate a tiny step to all.
    """
    flat, unravel = ravel_pytree(z)
    scaled = np.asarray(ravel_pytree({name: jnp.full(jnp.shape(v), name.endswith("_u")) for name, v in z.items()})[0])
    others = np.flatnonzero(~scaled)
    step = 1e-4

    def slope(index: int, size: float) -> float:
        return float(ravel_pytree(value_and_slope(unravel(flat.at[index].add(size)))[1])[0][index])

    curvatures = [(slope(index, step) - slope(index, -step)) / (2.0 * step) for index in map(int, others)]
    scales = np.ones(flat.shape[0])
    scales[others] = 1.0 / np.clip(curvatures, 1.0, 1e4)
    return scales


def _start(kernel: NUTS, z: dict, sampling: Sampling) -> Any:
    """One state a chain, started apart: effects by a third of their own units, the rest by a twentieth."""
    rng = np.random.default_rng(sampling.seed)

    def apart() -> dict:
        return {name: value + (0.3 if name.endswith("_u") else 0.05) * rng.standard_normal(np.shape(value)) for name, value in z.items()}

    states = [
        kernel.init(key, sampling.warmup, apart(), (), {}) for key in jax.random.split(jax.random.key(sampling.seed), sampling.chains)
    ]
    return jax.tree.map(lambda *parts: jnp.stack(parts), *states)


def _side_by_side(chains: int) -> NamedSharding | None:
    """One device a chain, or None where there are too few and chains go in lockstep."""
    if jax.local_device_count() < chains:
        return None
    mesh = Mesh(np.array(jax.local_devices()[:chains]), ("chain",))
    return NamedSharding(mesh, PartitionSpec("chain"))


def _chunk(kernel: NUTS, z: dict, sampling: Sampling, split: NamedSharding | None) -> Lowered:
    """The program that takes all chains `CHUNK` draws further, ready to be compiled."""

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

    one = jax.eval_shape(lambda key: kernel.init(key, sampling.warmup, z, (), {}), jax.random.key(0))
    states = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((sampling.chains, *leaf.shape), leaf.dtype, sharding=split), one)
    if split is None:
        return jax.jit(jax.vmap(chunk)).lower(states)
    alone = jax.shard_map(partial(_first_chain, chunk), mesh=split.mesh, in_specs=split.spec, out_specs=split.spec, check_vma=False)
    return jax.jit(alone).lower(states)


def _first_chain(step: Callable, states: Any) -> Any:
    """A device's share is one chain, its leading axis kept."""
    return jax.tree.map(lambda leaf: leaf[None], step(jax.tree.map(lambda leaf: leaf[0], states)))


def _natural(postprocess: Callable, z: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Constrain and add deterministic sites, draw by draw in one compiled loop."""
    shape = next(iter(z.values())).shape[:2]
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in z.items()}
    sites = jax.jit(lambda draws: jax.lax.map(postprocess, draws, batch_size=50))(flat)
    return {name: np.asarray(value).reshape(*shape, *value.shape[1:]) for name, value in sites.items()}
