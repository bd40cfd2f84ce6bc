"""Sets of requests, by bits: which can be granted together and paid for, and what every one of them leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float

from bayestwin.preposterior.current import Site
from bayestwin.preposterior.requests import Request, apart

TIE = 1e-9  # of the variance: sets that leave the same

Shares = Float[np.ndarray, " point"]
Transform = Callable[[np.ndarray], np.ndarray]


class Leaves(Protocol):
    """What sets of requests leave of a quantity's variance, as shares, at each point."""

    def at(self, held: int) -> Shares:
        """Share that one set leaves once all of it is there."""

    def expected(self, held: int, there: Sequence[float], of: Transform = np.asarray) -> Shares:
        """Mean of what depends on the share that is left, over which of a set are there, each request with its own probability."""


@dataclass(frozen=True)
class Choice:
    """What may be filed together.

    Attributes:
        clash: for each request those that cannot be granted with it.
        cost: of each.
        limit: the most that a set may cost.
    """

    clash: Sequence[int]
    cost: Sequence[float]
    limit: float

    @classmethod
    def among(cls, sites: Mapping[str, Site], requests: Sequence[Request], budget: float | None) -> Choice:
        """Requests of a study, within a budget; whatever the cost if None.

        Costs are added up in the order of the requests, and a sum of decimals may lie a rounding error beyond the budget that it equals.
        """
        count = range(len(requests))
        clash = [sum(1 << j for j in count if j != i and not apart(sites, [requests[i], requests[j]])) for i in count]
        return cls(clash, [request.cost or 0.0 for request in requests], np.inf if budget is None else budget * (1.0 + 1e-9))

    def spent(self, held: int) -> float:
        """Cost of a set."""
        return sum(self.cost[i] for i in members(held))

    def rest(self, held: int, after: Sequence[int]) -> list[int]:
        """Of some requests those that could each be filed with a set."""
        spent = self.spent(held)
        return [i for i in after if not held & self.clash[i] and spent + self.cost[i] <= self.limit]

    def allows(self, held: int) -> bool:
        """Whether a set can be granted together and paid for."""
        return self.spent(held) <= self.limit and not any(held & self.clash[i] for i in members(held))

    def filled(self, order: Sequence[int]) -> Iterator[int]:
        """Sets that grow by one request at a time, in an order, those left out that cannot be filed with what is before."""
        held = 0
        for i in order:
            if self.rest(held, [i]):
                held |= 1 << i
                yield held

    def pruned(self, held: int, left: Callable[[int], float]) -> int:
        """A set without what tells nothing beside the others, the dearest first."""
        for i in sorted(members(held), key=lambda i: -self.cost[i]):
            if left(held & ~(1 << i)) <= left(held) + TIE:
                held &= ~(1 << i)
        return held

    def largest(self, held: int) -> list[int]:
        """The largest parts of a set that can be granted together, whatever they cost.

        Example:
            >>> Choice([0b010, 0b001, 0], [1.0] * 3, 3.0).largest(0b111)
            [6, 5]
        """
        for i in members(held):
            if against := held & self.clash[i]:
                return [*self.largest(held & ~(1 << i)), *self.largest(held & ~against)]
        return [held]


def affordable(choice: Choice, most: int) -> list[int] | None:
    """Sets of requests that can be granted together and paid for; every part of one of them is one, too.

    Args:
        choice: what may be filed together.
        most: sets.

    Returns:
        Sets, the empty one first; request i is in a set where its bit i is set. None where there are more than `most`.

    Example:
        >>> affordable(Choice([0, 0], [1.0, 2.0], 2.0), 8)
        [0, 1, 2]
    """
    found = [0]
    for i in range(len(choice.cost)):
        found += [held | 1 << i for held in found if choice.rest(held, [i])]
        if len(found) > most:
            return None
    return found


def members(held: int) -> list[int]:
    """Indices of the requests of a set.

    Example:
        >>> members(0b101)
        [0, 2]
    """
    return [i for i in range(held.bit_length()) if held >> i & 1]


@dataclass(frozen=True)
class Sets:
    """What every set of requests that can be filed leaves; what is expected by a date is exact.

    Attributes:
        place: of each set, by its bits, every part of each of them included and before it.
        left: share of the variance, by set, at each point, (point, set).
    """

    place: Mapping[int, int]
    left: Float[np.ndarray, "point set"]

    @classmethod
    def of(cls, held: Sequence[int], left: Float[np.ndarray, "point set"]) -> Sets:
        """Sets, each taken for no worse than its parts.

        Args:
            held: sets, every part of each before it.
            left: shares as they were simulated.
        """
        left, place = left.copy(), {one: n for n, one in enumerate(held)}
        for one, n in place.items():
            for i in members(one):
                left[:, n] = np.minimum(left[:, n], left[:, place[one ^ 1 << i]])
        return cls(place, left)

    def at(self, held: int) -> Shares:
        """Share that one set leaves once all of it is there."""
        return self.left[:, self.place[held]]

    def expected(self, held: int, there: Sequence[float], of: Transform = np.asarray) -> Shares:
        """Mean of what depends on the share that is left, over which of a set are there."""
        weights = {0: 1.0}
        for i in members(held):
            weights = {part | bit: p * weight for bit, p in ((0, 1.0 - there[i]), (1 << i, there[i])) for part, weight in weights.items()}
        return np.sum([weight * of(self.at(part)) for part, weight in weights.items() if weight > 0.0], axis=0)
