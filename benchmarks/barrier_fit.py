"""One compiled fit for all replicates of a case: NumPyro's NUTS in coordinates that a first look at the data suggests.

The first look is Newton's method with the units' spread held fixed. It says how much the data tell about each unit and how
that moves with the other unknowns, so that the units can be sampled data-informed and the others decorrelated. All of it is
a change of variables: a poor look costs effective draws, which are counted, never correctness.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro.distributions import biject_to, constraints
from numpyro.handlers import condition, seed, substitute, trace
from numpyro.infer import NUTS
from numpyro.infer.util import ParamInfo, potential_energy

from bayestwin.components.informed import Evidence, Pilot, informed

WARMUP, DRAWS = 150, 400
NEWTON_STEPS, FIXED_SPREAD, SPREAD_SD = 10, 0.4, 0.3
TARGET_ACCEPT, FIRST_STEP, DEPTH = 0.85, 0.5, 6
Model = Callable[[Mapping[str, Any]], dict[str, Any]]


class Fits(NamedTuple):
    """Fits of replicates.

    Attributes:
        draws: (replicate, draw) by quantity.
        truth: (replicate,) by quantity, the log likelihood at the true parameters among them.
        divergences: divergent transitions after warm-up, (replicate,).
    """

    draws: dict[str, np.ndarray]
    truth: dict[str, np.ndarray]
    divergences: np.ndarray


class Look(NamedTuple):
    """What the first look found.

    Attributes:
        others: unknowns but the units and their spread, unconstrained and flat.
        root: square root of the others' covariance.
        units: where the units lie.
        informed: the model in data-informed coordinates.
    """

    others: jax.Array
    root: jax.Array
    units: jax.Array
    informed: informed


@dataclass(frozen=True)
class Program:
    """The compiled fit of a batch.

    Attributes:
        run: (keys, seen, truth) to draws, true values and divergences, each with a leading replicate axis.
        sites: names of the model's unknowns.
        batch: replicates that are fitted at once.
    """

    run: Callable[..., tuple]
    sites: frozenset[str]
    batch: int

    def fit(self, seed_: int, seen: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> Fits:
        """Fit all replicates, the last batch filled up by repeats that are thrown away."""
        args = _arguments(seed_, seen, truth, self.sites)
        replicates = len(args[0])

        def batch(start: int) -> tuple:
            index = np.minimum(np.arange(start, start + self.batch), replicates - 1)
            return jax.tree.map(np.asarray, self.run(*jax.tree.map(lambda leaf: leaf[index], args)))

        with ThreadPoolExecutor(os.cpu_count()) as pool:  # a compiled program leaves the other cores idle
            parts = list(pool.map(batch, range(0, replicates, self.batch)))
        return Fits(*jax.tree.map(lambda *leaves: np.concatenate(leaves)[:replicates], *parts))


def compiled(model: Model, seen: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], batch: int) -> Program:
    """Compile the fit for data of this shape.

    Args:
        model: of one replicate's data.
        seen: data, with a leading replicate axis.
        truth: true unknowns, likewise.
        batch: replicates that are fitted at once.
    """
    laws = _laws(model, {name: part[0] for name, part in seen.items()})
    first = jax.tree.map(lambda leaf: leaf[np.zeros(batch, int)], _arguments(0, seen, truth, frozenset(laws)))
    run = jax.jit(jax.vmap(partial(_fit, model, laws))).lower(*first).compile()
    return Program(run, frozenset(laws), batch)


def _arguments(seed_: int, seen: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], sites: frozenset[str]) -> tuple:
    """Keys, data and true values of what the model knows of, replicate by replicate."""
    keys = jax.random.split(jax.random.key(seed_), len(seen["cells"]))
    return keys, dict(seen), {name: value for name, value in truth.items() if name in sites}


def _laws(model: Model, seen: Mapping[str, np.ndarray]) -> dict[str, Any]:
    found = trace(seed(model, jax.random.key(0))).get_trace(seen)
    return {name: site["fn"] for name, site in found.items() if site["type"] == "sample" and not site["is_observed"]}


def _fit(model: Model, laws: dict[str, Any], key: jax.Array, seen: Any, truth: Any) -> tuple:
    """Sample one replicate's posterior; by draw, the named quantities."""
    supports = {name: law.support for name, law in laws.items() if name not in ("unit", "spread")}
    unravel = ravel_pytree({name: jnp.zeros(laws[name].shape()) for name in supports})[1]
    look = _first_look(partial(model, seen), laws)

    def sites(w: dict) -> dict:
        others = unravel(look.others + look.root @ w["others"])
        return others | {"unit_u": w["unit"], "spread_z": SPREAD_SD * w["spread"]}

    def quantities(w: dict) -> dict:
        values = {name: biject_to(supports[name])(value) if name in supports else value for name, value in sites(w).items()}
        return seed(substitute(look.informed, values), jax.random.key(0))()

    kernel = NUTS(
        potential_fn=lambda w: potential_energy(look.informed, (), {}, sites(w)),
        step_size=FIRST_STEP,
        target_accept_prob=TARGET_ACCEPT,
        max_tree_depth=DEPTH,
    )
    start = _start(key, look)
    worst = ParamInfo(start, jnp.array(1e9), jax.tree.map(jnp.zeros_like, start))  # left at once, in the warm-up, for any other state
    state = kernel.init(key, WARMUP, worst, (), {})

    def step(state: Any, _: None) -> tuple:
        state = kernel.sample(state, (), {})
        return state, (quantities(state.z), state.diverging)

    _, (draws, diverging) = jax.lax.scan(step, state, None, length=WARMUP + DRAWS)
    at_truth = seed(substitute(partial(model, seen), truth), jax.random.key(0))()
    return jax.tree.map(lambda leaf: leaf[WARMUP:], draws), at_truth, diverging[WARMUP:].sum()


