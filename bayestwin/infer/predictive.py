"""Densities and predictions draw by draw, read off the model as its author wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.handlers import seed, substitute, trace

BATCH = 20  # draws evaluated together


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


def log_densities(model: Callable[[], None], draws: Mapping[str, np.ndarray]) -> tuple[dict, dict]:
    """Log-likelihood by observed cell and log-prior by latent site.

    Args:
        model: NumPyro model without arguments.
        draws: latent sites, leading axis draw.

    Returns:
        {observed site: (draw, cells...)} and {latent site: (draw,)}.
    """
    names = sites(model)
    latent = {name: jnp.asarray(draws[name]) for name in names.latent}

    def one(values: dict) -> tuple[dict, dict]:
        found = trace(seed(substitute(model, values), jax.random.key(0))).get_trace()
        density = {name: found[name]["fn"].log_prob(found[name]["value"]) for name in names.observed}
        return density, {name: found[name]["fn"].log_prob(found[name]["value"]).sum() for name in names.latent}

    return _numpy(jax.jit(lambda values: jax.lax.map(one, values, batch_size=BATCH))(latent))


def predict(model: Callable[[], None], draws: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Replicated observations.

    Args:
        model: NumPyro model without arguments, its observed laws those of `components.counts`.
        draws: latent sites, leading axis draw.
        rng: random generator.

    Returns:
        {observed site: (draw, ...)}, shaped as the observations, in whole numbers.
    """
    names = sites(model)
    latent = {name: jnp.asarray(draws[name]) for name in names.latent}
    laws: dict[str, Any] = {}

    def one(values: dict) -> dict:
        found = trace(seed(substitute(model, values), jax.random.key(0))).get_trace()
        masked = {name: found[name]["fn"].base_dist for name in names.observed}
        laws.update({name: type(law) for name, law in masked.items()})
        return {name: law.chance() for name, law in masked.items()}

    chances = _numpy(jax.jit(lambda values: jax.lax.map(one, values, batch_size=BATCH))(latent))
    return {name: np.asarray(laws[name].draw(rng, **chance), np.int32) for name, chance in chances.items()}


def prior_draws(model: Callable[[], None], key: jax.Array, size: int) -> dict[str, np.ndarray]:
    """Draws of every latent and deterministic site from the prior, leading axis draw."""
    names = sites(model)

    def one(key: jax.Array) -> dict:
        found = trace(seed(model, key)).get_trace()
        return {name: found[name]["value"] for name in names.latent + names.deterministic}

    # One at a time: a batch of draws takes twice as long to compile as to make.
    return _numpy(jax.jit(lambda keys: jax.lax.map(one, keys))(jax.random.split(key, size)))


def _numpy(tree: Any) -> Any:
    return jax.tree.map(np.asarray, tree)
