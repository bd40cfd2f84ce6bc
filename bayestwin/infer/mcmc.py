"""HMC in chunks, a thread for each chain, so that progress can be shown and a run can be watched.

NumPyro's NUTS does the sampling or, where a posterior is whitened, trajectories of about a quarter turn; this file drives them.
Draws are kept on the unconstrained scale until the end and turned into named quantities in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro import distributions as dist
from numpyro.distributions import biject_to
from numpyro.handlers import seed, substitute, trace
from numpyro.infer.hmc import hmc
from numpyro.infer.util import ParamInfo, constrain_fn, potential_energy

from bayestwin.components.informed import Pilot, informed
from bayestwin.infer.checkpoint import Checkpoint, Reached
from bayestwin.infer.device import over_draws
from bayestwin.infer.nesting import Nesting
from bayestwin.infer.settings import Sampling
from bayestwin.infer.turns import FIRST_ENERGY, Turning, turn
from bayestwin.infer.turns import begin as first_turn
from bayestwin.infer.whiten import Layout, Whitening, layout, scales, unchanged, whitened
from bayestwin.laws.collapsed import collapsed

SURE = 0.9  # least acceptance of quarter turns: at NUTS's usual 0.8 their steps are so long that a rare state cannot bear them
CHUNK = 25  # draws between two signs of life
WARMUP_DEPTH = 6  # no more than 63 leapfrog steps a draw before the metric is known
FIRST_STEP = 0.1  # step to begin adaptation with
FIRST_SD = 0.1  # scale to begin with of what is not data-informed: too small costs a slow start, too large a tiny step


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

    @property
    def words(self) -> str:
        """For people who wait."""
        return f"{self.done}/{self.total} draws, {self.divergences} divergences, {self.leapfrogs:.0f} steps a draw"


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
    nesting: Nesting | None = None,
    checkpoint: Checkpoint | None = None,
) -> Draws:
    """Sample a model's posterior by Hamiltonian Monte Carlo in the parameterisation that its pilot suggests.

    Args:
        model: NumPyro model without arguments, data closed over.
        pilot: what a first look said about its effects; `Pilot()` samples the model as written.
        sampling: chains, draws, warm-up, seed.
        watch: called after each chunk of draws.
        nesting: of units that are independent given the rest, where the posterior is to be whitened by its curvature; not
            whitened if None.
        checkpoint: where chains are saved on their way, and gone on with if they were saved there before: the draws are the same.

    Returns:
        Draws of every latent site, and in single precision of every deterministic one; the pilot's auxiliary sites left out.
    """
    return next(_sampled(unnormalised(model, pilot, nesting), [()], sampling, watch, checkpoint))


def sample_each(
    model: Callable[[Any], None], data: Sequence[Any], pilot: Pilot, sampling: Sampling, nesting: Nesting | None = None
) -> Iterator[Draws]:
    """Sample one model's posterior given each of several data sets as `sample` does, by programs that are compiled once.

    For posteriors of a thousand unknowns, whose programs take longer to compile than to run; `sample_many` is for small ones by the hundred.

    Args:
        model: NumPyro model of one data set; what it reads from it are traced arrays, so that counts are not summed over distinct values.
        data: data sets, arrays (any tree of them) of the same shapes.
        pilot: what a first look said about the model's effects; the same for all.
        sampling: chains, draws, warm-up, seed; data set i has the seed that is i more.
        nesting: as of `sample`.

    Yields:
        Draws given each data set, in their order.

    Example:
        >>> import numpyro
        >>> def model(y):
        ...     mean = numpyro.sample("mean", dist.Normal(0.0, 1.0))
        ...     numpyro.sample("y", dist.Normal(mean, 1.0), obs=y)
        >>> fits = sample_each(model, [np.array([1.0, 3.0]), np.zeros(2)], Pilot(), Sampling(chains=2, draws=500, warmup=100))
        >>> [round(float(draws.sites["mean"].mean()), 0) + 0.0 for draws in fits]
        [1.0, 0.0]
    """
    return _sampled(unnormalised(model, pilot, nesting, data[0]), [(one,) for one in data], sampling)


def _sampled(
    posterior: Unnormalised,
    data: Sequence[tuple],
    sampling: Sampling,
    watch: Callable[[Progress], None] = lambda progress: None,
    checkpoint: Checkpoint | None = None,
) -> Iterator[Draws]:
    """Draws given each data set, which are the arguments of the posterior's model."""
    size, places = posterior.start.size, posterior.places
    draws = jax.ShapeDtypeStruct((sampling.chains * sampling.draws, size), posterior.start.dtype)
    with ThreadPoolExecutor(sampling.chains + 2) as pool:  # chains that are threads, and two programs being compiled
        plan = turns(posterior, sampling, pool, data[0]) if places else _nuts(posterior, sampling, pool, data[0])
        common = unchanged(places) if places else None, data[0]
        to_natural = pool.submit(over_draws(lambda q, common: posterior.named(q, *common), draws, common))
        for i, one in enumerate(data):
            z, stats, found = _run(plan(sampling.seed + i, one), sampling, pool, watch, checkpoint)
            sites = to_natural.result()(z.reshape(-1, size), (found, one))
            kept = {name: value for name, value in sites.items() if name not in posterior.auxiliary}
            yield Draws({name: value.reshape(*z.shape[:2], *value.shape[1:]) for name, value in kept.items()}, stats)


