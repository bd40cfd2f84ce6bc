"""The posterior as it stands, as a normal law, and how the laws behind every extract follow its unknowns."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Float
from numpyro import distributions as dist
from numpyro.handlers import seed, substitute, trace
from numpyro.infer.util import constrain_fn

from bayestwin.barriers import Access, Grid
from bayestwin.barriers.released import IDLE, Released
from bayestwin.cells import known_cells
from bayestwin.components.informed import Pilot
from bayestwin.infer.device import over_draws
from bayestwin.infer.mcmc import Unnormalised, turns, unnormalised
from bayestwin.infer.nesting import Nesting
from bayestwin.infer.predictive import sites as sites_of
from bayestwin.infer.settings import Sampling
from bayestwin.infer.whiten import LEAST_CURVATURE, undivided
from bayestwin.preposterior.information import Law

COLUMNS = 16  # directions at once


@dataclass(frozen=True)
class Current:
    """A posterior that is about standard normal in coordinates u: unknowns are centre + root u.

    Attributes:
        finer: the model with all that lifting a barrier would show.
        posterior: of its unknowns.
        centre: their mean, (unknown,).
        root: (unknown, coordinate).
        draws: of the unknowns, (draw, unknown).
    """

    finer: Callable[[], None]
    posterior: Unnormalised
    centre: Float[np.ndarray, " unknown"]
    root: Float[np.ndarray, "unknown coordinate"]
    draws: Float[np.ndarray, "draw unknown"]

    def sites(self, q: Float[np.ndarray, "point unknown"]) -> dict[str, np.ndarray]:
        """Every site at some points, leading axis point."""
        bare = replace(self.posterior, places=None)
        return over_draws(lambda one, _: bare.named(one, None), q, None)()(q, None)


def current(
    model: Callable[[], None],
    pilot: Pilot,
    nesting: Nesting | None,
    sampling: Sampling,
    sites: Mapping[str, np.ndarray],
    finer: Callable[[], None] | None = None,
) -> Current:
    """Find the coordinates in which a sampled posterior is about standard normal.

    Directions are those of the curvature at the mode; place and units are those of the draws, for the mode of a hierarchical posterior lies
    where spreads are smallest.

    Args:
        model: NumPyro model without arguments.
        pilot: what a first look said about its effects.
        nesting: of units that are independent given the rest; None where none is known.
        sampling: as the posterior was sampled, so that the program that it left is found.
        sites: its draws by sampled site, leading axis draw.
        finer: the model with further sites that lifting a barrier would show; the model itself if None.
    """
    posterior = unnormalised(model, pilot, nesting)
    places = posterior.places or undivided(posterior.start.size)
    posterior = replace(posterior, places=places)
    values = {name: np.asarray(sites[name]) for name in sites_of(model).latent}
    with ThreadPoolExecutor(sampling.chains + 2) as pool:
        plan = turns(posterior, sampling, pool)
        unknowns = pool.submit(over_draws(lambda one, _: posterior.flat(one), values, None))
        found = plan(sampling.seed, ()).whiten()
        draws = unknowns.result()(values, None)
    assert found is not None
    columns = jax.jit(jax.vmap(lambda u: found(u, places) - found.centre))(np.eye(posterior.start.size))
    root = np.asarray(columns).T
    whitened = np.linalg.solve(root, (draws - np.asarray(found.centre)).T).T
    return Current(finer or model, posterior, draws.mean(0), root @ white(whitened), draws)


def white(draws: Float[np.ndarray, "draw coordinate"]) -> Float[np.ndarray, "coordinate coordinate"]:
    """Root of the covariance of nearly independent coordinates: their spreads, and those correlations that chance could not have made.

    Of a thousand coordinates there are half a million correlations; a sample's own would add up to much that is not there.

    Args:
        draws: taken for a quarter as many independent ones.

    Source: Bickel & Levina (2008), Annals of Statistics 36, for covariances by thresholding.
    """
    spread = draws.std(0)
    correlation = np.atleast_2d(np.corrcoef(draws.T))
    size = len(correlation)
    beyond = np.sqrt(2.0 * np.log(size * (size - 1) / 2.0 + 2.0) / (len(draws) / 4.0))
    correlation = np.where(np.abs(correlation) > beyond, correlation, np.eye(size))
    value, vector = np.linalg.eigh(correlation)
    return spread[:, None] * vector * np.sqrt(np.maximum(value, LEAST_CURVATURE))


@dataclass(frozen=True)
class Site:
    """An extract's site in the model.

    Attributes:
        access: what it comes through.
        grid: its cells.
        read: ends of published numbers as the model takes them.
        open: which of the cells that come out are released and yet say nothing: not reported, or of no use to the model.
        joint: whether cells that come out depend on one another beyond their expectation.
        idle: which of its cells say nothing through any access.
    """

    access: Access
    grid: Grid
    read: Callable[[np.ndarray], np.ndarray]
    open: np.ndarray
    joint: bool
    idle: np.ndarray | bool = False

    def told(self, access: Access) -> np.ndarray:
        """Share of each cell's information that there would be under an access.

        Of cells that are released now it is one or, where they say nothing, none; of others the share of these that say something. Idle
        cells say nothing.
        """
        shown, now, busy = access.present(self.grid), self.access.present(self.grid), ~np.asarray(self.idle)
        share = 1.0 - (self.open & busy).sum() / max((now & busy).sum(), 1)
        if shown.shape != now.shape:
            return shown * share
        return shown * np.where(now, ~self.open, share * busy)


def released_sites(at: Current, reads: Callable[[str, np.ndarray], np.ndarray] = lambda name, ends: ends) -> dict[str, Site]:
    """Every site that is observed through an access, by name.

    Args:
        at: the posterior.
        reads: (site, ends of published numbers) -> ends as the model takes them.
    """
    return sites_of_model(at.finer, reads)


def sites_of_model(model: Callable[[], None], reads: Callable[[str, np.ndarray], np.ndarray] = lambda name, ends: ends) -> dict[str, Site]:
    """Every site of a model that is observed through an access, by name.

    Args:
        model: NumPyro model without arguments.
        reads: (site, ends of published numbers) -> ends as the model takes them.
    """
    found: dict[str, Site] = {}

    def look() -> None:
        for name, (law, ends, idle) in _observed(model, {}).items():
            access, grid = law.source.access, law.source.grid
            nothing = ~known_cells(ends)
            found[name] = Site(access, grid, partial(reads, name), nothing & access.present(grid), len(law.event_shape) > 1, idle)

    jax.eval_shape(look)  # names need no arithmetic
    return found


def _observed(model: Callable[[], None], values: Mapping[str, Any]) -> dict[str, tuple[Released, np.ndarray, np.ndarray]]:
    """Laws of what is published, what was, and which cells are idle."""
    sites = trace(seed(substitute(model, values), jax.random.key(0))).get_trace()
    found = {}
    for name, site in sites.items():
        if site["type"] == "sample" and site["is_observed"]:
            law, ends = site["fn"], site["value"]
            if isinstance(law, dist.MaskedDistribution) and isinstance(law.base_dist, Released):
                seen = np.broadcast_to(np.asarray(law._mask, bool), np.shape(ends)[:-1])
                law, ends = law.base_dist, np.where(seen[..., None], ends, [-np.inf, np.inf])
            if isinstance(law, Released):
                found[name] = (law, np.asarray(ends), np.asarray(site["infer"].get(IDLE, False)))
    return found


@dataclass(frozen=True)
class Followed:
    """The laws of cells behind the channels of some accesses, at one point, and how they follow the coordinates.

    Attributes:
        laws: by key.
        slopes: derivative of each moving field by coordinate, (coordinate, cells...) or (coordinate, 1), by key.
    """

    laws: Mapping[Any, Law]
    slopes: Mapping[Any, Mapping[str, np.ndarray]]


def follow(at: Current, accesses: Mapping[tuple[str, Any], Access]) -> Callable[[np.ndarray], Followed]:
    """Compile how laws follow the unknowns.

    Args:
        at: the posterior.
        accesses: whose channels act, by site and a key of their own.

    Returns:
        A function of a point, flat unknowns.
    """
    frames: dict[Any, tuple[type, dict[str, np.ndarray], tuple[tuple[str, Any], ...]]] = {}

    def moving(q: jax.Array) -> dict[Any, dict[str, Any]]:
        values = constrain_fn(at.posterior.model, (), {}, at.posterior.by_name(q), return_deterministic=True)
        observed, found = _observed(at.finer, values), {}
        for (name, key), access in accesses.items():
            source = observed[name][0].source
            law = access.expect(source.counts, source.grid, source.given).over(access.out(source.grid).shape)
            fields = {field: part for field, part in law._asdict().items() if part is not None}
            found[name, key] = {field: part for field, part in fields.items() if isinstance(part, jax.core.Tracer)}
            known = {field: part for field, part in fields.items() if field not in found[name, key]}
            fixed = {field: np.asarray(part) for field, part in known.items() if isinstance(part, np.ndarray | jax.Array)}
            frames[name, key] = (type(law), fixed, tuple((field, part) for field, part in known.items() if field not in fixed))
        return found

    size = at.root.shape[1]
    both = jax.jit(lambda q, columns: jax.vmap(lambda column: jax.jvp(moving, (q,), (column,)), out_axes=(None, 0))(columns))
    blocks = np.zeros((-(-size // COLUMNS) * COLUMNS, size))
    blocks[:size] = at.root.T
    program = both.lower(at.centre, blocks[:COLUMNS]).compile()

    shapes = jax.eval_shape(both, at.centre, blocks[:COLUMNS])[1]

    def at_point(q: np.ndarray) -> Followed:
        slopes = jax.tree.map(lambda leaf: np.empty((len(blocks), *leaf.shape[1:]), np.float32), shapes)  # the largest thing there is

        def part(first: int) -> Any:
            value, slope = program(q, blocks[first : first + COLUMNS])
            for every, some in zip(jax.tree.leaves(slopes), jax.tree.leaves(slope), strict=True):
                every[first : first + COLUMNS] = some
            return None if first else jax.device_get(value)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            values, *_ = pool.map(part, range(0, len(blocks), COLUMNS))
        laws = {key: Law(frames[key][0], values[key], *frames[key][1:]) for key in frames}
        return Followed(laws, jax.tree.map(lambda leaf: leaf[:size], slopes))

    return at_point
