"""Which unknowns belong to which units, and which to groups of units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Nesting(NamedTuple):
    """Units that are independent of one another given what is common to all and what is common to their group.

    Attributes:
        unit_axes: axis of the units of each site that has one.
        group_axes: axis of the groups of each site that has one and no axis of units.
        group_of: group of each unit.

    Example:
        >>> Nesting({"speed": 0}, {"clinic_documentation": 0}, np.array([0, 0, 1])).group_of.max()
        np.int64(1)
    """

    unit_axes: Mapping[str, int]
    group_axes: Mapping[str, int]
    group_of: np.ndarray

    def of_unknowns(self, names: Mapping[str, object]) -> Nesting:
        """The same for the names that a sampler knows sites by: those of data-informed effects end in `_u`."""
        unit, group = (
            {name: axes[site] for name in names if (site := name.removesuffix("_u")) in axes} for axes in (self.unit_axes, self.group_axes)
        )
        return Nesting(unit, group, self.group_of)
