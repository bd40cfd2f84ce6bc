"""Nested levels, and what the data below a level say about it, whatever the spread of its members."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, Float
from numpyro import distributions as dist

from bayestwin.components.correlated import tied
from bayestwin.components.informed import Evidence, Look, site, told
from bayestwin.components.product import of_groups, product

Sites = Mapping[str, Array]
LEAST_TOLD = 1e-3  # of the best member's information: what is known no better says nothing of a spread


class Level(NamedTuple):
    """A level of a hierarchy, below its top.

    Attributes:
        name: site of its members; the site of their spread is `sd_<name>`.
        spread: prior of the spread of members about their parent.
        parent: index of each member's parent in the level above, (member,); zeros below the top.
        concentration: of the LKJ law of the correlation of a member's departures along their last axis, such as streams
            (`components.correlated.tied`); they are independent if None.
    """

    name: str
    spread: dist.Distribution
    parent: np.ndarray
    concentration: float | None = None

    def departures(self) -> Callable[[Array], dist.Distribution]:
        """Sample how members depart from their parents; returns the law of members about any centres."""
        if self.concentration is None:
            sd = numpyro.sample(f"sd_{self.name}", self.spread)
            return lambda centre: dist.Normal(centre, sd)
        root = tied(self.name, self.spread, self.concentration)
        return lambda centre: dist.MultivariateNormal(centre, scale_tril=root)


def hierarchy(top: str, prior: dist.Normal, levels: Sequence[Level], look: Look | None = None) -> list[Float[Array, "..."]]:
    """Sample nested normal levels, each member about its parent, in the parameterisation that their data ask for.

    Args:
        top: site of what all have in common.
        prior: its prior, of any shape (...).
        levels: the levels below, from the top down.
        look: what the data say of the members of the lowest level, (member, ...); the levels above are told by it. Without one
            every level is sampled as it is written.

    Returns:
        The top, (...), and the members of each level, (member, ...), all on the scale of the top.

    Example:
        >>> from numpyro.handlers import seed, trace
        >>> clinics = Level("clinic", dist.HalfNormal(0.3), np.zeros(2, int))
        >>> providers = Level("provider", dist.HalfNormal(0.5), np.array([0, 0, 1]))
        >>> found = trace(seed(lambda: hierarchy("level", dist.Normal(0.0, 1.0), [clinics, providers]), 0)).get_trace()
        >>> list(found)
        ['sd_clinic', 'sd_provider', 'level', 'clinic', 'provider']
    """
    laws = [level.departures() for level in levels]
    looks = [look]
    for index in range(len(levels) - 1, -1, -1):
        level, below = levels[index], looks[0]
        groups, count = (level.parent, len(levels[index - 1].parent)) if index else (None, 1)
        looks.insert(0, None if below is None else pooled(below, site(f"sd_{level.name}"), groups, count))
    values = [numpyro.sample(top, prior, infer=told(looks[0]))]
    for level, law, own in zip(levels, laws, looks[1:], strict=True):
        parents = values[-1] if len(values) > 1 else values[0][None]
        values.append(numpyro.sample(level.name, law(of_groups(parents, level.parent)), infer=told(own)))
    return values


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
    member = np.eye(count)[groups].T
    total = product(member, weight)
    mean = product(member, weight * value) / jnp.where(total > 0, total, 1.0)
    return mean, total


def spread(
    value: Float[np.ndarray, "member ..."],
    information: Float[np.ndarray, "member ..."],
    groups: np.ndarray,
    usual: Float[Array, "..."] | float,
) -> np.ndarray:
    """About how far members lie from their group's mean: a start for the sampler, not an estimate to report.

    Args:
        value: what the data say of each member.
        information: how precisely, ≥ 0; a member with less than a thousandth of the best is left out.
        groups: group index of each member, shape (member,).
        usual: standard deviation to expect; it weighs as much as one member more, for a few members that happen to be alike say little.

    Returns:
        Standard deviations (...), the members' own no less than half of the noise's; the usual one where no group has two that are seen.

    Source: DerSimonian & Laird (1986), Controlled Clinical Trials 7, for the moment estimate, here with equal weights.

    Example:
        >>> float(spread(np.array([1.0, 3.0, 5.0, 7.0]), np.full(4, 1e6), np.array([0, 0, 1, 1]), 1.0).round(3))
        1.291
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
    return np.sqrt((free * np.maximum(between - own, 0.25 * own) + np.square(usual)) / (free + 1.0))
