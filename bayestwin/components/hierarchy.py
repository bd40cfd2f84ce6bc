"""Nested levels: what the data below a level say about it, whatever the spread of its members."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayestwin.components.informed import Evidence, Look

Sites = Mapping[str, Array]
LEAST_TOLD = 1e-3  # of the best member's information: what is known no better says nothing of a spread


def pooled(
    below: Look,
    spread: Callable[[Sites], Array],
    groups: np.ndarray | None = None,
    count: int = 1,
    shift: Callable[[Sites], Array] = lambda sites: jnp.zeros(()),
) -> Look:
    """The look at group means that a look at their members gives, at the members' current spread.

    Args:
        below: look at the members, leading axis members.
        spread: sd of the members about their group's mean, from the sites sampled so far; broadcast against the members.
        groups: group index of each member, shape (members,); one group that has no axis of its own if None.
        count: number of groups.
        shift: what the members lie above their group's mean by beyond chance, such as a covariate's effect.

    Returns:
        Look at the groups: a group whose members are all silent has zero information.

    Source: Gelman & Hill (2007), "Data Analysis Using Regression and Multilevel/Hierarchical Models", §12, eq. 12.1,
    applied level by level.
    """

    def look(sites: Sites) -> Evidence:
        value, information, _ = below(sites)
        index = np.zeros(len(value), int) if groups is None else groups
        pooled_value, pooled_information = pool(value - shift(sites), information, index, count, spread(sites))
        return Evidence(pooled_value[0], pooled_information[0]) if groups is None else Evidence(pooled_value, pooled_information)

    return look


def pool(
    value: Float[Array, "member ..."], information: Float[Array, "member ..."], groups: np.ndarray, count: int, sd: Float[Array, "..."]
) -> tuple[Float[Array, "group ..."], Float[Array, "group ..."]]:
    """Group means and their information: each member weighs 1 / (sd² + 1 / I).

    Args:
        value: what the data say of each member.
        information: how precisely, ≥ 0.
        groups: group index of each member, shape (member,).
        count: number of groups; one without information gets the value zero.
        sd: spread of the members about their group's mean, broadcast against the members.

    Returns:
        Values and information, leading axis groups.

    Example:
        >>> value, information = pool(np.array([1.0, 3.0, 9.0]), np.array([1.0, 1.0, 0.0]), np.array([0, 0, 1]), 2, 1.0)
        >>> value.tolist(), information.tolist()
        ([2.0, 0.0], [1.0, 0.0])
    """
    weight = information / (1.0 + jnp.square(sd) * information)
    member = jnp.asarray(groups == np.arange(count)[:, None], float)  # sums as a product: cheaper than scattering
    total = jnp.tensordot(member, weight, 1)
    mean = jnp.tensordot(member, weight * value, 1) / jnp.where(total > 0, total, 1.0)
    return mean, total


def spread(value: Float[np.ndarray, "member ..."], information: Float[np.ndarray, "member ..."], groups: np.ndarray) -> np.ndarray:
    """About how far members lie from their group's mean: a start for the sampler, not an estimate to report.

    Args:
        value: what the data say of each member.
        information: how precisely, ≥ 0; a member with less than a thousandth of the best is left out.
        groups: group index of each member, shape (member,).

    Returns:
        Standard deviations (...), no less than half of the noise's; NaN where no group has two members that are seen.

    Source: DerSimonian & Laird (1986), Controlled Clinical Trials 7, for the moment estimate, here with equal weights.

    Example:
        >>> float(spread(np.array([1.0, 3.0, 5.0, 7.0]), np.full(4, 1e6), np.array([0, 0, 1, 1])).round(3))
        1.414
    """
    known = (information > LEAST_TOLD * information.max(0)).astype(float)
    member = np.eye(int(groups.max()) + 1)[groups]
    held = member.T @ known.reshape(len(known), -1)
    mean = (member.T @ (known * value).reshape(len(known), -1)) / np.maximum(held, 1.0)
    departure = known * (value - mean[groups].reshape(value.shape))
    noise = known / np.where(known > 0, information, 1.0)
    free = (known.sum(0).ravel() - (held > 0).sum(0)).reshape(value.shape[1:])
    between = np.square(departure).sum(0) / np.maximum(free, 1.0)
    own = noise.sum(0) / np.maximum(known.sum(0), 1.0)
    return np.where(free > 0, np.sqrt(np.maximum(between - own, 0.25 * own)), np.nan)
