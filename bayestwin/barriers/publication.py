"""From numbers to what is published of them, and back to all the numbers that are published like that.

Rules after the last release that adds chance are read through: a published 10 under "hide below 8, round to 5" says 8..12.
What was done before the noise cannot be read off a number; it belongs to the noise's law.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayestwin.barriers.barrier import AbstractRelease, Coarsening, Randomised
from bayestwin.barriers.suppress import Suppress, hide_second, second_top

if TYPE_CHECKING:
    from collections.abc import Iterator

Releases = tuple[AbstractRelease, ...]
Ends = tuple[Any, Any]


class Objection(NamedTuple):
    """Published values that a barrier rules out.

    Attributes:
        barrier: the barrier that would not publish them.
        wrong: which values, shaped like them.
    """

    barrier: AbstractRelease
    wrong: np.ndarray


def split(releases: Releases) -> tuple[Releases, tuple[Coarsening, ...]]:
    """Releases up to the last that adds chance, and the rules after it, which an observation is read through."""
    last = max((i + 1 for i, release in enumerate(releases) if isinstance(release, Randomised)), default=0)
    return releases[:last], tuple(release for release in releases[last:] if isinstance(release, Coarsening))


def publish(releases: Releases, rng: np.random.Generator, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Published numbers, and which of them are published as a symbol only.

    Args:
        releases: in the order in which they act.
        rng: random generator.
        counts: whole numbers, or measurements where no release adds chance.
    """
    values, hidden = np.asarray(counts, float), np.zeros(np.shape(counts), bool)
    for release in releases:
        if isinstance(release, Randomised):
            values = release.draw(rng, values.astype(int))
        elif isinstance(release, Coarsening):
            hides = release.hides(values) & ~hidden
            if isinstance(release, Suppress) and release.complementary:
                hides = hide_second(values, hides)
            hidden = hidden | hides
            values = np.where(hidden, values, release.publish(values))
    return values, hidden


def read(releases: Releases, values: np.ndarray, hidden: np.ndarray, whole: bool) -> Ends:
    """Ends of all that is published like these numbers; the lower one above the upper where nothing is.

    Args:
        releases: in the order in which they act.
        values: published numbers, any where hidden.
        hidden: which are published as a symbol only.
        whole: whether what is released are whole numbers.
    """
    steps = [ends for _, ends in _back(releases, values, hidden, whole)]
    return steps[-1] if steps else (np.asarray(values, float), np.asarray(values, float))


def objections(releases: Releases, values: np.ndarray, hidden: np.ndarray, whole: bool) -> list[Objection]:
    """Published numbers that contradict a release, the last release to object first.

    Args:
        releases: in the order in which they act.
        values: published numbers, any where hidden.
        hidden: which are published as a symbol only.
        whole: whether what is released are whole numbers.
    """
    wrong, found = np.zeros(np.shape(values), bool), []
    ends: Ends = (np.asarray(values, float), np.asarray(values, float))
    for release, ends in _back(releases, values, hidden, whole):
        found.append(Objection(release, (ends[0] > ends[1]) & ~wrong))
        wrong = wrong | (ends[0] > ends[1])
    noise = split(releases)[0][-1:]
    if noise and isinstance(noise[0], Randomised):
        found.append(Objection(noise[0], ~noise[0].possible(*ends) & ~wrong & ~hidden))
    return [objection for objection in found if objection.wrong.any()]


def _back(releases: Releases, values: np.ndarray, hidden: np.ndarray, whole: bool) -> Iterator[tuple[Coarsening, Ends]]:
    """Each rule from the last one back, with the ends of what came to it."""
    inner, outer = split(releases)
    whole = inner[-1].whole if inner and isinstance(inner[-1], Randomised) else whole
    ends: Ends = (np.asarray(values, float), np.asarray(values, float))
    for release in reversed(outer):
        ends = release.preimage(*ends, whole)
        if release.hidden is not None:
            low, high = release.hidden
            top = second_top(values, hidden, high) if isinstance(release, Suppress) and release.complementary else high
            ends = np.where(hidden, low, ends[0]), np.where(hidden, top, ends[1])
        yield release, ends