@dataclass(frozen=True)
class Unnormalised:
    """A posterior on flat unknowns, which may be whitened.

    Attributes:
        model: in the parameterisation that its pilot suggests.
        start: where to begin, flat.
        by_name: from flat to unknowns by name.
        names: of the unknowns.
        places: of the unknowns, where it is to be whitened.
    """

    model: informed
    start: jax.Array
    by_name: Callable[[jax.Array], dict[str, jax.Array]]
    names: frozenset[str]
    places: Layout | None

    @property
    def auxiliary(self) -> set[str]:
        """Sites that stand for others."""
        return self.model.effects | self.model.scales

    # One vector: of a state with a part for each site, the many small programs would take longer to compile than the model.
    def unknowns(self, q: jax.Array, found: Whitening | None) -> dict[str, jax.Array]:
        """Unknowns by name."""
        return self.by_name(found(q, self.places) if found and self.places else q)

    def potential(self, q: jax.Array, found: Whitening | None, data: tuple = ()) -> jax.Array:
        """Minus the log density."""
        return potential_energy(self.model, data, {}, self.unknowns(q, found))

    def named(self, q: jax.Array, found: Whitening | None, data: tuple = ()) -> dict[str, jax.Array]:
        """Every site, deterministic ones in single precision."""
        values = constrain_fn(self.model, data, {}, self.unknowns(q, found), return_deterministic=True)
        latent = {name[:-2] if name in self.auxiliary else name for name in self.names}
        return {name: value if name in latent else value.astype(jnp.float32) for name, value in values.items()}

    def flat(self, values: dict[str, jax.Array]) -> jax.Array:
        """Flat unknowns, not whitened, of the values of sampled sites."""
        known = informed(self.model.fn, self.model.pilot, values)
        found = trace(seed(substitute(known, values), jax.random.key(0))).get_trace()
        sites = {name: found[name] for name in self.names}
        return ravel_pytree(
            {
                name: site["value"] if name in self.auxiliary else biject_to(site["fn"].support).inv(site["value"])
                for name, site in sites.items()
            }
        )[0]


def unnormalised(model: Callable[..., None], pilot: Pilot, nesting: Nesting | None, *data: Any) -> Unnormalised:
    """A model's posterior in the parameterisation that its pilot suggests; arguments as for `sample`, and one data set if the model takes it."""
    fast = informed(collapsed(model), pilot)
    centre = first_values(fast, *data)
    flat, by_name = ravel_pytree(centre)
    return Unnormalised(fast, flat, by_name, frozenset(centre), layout(centre, nesting.of_unknowns(centre)) if nesting else None)


class Chains(NamedTuple):
    """Chains that are ready to go.

    Attributes:
        states: of the sampler, one a chain.
        program: (state, whitening, reach, count) -> the state `count` draws on, and what is told of each.
        whiten: finds the whitening, or None.
        places: of its unknowns.
    """

    states: list[Any]
    program: Callable
    whiten: Callable[[], Whitening | None] = lambda: None
    places: Layout | None = None


def _run(
    chains: Chains, sampling: Sampling, pool: ThreadPoolExecutor, watch: Callable[[Progress], None], checkpoint: Checkpoint | None
) -> tuple[np.ndarray, dict[str, np.ndarray], Whitening | None]:
    """Warm up and draw, chunk by chunk; go on from the checkpoint if chains were saved there, and leave them there however this ends.

    Returns:
        States and statistics (chain, draw, ...) of the draws that are kept, and the last whitening.
    """
    total = sampling.warmup + sampling.draws
    reached = checkpoint.load(Reached(0, chains.states, unchanged(chains.places) if chains.places else None)) if checkpoint else None
    reached = reached or Reached(0, chains.states, chains.whiten())
    try:
        while reached.done < total:
            reached = _further(chains, reached, sampling, pool)
            divergences = sum(int(stats["diverging"].sum()) for _, stats in reached.kept)
            leapfrogs = float(np.mean([state.num_steps for state in reached.states]))
            watch(Progress(min(reached.done, total), total, divergences, leapfrogs))
            if checkpoint:
                checkpoint.now_and_then(reached)
    finally:
        if checkpoint:
            checkpoint.save(reached)
    z, stats = (jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *column) for column in zip(*reached.kept, strict=True))
    return z, stats, reached.found


