"""Densities and predictions draw by draw, read off the model as its author wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from numpyro import distributions as dist
from numpyro.handlers import seed, substitute, trace

from bayestwin.infer.device import over_draws


@dataclass(frozen=True)
class Sites:
    """Which sites a model has.

    Attributes:
        latent: sampled and not observed.
        observed: conditioned on.
        deterministic: computed from the others.
    """

    latent: tuple[str, ...]
    observed: tuple[str, ...]
    deterministic: tuple[str, ...]


def sites(model: Callable[[], None]) -> Sites:
    """Names of a model's sites by role."""
    found: dict = {}

    def run(key: jax.Array) -> None:
        found.update(trace(seed(model, key)).get_trace())

    jax.eval_shape(run, jax.random.key(0))  # names need no arithmetic
    sampled = {name: site for name, site in found.items() if site["type"] == "sample"}
    return Sites(
        latent=tuple(name for name, site in sampled.items() if not site["is_observed"]),
        observed=tuple(name for name, site in sampled.items() if site["is_observed"]),
        deterministic=tuple(name for name, site in found.items() if site["type"] == "deterministic"),
    )


def log_densities(model: Callable[[], None], draws: Mapping[str, np.ndarray]) -> Callable[[], tuple[dict, dict]]:
    """Log-likelihood by observed cell and log-prior by latent site.

    Args:
        model: NumPyro model without arguments.
        draws: latent sites, leading axis draw.

    Returns:
        A function that works them out, in a thread of its own if need be: the model's handlers, which threads would share, are
        done with. It gives {observed site: (draw, cells...)}, in single precision: leave-one-out needs no more and most of a run's bytes are
        these; and {latent site: (draw,)}.
    """
    names = sites(model)
    latent = {name: draws[name] for name in names.latent}

    def one(values: dict, _: None) -> tuple[dict, dict]:
        found = trace(seed(substitute(model, values), jax.random.key(0))).get_trace()
        density = {name: found[name]["fn"].log_prob(found[name]["value"]).astype(jnp.float32) for name in names.observed}
        return density, {name: found[name]["fn"].log_prob(found[name]["value"]).sum() for name in names.latent}

    compiled = over_draws(one, latent, None)
    return lambda: compiled()(latent, None)


def predict(model: Callable[[], None], draws: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Replicated observations.

    Args:
        model: NumPyro model without arguments, its observed laws those of `laws.counts` or of `Access.likelihood`.
        draws: latent sites, leading axis draw.
        rng: random generator.

    Returns:
        {observed site: (draw, ...)}, shaped as the observations.
    """
    laws: dict[str, Any] = {}

    def chances(found: Mapping[str, Any]) -> dict:
        laws.update(found)
        return {name: law.chance() for name, law in found.items()}

    return {name: laws[name].draw(rng, **chance) for name, chance in read_laws(model, draws, chances).items()}


def thinned(model: Callable[[], None], drawn: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Some draws of a model's latent sites, evenly from all chains.

    Args:
        model: NumPyro model without arguments.
        drawn: draws by site, dims chain and draw first.
        count: draws wanted.

    Returns:
        {latent site: (count, ...)}.
    """
    flat = {name: drawn[name].reshape(-1, *drawn[name].shape[2:]) for name in sites(model).latent}
    kept = np.linspace(0, len(next(iter(flat.values()))) - 1, count).astype(int)
    return {name: values[kept] for name, values in flat.items()}


def read_laws(model: Callable[[], None], draws: Mapping[str, np.ndarray], read: Callable[[Mapping[str, Any]], Any]) -> Any:
    """What is read off the laws of the observed sites, draw by draw.

    Args:
        model: NumPyro model without arguments.
        draws: latent sites, leading axis draw.
        read: the laws by site to a tree of arrays, traced by JAX.

    Returns:
        The tree as NumPy arrays, leading axis draw.
    """
    names = sites(model)
    latent = {name: jnp.asarray(draws[name]) for name in names.latent}

    def one(values: dict) -> Any:
        found = trace(seed(substitute(model, values), jax.random.key(0))).get_trace()
        return read({name: unmasked(found[name]["fn"]) for name in names.observed})

    return _numpy(jax.jit(lambda values: jax.lax.map(one, values))(latent))


def unmasked(law: dist.Distribution) -> Any:
    """A law without the mask that may lie over it."""
    return law.base_dist if isinstance(law, dist.MaskedDistribution) else law


def prior_draws(model: Callable[[], None], rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """Draws of every latent and deterministic site from the prior, leading axis draw.

    Args:
        model: NumPyro model without arguments.
        rng: random generator.
        size: draws.
    """
    names = sites(model)

    def values(made: Callable[[], None], wanted: tuple[str, ...]) -> dict:
        found = trace(seed(made, 0)).get_trace()
        return {name: found[name]["value"] for name in wanted}

    laws: dict[str, dist.Distribution] = {}

    def shapes() -> dict:
        found = trace(seed(model, 0)).get_trace()
        laws.update({name: found[name]["fn"] for name in names.latent})
        return {name: found[name]["value"] for name in names.latent}

    noise = {name: _noise(laws[name], rng, (size, *value.shape)) for name, value in jax.eval_shape(shapes).items()}

    def one(noise: dict) -> dict:
        return values(substitute(model, substitute_fn=lambda site: _from_noise(site, noise)), names.latent + names.deterministic)

    return _numpy(jax.jit(lambda noise: jax.lax.map(one, noise))(noise))


def _noise(law: dist.Distribution, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """What a site's values are made of: standard normals, or the values themselves.

    The latter of laws without a quantile function in JAX, whose parameters are those of the prior table and so known.
    """
    if isinstance(law, dist.Beta):
        return rng.beta(np.asarray(law.concentration1), np.asarray(law.concentration0), shape)
    if isinstance(law, dist.Gamma):
        return rng.gamma(np.asarray(law.concentration), 1.0 / np.asarray(law.rate), shape)
    return rng.standard_normal(shape)


def _from_noise(site: dict, noises: Mapping[str, jax.Array]) -> jax.Array | None:
    """A site's value made of standard normals: a random generator at every site would take long to compile."""
    if site["name"] not in noises:
        return None
    law, noise = site["fn"], noises[site["name"]]
    if isinstance(law, dist.Normal):
        return law.loc + law.scale * noise
    if isinstance(law, dist.LogNormal):
        return jnp.exp(law.loc + law.scale * noise)
    if isinstance(law, dist.HalfNormal):
        return law.scale * jnp.abs(noise)
    if isinstance(law, dist.Beta | dist.Gamma):
        return noise
    return law.icdf(ndtr(noise))


def _numpy(tree: Any) -> Any:
    return jax.tree.map(np.asarray, tree)
