"""Places whose extracts are put aside, as if they had given none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayestwin.extracts.hierarchy import Hierarchy
from bayestwin.extracts.observations import Observations


@dataclass(frozen=True)
class HeldOut:
    """Units of one level, with all below them.

    Attributes:
        level: a level of the hierarchy.
        codes: of its units.
    """

    level: str
    codes: tuple[str, ...]


def without(observations: Observations, hierarchy: Hierarchy, held: HeldOut) -> Observations:
    """Observations without the cells of some places.

    Cells of levels above theirs, which hold others too, stay.

    Args:
        observations: of one stream.
        hierarchy: the study's units.
        held: the places.
    """
    level = observations.dims[1]
    if hierarchy.levels.index(level) > hierarchy.levels.index(held.level):
        return observations
    groups = hierarchy.codes[held.level][hierarchy.ancestors(level, held.level)]
    left = ~np.isin(groups, held.codes).reshape(-1, *[1] * (observations.values.ndim - 2))
    return replace(observations, values=observations.values * left, mask=observations.mask & left, hidden=observations.hidden & left)
