"""The best set of requests where there are too many sets to look at all of them: branch and bound, best bound first.

More data never raise an expected variance. So all that could still be filed leaves no more than any part of it, and a branch whose bound is not below the best set that
was found holds nothing better. Where what there is to spend pays for all but a few requests, this ends with the best set; where sets have to be evaluated beyond a limit
before, it ends with the best that was found, and the least bound of what was not looked at says how far from the best it can be.

Source: Land & Doig (1960), Econometrica 28; for subsets by monotony: Narendra & Fukunaga (1977), IEEE Transactions on Computers 26.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bayestwin.preposterior.sets import TIE, Choice, Shares, Transform

ARRIVALS = 32  # draws of which requests are there by a date


@dataclass(frozen=True)
class Evaluated:
    """What sets leave, each evaluated when it is first asked for; what is expected by a date is a mean over draws of what is there.

    Attributes:
        evaluate: share of the variance that a set leaves, at each point.
        late: draw of each request's arrival, from 0 (at once) to 1, (draw, request); it is there where this is below the probability that it is, so that what is there on one day is there on
            all later ones.
        found: sets that were evaluated.
    """

    evaluate: Callable[[int], Shares]
    late: Float[np.ndarray, "draw request"]
    found: dict[int, Shares] = field(default_factory=dict)

    @classmethod
    def of(cls, evaluate: Callable[[int], Shares], requests: int, seed: int) -> Evaluated:
        """Nothing evaluated yet.

        Args:
            evaluate: share of the variance that a set leaves, at each point.
            requests: how many there are.
            seed: of the draws, which are spread evenly for each request.
        """
        rng = np.random.default_rng(seed)
        places = np.stack([rng.permutation(ARRIVALS) for _ in range(requests)], axis=1)
        return cls(evaluate, (places + rng.random(places.shape)) / ARRIVALS)

    def at(self, held: int) -> Shares:
        """Share that one set leaves once all of it is there, taken for no worse than any part of it that was evaluated."""
        if held not in self.found:
            left = np.min([self.evaluate(held), *(left for part, left in self.found.items() if not part & ~held)], axis=0)
            larger = {one: np.minimum(left, of_one) for one, of_one in self.found.items() if not held & ~one}
            self.found.update({held: left} | larger)
        return self.found[held]

    def expected(self, held: int, there: Sequence[float], of: Transform = np.asarray) -> Shares:
        """Mean of what depends on the share that is left, over draws of which of a set are there."""
        present = self.late < np.asarray(there)
        arrived = [held & sum(1 << int(i) for i in np.flatnonzero(row)) for row in present]
        parts, times = np.unique(arrived, return_counts=True)
        return np.sum([n * of(self.at(int(part))) for part, n in zip(parts, times, strict=True)], axis=0) / len(present)


class Searched(NamedTuple):
    """What a search has found.

    Attributes:
        ranked: sets that can be filed, from the best on.
        short: share of the variance by which the best set that there is could leave less than the first; zero if none does.
    """

    ranked: list[int]
    short: float


def search(choice: Choice, left: Callable[[int], float], enough: Callable[[], bool]) -> Searched:
    """Look for the set that leaves least.

    Args:
        choice: what may be filed together.
        left: what a set leaves, never more than a part of it does.
        enough: whether no more branches may be looked at.

    Example:
        >>> choice = Choice([0, 0, 0], [1.0, 1.0, 2.0], 3.0)
        >>> search(choice, lambda held: 1.0 / (1.0 + held), lambda: False)
        Searched(ranked=[6, 5, 4, 3, 2, 1, 0], short=0.0)
    """
    single = {i: left(1 << i) for i in choice.rest(0, range(len(choice.cost)))}
    order = sorted(single, key=lambda i: single[i])
    for_cost = sorted(single, key=lambda i: (single[i] - left(0)) / (choice.cost[i] or 1.0))
    filed = {one: left(one) for one in [0, *(1 << i for i in order), *choice.filled(order), *choice.filled(for_cost)]}
    heap: list[tuple[float, int, int, list[int]]] = []

    def branch(held: int, rest: list[int]) -> None:
        """File all that is left, where that can be; else keep the branch for later, unless it holds nothing better."""
        whole = held | sum(1 << i for i in rest)
        if choice.allows(whole):
            filed[whole] = left(whole)
            return
        bound = min(left(one) for one in choice.largest(whole))
        if bound < min(filed.values()) - TIE:
            heappush(heap, (bound, len(filed), held, rest))

    branch(0, order)
    while heap and heap[0][0] < min(filed.values()) - TIE and not enough():
        _, _, held, (first, *others) = heappop(heap)
        branch(held | 1 << first, choice.rest(held | 1 << first, others))
        branch(held, others)
    best = min(filed, key=lambda one: (filed[one], choice.spent(one)))
    filed[choice.pruned(best, left)] = filed[best]
    ranked = sorted(filed, key=lambda one: (round(left(one), 9), choice.spent(one), one.bit_count()))
    least = heap[0][0] if heap else np.inf
    return Searched(ranked, float(max(left(ranked[0]) - least, 0.0)))