def _start(key: jax.Array, look: Look) -> dict:
    """A draw from about where the first look points to, so that a chain has to find its own way."""
    a, b, c = jax.random.split(key, 3)
    return {
        "others": jax.random.normal(a, look.others.shape),
        "unit": jax.random.normal(b, look.units.shape),
        "spread": jax.random.normal(c),
    }


def _first_look(model: Callable[[], Any], laws: dict[str, Any]) -> Look:
    """Newton's method with the spread held fixed, and what its curvature says."""
    fixed = condition(model, {"spread": jnp.array(FIXED_SPREAD)})
    free = {name: jnp.zeros(law.shape()) for name, law in laws.items() if name != "spread"}
    first = free | {"level": free["level"] + laws["level"].loc, "unit": free["unit"] + laws["level"].loc}
    vector, unravel = ravel_pytree(first)
    mode, curvature = _newton(lambda z: potential_energy(fixed, (), {}, unravel(z)), vector)
    at = unravel(mode)
    unit, others = _positions(free, ["unit"]), _positions(free, [name for name in free if name != "unit"])
    between = curvature[np.ix_(others, unit)]
    within = curvature[np.ix_(unit, unit)]
    precision = curvature[np.ix_(others, others)] - between @ jnp.linalg.solve(within, between.T)
    values, vectors = jnp.linalg.eigh(precision)
    root = vectors / jnp.sqrt(jnp.maximum(values, 0.1))

    linear = [name for name, law in laws.items() if law.support is constraints.real and name not in ("level", "unit")]
    information = jnp.maximum(jnp.diag(within) - FIXED_SPREAD**-2.0, 0.0)
    told = information > 1e-3
    safe = jnp.where(told, information, 1.0)
    value = at["unit"] + jnp.where(told, (at["unit"] - at["level"]) / FIXED_SPREAD**2 / safe, 0.0)
    slope = jnp.where(told, -curvature[np.ix_(_positions(free, linear), unit)] / safe, 0.0)
    known = jnp.concatenate([jnp.ravel(at[name]) for name in sorted(linear)])

    def seen_with(sites: Mapping[str, jax.Array]) -> Evidence:
        moved = jnp.concatenate([jnp.ravel(sites[name]) for name in sorted(linear)]) - known
        return Evidence(value + moved @ slope, information)

    start = {"spread": 0.05 + jnp.std(at["unit"])}
    rest = ravel_pytree({name: part for name, part in at.items() if name != "unit"})[0]
    return Look(rest, root, at["unit"], informed(model, Pilot(looks={"unit": seen_with}, start=start)))


def _positions(sites: Mapping[str, jax.Array], names: list[str]) -> np.ndarray:
    """Where some sites lie in the flat vector of all, which is in the order of the alphabet."""
    sizes = {name: int(np.prod(np.shape(sites[name]), dtype=int)) for name in sorted(sites)}
    ends = np.cumsum(list(sizes.values()))
    spans = {name: np.arange(end - sizes[name], end) for name, end in zip(sizes, ends, strict=True)}
    return np.concatenate([spans[name] for name in sorted(names)])


def _newton(potential: Callable[[jax.Array], jax.Array], start: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mode of a density and the curvature there, by damped steps that take a negative curvature for a positive one."""

    def step(carry: tuple, _: None) -> tuple:
        at = carry[0]
        slope, curvature = jax.grad(potential)(at), jax.hessian(potential)(at)
        values, vectors = jnp.linalg.eigh(curvature)
        move = vectors @ ((vectors.T @ slope) / jnp.maximum(jnp.abs(values), 0.3))
        tries = at - jnp.array([1.0, 0.3, 0.1, 0.02])[:, None] * move
        return (tries[jnp.nanargmin(jax.vmap(potential)(tries))], curvature), None

    return jax.lax.scan(step, (start, jnp.eye(start.size)), None, length=NEWTON_STEPS)[0]
