"""The data-informed parameterisation: between centred and non-centred, element by element.

A normal effect x ~ N(mean, sd²) about which the data carry information I around a pilot value m is sampled as

    x = v (mean / sd² + I m) + √v u,      v = 1 / (1 / sd² + I),

which is the posterior that a Gaussian likelihood of precision I would give. A data-rich effect is then nearly
centred and a silent one (I = 0) exactly non-centred. It is a change of variables, so the posterior is the same
whatever the pilot says; a poor pilot only costs speed.

Effects that lean on one another, by their prior N(mean, L Lᵀ) or in the data, are sampled likewise with matrices in the place
of numbers. Both forms are written in prior units w, x = mean + L w, of which the posterior precision 1 + Lᵀ I L is never
below one: nothing is divided by a spread, which may be zero.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
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
            then belongs to the columns. Where the effect's spread differs along that axis, a small matrix is decomposed at each step.
    """

    value: Array
    information: Array
    basis: Array | None = None


Look = Callable[[Mapping[str, Array]], Evidence]
"""What the data say about an effect, given the sites sampled before it."""


LOOK = "look"  # key of a site's `infer` under which a component leaves the site's look
# Likewise, of a site of standard normal noise: the name of the deterministic site, of the same shape, that it is made into.
STANDS_FOR = "stands_for"


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
        told: what the looks said of each effect in the last run, by site name.

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
        self.told: dict[str, Evidence] = {}
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
            self.told[name] = look(self.sites)
            return DataInformed(self.told[name], self.known.get(name))
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
        law, _, event_dim = self._unwrap(fn)
        if obs is not None or not isinstance(law, dist.Normal | dist.MultivariateNormal):
            raise ValueError(f"{name}: only a latent normal effect can be data-informed, got {type(law).__name__}")
        found = _coordinates(law, self.evidence, fn.shape())
        if self.known is not None:
            numpyro.deterministic(f"{name}_u", found.place(self.known))
            return None, self.known
        batch = fn.shape()[: len(fn.shape()) - found.law.event_dim]
        return None, found.effect(numpyro.sample(f"{name}_u", self._wrap(found.law, batch, max(event_dim, found.law.event_dim))))


class Apart:
    """Coordinates of effects each by itself: in the basis of the look, if it has one, neither prior nor data tie one to another.

    Attributes:
        law: of the auxiliary variable.
    """

    def __init__(self, normal: dist.Normal, evidence: Evidence, shape: tuple[int, ...]) -> None:
        self.loc, self.scale, self.basis = normal.loc, normal.scale, evidence.basis
        self.root = jnp.sqrt(1.0 + jnp.square(self.scale) * evidence.information)
        away = _turned(jnp.broadcast_to(evidence.value - self.loc, shape), self.basis)
        self.pull = self.scale * evidence.information * away / self.root
        self.law = dist.Normal(-self.pull, self.root)

    def effect(self, u: Array) -> Array:
        """The effect at an auxiliary value."""
        off = self.scale * (u + self.pull) / self.root
        return self.loc + (off if self.basis is None else jnp.einsum("...ij,...j->...i", self.basis, off))

    def place(self, effect: Array) -> Array:
        """The auxiliary value of an effect."""
        return self.root * _turned(effect - self.loc, self.basis) / self.scale - self.pull


class Together:
    """Coordinates of effects that prior or data tie together along their last axis.

    Attributes:
        law: of the auxiliary variable.
    """

    def __init__(self, loc: Array, scale_tril: Array, evidence: Evidence) -> None:
        self.loc, self.scale_tril = loc, scale_tril
        seen_by = jnp.swapaxes(scale_tril, -1, -2)
        seen_by = seen_by if evidence.basis is None else seen_by @ evidence.basis
        away = evidence.information * _turned(evidence.value - loc, evidence.basis)
        told = (seen_by * evidence.information[..., None, :]) @ jnp.swapaxes(seen_by, -1, -2)
        self.root = _upper_root(jnp.eye(scale_tril.shape[-1]) + told)
        self.pull = _solved(self.root, jnp.einsum("...ij,...j->...i", seen_by, away))
        self.law = dist.MultivariateNormal(-self.pull, scale_tril=jnp.swapaxes(self.root, -1, -2))

    def effect(self, u: Array) -> Array:
        """The effect at an auxiliary value."""
        return self.loc + jnp.einsum("...ij,...j->...i", self.scale_tril, _solved(self.root, u + self.pull, transposed=True))

    def place(self, effect: Array) -> Array:
        """The auxiliary value of an effect."""
        off = _solved(self.scale_tril, effect - self.loc, lower=True)
        return jnp.einsum("...ji,...j->...i", self.root, off) - self.pull


def _coordinates(law: dist.Normal | dist.MultivariateNormal, evidence: Evidence, shape: tuple[int, ...]) -> Apart | Together:
    """No basis makes information and unequal spreads diagonal at once: such effects are taken together."""
    if isinstance(law, dist.MultivariateNormal):
        return Together(law.loc, law.scale_tril, evidence)
    if evidence.basis is None or np.shape(law.scale)[-1:] in ((), (1,)):
        return Apart(law, evidence, shape)
    return Together(law.loc, law.scale[..., None] * jnp.eye(shape[-1]), evidence)


def _turned(values: Array, basis: Array | None) -> Array:
    """Along the columns of a basis."""
    return values if basis is None else jnp.einsum("...ij,...i->...j", basis, values)


def _upper_root(precision: Array) -> Array:
    """Upper triangular U with U Uᵀ a matrix: of the auxiliary variable's law, Uᵀ then is the lower root."""
    return jnp.flip(jnp.linalg.cholesky(jnp.flip(precision, (-2, -1))), (-2, -1))


def _solved(root: Array, values: Array, *, transposed: bool = False, lower: bool = False) -> Array:
    """Solves a triangular system along the last axis."""
    batch = np.broadcast_shapes(np.shape(root)[:-2], np.shape(values)[:-1])
    root, values = jnp.broadcast_to(root, batch + root.shape[-2:]), jnp.broadcast_to(values, batch + values.shape[-1:])
    return jax.lax.linalg.triangular_solve(root, values[..., None], left_side=True, lower=lower, transpose_a=transposed)[..., 0]
