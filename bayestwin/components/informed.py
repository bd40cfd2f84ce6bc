"""The data-informed parameterisation: between centred and non-centred, element by element.

A normal effect x ~ N(mean, sd²) about which the data carry information I around a pilot value m is sampled as

    x = v (mean / sd² + I m) + √v u,      v = 1 / (1 / sd² + I),

which is the posterior that a Gaussian likelihood of precision I would give. A data-rich effect is then nearly
centred and a silent one (I = 0) exactly non-centred. It is a change of variables, so the posterior is the same
whatever the pilot says; a poor pilot only costs speed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array
from numpyro import distributions as dist
from numpyro.handlers import reparam
from numpyro.infer.reparam import Reparam

from bayestwin.components.scale import Scale


class Evidence(NamedTuple):
    """What the data say about an effect.

    Attributes:
        value: where it lies, shaped like the effect.
        information: how precisely (1 / variance), same shape, ≥ 0.
        basis: (..., n, n) orthonormal columns along the effect's last axis in which the information is diagonal; `information`
            then belongs to the columns. Where the effect's spread differs along that axis only the diagonal is used.
    """

    value: Array
    information: Array
    basis: Array | None = None


Look = Callable[[Mapping[str, Array]], Evidence]
"""What the data say about an effect, given the sites sampled before it."""


LOOK = "look"  # key of a site's `infer` under which a component leaves the site's look


def told(look: Look | None) -> dict[str, Look]:
    """The `infer` of a site that brings its own look, for `numpyro.sample`; NumPyro itself does not read it."""
    return {} if look is None else {LOOK: look}


def seen(value: np.ndarray, information: np.ndarray | float, basis: np.ndarray | None = None) -> Look:
    """A look that depends on nothing else."""
    known = jnp.broadcast_to(jnp.asarray(information, float), np.shape(value))
    fixed = Evidence(jnp.asarray(value, float), known, None if basis is None else jnp.asarray(basis))
    return lambda sites: fixed


def site(name: str) -> Callable[[Mapping[str, Array]], Array]:
    """The current value of a site that is sampled earlier, for looks that depend on it."""
    return lambda sites: sites[name]


@dataclass(frozen=True)
class Pilot:
    """What a cheap first look says about a model's unknowns.

    Attributes:
        looks: look at each normal effect, by site name.
        start: starting values of further sites by name, on their natural scale.
    """

    looks: Mapping[str, Look] = field(default_factory=dict)
    start: Mapping[str, np.ndarray] = field(default_factory=dict)


class informed(reparam):
    """NumPyro handler: sample effects in the parameterisation that their data ask for, half-normal scales as `Scale`.

    A look may come with the pilot or with the site (`told`); the pilot's goes first.

    Auxiliary sites are named `<site>_u` (zero where the pilot puts the effect) and `<site>_z` (zero at the pilot's scale).

    Attributes:
        effects, scales: names of the auxiliary sites, known once the model has run.

    Args:
        fn: model without arguments.
        pilot: what a first look said.
        known: values of sites that are not to be sampled but looked up: auxiliary sites then say where they lie.
    """

    def __init__(self, fn: Callable[[], None], pilot: Pilot, known: Mapping[str, Array] | None = None) -> None:
        self.pilot = pilot
        self.known = known or {}
        self.effects: set[str] = set()
        self.scales: set[str] = set()
        self.sites: dict[str, Array] = {}
        super().__init__(fn, self._choose)

    def __enter__(self) -> None:
        self.sites = {}
        super().__enter__()

    def postprocess_message(self, msg: dict) -> None:
        """Remember what was drawn: looks at later effects may need it."""
        if msg["type"] in ("sample", "deterministic"):
            self.sites[msg["name"]] = msg["value"]

    def _choose(self, site: dict) -> Reparam | None:
        name = site["name"]
        look = self.pilot.looks.get(name, site["infer"].get(LOOK))
        if look is not None:
            self.effects.add(f"{name}_u")
            return DataInformed(look(self.sites), self.known.get(name))
        if isinstance(site["fn"], dist.HalfNormal) and not site["is_observed"]:
            self.scales.add(f"{name}_z")
            return Scale(self.pilot.start.get(name, site["fn"].scale), self.known.get(name))
        return None


class DataInformed(Reparam):
    """Sample a normal site in the parameterisation that its data ask for.

    Args:
        evidence: what the data say about it.
        known: its value, where it is not to be sampled; the auxiliary site then is deterministic.

    Raises:
        ValueError: if the site is observed or is not normal.

    Source: Papaspiliopoulos, Roberts & Sköld (2007), "A general framework for the parametrization of
    hierarchical models", for the partially non-centred family; here the weights come from a pilot.

    Example:
        >>> import numpyro, numpyro.distributions as dist
        >>> def model():
        ...     return numpyro.sample("effect", dist.Normal(0.0, 1.0))
        >>> fast = numpyro.handlers.reparam(model, {"effect": DataInformed(Evidence(0.3, 10.0))})
    """

    def __init__(self, evidence: Evidence, known: Array | None = None) -> None:
        self.evidence, self.known = evidence, known

    def __call__(self, name: str, fn: dist.Distribution, obs: object) -> tuple[None, object]:
        """Replace the site by `<name>_u` and a deterministic site of its own name."""
        normal, shape, event_dim = self._unwrap(fn)
        if obs is not None or not isinstance(normal, dist.Normal):
            raise ValueError(f"{name}: only a latent normal effect can be data-informed, got {type(normal).__name__}")
        value, information, basis = self.evidence
        loc = normal.loc
        if basis is not None and np.shape(normal.scale)[-1:] not in ((), (1,)):
            # No basis makes information and unequal spreads diagonal at once: each entry keeps what is seen of it with the others held.
            information, basis = jnp.einsum("...ij,...j->...i", jnp.square(basis), information), None
        if basis is not None:
            loc, value = (jnp.einsum("...ij,...i->...j", basis, jnp.broadcast_to(x, shape)) for x in (loc, value))
        variance = 1.0 / (normal.scale**-2.0 + information)
        # Not as a centre less loc: at small scales the difference of two numbers so near each other would be noise.
        shift = variance * information * (value - loc)
        spread = jnp.sqrt(variance)
        if self.known is not None:
            value = self.known if basis is None else jnp.einsum("...ij,...i->...j", basis, self.known)
            numpyro.deterministic(f"{name}_u", (value - loc - shift) / spread)
            return None, self.known
        standard = dist.Normal(-shift / spread, normal.scale / spread)
        effect = loc + shift + spread * numpyro.sample(f"{name}_u", self._wrap(standard, shape, event_dim))
        return None, effect if basis is None else jnp.einsum("...ij,...j->...i", basis, effect)
