"""Expected posterior variances were some of the barriers lifted, for a posterior and extracts that are about normal.

In coordinates in which the posterior is standard normal, new data of information K leave the precision I + K, and a quantity of slope g the
variance g' (I + K)⁻¹ g. Information adds up over extracts; what lifting adds is that of the lifted access less that of the access as it
is. The information depends on where the truth lies, so it is worked out at several draws of the posterior, which also give the error.

Where a posterior is curved, present data tell more of a direction at a draw than the posterior at large knows of it, and new data would, too: there the precision is what present data
tell at the draw.

Source: Raiffa & Schlaifer (1961), Applied Statistical Decision Theory, §5, for preposterior analysis; Chaloner & Verdinelli (1995), Statistical
Science 10, for its normal approximation in nonlinear models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, solve_triangular

from bayestwin.barriers import Access
from bayestwin.preposterior.current import Current, Followed, Site, follow
from bayestwin.preposterior.information import information
from bayestwin.preposterior.natural import carried

Accesses = Mapping[str, Access]
"""What each site comes through, by name; a site that is not there is left as it is."""
Chosen = Sequence[tuple[str, int]]
"""Sites that come through another access than now, and which of their variants."""


class Told(NamedTuple):
    """What data tell at one point.

    Attributes:
        precision: of the posterior as it is there.
        added: information that each variant of a site adds to that of the present access, by site; None of the present one.
    """

    precision: Float[np.ndarray, "coordinate coordinate"]
    added: Mapping[str, list]


@dataclass(frozen=True)
class Gains:
    """What each access of some sites would add, worked out once for all combinations of sites.

    Attributes:
        at: the posterior.
        sites: its observed sites.
        variants: the accesses of each site that were asked for, the present one first.
        points: draws of the unknowns at which information is found, (point, unknown).
        seed: of the simulated data.
    """

    at: Current
    sites: Mapping[str, Site]
    variants: Mapping[str, tuple[Access, ...]]
    points: Float[np.ndarray, "point unknown"]
    seed: int

    def variances(
        self, wanted: Sequence[Accesses], slopes: Float[np.ndarray, "coordinate quantity"], tick: Callable[[int], None] = lambda done: None
    ) -> Float[np.ndarray, "point wanted quantity"]:
        """Expected posterior variance of each quantity under each access, from each point.

        Their mean over points is the ratio of two means, of what is left and of what there is, laid over the variance at the centre; their spread shows
        that ratio's error. What lifts nothing leaves all at each.

        Args:
            wanted: accesses, each by site.
            slopes: of the quantities in the coordinates, at the centre.
            tick: told how many points are done.
        """
        chosen = [self._chosen(accesses) for accesses in wanted]
        different = list(dict.fromkeys(chosen))  # requests that overlap make one access in many ways
        place, found, now, own = {one: i for i, one in enumerate(different)}, [], [], self._carried(slopes)
        for index, told in enumerate(self._by_point()):
            left = [_left(one, told, own[index]) for one in different]
            found.append([left[place[one]] for one in chosen])
            now.append(_left((), told, own[index]))
            tick(index + 1)
        return _laid(np.array(found), np.array(now), slopes)

    def kept(
        self, slopes: Float[np.ndarray, "coordinate quantity"], tick: Callable[[int], None] = lambda done: None
    ) -> Callable[[Accesses], Float[np.ndarray, "point quantity"]]:
        """Find all information at once and keep it, for accesses that are asked for one after another.

        It takes four bytes for each pair of coordinates, variant and point.

        Args:
            slopes: of the quantities in the coordinates, at the centre.
            tick: told how many points are done.

        Returns:
            Expected posterior variance of each quantity under an access, from each point, as of `variances`.
        """
        found, own = [], self._carried(slopes)
        for index, told in enumerate(self._by_point()):
            single = {site: [None if one is None else one.astype(np.float32) for one in each] for site, each in told.added.items()}
            found.append(told._replace(added=single))
            tick(index + 1)
        now = np.array([_left((), *each) for each in zip(found, own, strict=True)])

        def expected(accesses: Accesses) -> Float[np.ndarray, "point quantity"]:
            chosen = self._chosen(accesses)
            return _laid(np.array([_left(chosen, *each) for each in zip(found, own, strict=True)]), now, slopes)

        return expected

    def _carried(self, slopes: Float[np.ndarray, "coordinate quantity"]) -> list[np.ndarray]:
        """Slopes at each point."""
        slopes_at = carried(self.at, slopes)
        return [slopes_at(point) for point in self.points]

    def _by_point(self) -> Iterator[Told]:
        """What data tell, point by point."""
        at_point = follow(self.at, self._channels())
        for index, point in enumerate(self.points):
            followed = at_point(point)
            present, added = np.zeros((self.at.root.shape[1],) * 2), {}
            for site in self.variants:
                known, added[site] = self._added(site, followed, index)
                present += known
            yield Told(_local(present), added)

    def _chosen(self, accesses: Accesses) -> tuple[tuple[str, int], ...]:
        """Which variant each site comes through, those left out that come through their present access."""
        each = ((site, variants.index(accesses[site])) for site, variants in self.variants.items() if site in accesses)
        return tuple((site, variant) for site, variant in each if variant)

    def _channels(self) -> dict[tuple[str, int], Access]:
        """The accesses of each site that differ in their channels, by the index of the first variant that has them."""
        return {(site, first): variants[first] for site, variants in self.variants.items() for first in sorted(set(_first_alike(variants)))}

    def _added(self, site: str, followed: Followed, point: int) -> tuple[np.ndarray, list[np.ndarray | None]]:
        """Information of a site's present access, and what each variant adds to it; None of the present one."""
        variants, place = self.variants[site], self.sites[site]
        alike = _first_alike(variants)
        told = [
            information(followed.laws[site, first], access, place.grid, self.seed + 1000 * point, place.read)
            * place.told(access).reshape(-1, 1, 1)
            for access, first in zip(variants, alike, strict=True)
        ]
        now = followed.slopes[site, 0]
        known = _in_coordinates(now, told[0])
        added: list[np.ndarray | None] = [None]
        for index in range(1, len(variants)):
            if alike[index] == 0:
                added.append(_in_coordinates(now, told[index] - told[0]))
            else:
                added.append(_in_coordinates(followed.slopes[site, alike[index]], told[index]) - known)
        return known, added


