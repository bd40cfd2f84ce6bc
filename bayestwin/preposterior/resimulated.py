"""A study's data drawn again at one draw of its posterior, and published through several accesses: what happened is the same behind all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from numpyro.handlers import seed, substitute, trace
from numpyro.primitives import Messenger

from bayestwin.barriers import Access
from bayestwin.barriers.released import Released
from bayestwin.infer.predictive import unmasked
from bayestwin.preposterior.current import Site
from bayestwin.preposterior.expected import Accesses

Observed = dict[str, np.ndarray]
"""Observations by site."""


class Seen(Messenger):
    """A model conditioned on other data, that came through other accesses.

    Args:
        model: NumPyro model without arguments.
        accesses: of sites that are observed through an access, those that are not as they were.
        observed: observations of every observed site, ends of which nothing is known where a cell says nothing.
    """

    def __init__(self, model: Callable[[], None], accesses: Accesses, observed: Observed) -> None:
        self.accesses, self.observed = accesses, observed
        super().__init__(model)

    def process_message(self, msg: dict[str, Any]) -> None:
        """Put law and observations of a site in place of its own."""
        if msg["type"] != "sample" or msg["name"] not in self.observed:
            return
        law = unmasked(msg["fn"])
        if isinstance(law, Released):
            source = law.source
            # Which cells say nothing is told by their ends, so that the mask, which is that of the present access, is left behind.
            msg["fn"] = self.accesses.get(msg["name"], source.access).likelihood(source.counts, source.grid, source.given)
        msg["value"] = self.observed[msg["name"]]


def resimulated(
    model: Callable[[], None],
    sites: Mapping[str, Site],
    unknowns: Mapping[str, np.ndarray],
    arms: Mapping[str, Accesses],
    rng: np.random.Generator,
) -> dict[str, Observed]:
    """Draw a study's data once and publish them through every arm's accesses.

    Cells of which nothing is told now, though they are released, say nothing in any arm; of those that are not released now, as many as of the others.

    Args:
        model: NumPyro model without arguments, with all that lifting a barrier would show.
        sites: of the model that are observed through an access.
        unknowns: one draw, by latent site.
        arms: accesses by site, by the name of the arm; a site that is not there comes as it does now.
        rng: random generator.

    Returns:
        Observations by site, by arm.
    """
    laws, told = _laws(model, unknowns), {arm: Observed() for arm in arms}
    for name, (law, chance) in laws.items():
        if isinstance(law, Released):
            shown = _published(law, chance, sites[name], [accesses.get(name, sites[name].access) for accesses in arms.values()], rng)
        else:
            shown = [law.draw(rng, **jax.tree.map(lambda part: part[None], chance))[0]] * len(arms)
        for arm, values in zip(arms, shown, strict=True):
            told[arm][name] = values
    return told


def _laws(model: Callable[[], None], unknowns: Mapping[str, np.ndarray]) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Law of each observed site, and the arrays that it draws from."""
    laws: dict[str, Any] = {}

    def chances(values: Mapping[str, Any]) -> dict[str, Any]:
        found = trace(seed(substitute(model, values), jax.random.key(0))).get_trace()
        observed = {name: site for name, site in found.items() if site["type"] == "sample" and site["is_observed"]}
        laws.update({name: unmasked(site["fn"]) for name, site in observed.items()})
        return {name: laws[name].chance() for name in observed}

    found = jax.tree.map(np.asarray, jax.jit(chances)(dict(unknowns)))
    return {name: (law, found[name]) for name, law in laws.items()}


def _published(
    law: Released, chance: Mapping[str, Any], site: Site, accesses: Sequence[Access], rng: np.random.Generator
) -> list[np.ndarray]:
    """Ends of the same counts through each access."""
    given, counts = chance["given"], {name: part for name, part in chance.items() if name != "given"}
    clean = type(law.source.counts)(**counts).draw(rng, site.grid.shape)
    of_noise, of_silence = rng.integers(2**31, size=2)
    published = []
    for access in accesses:
        ends = site.read(access.degrade(np.random.default_rng(of_noise), clean, site.grid, given).cells)
        speaks = np.random.default_rng(of_silence).random(ends.shape[:-1]) < site.told(access)
        published.append(np.where(speaks[..., None], ends, [-np.inf, np.inf]))
    return published