def _further(chains: Chains, reached: Reached, sampling: Sampling, pool: ThreadPoolExecutor) -> Reached:
    """All chains a chunk further, a thread for each."""
    done, states, found, window, kept = reached
    further = pool.map(lambda state: jax.device_get(chains.program(state, found, 1.0, CHUNK)), states)
    states, told = map(list, zip(*further, strict=True))
    z, gradient, stats = jax.tree.map(lambda *leaf: np.stack(leaf), *told)
    numbers = np.arange(done, done + CHUNK)
    keep = (numbers >= sampling.warmup) & (numbers < sampling.warmup + sampling.draws)
    if keep.any():
        kept = (*kept, (z[:, keep], {name: value[:, keep] for name, value in stats.items()}))
    if done < sampling.warmup <= done + CHUNK:
        states, window = _one_step_size(states), ()
    elif done + CHUNK < sampling.warmup and found and chains.places:
        window = (*window, (z, gradient))
        if (chunks := done // CHUNK + 1).bit_count() == 1:  # windows that double
            if chunks > 1:  # the first chunk is on its way only
                states, found = _rescaled(states, found, chains.places, window)
            window = ()
    return Reached(done + CHUNK, states, found, window, kept)


def _rescaled(states: list[Any], found: Whitening, places: Layout, window: Sequence) -> tuple[list[Any], Whitening]:
    """Chains and whitening about the middle, and in the units, of a window of warm-up draws and gradients of all chains.

    The mode of many effects and their spread lies far from where the draws are, and rotations are exact about the centre only.
    """
    q, gradient = (np.concatenate(part, axis=1).reshape(-1, states[0].z.shape[-1]) for part in zip(*window, strict=True))
    middle, scale = q.mean(0), scales(q, gradient)
    moved = [state._replace(z=(state.z - middle) / scale, z_grad=state.z_grad * scale) for state in states]
    return moved, found.about(middle, places).scaled(scale, places)


def _one_step_size(states: list[Any]) -> list[Any]:
    """Chains go on with the geometric mean of what each found in warm-up: one unlucky chain would keep all others waiting."""
    shared = np.exp(np.mean([np.log(state.adapt_state.step_size) for state in states]))
    return [state._replace(adapt_state=state.adapt_state._replace(step_size=shared)) for state in states]


def turns(posterior: Unnormalised, sampling: Sampling, pool: ThreadPoolExecutor, data: tuple = ()) -> Callable[[int, tuple], Chains]:
    """Chains of quarter turns in whitened coordinates by seed and data set, once their program is compiled: it looks for the mode, too."""
    potential, flat, places = posterior.potential, posterior.start, posterior.places
    assert places is not None
    target = max(sampling.target_accept, SURE)

    def step(state: Turning, found: Whitening, data: tuple, reach: jax.Array) -> Turning:
        return turn(partial(potential, found=found, data=data), state, sampling.warmup, target, reach)

    begin = partial(_apart, partial(first_turn, step=FIRST_STEP), jnp.zeros(flat.size), jnp.ones(flat.size), sampling.chains)
    compiling = _compiling(step, begin(sampling.seed)[0], unchanged(places), data, pool)

    def ready(seed: int, data: tuple) -> Chains:
        program, states = partial(compiling.result(), data=data), begin(seed)

        def look(q: np.ndarray, found: Whitening) -> tuple[float, np.ndarray]:
            at, _ = program(states[0]._replace(z=q, z_grad=np.zeros_like(q)), found, 0.0, 1)  # both stay where nothing can be computed
            return float(at.potential_energy), np.asarray(at.z_grad)

        return Chains(states, program, lambda: whitened(look, np.asarray(flat, float), places, pool.map), places)

    return ready


def _nuts(posterior: Unnormalised, sampling: Sampling, pool: ThreadPoolExecutor, data: tuple) -> Callable[[int, tuple], Chains]:
    """Chains of the No-U-Turn sampler by seed and data set, once their program is compiled.

    Energy and gradient of the start are left unknown: a program for them alone would take half as long to compile as the
    sampler. So the first transition, of the warm-up, leaves the start whatever its energy; from then on all is exact.
    """
    start, step = hmc(potential_fn_gen=lambda data: partial(posterior.potential, found=None, data=data), algo="NUTS")
    flat, units = posterior.start, _units(posterior)

    def begin(key: jax.Array, at: jax.Array) -> Any:
        return start(
            ParamInfo(at, jnp.array(FIRST_ENERGY), jnp.zeros_like(at)),
            sampling.warmup,
            step_size=FIRST_STEP,
            inverse_mass_matrix=jnp.square(units),
            trajectory_length=None,
            max_tree_depth=(WARMUP_DEPTH, 10),
            target_accept_prob=sampling.target_accept,
            model_args=(data,),
            rng_key=key,
        )

    states = partial(_apart, begin, flat, units, sampling.chains)
    compiling = _compiling(lambda state, found, data, reach: step(state, (data,)), states(sampling.seed)[0], None, data, pool)
    return lambda seed, data: Chains(states(seed), partial(compiling.result(), data=data))


def _compiling(step: Callable, state: Any, found: Whitening | None, data: tuple, pool: ThreadPoolExecutor) -> Future:
    """The program that takes a chain some draws further, no more than `CHUNK`, in a thread of its own: the others run beside it."""

    def chunk(state: Any, found: Whitening | None, reach: jax.Array, count: jax.Array, data: tuple) -> tuple:
        def draw(i: jax.Array, so_far: tuple) -> tuple:
            state = step(so_far[0], found, data, reach)
            return state, jax.tree.map(lambda all_of_them, one: all_of_them.at[i].set(one), so_far[1], record(state))

        told = jax.tree.map(lambda leaf: jnp.zeros((CHUNK, *leaf.shape), leaf.dtype), jax.eval_shape(record, state))
        return jax.lax.fori_loop(0, count, draw, (state, told))

    return pool.submit(jax.jit(chunk).lower(state, found, 1.0, CHUNK, data=data).compile)


def record(state: Any) -> tuple:
    """What is kept of a state: unknowns, gradient and statistics by ArviZ name."""
    stats = {
        "diverging": state.diverging,
        "energy": state.energy,
        "n_steps": state.num_steps,
        "acceptance_rate": state.accept_prob,
        "step_size": state.adapt_state.step_size,
        "lp": -state.potential_energy,
    }
    return state.z, state.z_grad, stats


def first_values(model: informed, *data: Any) -> dict[str, jax.Array]:
    """Where chains begin, on the unconstrained scale: the pilot's values, the prior mean of what it leaves out, the median where there is no mean."""

    def value(name: str, law: dist.Distribution) -> jax.Array:
        if name in model.effects | model.scales:
            return jnp.zeros(law.shape())
        known = model.pilot.start[name] if name in model.pilot.start else _middle(law)
        return jnp.broadcast_to(jnp.asarray(known, float), law.shape())

    def run() -> dict[str, jax.Array]:
        found = trace(seed(model, jax.random.key(0))).get_trace(*data)
        latent = {name: site["fn"] for name, site in found.items() if site["type"] == "sample" and not site["is_observed"]}
        return {name: biject_to(law.support).inv(value(name, law)) for name, law in latent.items()}

    return jax.jit(run)()


def _middle(law: dist.Distribution) -> jax.Array:
    if isinstance(law, dist.Cauchy | dist.StudentT):  # their means need not exist
        return law.loc
    if isinstance(law, dist.LKJCholesky):  # its mean is no factor of a correlation
        return jnp.broadcast_to(jnp.eye(law.dimension), law.shape())
    return law.scale if isinstance(law, dist.HalfCauchy) else law.mean


def _units(posterior: Unnormalised) -> jax.Array:
    """Scales to begin with, flat: data-informed effects have unit scale by construction, the others begin small."""
    of_effects = posterior.model.effects
    each = posterior.by_name(posterior.start).items()
    return ravel_pytree({name: np.full(np.shape(value), 1.0 if name in of_effects else FIRST_SD) for name, value in each})[0]


def _apart(begin: Callable, flat: jax.Array, units: jax.Array, chains: int, seed: int) -> list[Any]:
    """A state for each chain, started apart by a third of its units."""
    apart = flat + 0.3 * units * np.random.default_rng(seed).standard_normal((chains, flat.size))
    states = jax.jit(jax.vmap(begin))(jax.random.split(jax.random.key(seed), chains), apart)
    return [jax.tree.map(lambda leaf, chain=chain: leaf[chain], states) for chain in range(chains)]
