"""The labelled cells that counts live on: time first, then units, then further dims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayestwin.periods import RESOLUTIONS


class AccessError(ValueError):
    """Barriers that do not fit one another, or the cells that they are laid over."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Names and coordinates of the axes of an array of counts.

    Attributes:
        coords: coordinates by dim, in the order of the axes; a time dim is named by its resolution (day, week, month, year)
            and holds the first day of each period, datetime64[D].
        above: for levels above a unit dim, the code of each unit's group, by (dim, level).

    Example:
        >>> grid = Grid({"day": np.arange("2024-01-01", "2024-01-15", dtype="datetime64[D]"), "clinic": np.array(["a", "b"])})
        >>> grid.dims, grid.shape, grid.resolution
        (('day', 'clinic'), (14, 2), 'day')
    """

    coords: Mapping[str, np.ndarray] = field(default_factory=dict)
    above: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        return tuple(self.coords)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(len(coord) for coord in self.coords.values())

    @property
    def resolution(self) -> str | None:
        """The time dim, if there is one."""
        return next((dim for dim in self.coords if dim in RESOLUTIONS), None)

    def axis(self, dim: str) -> int:
        """Position of a dim.

        Raises:
            AccessError: if there is no such dim.
        """
        if dim not in self.coords:
            raise AccessError(f"there is no dim {dim!r} here: the dims are {list(self.dims)}")
        return self.dims.index(dim)

    def replaced(self, dim: str, name: str, coord: np.ndarray) -> Grid:
        """The grid with another dim in the place of one."""
        coords = dict((name, coord) if key == dim else (key, old) for key, old in self.coords.items())
        kept = {key: codes for key, codes in self.above.items() if key[0] != dim}
        if name in self.coords and name != dim:
            raise AccessError(f"{dim!r} cannot become {name!r}: the dims are {list(self.dims)}")
        return Grid(coords, self.above if name == dim and len(coord) == len(self.coords[dim]) else kept)

    def along(self, dim: str | None, values: Any) -> Any:
        """A vector along a dim, shaped to broadcast against the grid; a number where there is no dim."""
        return values if dim is None else values.reshape([-1 if key == dim else 1 for key in self.dims])