def gains(at: Current, sites: Mapping[str, Site], wanted: Sequence[Accesses], points: int, seed: int) -> Gains:
    """Prepare what accesses would add.

    Args:
        at: the posterior.
        sites: its observed sites.
        wanted: every access that will be asked for.
        points: draws of the posterior at which information is found.
        seed: of these draws and of simulated data.
    """
    variants = {
        name: _different([site.access, *(accesses[name] for accesses in wanted if name in accesses)])
        for name, site in sites.items()
        if any(name in accesses for accesses in wanted)
    }
    chosen = np.random.default_rng(seed).choice(len(at.draws), points, replace=False)
    return Gains(at, sites, variants, at.draws[chosen], seed)


def _local(present: Float[np.ndarray, "coordinate coordinate"]) -> Float[np.ndarray, "coordinate coordinate"]:
    """Precision of the posterior at a point: one, or what present data tell there where that is more.

    Args:
        present: information of present data at the point.
    """
    if not present.any():
        return np.eye(len(present))
    value, vector = np.linalg.eigh(present)
    return (vector * np.maximum(value, 1.0)) @ vector.T


def _left(chosen: Chosen, told: Told, slopes: np.ndarray) -> np.ndarray:
    """Variances under the sum of what the sites add."""
    precision = told.precision.copy()
    for site, variant in chosen:
        precision += told.added[site][variant]
    factor, lower = cho_factor(precision, lower=True)
    return np.square(solve_triangular(factor, slopes, lower=lower)).sum(0)


def _laid(
    left: Float[np.ndarray, "point ... quantity"],
    now: Float[np.ndarray, "point quantity"],
    slopes: Float[np.ndarray, "coordinate quantity"],
) -> Float[np.ndarray, "point ... quantity"]:
    """Variances left at each point, as parts of the ratio of their mean to that of the variances there are (linearised), times that at the centre.

    Args:
        left: by point.
        now: what there is at each point.
        slopes: at the centre.
    """
    now = now.reshape(len(left), *[1] * (left.ndim - 2), -1)
    mean = np.maximum(now.mean(0), np.finfo(float).tiny)  # nothing is unknown of some quantities
    ratio = left.mean(0) / mean
    return np.square(slopes).sum(0) * (ratio + (left - ratio * now) / mean)


def _different(accesses: Sequence[Access]) -> tuple[Access, ...]:
    """Accesses that differ, in order; some barriers hold tables, so that they cannot be looked up by hash."""
    found: list[Access] = []
    for access in accesses:
        if access not in found:
            found.append(access)
    return tuple(found)


def _first_alike(variants: Sequence[Access]) -> list[int]:
    """For each access the first one with the same channels."""
    channels = [access.channels for access in variants]
    return [channels.index(own) for own in channels]


def _in_coordinates(
    slopes: Mapping[str, np.ndarray], told: Float[np.ndarray, "cell field field"]
) -> Float[np.ndarray, "coordinate coordinate"]:
    """Information about coordinates, from that about the fields of cells."""
    cells = np.flatnonzero(told.any((1, 2)))
    told = told[cells].astype(np.float32)
    flat = [slope.reshape(len(slope), -1) for slope in slopes.values()]
    each = [np.broadcast_to(slope, (len(slope), len(cells))) if slope.shape[1] == 1 else slope[:, cells] for slope in flat]
    weighed = [sum(told[:, a, b] * each[b] for b in range(len(each))) for a in range(len(each))]
    return np.asarray(np.concatenate(each, 1) @ np.concatenate(weighed, 1).T, float)
