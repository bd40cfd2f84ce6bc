"""Whitening by the posterior's curvature, unit by unit.

A hierarchical posterior in data-informed coordinates is close to normal, but its unknowns lean on one another: minutes per item on a
vendor's clock, a provider's usable time on their visits. The curvature at its mode says how. Units are independent given what they have
in common, so the curvature is an arrow: a block for each unit, a block for what is common, and borders. One probe along an unknown
shows it for all units at once, and the root of an arrow costs as many small roots as there are units.

It is a linear change of variables: the posterior is the same whatever the curvature says, and a poor one costs speed only.
Roots are symmetric, which leaves each coordinate as near to the unknown that it began as as any root does: that of a spread is nearly
the spread's own, so that draws can correct its unit, which the curvature at the mode does not know (decision 35).

Source: Betancourt (2017), arXiv:1701.02434, for the Euclidean metric as a linear transformation; Kessy, Lewin & Strimmer (2018), The American
Statistician 72, for what tells the roots apart; the arrow is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from bayestwin.infer.nesting import Nesting

STEP = 1e-3  # of a finite difference of the gradient, in units of the coordinates
LEAST_CURVATURE = 0.05  # effects have a prior precision of one; flatter directions are not trusted
SKEWED = 1.4  # spread of draws times spread of gradients, which is 1 of a normal law
TRUSTED = (0.1, 10.0)  # how far draws may correct a coordinate's unit at once
EVALUATIONS = (150, 400)  # of the potential on the way to its mode, before and after a first whitening
ROUNDS = 4  # of whitening and searching at most
NEAR = 1.0  # a mode is found where no unknown has further to go than so many of its units
FAR = 1e30  # potential where it cannot be computed


class Arrow(NamedTuple):
    """Curvature at a point: blocks of units, of what they share, and the borders.

    Attributes:
        own: (unit, slot, slot).
        border: (unit, slot, near).
        shared: (shared, shared).
    """

    own: np.ndarray
    border: np.ndarray
    shared: np.ndarray


class Layout(NamedTuple):
    """Places of the unknowns.

    Attributes:
        own: of each unit's in the flat vector, (unit, slot).
        shared: of all others in the flat vector, (shared,).
        near: of those a unit's unknowns lean on among the shared ones, (unit, near): other groups' are left out. The first are the same for
            all units, and the first of the shared ones.
    """

    own: np.ndarray
    shared: np.ndarray
    near: np.ndarray

    @property
    def of_all(self) -> int:
        """How many of the shared unknowns all units lean on."""
        first = np.arange(self.near.shape[1])
        return int(np.cumprod((self.near == first).all(0)).sum())

    @property
    def order(self) -> np.ndarray:
        """Where each unknown lies when those of units come first, (unknown,)."""
        return np.argsort(np.concatenate([self.own.ravel(), self.shared]))


class Whitening(NamedTuple):
    """Linear map from nearly standard-normal coordinates to the unknowns.

    Attributes:
        centre: flat unknowns at the mode.
        own: (unit, slot, slot) inverse roots of the units' blocks.
        slope: (unit × slot, of all) how units' unknowns follow the shared ones that all lean on: one matrix, for one product.
        group_slope: (unit, slot, of group) how they follow those of their group.
        shared: (shared, shared) inverse root of the shared block, less what units tell of it.
    """

    centre: Float[Array, " unknown"]
    own: Float[Array, "unit slot slot"]
    slope: Float[Array, "element of_all"]
    group_slope: Float[Array, "unit slot of_group"]
    shared: Float[Array, "shared shared"]

    def __call__(self, q: Float[Array, " unknown"], places: Layout) -> Float[Array, " unknown"]:
        """The unknowns of whitened coordinates, both flat."""
        xp = q.__array_namespace__()
        common, of_all = self.shared @ q[places.shared], places.of_all
        each = (
            xp.einsum("ust,ut->us", self.own, q[places.own])
            - (self.slope @ common[:of_all]).reshape(places.own.shape)
            - xp.einsum("usn,un->us", self.group_slope, common[places.near[:, of_all:]])
        )
        return self.centre + xp.concatenate([each.reshape(-1), common])[places.order]

    def of_numbers(self, q: Float[np.ndarray, " unknown"], places: Layout) -> Float[np.ndarray, " unknown"]:
        """The same by NumPy: JAX would compile every operation, which takes longer than they do."""
        return jax.tree.map(np.asarray, self)(q, places)

    def about(self, middle: Float[np.ndarray, " unknown"], places: Layout) -> Whitening:
        """The same map from coordinates of another origin: what was `middle` is zero."""
        return self._replace(centre=jnp.asarray(self.of_numbers(middle, places)))

    def scaled(self, scale: Float[np.ndarray, " unknown"], places: Layout) -> Whitening:
        """The same map from coordinates measured in other units: what was `scale` is one."""
        own, shared = np.asarray(self.own) * scale[places.own][:, None, :], np.asarray(self.shared) * scale[places.shared]
        return self._replace(own=jnp.asarray(own), shared=jnp.asarray(shared))


def unchanged(places: Layout) -> Whitening:
    """The whitening that leaves unknowns as they are."""
    (units, slots), shared, near, of_all = places.own.shape, places.shared.size, places.near.shape[1], places.of_all
    own = jnp.broadcast_to(jnp.eye(slots), (units, slots, slots))
    slopes = jnp.zeros((units * slots, of_all)), jnp.zeros((units, slots, near - of_all))
    return Whitening(jnp.zeros(units * slots + shared), own, *slopes, jnp.eye(shared))


def layout(values: Mapping[str, Array], nesting: Nesting) -> Layout:
    """Where each unit's unknowns and the shared ones lie in the flat vector.

    Args:
        values: unknowns by name.
        nesting: of these names.
    """
    flat, unravel = ravel_pytree(values)
    places = jax.tree.map(lambda index: np.asarray(index, int), unravel(jnp.arange(flat.size, dtype=flat.dtype)))

    def along(axes: Mapping[str, int]) -> list[np.ndarray]:
        return [np.moveaxis(places[name], axis, 0).reshape(places[name].shape[axis], -1) for name, axis in axes.items()]

    own = np.concatenate(along(nesting.unit_axes), axis=1)
    by_group = np.concatenate([np.empty((nesting.group_of.max() + 1, 0), int), *along(nesting.group_axes)], axis=1)
    of_all = np.setdiff1d(np.arange(flat.size), np.concatenate([own.ravel(), by_group.ravel()]))
    first = np.broadcast_to(np.arange(of_all.size), (len(own), of_all.size))
    of_group = of_all.size + np.arange(by_group.size).reshape(by_group.shape)
    return Layout(own, np.concatenate([of_all, by_group.ravel()]), np.concatenate([first, of_group[nesting.group_of]], axis=1))


def undivided(size: int) -> Layout:
    """The layout of unknowns that belong to no units."""
    nothing = np.empty((0, 0), int)
    return Layout(nothing, np.arange(size), nothing)


def curvature(gradient: Callable[[np.ndarray], np.ndarray], at: np.ndarray, places: Layout, each: Callable = map) -> Arrow:
    """Second derivatives by central differences of the gradient; one probe for each slot and each shared unknown.

    Args:
        gradient: of the potential, flat.
        at: where, flat.
        places: of the unknowns.
        each: calls a function with each of many arguments, as `map` does; an executor's does several at once.
    """

    def along(index: np.ndarray) -> np.ndarray:
        direction = np.zeros_like(at)
        direction[index] = STEP
        return (gradient(at + direction) - gradient(at - direction)) / (2.0 * STEP)

    by_slot = np.stack([np.empty(at.size), *each(along, places.own.T)], axis=-1)[places.own, 1:]
    by_shared = np.stack(list(each(along, places.shared)), axis=-1)
    border = by_shared[places.own[:, :, None], places.near[:, None, :]]
    return Arrow(by_slot, border, by_shared[places.shared])


def whitening(centre: np.ndarray, places: Layout, found: Arrow) -> Whitening:
    """The map whose coordinates have unit curvature.

    Args:
        centre: the mode, flat.
        places: of the unknowns.
        found: curvature there.

    Example:
        >>> places = Layout(np.array([[0], [1]]), np.array([2]), np.array([[0], [0]]))
        >>> found = Arrow(np.full((2, 1, 1), 4.0), np.zeros((2, 1, 1)), np.array([[1.0]]))
        >>> whitening(np.zeros(3), places, found)(jnp.ones(3), places).tolist()
        [0.5, 0.5, 1.0]
    """
    roots = inverse_root(found.own)
    slope = roots @ (roots @ found.border)
    left = found.shared.copy()
    np.subtract.at(left, (places.near[:, :, None], places.near[:, None, :]), found.border.swapaxes(1, 2) @ slope)
    of_all = places.of_all
    slopes = slope[..., :of_all].reshape(places.own.size, of_all), slope[..., of_all:]
    return Whitening(*map(jnp.asarray, (centre, roots, *slopes, inverse_root(left))))


def inverse_root[Matrices: (np.ndarray, Array)](curved: Matrices) -> Matrices:
    """Symmetric roots of the inverses of curvatures, bent upwards in every direction and no flatter than the least curvature.

    Away from a mode a potential may bend downwards as sharply as elsewhere upwards: how sharply says how long a step may be.

    Args:
        curved: nearly symmetric matrices, (..., n, n).

    Example:
        >>> inverse_root(np.array([[4.0, 0.0], [0.0, -1.0]])).tolist()
        [[0.5, 0.0], [0.0, 1.0]]
    """
    xp = curved.__array_namespace__()
    value, vector = xp.linalg.eigh(0.5 * (curved + curved.swapaxes(-1, -2)))
    root = xp.sqrt(xp.maximum(xp.abs(value), LEAST_CURVATURE))
    return (vector / root[..., None, :]) @ vector.swapaxes(-1, -2)


def scales[Draws: (np.ndarray, Array)](q: Draws, gradient: Draws) -> Draws:
    """Units in which draws spread as much as the gradients of their potential do.

    The curvature at a mode need not be typical of a skewed posterior. A normal law's draws spread by s and their gradients by 1 / s,
    so that a few draws show s exactly. Of a law so skewed that the two are far from agreeing the draws' spread is taken: its wide part
    says how long a trajectory must be.

    Args:
        q: draws, (draw, unknown).
        gradient: of the potential there, likewise.

    Returns:
        Units, (unknown,).

    Source: Seyboldt, Carlson & Carpenter (2026), "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher divergence",
        arXiv:2603.18845, for the geometric mean of the two.

    Example:
        >>> q = np.random.default_rng(1).normal(size=(5, 1)) * 3.0
        >>> scales(q, q / 9.0).round(6).tolist()
        [3.0]
    """
    xp = q.__array_namespace__()
    spread, steepness = q.std(0), gradient.std(0)
    return xp.clip(xp.where(spread * steepness > SKEWED, spread, xp.sqrt(spread / steepness)), *TRUSTED)


def mode(value_and_gradient: Callable[[np.ndarray], tuple[Any, np.ndarray]], start: np.ndarray, evaluations: int) -> np.ndarray:
    """The potential's minimum, or the best point found on the way to it.

    Args:
        value_and_gradient: of the potential, flat.
        start: where to begin.
        evaluations: at most.
    """
    from scipy.optimize import minimize

    return minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options={"maxfun": evaluations, "maxcor": 30}).x


def whitened(
    look: Callable[[np.ndarray, Whitening], tuple[float, np.ndarray]], start: np.ndarray, places: Layout, each: Callable = map
) -> Whitening:
    """Find a potential's mode and whiten by its curvature there: roughly first, then from there, where steps are straight, until it is found.

    Args:
        look: the potential and its gradient at coordinates of a whitening.
        start: where to begin, flat.
        places: of the unknowns.
        each: calls a function with each of many arguments, as `map` does.
    """
    as_they_are = unchanged(places)

    def finite(q: np.ndarray, found: Whitening) -> tuple[float, np.ndarray]:
        value, slope = look(q, found)
        return (value if np.isfinite(value) else FAR), np.where(np.isfinite(slope), slope, 0.0)

    def at(centre: np.ndarray) -> Whitening:
        return whitening(centre, places, curvature(lambda flat: finite(flat, as_they_are)[1], centre, places, each))

    found, origin = at(mode(lambda flat: finite(flat, as_they_are), start, EVALUATIONS[0])), np.zeros(start.size)
    for _ in range(ROUNDS):
        q = mode(partial(finite, found=found), origin, EVALUATIONS[1])
        found = at(found.of_numbers(q, places))
        if np.abs(finite(origin, found)[1]).max() < NEAR:
            break
    return found
