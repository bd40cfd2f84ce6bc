"""The posterior as an ArviZ DataTree: every group on named dims, readable without bayestwin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr

from bayestwin.infer.mcmc import Draws
from bayestwin.infer.predictive import log_densities, predict, prior_draws, sites
from bayestwin.twin.twin import Definition

PREDICTIVE_DRAWS = 50  # replicated data sets kept from each chain
PRIOR_DRAWS = 500
ENDS = np.array(["low", "high"])  # what is known of a cell lies between them


def some_draws(posterior: xr.Dataset, count: int, seed: int) -> dict[str, np.ndarray]:
    """Draws of a posterior at random, none twice; more of them begin with those that fewer would be.

    Args:
        posterior: dims chain and draw first.
        count: how many, or all if there are fewer.
        seed: of the choice.

    Returns:
        Values by site, leading axis draw.
    """
    flat = {str(name): values.to_numpy().reshape(-1, *values.shape[2:]) for name, values in posterior.items()}
    chosen = np.random.default_rng(seed).permutation(posterior.sizes["chain"] * posterior.sizes["draw"])[:count]
    return {name: values[chosen] for name, values in flat.items()}


def assemble(definition: Definition, data: Any, model: Callable[[], None], draws: Draws, seed: int) -> xr.DataTree:
    """All groups that a reviewer or a pipeline may ask for, predictions aside.

    Args:
        definition: the model's names and dims.
        data: the model's data, with `coords`.
        model: the NumPyro model, priors and data closed over.
        draws: its sampled posterior.
        seed: seed of the predictive draws.

    Returns:
        Groups posterior, sample_stats, log_likelihood, log_prior, posterior_predictive, prior, prior_predictive,
        observed_data, constant_data.
    """
    roles = sites(model)
    rng = np.random.default_rng(seed)
    chains, count = next(iter(draws.sites.values())).shape[:2]
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in draws.sites.items()}
    kept = np.linspace(0, count - 1, min(PREDICTIVE_DRAWS, count)).astype(int)
    thin = {name: value[:, kept].reshape(-1, *value.shape[2:]) for name, value in draws.sites.items()}
    with ThreadPoolExecutor(1) as meanwhile:
        densities = meanwhile.submit(log_densities(model, flat))
        prior = prior_draws(model, rng, PRIOR_DRAWS)
        # In one go, since to compile takes longer than to draw: first from the posterior, then from the prior.
        both = predict(model, {name: np.concatenate([value, prior[name][: PREDICTIVE_DRAWS * 4]]) for name, value in thin.items()}, rng)
    likelihood, prior_density = densities.result()
    replicated = {name: value[: len(kept) * chains] for name, value in both.items()}
    imagined = {name: value[len(kept) * chains :] for name, value in both.items()}

    def chained(values: Mapping[str, np.ndarray], length: int = chains) -> dict[str, np.ndarray]:
        return {name: value.reshape(length, -1, *value.shape[1:]) for name, value in values.items()}

    cells = {name: definition.observed[name][: likelihood[name].ndim - 1] for name in roles.observed}
    predicted = dataset(chained(replicated), definition.observed, data.coords)
    groups = {
        "posterior": dataset(draws.sites, definition.dims, data.coords),
        "sample_stats": dataset(draws.stats, {}, {}),
        "log_likelihood": dataset(chained(likelihood), cells, data.coords),
        "log_prior": dataset(chained(prior_density), {}, {}),
        "posterior_predictive": predicted.assign_coords(draw=kept),
        "prior": dataset(chained(prior, 1), definition.dims, data.coords),
        "prior_predictive": dataset(chained(imagined, 1), definition.observed, data.coords),
        "observed_data": dataset(definition.arrays(data), definition.observed, data.coords, sampled=False),
        "constant_data": _constants(definition, data),
    }
    groups["posterior"].attrs["deterministic"] = list(roles.deterministic)
    return xr.DataTree.from_dict(groups)


def dataset(
    values: Mapping[str, np.ndarray],
    dims: Mapping[str, tuple[str, ...]],
    coords: Mapping[str, np.ndarray],
    sampled: bool = True,
) -> xr.Dataset:
    """A dataset on named dims; only the coordinates in use are kept.

    Args:
        values: arrays by name, with leading chain and draw if `sampled`.
        dims: dims of each array, chain and draw left out; scalars may be absent.
        coords: coordinates by dim; those of "end" are known.
        sampled: whether the arrays lead with chain and draw.
    """
    lead = ("chain", "draw") if sampled else ()
    variables = {name: ((*lead, *dims.get(name, ())), value) for name, value in values.items()}
    used = {dim for names, _ in variables.values() for dim in names}
    made = xr.Dataset(variables, coords={dim: coord for dim, coord in ({"end": ENDS} | dict(coords)).items() if dim in used})
    return made.assign_coords({dim: np.arange(made.sizes[dim]) for dim in lead})


def _constants(definition: Definition, data: Any) -> xr.Dataset:
    constants = definition.constants(data)
    dims = {name: names for name, (names, _) in constants.items()}
    return dataset({name: value for name, (_, value) in constants.items()}, dims, data.coords, sampled=False)
