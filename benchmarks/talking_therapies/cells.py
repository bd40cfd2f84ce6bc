"""Exact draws of all cells given what is published and the rates: one pass up the tree of totals, one down.

Every cell may take a few values, so that what a subtree says of its sum is a short vector. Upwards, leaves' probabilities
are added up by convolution and cut to what the sum's own publication allows; downwards, the total is drawn, then the parts
given their sum. Breakdowns of one total are independent given it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from published import Family

Masses = np.ndarray
"""(draw, row, value - lowest) up to a factor; zero for values that are not possible."""


class Upward(NamedTuple):
    """What is known of a cell from below.

    Attributes:
        column: the cell.
        mass: probabilities of its values.
        branches: for each breakdown of it, its parts and the masses of the sums of the first, the first two, and so on.
    """

    column: str
    mass: Masses
    branches: list[tuple[list[Upward], list[Masses]]]


class Ends(NamedTuple):
    """Smallest and largest possible count of each row, by column."""

    low: dict[str, np.ndarray]
    high: dict[str, np.ndarray]

    @property
    def values(self) -> int:
        """The most values that a cell can take."""
        return 1 + max(int((self.high[column] - self.low[column]).max()) for column in self.low)


def draw_cells(
    rng: np.random.Generator, leaves: dict[str, Masses], ends: Ends, families: tuple[Family, ...], total: str
) -> dict[str, np.ndarray]:
    """Counts of all cells, (draw, row) by column.

    Args:
        rng: random generator.
        leaves: probabilities of the values low, low + 1, ... of each leaf, up to a factor.
        ends: what was published of each cell.
        families: which cells add up to which.
        total: the root.

    Raises:
        ValueError: if published numbers contradict one another.
    """
    root = _up(total, leaves, ends, families)
    if not (root.mass.sum(-1) > 0).all():
        rows = np.flatnonzero((root.mass.sum(-1) == 0).any(0))
        raise ValueError(f"parts and totals of rows {rows[:5].tolist()} cannot have been published like that")
    drawn: dict[str, np.ndarray] = {}
    _down(rng, root, _choose(rng, root.mass), ends, drawn)
    return {column: offset + ends.low[column] for column, offset in drawn.items()}


def _up(column: str, leaves: dict[str, Masses], ends: Ends, families: tuple[Family, ...]) -> Upward:
    if column in leaves:
        return Upward(column, _possible(leaves[column], column, ends), [])
    branches = []
    mass = np.ones(1)
    for family in families:
        if family.total == column:
            parts = [_up(part, leaves, ends, families) for part in family.parts]
            sums = _partial_sums([part.mass for part in parts])
            offset = ends.low[column] - sum(ends.low[part] for part in family.parts)
            index = offset[:, None] + np.arange(ends.values)
            mass = mass * _at(sums[-1], np.broadcast_to(index, (*sums[-1].shape[:2], ends.values)))
            branches.append((parts, sums))
    return Upward(column, _possible(mass, column, ends), branches)


def _possible(mass: Masses, column: str, ends: Ends) -> Masses:
    """Without what was not published like that, the largest mass one."""
    width = ends.high[column] - ends.low[column]
    mass = np.where(np.arange(ends.values) <= width[:, None], mass, 0.0)
    return mass / np.maximum(mass.max(-1, keepdims=True), 1e-300)


def _partial_sums(masses: list[Masses]) -> list[Masses]:
    sums = [masses[0]]
    for mass in masses[1:]:
        before, values = sums[-1], mass.shape[-1]
        after = np.zeros((*before.shape[:-1], before.shape[-1] + values - 1))
        for j in range(values):
            after[..., j : j + before.shape[-1]] += before * mass[..., j : j + 1]
        sums.append(after)
    return sums


def _down(rng: np.random.Generator, cell: Upward, offset: np.ndarray, ends: Ends, drawn: dict[str, np.ndarray]) -> None:
    drawn[cell.column] = offset
    for parts, sums in cell.branches:
        rest = offset + ends.low[cell.column] - sum(ends.low[part.column] for part in parts)
        for i in range(len(parts) - 1, 0, -1):
            before = _at(sums[i - 1], rest[..., None] - np.arange(ends.values))
            part = _choose(rng, before * parts[i].mass)
            _down(rng, parts[i], part, ends, drawn)
            rest = rest - part
        _down(rng, parts[0], rest, ends, drawn)


def _at(mass: Masses, index: np.ndarray) -> Masses:
    """Masses at positions, zero outside."""
    index = index.astype(int)
    inside = (index >= 0) & (index < mass.shape[-1])
    return np.where(inside, np.take_along_axis(mass, np.where(inside, index, 0), axis=-1), 0.0)


def _choose(rng: np.random.Generator, mass: Masses) -> np.ndarray:
    """A position drawn in proportion to the masses."""
    upto = mass.cumsum(-1)
    return (rng.random((*mass.shape[:-1], 1)) * upto[..., -1:] >= upto).sum(-1)
